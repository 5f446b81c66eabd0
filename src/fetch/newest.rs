//! What publishers' small files say: versions, lists of files, checksums.

use serde_json::Value;

use super::publisher::How;
use crate::verify::release;
use crate::verify::sums::{self, Comparison, Digest};

/// A file that a list in JSON names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its URL.
    pub location: String,
    /// Its signature's URL.
    pub signature: String,
    /// Its checksum.
    pub sha256: Digest,
}

/// The version that `text` says.
pub fn version(text: &str, how: How, at: &str) -> Option<String> {
    let found = match how {
        How::Assignment => value(text, '=', at)?.trim_matches('"').to_owned(),
        How::Field => value(text, ':', at)?.to_owned(),
        How::Record => record_version(text, at)?,
        How::Redirect => text.rsplit_once(at)?.1.to_owned(),
    };
    Some(found)
}

fn value<'a>(text: &'a str, sign: char, key: &str) -> Option<&'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(sign));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// Of the first record of this flavor. Its keys may stand in any order.
fn record_version(text: &str, flavor: &str) -> Option<String> {
    let records = text.split("\n-").filter(|record| value(record, ':', "flavor") == Some(flavor));
    records.filter_map(|record| value(record, ':', "version")).next().map(str::to_owned)
}

/// The version that a list in JSON is of.
pub fn listed_version(list: &Value, pointer: &str) -> Option<String> {
    list.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// A file of a list in JSON.
pub fn listed(list: &Value, pointer: &str) -> Option<Listed> {
    let text = |key: &str| list.pointer(pointer)?.get(key)?.as_str();
    Some(Listed {
        location: text("location")?.to_owned(),
        signature: text("signature")?.to_owned(),
        sha256: Digest::read_256(text("sha256")?)?,
    })
}

/// Whether a list of checksums, or Debian's `Release`, names a list at `path` with this
/// content. None: it says nothing of it.
pub fn names(list: &str, path: &str, content: &[u8]) -> Option<bool> {
    release::fits(list, path, content).or_else(|| {
        let wanted = sums::of(list, path);
        let mut comparison = Comparison::with(&wanted);
        comparison.update(content);
        (!wanted.is_empty()).then(|| comparison.is_equal())
    })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    const SUM: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn each_kind_of_file_says_its_version() {
        let flatcar = "FLATCAR_BUILD=4081\nFLATCAR_VERSION=4081.2.1\nFLATCAR_VERSION_ID=9\n";
        assert_eq!(
            version(flatcar, How::Assignment, "FLATCAR_VERSION").as_deref(),
            Some("4081.2.1")
        );
        let debian = "Origin: Debian\nSuite: stable\nVersion: 13.2\nCodename: trixie\n";
        assert_eq!(version(debian, How::Field, "Version").as_deref(), Some("13.2"));
        let talos = "https://github.example/talos/releases/tag/v1.11.5";
        assert_eq!(version(talos, How::Redirect, "/tag/v").as_deref(), Some("1.11.5"));
        assert_eq!(version("<html>", How::Assignment, "FLATCAR_VERSION"), None);
    }

    #[test]
    fn a_record_is_found_by_its_flavor_wherever_that_stands() {
        let alpine = "---\n-\n  title: \"Mini\"\n  version: 3.1.0\n  flavor: alpine-minirootfs\n\
                      -\n  title: \"Netboot\"\n  version: 3.22.1\n  flavor: alpine-netboot\n\
                      -\n  version: 3.9.9\n  flavor: alpine-virt\n";
        assert_eq!(version(alpine, How::Record, "alpine-netboot").as_deref(), Some("3.22.1"));
        assert_eq!(version(alpine, How::Record, "alpine-xen"), None);
    }

    #[test]
    fn a_list_is_named_by_both_kinds_of_lists_and_by_checksums_that_count() {
        let (content, path) = (&b"the list\n"[..], "main/SHA256SUMS");
        let sum = Digest::of_256(Sha256::new_with_prefix(content)).to_string();
        let md5 = "00112233445566778899aabbccddeeff";
        let release = |sum: &str| format!("MD5Sum:\n {md5} 9 {path}\nSHA256:\n {sum} 9 {path}\n");
        for (list, said) in [
            (format!("{sum}  ./{path}\n"), Some(true)),
            (format!("{SUM} *{path}\n"), Some(false)),
            // Each of them has to be right.
            (format!("{SUM}  {path}\n{sum}  {path}\n"), Some(false)),
            (format!("{sum}  SHA256SUMS\n"), None),
            (format!("{md5}  {path}\n"), None),
            (release(&sum), Some(true)),
            (release(SUM), Some(false)),
            // Outside of the part that holds SHA-256.
            (release(&sum).replace("SHA256:", "Other:"), None),
        ] {
            assert_eq!(names(&list, path, content), said, "{list}");
        }
    }

    #[test]
    fn a_listed_file_needs_location_signature_and_checksum() {
        let whole = format!(r#"{{"a":{{"location":"l","signature":"s","sha256":"{SUM}"}}}}"#);
        let list: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(listed(&list, "/a").unwrap().sha256.to_string(), SUM);
        let bad: Value = serde_json::from_str(&whole.replace(SUM, "00")).unwrap();
        assert_eq!(listed(&bad, "/a"), None);
    }
}
