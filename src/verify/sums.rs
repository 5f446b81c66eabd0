//! Lists of checksums, as the projects publish them. Pure.
//!
//! Three forms: `<hex>  <name>` of sha256sum(1) (Debian, Ubuntu, Alpine, Talos; Flatcar's
//! DIGESTS with `#` lines between), and BSD's `SHA256 (<name>) = <hex>` (Fedora and its kin).
//! SHA-1 and MD5, which can be forged, count for nothing.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha512};

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Path below the list's folder.
    pub name: String,
    /// What the file's content makes.
    pub digest: Digest,
}

/// A checksum, with the function that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256
    Sha256([u8; 32]),
    /// SHA-512
    Sha512(Box<[u8; 64]>),
}

impl Digest {
    /// What was hashed.
    pub fn of_256(hasher: Sha256) -> Digest {
        Digest::Sha256(hasher.finalize().into())
    }

    /// The SHA-256 that is written so: 64 hexadecimal digits.
    pub fn read_256(hex: &str) -> Option<Digest> {
        bytes(hex).map(Digest::Sha256)
    }
}

/// As sha256sum(1) writes it.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Digest::Sha256(bytes) => bytes,
            Digest::Sha512(bytes) => &**bytes,
        };
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Makes of content what it is to be compared with, in one go.
#[derive(Debug)]
pub struct Comparison<'a> {
    wanted: &'a [Digest],
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
}

