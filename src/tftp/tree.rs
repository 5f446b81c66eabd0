//! Names in the boot tree, from whatever a ROM makes of them. Pure.

use crate::net::Mac;

/// A clean name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `pxelinux.cfg/01-00-25-90-c0-f7-86`
    PxelinuxFor(Mac),
    /// `pxelinux.cfg/default`
    PxelinuxDefault,
    /// `efi64/pxelinux.cfg/01-00-25-90-c0-f7-86`
    SyslinuxFor(Mac),
    /// `efi64/pxelinux.cfg/default`
    SyslinuxDefault,
    /// `grub/grub.cfg-01-00-25-90-c0-f7-86`, in each folder where a GRUB looks.
    GrubFor(Mac, String),
    /// `grub/x86_64-efi/grub.cfg`, the same.
    GrubDefault(String),
    /// `00-25-90-c0-f7-86.ipxe`
    IpxeScript(Mac),
    /// The same, for a machine that has just said who it is.
    IntroducedScript(Mac),
    /// `autoexec.ipxe`, which iPXE for UEFI looks for before it asks for an address.
    IpxeStart,
    /// `00-25-90-c0-f7-86/boot.cfg`: a file of the machine's image as it gets it, in the
    /// folder where VMware's loader looks for it by itself, with or without `01-`.
    ForMachine(Mac, String),
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
            Name::SyslinuxFor(mac) => format!("efi64/pxelinux.cfg/01-{}", mac.dashed()),
            Name::SyslinuxDefault => "efi64/pxelinux.cfg/default".to_owned(),
            Name::IpxeScript(mac) | Name::IntroducedScript(mac) => format!("{}.ipxe", mac.dashed()),
            Name::IpxeStart => "autoexec.ipxe".to_owned(),
            Name::ForMachine(mac, name) => format!("{}/{name}", mac.dashed()),
            Name::GrubFor(_, path) | Name::GrubDefault(path) | Name::Other(path) => path.clone(),
        }
    }

    fn of(path: String) -> Name {
        let lower = path.to_ascii_lowercase();
        // SYSLINUX for UEFI looks beside itself.
        let (efi, rest) = match lower.strip_prefix("efi64/") {
            Some(rest) => (true, rest),
            None => (false, lower.as_str()),
        };
        match rest.strip_prefix("pxelinux.cfg/").map(|name| (name, efi)) {
            Some(("default", true)) => return Name::SyslinuxDefault,
            Some(("default", false)) => return Name::PxelinuxDefault,
            Some((name, efi)) => {
                let mac = name.strip_prefix("01-").and_then(|mac| mac.parse().ok());
                return match (mac, efi) {
                    (Some(mac), true) => Name::SyslinuxFor(mac),
                    (Some(mac), false) => Name::PxelinuxFor(mac),
                    (None, _) => Name::Other(path),
                };
            }
            None => {}
        }
        if lower == "autoexec.ipxe" {
            return Name::IpxeStart;
        }
        if let Some(name) = grub_config(&lower) {
            return match name.strip_prefix("-01-").map(str::parse) {
                Some(Ok(mac)) => Name::GrubFor(mac, lower),
                None if name.is_empty() => Name::GrubDefault(lower),
                _ => Name::Other(path),
            };
        }
        if let Some((folder, name)) = path.split_once('/')
            && let Ok(mac) = folder.strip_prefix("01-").unwrap_or(folder).parse()
            && !name.contains('/')
        {
            return Name::ForMachine(mac, name.to_owned());
        }
        let script = lower.strip_suffix(".ipxe").and_then(|mac| mac.parse().ok());
        script.map_or(Name::Other(path), Name::IpxeScript)
    }
}

/// What follows `grub.cfg`. Debian's signed GRUB has `/grub` built in, others look beside
/// the file that they came from.
fn grub_config(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let known = matches!(folder, "" | "grub" | "grub/x86_64-efi" | "grub/arm64-efi");
    name.strip_prefix("grub.cfg").filter(|_| known)
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
        let grub = |name: &str| Some(Name::GrubDefault(name.to_owned()));
        let grub_for = |name: &str| Some(Name::GrubFor(mac(), name.to_owned()));
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
            ("efi64/pxelinux.cfg/01-00-25-90-c0-f7-86", Some(Name::SyslinuxFor(mac()))),
            ("EFI64/pxelinux.cfg/default", Some(Name::SyslinuxDefault)),
            ("efi64/pxelinux.cfg/0A0A0A64", other("efi64/pxelinux.cfg/0A0A0A64")),
            ("efi64/ldlinux.e64", other("efi64/ldlinux.e64")),
            ("/grub/x86_64-efi/grub.cfg", grub("grub/x86_64-efi/grub.cfg")),
            ("/grub/arm64-efi/grub.cfg", grub("grub/arm64-efi/grub.cfg")),
            ("//grub/grub.cfg", grub("grub/grub.cfg")),
            ("grub.cfg", grub("grub.cfg")),
            ("/grub.cfg-01-00-25-90-C0-F7-86", grub_for("grub.cfg-01-00-25-90-c0-f7-86")),
            ("grub/grub.cfg-01-00-25-90-c0-f7-86", grub_for("grub/grub.cfg-01-00-25-90-c0-f7-86")),
            ("/grub/grub.cfg-0A0A0A64", other("grub/grub.cfg-0A0A0A64")),
            ("/grub/x86_64-efi/command.lst", other("grub/x86_64-efi/command.lst")),
            ("/EFI/debian/grub.cfg", other("EFI/debian/grub.cfg")),
            ("/AUTOEXEC.ipxe", Some(Name::IpxeStart)),
            ("sub/autoexec.ipxe", other("sub/autoexec.ipxe")),
            ("00-25-90-c0-f7-86.ipxe", Some(Name::IpxeScript(mac()))),
            ("01-00-25-90-c0-f7-86/boot.cfg", Some(Name::ForMachine(mac(), "boot.cfg".to_owned()))),
            ("00-25-90-C0-F7-86/boot.cfg", Some(Name::ForMachine(mac(), "boot.cfg".to_owned()))),
            ("00-25-90-c0-f7-86/a/boot.cfg", other("00-25-90-c0-f7-86/a/boot.cfg")),
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
