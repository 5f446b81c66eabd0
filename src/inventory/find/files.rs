//! The files of one stick, by their paths, and how much is done with them: what a stick is
//! made of decides how much work it is, so all of it is counted. Pure.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::place::is_images;
use crate::inventory::pattern::{Captures, Pattern};
use crate::inventory::{Listing, MediaFile};

/// Of tens of nanoseconds: less than a second on a workstation. A stick with some hundred
/// images needs a tenth of it.
const MOST_WORK: u64 = 6_000_000;

/// The files of one stick.
pub struct Files<'a> {
    /// In the order of their paths.
    sorted: Vec<&'a MediaFile>,
    /// The same by their paths in lower case.
    folded: Vec<(Box<str>, &'a MediaFile)>,
    /// Those in `images/` itself.
    beside: Vec<&'a MediaFile>,
    texts: BTreeMap<&'a str, &'a str>,
    left: Cell<u64>,
    /// What the texts around one folder told, by profile.
    told: RefCell<BTreeMap<(usize, String), Captures<'a>>>,
}

impl<'a> Files<'a> {
    /// Those of `listing`.
    pub fn of(listing: &'a Listing) -> Files<'a> {
        let mut sorted: Vec<&MediaFile> = listing.files.iter().collect();
        sorted.sort_by(|a, b| a.path.cmp(&b.path));
        let folded = sorted.iter().map(|file| (file.path.to_ascii_lowercase().into(), *file));
        let mut folded: Vec<(Box<str>, &MediaFile)> = folded.collect();
        folded.sort_by(|(a, _), (b, _)| a.cmp(b));
        let is_beside = |path: &str| {
            path.split_once('/')
                .is_some_and(|(folder, name)| is_images(folder) && !name.contains('/'))
        };
        let beside = sorted.iter().copied().filter(|file| is_beside(&file.path)).collect();
        let texts = listing.texts.iter().filter_map(|(index, text)| {
            Some((listing.files.get(*index)?.path.as_str(), text.as_str()))
        });
        let (left, told) = (Cell::new(MOST_WORK), RefCell::default());
        Files { sorted, folded, beside, texts: texts.collect(), left, told }
    }

    /// Counts work; whether more of it may be done.
    pub fn spend(&self, work: u64) -> bool {
        self.left.set(self.left.get().saturating_sub(work));
        !self.is_spent()
    }

    /// Whether all was done that may be: what was found since is not to be trusted.
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// The files below `folder`, with their paths from there.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = (&'a str, &'a MediaFile)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let begin = self.sorted.partition_point(|file| file.path < prefix);
        let rest = self.sorted.get(begin..).unwrap_or_default().iter().copied();
        rest.map_while(move |file: &'a MediaFile| Some((file.path.strip_prefix(&prefix)?, file)))
    }

    /// The files that lie in `images/` itself, in this spelling, by their names.
    pub fn beside(&self, images: &str) -> impl Iterator<Item = (&'a str, &'a MediaFile)> {
        self.spend(self.beside.len() as u64 / 4);
        self.beside.iter().filter_map(move |file| {
            let (folder, name) = file.path.split_once('/')?;
            (folder == images).then_some((name, *file))
        })
    }

    /// The file at this path, in this spelling or another case.
    pub fn at(&self, folder: &str, name: &str) -> Option<&'a MediaFile> {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        self.spend(10);
        if let Ok(index) = self.sorted.binary_search_by(|file| file.path.as_str().cmp(&path)) {
            return self.sorted.get(index).copied();
        }
        let path = path.to_ascii_lowercase();
        let begin = self.folded.partition_point(|(other, _)| **other < *path);
        let rest = self.folded.get(begin..).unwrap_or_default().iter();
        let mut same = rest.take_while(|(other, _)| self.spend(1) && **other == *path);
        same.find(|(_, file)| file.path.starts_with(folder)).map(|(_, file)| *file)
    }

    /// The first file below `folder` that `pattern` fits.
    pub fn fitting(&self, folder: &str, pattern: &Pattern) -> Option<&'a MediaFile> {
        let mut below = self.below(folder);
        let fits = |path: &str| self.spend(pattern.effort(path)) && pattern.is(path);
        below.find(|(path, _)| fits(path)).map(|(_, file)| file)
    }

    /// The text of a file that was read.
    pub fn text(&self, file: &MediaFile) -> Option<&'a str> {
        self.texts.get(file.path.as_str()).copied()
    }

    /// What `tell` says, once for each profile and folder.
    pub fn told_once(
        &self,
        (profile, folder): (usize, &str),
        tell: impl FnOnce() -> Captures<'a>,
    ) -> Captures<'a> {
        let key = (profile, folder.to_owned());
        let known = self.told.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let told = tell();
            self.told.borrow_mut().insert(key, told);
            told
        })
    }

    /// All was looked up by name: what helped with it makes room.
    pub fn close(&mut self) {
        self.folded = Vec::new();
    }

    /// Forgets what was told: another folder comes.
    pub fn forget(&self) {
        self.told.borrow_mut().clear();
    }
}
