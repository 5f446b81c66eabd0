//! Debian's `Release`: the one signed file of an archive, which lists all others. Pure.
//!
//! Under `SHA256:` it has a line for each file: ` <hex> <size> <path>`. The installer's
//! `SHA256SUMS` has no signature of its own, only a line there.

use sha2::{Digest as _, Sha256};

use super::sums::{self, Digest};

/// In the order in which they are looked for; the second one holds its own signature.
pub const NAMES: [&str; 2] = ["Release", "InRelease"];

/// Whether `release` names the file `name` (a path below its own folder) with this content.
/// None: it says nothing of such a file.
///
/// A list that was laid beside the `Release` has lost its folders: then it has to be one of
/// those with its last name. What it lists still begins with the name of a processor.
pub fn fits(release: &str, name: &str, content: &[u8]) -> Option<bool> {
    let found = Line {
        digest: Digest::of_256(Sha256::new_with_prefix(content)),
        size: content.len() as u64,
        path: name,
    };
    let mut said = None;
    let mut said_beside = None;
    for line in lines(release) {
        let is_it = line.digest == found.digest && line.size == found.size;
        if line.path == name {
            said = Some(said.unwrap_or(true) && is_it);
        } else if line.path.rsplit('/').next() == Some(name) {
            said_beside = Some(said_beside.unwrap_or(false) || is_it);
        }
    }
    said.or(said_beside)
}

struct Line<'a> {
    digest: Digest,
    size: u64,
    path: &'a str,
}

/// The lines of the field `SHA256`; MD5 and SHA-1, which can be forged, count for nothing.
fn lines(release: &str) -> impl Iterator<Item = Line<'_>> {
    let mut is_inside = false;
    release.lines().filter_map(move |line| {
        if !line.starts_with(' ') {
            is_inside = line.trim_end().eq_ignore_ascii_case("SHA256:");
            return None;
        }
        let mut words = line.split_ascii_whitespace();
        let (hex, size, path) = (words.next()?, words.next()?, words.next()?);
        let digest = Digest::Sha256(sums::bytes(hex)?);
        let line = Line { digest, size: size.parse().ok()?, path };
        (is_inside && words.next().is_none()).then_some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"the list\n";
    const PATH: &str = "main/installer-amd64/current/images/SHA256SUMS";

    fn hex(content: &[u8]) -> String {
        Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn release(entries: &[(&str, &[u8])]) -> String {
        let mut text = format!(
            "Origin: Debian\nMD5Sum:\n {} 9 {PATH}\nSHA256:\n",
            "0123456789abcdef".repeat(2)
        );
        for (path, content) in entries {
            text += &format!(" {} {:>8} {path}\n", hex(content), content.len());
        }
        text + "Acquire-By-Hash: yes\n"
    }

    #[test]
    fn a_list_at_its_place_is_the_one_that_is_named_there() {
        let text = release(&[("main/x/SHA256SUMS", b"other"), (PATH, LIST)]);
        assert_eq!(fits(&text, PATH, LIST), Some(true));
        assert_eq!(fits(&text, PATH, b"another\n"), Some(false));
        assert_eq!(fits(&text, "main/x/SHA256SUMS", LIST), Some(false));
        assert_eq!(fits(&text, "main/y/SHA256SUMS", LIST), None);
        assert_eq!(fits(&text, "Packages", LIST), None);
    }

    #[test]
    fn a_list_beside_is_one_of_those_with_its_name() {
        let text = release(&[("main/x/SHA256SUMS", b"other"), (PATH, LIST)]);
        assert_eq!(fits(&text, "SHA256SUMS", LIST), Some(true));
        assert_eq!(fits(&text, "SHA256SUMS", b"other"), Some(true));
        assert_eq!(fits(&text, "SHA256SUMS", b"neither"), Some(false));
        assert_eq!(fits(&text, "256SUMS", LIST), None);
        // One at the very place goes before.
        let text = release(&[("SHA256SUMS", b"other"), (PATH, LIST)]);
        assert_eq!(fits(&text, "SHA256SUMS", LIST), Some(false));
    }

    #[test]
    fn hash_and_size_have_to_be_right_in_the_field_that_counts() {
        let line = |size: usize| format!(" {} {size} {PATH}\n", hex(LIST));
        let (right, wrong) = (line(LIST.len()), line(LIST.len() + 1));
        assert_eq!(fits(&format!("SHA256:\n{right}"), PATH, LIST), Some(true));
        assert_eq!(fits(&format!("SHA256:\r\n{right}"), PATH, LIST), Some(true));
        assert_eq!(fits(&format!("SHA256:\n{wrong}"), PATH, LIST), Some(false));
        assert_eq!(fits(&format!("SHA256:\n{right}{wrong}"), PATH, LIST), Some(false));
        for text in [
            right.clone(),
            format!("Other:\n{right}"),
            format!("SHA256:\nDate: today\n{right}"),
            format!("SHA256:\n{} more\n", right.trim_end()),
            format!("SHA256:\n{}\n", &right[..40]),
            "SHA256:\n  \n x\n".to_owned(),
        ] {
            assert_eq!(fits(&text, PATH, LIST), None, "{text:?}");
        }
    }
}
