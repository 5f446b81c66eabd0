//! The files of an image. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::MediaFile;

/// Files by their paths from an image's folder, in the publisher's spelling. A folder's files
/// are held once, however many images are in it; an image that was put together from several
/// places has those of each.
#[derive(Debug, Clone, Default)]
pub struct Tree(Vec<Arc<BTreeMap<String, MediaFile>>>);

impl Tree {
    /// The files of one folder.
    pub fn of(files: Arc<BTreeMap<String, MediaFile>>) -> Tree {
        Tree(vec![files])
    }

    /// Adds what another place has beside; where both have a file, the first one's counts.
    pub fn add(&mut self, other: Tree) {
        self.0.extend(other.0);
    }

    /// The file at this path.
    pub fn get(&self, path: &str) -> Option<&MediaFile> {
        self.0.iter().find_map(|files| files.get(path))
    }

    /// Every file with its path, once.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MediaFile)> {
        self.0.iter().enumerate().flat_map(|(place, files)| {
            let before = self.0.get(..place).unwrap_or_default();
            let is_new = move |path: &str| !before.iter().any(|other| other.contains_key(path));
            let files = files.iter().map(|(path, file)| (path.as_str(), file));
            files.filter(move |(path, _)| is_new(path))
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.iter().count()
    }
}
