//! Version numbers as folders spell them: `1185.3.0`, `4081.2.1`, `13`, `3.20-rc1`.

use std::cmp::Ordering;
use std::fmt;

/// A folder's name, ordered as people order versions: 1185.10 is newer than 1185.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// A name that starts with a digit and holds nothing that needs quoting anywhere.
    pub fn new(name: &str) -> Option<Version> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+');
        let starts_with_digit = name.as_bytes().first().is_some_and(u8::is_ascii_digit);
        let ok = starts_with_digit && name.len() <= LONGEST && name.bytes().all(plain);
        ok.then(|| Version(name.to_owned()))
    }

    /// As it stands on the stick.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Runs of digits as numbers, runs of anything else as text.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.0.split(['.', '-', '_', '+']).map(|part| match part.parse::<u64>() {
            Ok(number) => Part::Number(number),
            Err(_) => Part::Text(part),
        })
    }
}

/// No publisher's version is longer; a longer name is something else.
const LONGEST: usize = 64;

/// Text sorts before numbers: `1.0-rc1` is older than `1.0.1`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Text(&'a str),
    Number(u64),
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.parts().cmp(other.parts()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_number_not_by_letter() {
        let mut versions: Vec<Version> = ["1185.10.0", "1185.9.0", "766.3.0", "1185.3.0"]
            .map(|v| Version::new(v).unwrap())
            .into();
        versions.sort();
        let names: Vec<&str> = versions.iter().map(Version::as_str).collect();
        assert_eq!(names, ["766.3.0", "1185.3.0", "1185.9.0", "1185.10.0"]);
    }

    #[test]
    fn names_that_could_break_out_of_a_script_are_no_versions() {
        for name in ["", "images", "1 2", "1;reboot", "1\n2", "1/..", "1$(x)", "1\"", "1'"] {
            assert_eq!(Version::new(name), None, "{name:?}");
        }
    }
}
