//! What publishers' small files say: versions, lists of files, checksums.

use serde_json::Value;

use super::publisher::How;

/// SHA-256.
pub type Sum = [u8; 32];

/// A file that a list in JSON names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its URL.
    pub location: String,
    /// Its signature's URL.
    pub signature: String,
    /// Its checksum.
    pub sha256: Sum,
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
        sha256: sum(text("sha256")?)?,
    })
}

/// The SHA-256 of `path` in a list of checksums: lines of `sha256sum`, or the part of a
/// `Release` file. Other checksums in it have another length.
pub fn listed_sum(text: &str, path: &str) -> Option<Sum> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let sum = sum(words.next()?)?;
        let name = words.next_back()?;
        let name = name.trim_start_matches('*');
        (name.strip_prefix("./").unwrap_or(name) == path).then_some(sum)
    })
}

/// 64 hexadecimal digits.
pub fn sum(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(sum)
}

/// As `sha256sum` writes it.
pub fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
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
    fn checksums_are_found_in_both_kinds_of_lists() {
        let lines = format!("{SUM}  ./netboot/linux\n{SUM} *b\n");
        assert!(listed_sum(&lines, "netboot/linux").is_some());
        assert!(listed_sum(&lines, "b").is_some());
        assert_eq!(listed_sum(&lines, "linux"), None);
        let md5 = "00112233445566778899aabbccddeeff";
        let release =
            format!("MD5Sum:\n {md5} 77 main/SHA256SUMS\nSHA256:\n {SUM} 77 main/SHA256SUMS\n");
        assert_eq!(listed_sum(&release, "main/SHA256SUMS"), sum(SUM));
        assert_eq!(listed_sum(&release, "77"), None);
    }

    #[test]
    fn a_listed_file_needs_location_signature_and_checksum() {
        let whole = format!(r#"{{"a":{{"location":"l","signature":"s","sha256":"{SUM}"}}}}"#);
        let list: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(hex(&listed(&list, "/a").unwrap().sha256), SUM);
        let bad: Value = serde_json::from_str(&whole.replace(SUM, "00")).unwrap();
        assert_eq!(listed(&bad, "/a"), None);
    }
}
