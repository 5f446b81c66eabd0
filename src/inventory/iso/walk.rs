//! All wanted files of an ISO, the ones near its root first.

use std::collections::{HashSet, VecDeque};

use super::folder::{Folder, Kind};
use super::{Extent, Fault, Iso, MOST_READ, Source};

/// Paths in the ISO, and where the files are.
pub type Entries = Vec<(String, Extent)>;

/// What a walk found.
pub struct Walked {
    /// Files that were wanted.
    pub files: Entries,
    /// Why it ended before the ISO did.
    pub fault: Option<Fault>,
}

/// A DVD has 20,000 names, the largest Blu-ray of Debian fewer than this.
const MOST_ENTRIES: usize = 100_000;

/// Folders that wait for their turn; Debian's DVD has 4,000 in all.
const MOST_WAITING: usize = 10_000;

/// All their paths together.
const LONGEST_WAITING: usize = 1024 * 1024;

/// What detection looks for is at most five deep.
const DEEPEST: usize = 10;

/// An installer has one kernel, or a few.
const MOST_WANTED: usize = 1_000;

/// A path is no longer on Linux.
const LONGEST_PATH: usize = 4096;

impl<S: Source> Iso<S> {
    /// Finds the files for whose paths `wants` says yes. Each folder is looked into once,
    /// however often and wherever it is named.
    pub fn walk(&self, wants: &dyn Fn(&str) -> bool) -> Walked {
        let mut walk = Walk {
            wants,
            files: Vec::new(),
            fault: None,
            entries: 0,
            read: 0,
            waiting: Waiting::default(),
        };
        walk.fault = walk.waiting.add(String::new(), self.root, 0).err();
        while let Some((path, folder, depth)) = walk.waiting.next() {
            walk.read += folder.length();
            if walk.read > MOST_READ {
                walk.fault = Some(Fault::TooLarge("has larger folders than any installer"));
                break;
            }
            let looked = self.each_in(folder, |entry| walk.entry(&path, depth, entry));
            // One damaged folder does not hide the others.
            if let Err(error) = looked {
                let stop = matches!(error, Fault::Unreadable(_) | Fault::TooLarge(_));
                walk.fault = Some(error);
                if stop {
                    break;
                }
            }
        }
        Walked { files: walk.files, fault: walk.fault }
    }
}

struct Walk<'a> {
    wants: &'a dyn Fn(&str) -> bool,
    files: Entries,
    fault: Option<Fault>,
    entries: usize,
    read: u64,
    waiting: Waiting,
}

impl Walk<'_> {
    fn entry(&mut self, parent: &str, depth: usize, entry: super::Entry) -> Result<bool, Fault> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(Fault::TooLarge("holds more than 100,000 names"));
        }
        let path = match parent {
            "" => entry.name,
            _ => format!("{parent}/{}", entry.name),
        };
        if path.len() > LONGEST_PATH {
            return Err(Fault::Damaged("a path is too long"));
        }
        match entry.kind {
            Kind::Folder(folder) if depth < DEEPEST => self.waiting.add(path, folder, depth + 1)?,
            Kind::File(extent) if (self.wants)(&path) => {
                if self.files.len() >= MOST_WANTED {
                    return Err(Fault::TooLarge("holds more kernels than any installer"));
                }
                self.files.push((path, extent));
            }
            Kind::Unusable(what) if (self.wants)(&path) => {
                self.fault = Some(Fault::Unusable(path, what));
            }
            _ => {}
        }
        Ok(true)
    }
}

/// Folders that were named and not looked into yet.
#[derive(Default)]
struct Waiting {
    queue: VecDeque<(String, Folder, usize)>,
    length: usize,
    seen: HashSet<u64>,
}

impl Waiting {
    /// A folder that was seen before is not added again.
    fn add(&mut self, path: String, folder: Folder, depth: usize) -> Result<(), Fault> {
        if !self.seen.insert(folder.offset()) {
            return Ok(());
        }
        if self.queue.len() >= MOST_WAITING || self.length + path.len() > LONGEST_WAITING {
            return Err(Fault::TooLarge("holds more folders than any installer"));
        }
        self.length += path.len();
        self.queue.push_back((path, folder, depth));
        Ok(())
    }

    fn next(&mut self) -> Option<(String, Folder, usize)> {
        let next = self.queue.pop_front()?;
        self.length -= next.0.len();
        Some(next)
    }
}
