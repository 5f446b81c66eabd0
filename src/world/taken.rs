//! Which bytes of a file a machine has been handed. Who broke off and asks for the rest has the
//! whole file with that; who only asks for its end has not.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

/// More machines than a stick names.
const MOST_MACHINES: usize = 2_048;

/// An installer writes one file, or one after the other.
const MOST_FILES: usize = 4;

/// A cable that comes loose makes two of it. In more pieces than this a file counts as not taken,
/// which costs another installation at most.
const MOST_PARTS: usize = 32;

/// What machines have been handed of the files whose end matters.
#[derive(Debug, Default)]
pub struct Taken(BTreeMap<Ipv4Addr, Vec<Taking>>);

#[derive(Debug)]
struct Taking {
    file: String,
    /// None touches another.
    parts: Vec<Range<u64>>,
}

impl Taken {
    /// A part of a file that is `size` bytes long begins. With the whole of it, all that was
    /// handed over before is of an earlier attempt.
    pub fn begins(&mut self, to: Ipv4Addr, file: &str, part: &Range<u64>, size: u64) {
        if self.0.len() >= MOST_MACHINES && !self.0.contains_key(&to) {
            self.0.pop_first();
        }
        let files = self.0.entry(to).or_default();
        if *part == (0..size) {
            files.retain(|taking| taking.file != file);
        }
        if files.iter().all(|taking| taking.file != file) {
            if files.len() >= MOST_FILES {
                files.remove(0);
            }
            files.push(Taking { file: file.to_owned(), parts: Vec::new() });
        }
    }

    /// It has all of it, and this was told: whatever comes is of another attempt.
    pub fn ends(&mut self, to: Ipv4Addr, file: &str) {
        if let Some(files) = self.0.get_mut(&to) {
            files.retain(|taking| taking.file != file);
        }
    }

    /// These bytes were handed over, if that file's end matters.
    pub fn took(&mut self, to: Ipv4Addr, file: &str, part: Range<u64>) {
        let files = self.0.get_mut(&to);
        let taking = files.and_then(|files| files.iter_mut().find(|taking| taking.file == file));
        if let Some(taking) = taking {
            add(&mut taking.parts, part);
            taking.parts.truncate(MOST_PARTS);
        }
    }

    /// Whether that and `more` are all of the file.
    pub fn is_all(
        &self,
        to: Ipv4Addr,
        file: &str,
        more: impl IntoIterator<Item = Range<u64>>,
        size: u64,
    ) -> bool {
        let files = self.0.get(&to).into_iter().flatten();
        let before = files.filter(|taking| taking.file == file).flat_map(|taking| &taking.parts);
        let mut parts = Vec::new();
        before.cloned().chain(more).for_each(|part| add(&mut parts, part));
        size == 0 || parts.contains(&(0..size))
    }
}

fn add(parts: &mut Vec<Range<u64>>, mut part: Range<u64>) {
    parts.retain(|other| {
        let touches = other.start <= part.end && part.start <= other.end;
        if touches {
            part = other.start.min(part.start)..other.end.max(part.end);
        }
        !touches
    });
    parts.push(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 101);

    fn after(parts: &[(u64, u64)]) -> Taken {
        let mut taken = Taken::default();
        for (first, end) in parts {
            taken.begins(NODE, "disk.img", &(*first..*end), 100);
            taken.took(NODE, "disk.img", *first..*end);
        }
        taken
    }

    #[test]
    fn the_end_of_a_file_is_not_all_of_it_and_with_what_came_before_it_is() {
        let end = Some(60..100);
        assert!(!after(&[]).is_all(NODE, "disk.img", end.clone(), 100));
        assert!(after(&[(0, 60)]).is_all(NODE, "disk.img", end.clone(), 100));
        // What the machine's network still held when it broke off is asked for again.
        assert!(after(&[(0, 80)]).is_all(NODE, "disk.img", end.clone(), 100));
        assert!(!after(&[(0, 59)]).is_all(NODE, "disk.img", end.clone(), 100));
        assert!(!after(&[(0, 60)]).is_all(OTHER, "disk.img", end.clone(), 100));
        assert!(!after(&[(0, 60)]).is_all(NODE, "other.img", end, 100));
    }

    #[test]
    fn parts_may_come_in_any_order() {
        let taken = after(&[(40, 50), (80, 90), (20, 40), (90, 100), (70, 80), (50, 60)]);
        assert!(!taken.is_all(NODE, "disk.img", Some(0..20), 100));
        assert!(taken.is_all(NODE, "disk.img", [60..70, 0..20], 100));
        // One behind the other they are one.
        let bytes: Vec<_> = (0..99).map(|at| (at, at + 1)).collect();
        assert!(after(&bytes).is_all(NODE, "disk.img", Some(99..100), 100));
    }

    #[test]
    fn the_whole_once_more_is_a_new_attempt() {
        let mut taken = after(&[(0, 60)]);
        taken.begins(NODE, "disk.img", &(0..100), 100);
        assert!(!taken.is_all(NODE, "disk.img", Some(60..100), 100));
        assert!(taken.is_all(NODE, "disk.img", Some(0..100), 100));
    }

    #[test]
    fn once_it_was_told_the_end_alone_is_nothing_again() {
        let mut taken = after(&[(0, 60), (60, 100)]);
        assert!(taken.is_all(NODE, "disk.img", None, 100));
        taken.ends(NODE, "disk.img");
        taken.took(NODE, "disk.img", 0..100);
        assert!(!taken.is_all(NODE, "disk.img", Some(60..100), 100));
    }

    #[test]
    fn a_file_whose_end_does_not_matter_costs_nothing() {
        let mut taken = Taken::default();
        taken.took(NODE, "package.deb", 0..10);
        assert!(taken.0.is_empty());
    }

    #[test]
    fn machines_files_and_parts_are_limited() {
        let mut taken = Taken::default();
        for number in 0..10_000_u32 {
            taken.begins(Ipv4Addr::from(number), "disk.img", &(0..1), 100);
        }
        assert_eq!(taken.0.len(), MOST_MACHINES);
        for number in 0..100_u64 {
            taken.begins(NODE, &format!("{number}.img"), &(0..1), 100);
            taken.took(NODE, "99.img", 2 * number..2 * number + 1);
        }
        assert_eq!(taken.0[&NODE].len(), MOST_FILES);
        for number in 0..100_u64 {
            taken.took(NODE, "99.img", 2 * number..2 * number + 1);
        }
        assert_eq!(taken.0[&NODE].iter().map(|taking| taking.parts.len()).max(), Some(MOST_PARTS));
    }
}
