//! File names that any profile knows, to pass by all others quickly: a disc has tens of
//! thousands of names, and a handful of them mean something. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use super::Profile;
use crate::inventory::pattern::Name;

/// The last parts of all patterns of some profiles, in lower case.
#[derive(Debug, Default)]
pub struct Names {
    whole: HashSet<String>,
    /// What stands before the first hole, and behind the last one.
    open: Vec<(String, String)>,
}

impl Names {
    /// Those of `profiles`.
    pub fn of(profiles: &[Arc<Profile>]) -> Names {
        let mut names = Names::default();
        for pattern in profiles.iter().flat_map(|profile| profile.patterns()) {
            match pattern.name() {
                Name::Whole(name) => {
                    names.whole.insert(name.to_ascii_lowercase());
                }
                Name::Open(before, behind) => {
                    names.open.push((before.to_ascii_lowercase(), behind.to_ascii_lowercase()));
                }
            }
        }
        names.open.sort();
        names.open.dedup();
        names
    }

    /// Whether a file with this path may be one that a profile wants; most are not.
    pub fn may_hold(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        self.whole.contains(&name)
            || self.open.iter().any(|(before, behind)| {
                name.len() >= before.len() + behind.len()
                    && name.starts_with(before.as_str())
                    && name.ends_with(behind.as_str())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_passed_by_that_a_profile_wants() {
        let profiles = Profile::built_in();
        let names = Names::of(&profiles);
        for path in [
            "casper/vmlinuz",
            "CASPER/INITRD",
            ".treeinfo",
            ".disk/info",
            "images/pxeboot/vmlinuz",
            "fedora-coreos-40.20240519.3.0-live-kernel-x86_64",
            "arch/boot/x86_64/vmlinuz-linux",
            "boot/vmlinuz-lts",
        ] {
            assert!(names.may_hold(path), "{path}");
        }
        assert!(!names.may_hold("pool/main/b/bash/bash_5.2-2_amd64.deb"));
        assert!(!names.may_hold("Packages/glibc-2.39-6.fc40.x86_64.rpm"));
    }
}