impl<'a> Comparison<'a> {
    /// With all of these.
    pub fn with(wanted: &'a [Digest]) -> Comparison<'a> {
        let needs = |kind: fn(&Digest) -> bool| wanted.iter().any(kind);
        let sha256 = needs(|digest| matches!(digest, Digest::Sha256(_))).then(Sha256::new);
        let sha512 = needs(|digest| matches!(digest, Digest::Sha512(_))).then(Sha512::new);
        Comparison { wanted, sha256, sha512 }
    }

    /// The next piece of the content.
    pub fn update(&mut self, piece: &[u8]) {
        if let Some(hasher) = &mut self.sha256 {
            hasher.update(piece);
        }
        if let Some(hasher) = &mut self.sha512 {
            hasher.update(piece);
        }
    }

    /// Whether the content makes all of them.
    pub fn is_equal(self) -> bool {
        let sha256 = self.sha256.map(Digest::of_256);
        let of_512 = |hasher: Sha512| Digest::Sha512(Box::new(hasher.finalize().into()));
        let sha512 = self.sha512.map(of_512);
        let is_right = |one| sha256.as_ref() == Some(one) || sha512.as_ref() == Some(one);
        self.wanted.iter().all(is_right)
    }
}

/// Names of lists for a whole folder, in lower case. Those of one file are its own name with
/// one of [`OF_ONE_FILE`] behind it.
const LISTS: [&str; 12] = [
    "sha256sums",
    "sha512sums",
    "sha256sums.txt",
    "sha512sums.txt",
    "sha256sum.txt",
    "sha512sum.txt",
    "sha256sum",
    "sha512sum",
    "sha256",
    "checksum",
    "checksums",
    "checksums.txt",
];

const OF_ONE_FILE: [&str; 5] = [".digests", ".sha256", ".sha512", ".sha256sum", ".sha512sum"];

/// Whether a file of this name is a list; `SHA256SUMS.asc` may be one with its signature.
pub fn is_list(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_suffix(".asc").unwrap_or(&lower);
    LISTS.contains(&name)
        || name.ends_with("-checksum")
        || OF_ONE_FILE.iter().any(|end| name.ends_with(end))
}

/// The one file, in lower case, that a list of this name says something of; none if it is a
/// list of a whole folder.
pub fn only_file(list: &str) -> Option<String> {
    let lower = list.to_ascii_lowercase();
    let stem = lower.strip_suffix(".asc").unwrap_or(&lower);
    OF_ONE_FILE.iter().find_map(|end| stem.strip_suffix(end)).map(str::to_owned)
}

/// Every checksum of `name` (a path below the list's folder) in `list`. Strongest last; all
/// of them have to be right.
pub fn of(list: &str, name: &str) -> Vec<Digest> {
    lines(list).filter(|sum| sum.name == name).map(|sum| sum.digest).collect()
}

/// The length that the list gives for `name`: Fedora's `# <name>: <n> bytes`.
pub fn length_of(list: &str, name: &str) -> Option<u64> {
    list.lines().find_map(|line| {
        let (found, bytes) = line.strip_prefix("# ")?.split_once(": ")?;
        (found == name).then(|| bytes.strip_suffix(" bytes")?.parse().ok())?
    })
}

/// Every line that holds a checksum which counts.
pub fn lines(list: &str) -> impl Iterator<Item = Sum> {
    list.lines().filter_map(line)
}

fn line(line: &str) -> Option<Sum> {
    let line = line.trim_end();
    let (name, hex) = match line.split_once(" (") {
        Some((function, rest)) if matches!(function, "SHA256" | "SHA512") => {
            let (name, hex) = rest.rsplit_once(") = ")?;
            let length = if function == "SHA256" { 64 } else { 128 };
            (name, Some(hex).filter(|hex| hex.len() == length)?)
        }
        _ => {
            let (hex, name) = line.split_once(' ')?;
            // A blank for text and a star for binary files; both are read the same here.
            (name.strip_prefix([' ', '*']).unwrap_or(name).trim_start(), hex)
        }
    };
    let digest = match hex.len() {
        64 => Digest::Sha256(bytes(hex)?),
        128 => Digest::Sha512(Box::new(bytes(hex)?)),
        _ => return None,
    };
    let name = name.trim_start_matches("./");
    (!name.is_empty()).then(|| Sum { name: name.to_owned(), digest })
}

/// What these hexadecimal digits stand for.
pub(super) fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_every_project_are_understood() {
        let (short, long) = ("ab".repeat(32), "0F".repeat(64));
        let sha256 = || Digest::Sha256([0xab; 32]);
        let sha512 = || Digest::Sha512(Box::new([0x0f; 64]));
        for (project, list, name, expected) in [
            ("Debian", format!("{short}  ./netboot/linux\n"), "netboot/linux", vec![sha256()]),
            ("Ubuntu", format!("{short} *a.iso\n{short} *b.iso\n"), "b.iso", vec![sha256()]),
            ("Alpine", format!("{short}  a.iso"), "a.iso", vec![sha256()]),
            ("Talos", format!("{long}  vmlinuz-amd64\r\n"), "vmlinuz-amd64", vec![sha512()]),
            (
                "Fedora",
                format!("# F-42.iso: 7 bytes\nSHA256 (F-42.iso) = {short}\n"),
                "F-42.iso",
                vec![sha256()],
            ),
            ("FreeBSD", format!("SHA512 (a b.img) = {long}\n"), "a b.img", vec![sha512()]),
            (
                "Flatcar",
                format!(
                    "# MD5 HASH\n{0}  x\n# SHA1 HASH\n{1}  x\n# SHA512 HASH\n{long}  x\n",
                    &short[..32],
                    &short[..40]
                ),
                "x",
                vec![sha512()],
            ),
            ("twice", format!("{short}  x\n{long}  x\n"), "x", vec![sha256(), sha512()]),
        ] {
            assert_eq!(of(&list, name), expected, "{project}");
        }
        assert_eq!(length_of("# F-42.iso: 2464382976 bytes\n", "F-42.iso"), Some(2_464_382_976));
    }

    #[test]
    fn what_is_no_checksum_counts_for_nothing() {
        let hex = "ab".repeat(32);
        for list in [
            String::new(),
            hex.clone(),
            format!("{hex}  "),
            format!("{hex}  ./"),
            format!("{}  x", &hex[1..]),
            format!("{}g  x", &hex[1..]),
            format!("SHA512 (x) = {hex}"),
            format!("SHA1 (x) = {}", &hex[..40]),
            format!("é{}  x", &hex[2..]),
        ] {
            assert_eq!(of(&list, "x"), [], "{list:?}");
        }
    }

    #[test]
    fn lists_are_known_by_their_names() {
        for name in [
            "SHA256SUMS",
            "SHA512SUMS.asc",
            "sha256sum.txt",
            "Fedora-Server-42-1.1-x86_64-CHECKSUM",
            "CHECKSUM",
            "flatcar_production_image.bin.bz2.DIGESTS.asc",
            "alpine-netboot-3.20.0-x86_64.tar.gz.sha256",
        ] {
            assert!(is_list(name), "{name}");
        }
        for name in ["linux", "SHA256SUMS.gpg", "sha256sums.bak", "a.asc"] {
            assert!(!is_list(name), "{name}");
        }
    }
}
