//! How many files of a kind a stick may have: each of these costs memory for as long as it
//! serves. Pure.

use super::configs::ConfigKind;
use super::iso::is_iso;

/// A boot tree has some hundred files.
const MOST_TFTP: usize = 20_000;

/// Two thousand machines with four files each.
const MOST_CONFIGS: usize = 10_000;

/// Each is opened and looked through.
const MOST_ISOS: usize = 1_000;

/// Counts the files of one stick by kind.
#[derive(Debug, Default)]
pub struct Quotas {
    tftp: usize,
    configs: usize,
    isos: usize,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is listed.
    Listed,
    /// It is the first one too many of its kind; the message says of which.
    TooMany(&'static str),
    /// That has been said already.
    Passed,
}

impl Quotas {
    /// Counts the file at `path`.
    pub fn count(&mut self, path: &str) -> Verdict {
        let folder = path.split_once('/').map_or("", |(folder, _)| folder);
        let (count, most, message) = if folder.eq_ignore_ascii_case("tftp") {
            (&mut self.tftp, MOST_TFTP, "holds more than 20,000 files for TFTP")
        } else if ConfigKind::of_folder(folder).is_some() {
            (&mut self.configs, MOST_CONFIGS, "holds more than 10,000 configs of machines")
        } else if is_iso(path) {
            (&mut self.isos, MOST_ISOS, "holds more than 1,000 ISOs")
        } else {
            return Verdict::Listed;
        };
        *count = count.saturating_add(1);
        match (*count).cmp(&most.saturating_add(1)) {
            std::cmp::Ordering::Less => Verdict::Listed,
            std::cmp::Ordering::Equal => Verdict::TooMany(message),
            std::cmp::Ordering::Greater => Verdict::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_too_many_of_a_kind_is_said_and_the_others_are_passed_over() {
        let mut quotas = Quotas::default();
        for at in 0..MOST_ISOS {
            assert_eq!(quotas.count(&format!("images/{at}.iso")), Verdict::Listed);
        }
        assert!(matches!(quotas.count("images/one more.ISO"), Verdict::TooMany(_)));
        assert_eq!(quotas.count("images/and another.iso"), Verdict::Passed);
        assert_eq!(quotas.count("images/coreos/1.0/kernel"), Verdict::Listed);
        assert_eq!(quotas.count("TFTP/pxelinux.0"), Verdict::Listed);
        assert_eq!(quotas.count("ignition/default.ign"), Verdict::Listed);
    }
}
