//! Names in the boot tree, from whatever a ROM makes of them. Pure.

use crate::net::Mac;

/// A clean name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `pxelinux.cfg/01-00-25-90-c0-f7-86`
    PxelinuxFor(Mac),
    /// `pxelinux.cfg/default`
    PxelinuxDefault,
    /// `00-25-90-c0-f7-86.ipxe`
    IpxeScript(Mac),
    /// Anything else: relative, without empty, `.` or `..` parts.
    Other(String),
}

/// RFC 2347 limits the whole request to 512 bytes.
const LONGEST_NAME: usize = 500;

impl Name {
    /// Cleans what a client asked for: leading and double slashes, backslashes, and the
    /// 0xFF or blanks that some firmware leaves behind a name (Jetway, Lenovo T460, …).
    /// None: this can be nobody's file.
    pub fn parse(asked: &str) -> Option<Name> {
        if asked.len() > LONGEST_NAME {
            return None;
        }
        let trimmed = asked.trim_end_matches(|c: char| c == ' ' || !c.is_ascii());
        let slashed = trimmed.replace('\\', "/");
        let parts: Vec<&str> =
            slashed.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let clean = |part: &&str| **part != *".." && !part.chars().any(char::is_control);
        if parts.is_empty() || !parts.iter().all(clean) {
            return None;
        }
        Some(Name::of(parts.join("/")))
    }

    /// The name as a path in the tree.
    pub fn path(&self) -> String {
        match self {
            Name::PxelinuxFor(mac) => format!("pxelinux.cfg/01-{}", mac.dashed()),
            Name::PxelinuxDefault => "pxelinux.cfg/default".to_owned(),
            Name::IpxeScript(mac) => format!("{}.ipxe", mac.dashed()),
            Name::Other(path) => path.clone(),
        }
    }

    fn of(path: String) -> Name {
        let lower = path.to_ascii_lowercase();
        let config = lower.strip_prefix("pxelinux.cfg/");
        if config == Some("default") {
            return Name::PxelinuxDefault;
        }
        let for_mac = config.and_then(|name| name.strip_prefix("01-")).and_then(|m| m.parse().ok());
        let script = lower.strip_suffix(".ipxe").and_then(|mac| mac.parse().ok());
        match (for_mac, script) {
            (Some(mac), _) => Name::PxelinuxFor(mac),
            (None, Some(mac)) => Name::IpxeScript(mac),
            (None, None) => Name::Other(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac() -> Mac {
        "00:25:90:c0:f7:86".parse().unwrap()
    }

    #[test]
    fn names_are_understood_in_every_firmwares_spelling() {
        let other = |name: &str| Some(Name::Other(name.to_owned()));
        for (asked, expected) in [
            ("pxelinux.0", other("pxelinux.0")),
            ("/pxelinux.0", other("pxelinux.0")),
            ("//a///b", other("a/b")),
            ("\\Boot\\BCD", other("Boot/BCD")),
            ("./snponly.efi", other("snponly.efi")),
            ("snponly.efi\u{ff}", other("snponly.efi")),
            ("snponly.efi  ", other("snponly.efi")),
            ("pxelinux.cfg/01-00-25-90-c0-f7-86", Some(Name::PxelinuxFor(mac()))),
            ("pxelinux.cfg/01-00-25-90-C0-F7-86", Some(Name::PxelinuxFor(mac()))),
            ("/pxelinux.cfg/default", Some(Name::PxelinuxDefault)),
            ("pxelinux.cfg/0A0A0A64", other("pxelinux.cfg/0A0A0A64")),
            ("00-25-90-c0-f7-86.ipxe", Some(Name::IpxeScript(mac()))),
        ] {
            assert_eq!(Name::parse(asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_tree() {
        let long = "a".repeat(501);
        for asked in ["", "/", "..", "../x", "a/../b", "..\\x", "a\0b", "a\nb", ".", &long] {
            assert_eq!(Name::parse(asked), None, "{asked:?}");
        }
    }
}
