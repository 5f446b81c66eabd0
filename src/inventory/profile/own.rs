//! A stick's own profiles: as many, and as large, as a person writes. Pure.

use std::sync::Arc;

use super::{Profile, read};
use crate::inventory::Problem;

/// The largest built-in one has 4 KiB.
pub const LARGEST: usize = 64 * 1024;

/// More systems than anybody has.
pub const MOST_FILES: usize = 64;

/// Every file of a stick is compared with the kernel of each; the built-in ones have 60.
const MOST_LAYOUTS: usize = 500;

/// What all of them hold, siblings with theirs: each name takes some 200 bytes. The built-in
/// ones hold 1,000.
const MOST_PIECES: usize = 4_000;

/// All texts together, siblings with theirs.
const MOST_TEXT: usize = 512 * 1024;

/// Those that were read up to now.
#[derive(Debug, Default)]
pub struct Own {
    files: usize,
    read: usize,
    layouts: usize,
    pieces: usize,
    text: usize,
    profiles: Vec<Arc<Profile>>,
}

impl Own {
    /// Adds what stands in the file at `path`; a mistake refuses only that one.
    pub fn add(&mut self, path: &str, text: &str) -> Result<(), Problem> {
        let refuse = |what: &str| Err(Problem::new(path, format!("not used: {what}")));
        self.files += 1;
        if self.files > MOST_FILES {
            return refuse(&format!("the stick has more than {MOST_FILES} profiles"));
        }
        if text.len() > LARGEST {
            return refuse("a profile is at most 64 KiB");
        }
        // Also those that are refused take time.
        self.read += text.len();
        if self.read > MOST_TEXT {
            return refuse("more than 512 KiB in all profiles");
        }
        let family = read::family(path, text)?;
        // Each of the systems that it names has all of it.
        let count = 1 + family.also.len();
        let layouts = self.layouts + family.layout.len() * count;
        let pieces = self.pieces + family.pieces() * count;
        let text = self.text + text.len() * count;
        if layouts > MOST_LAYOUTS {
            return refuse(&format!("more than {MOST_LAYOUTS} layouts in all profiles"));
        }
        if pieces > MOST_PIECES || text > MOST_TEXT {
            return refuse(&format!(
                "more than {MOST_PIECES} names, or 512 KiB, in all profiles; each system of \
                 [[also]] counts"
            ));
        }
        (self.layouts, self.pieces, self.text) = (layouts, pieces, text);
        self.profiles.extend(read::siblings(family).into_iter().map(Arc::new));
        Ok(())
    }

    /// All of them.
    pub fn profiles(self) -> Vec<Arc<Profile>> {
        self.profiles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(layouts: usize, names: usize, siblings: usize) -> String {
        let needs = format!("needs = [{}]\n", "\"a\",".repeat(names));
        let layouts = format!("[[layout]]\nkernel = \"linux\"\n{needs}").repeat(layouts);
        let also = |at| format!("[[also]]\nname = \"a{at}\"\ntitle = \"A\"\n");
        let also: String = (0..siblings).map(also).collect();
        format!("name = \"x\"\ntitle = \"X\"\n{also}{layouts}")
    }

    fn refused(own: &mut Own, text: &str) -> String {
        own.add("profiles/a.toml", text).unwrap_err().message
    }

    #[test]
    fn what_all_profiles_of_a_stick_hold_together_is_bounded() {
        let mut own = Own::default();
        own.add("profiles/a.toml", &text(1, 3000, 0)).unwrap();
        assert!(refused(&mut own, &text(1, 1000, 0)).contains("more than 4000 names"));
        assert!(refused(&mut own, &text(1, 50, 20)).contains("[[also]] counts"));
        assert!(refused(&mut own, &text(250, 0, 1)).contains("layouts"));
        let long = format!("{}# {}\n", text(1, 0, 10), "x".repeat(60 * 1024));
        assert!(refused(&mut own, &long).contains("512 KiB"));
        let words = format!("{}[[args]]\ngive = [{}]\n", text(1, 0, 0), "\"a\",".repeat(1000));
        assert!(refused(&mut own, &words).contains("names"));
        // None of them took room from those that are good.
        own.add("profiles/b.toml", &text(1, 10, 0)).unwrap();
        assert_eq!(own.profiles().len(), 2);
    }

    #[test]
    fn a_profile_is_short_and_there_are_not_many() {
        let mut own = Own::default();
        assert!(refused(&mut own, &"#".repeat(LARGEST + 1)).contains("64 KiB"));
        for _ in 1..MOST_FILES {
            own.add("profiles/a.toml", &text(1, 1, 0)).unwrap();
        }
        assert!(refused(&mut own, &text(1, 1, 0)).contains("more than 64 profiles"));
    }

    #[test]
    fn the_built_in_ones_would_have_room() {
        let built_in = Profile::built_in();
        let pieces = built_in.iter().map(|profile| profile.pieces()).sum::<usize>();
        let layouts = built_in.iter().map(|profile| profile.layout.len()).sum::<usize>();
        println!("{pieces} pieces, {layouts} layouts");
        assert!(2 * pieces <= MOST_PIECES && 2 * layouts <= MOST_LAYOUTS);
    }
}
