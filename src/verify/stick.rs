//! One stick's own files, and which of them are lists of which others. Pure.
//!
//! Each list is looked at once and shared by all files that it may name, and there are only so
//! many: else their number times that of the files would decide on memory and time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::evidence::{Job, List, Lists, SIGNATURES, Seen, Stamp, folder_of, is_key, name_of};
use super::{release, sums};
use crate::inventory::{Listing, MediaFile, Problem};

/// That one file may be named in. A folder has one or two; Fedora's has one for each kind of
/// its media.
const MOST_LISTS: usize = 16;

/// Of whole folders, on a stick: as many as it may have ISOs.
const MOST_LISTS_OF_STICK: usize = 1_000;

const CROWDED: &str =
    "more than 16 lists of checksums in it and above; the others are not looked at";

const TOO_MANY: &str = "more than 1,000 lists of checksums; the others are not looked at";

/// One stick's own files by path, and the lists by what they may name.
pub(super) struct Stick<'a> {
    pub volume: &'a Path,
    /// What is not looked at.
    pub problems: Vec<Problem>,
    stamp_of: &'a dyn Fn(&MediaFile) -> Stamp,
    files: BTreeMap<&'a str, &'a MediaFile>,
    /// Lists of whole folders, by folder.
    of_folders: BTreeMap<&'a str, Vec<&'a MediaFile>>,
    /// Lists of one file, by its folder and its name in lower case.
    of_files: BTreeMap<(&'a str, String), Vec<&'a MediaFile>>,
    /// What has been looked at, for the next file.
    known: Known<'a>,
}

/// What may name, or vouch for lists of, everything in a folder; and the files of one name.
#[derive(Default)]
struct Known<'a> {
    lists: BTreeMap<&'a str, Lists>,
    vouchers: BTreeMap<&'a str, Lists>,
    own_lists: BTreeMap<(&'a str, String), Lists>,
}

impl<'a> Stick<'a> {
    pub fn of(
        listing: &'a Listing,
        stamp_of: &'a dyn Fn(&MediaFile) -> Stamp,
    ) -> Option<Stick<'a>> {
        let volume = listing.files.first()?.volume.as_ref();
        let own = listing.files.iter().filter(|file| file.inside.is_none());
        let mut stick = Stick {
            volume,
            problems: Vec::new(),
            stamp_of,
            files: own.map(|file| (file.path.as_str(), file)).collect(),
            of_folders: BTreeMap::new(),
            of_files: BTreeMap::new(),
            known: Known::default(),
        };
        stick.find_lists();
        Some(stick)
    }

    fn find_lists(&mut self) {
        let (mut found, mut too_many) = (0, false);
        for (path, file) in &self.files {
            let (folder, name) = (folder_of(path), name_of(path));
            if !sums::is_list(name) {
                continue;
            }
            let only = sums::only_file(name);
            let is_of_folder = only.is_none();
            let lists = match only {
                // There are several only if the same name is there in several spellings.
                Some(one) => self.of_files.entry((folder, one)).or_default(),
                None => self.of_folders.entry(folder).or_default(),
            };
            // One more than are looked at shows that there are more.
            if lists.len() > MOST_LISTS {
                continue;
            }
            if is_of_folder && found == MOST_LISTS_OF_STICK {
                too_many = true;
                continue;
            }
            found += usize::from(is_of_folder);
            lists.push(file);
        }
        if too_many {
            self.problems.push(Problem::new("the stick", TOO_MANY));
        }
    }

    /// The files with keys, in the order of their names.
    pub fn keys(&self) -> impl Iterator<Item = Seen> {
        let keys = self.files.iter().filter(|(path, _)| is_key(path));
        keys.map(|(_, file)| self.seen(file))
    }

    /// What there is to do for the file at `path`.
    pub fn job(&mut self, path: &str, needed: bool, keys: Arc<[Seen]>) -> Option<Job> {
        let (path, file) = self.files.get_key_value(path)?;
        let (path, file) = (*path, self.seen(file));
        let signatures = self.signatures(path);
        let own_lists = self.own_lists(path);
        let folder_lists = self.folder_lists(folder_of(path));
        Some(Job { file, signatures, own_lists, folder_lists, keys, needed })
    }

    fn seen(&self, file: &MediaFile) -> Seen {
        Seen { file: file.clone(), stamp: (self.stamp_of)(file) }
    }

    fn signatures(&self, path: &str) -> Vec<Seen> {
        let beside = SIGNATURES.iter().filter_map(|end| {
            let name = format!("{path}{end}");
            // `SHA256SUMS.asc` is looked at as a list, too; its content says which it is.
            self.files.get(name.as_str()).map(|file| self.seen(file))
        });
        beside.collect()
    }

    fn own_lists(&mut self, path: &'a str) -> Lists {
        let key = (folder_of(path), name_of(path).to_ascii_lowercase());
        if let Some(known) = self.known.own_lists.get(&key) {
            return Arc::clone(known);
        }
        let Some(files) = self.of_files.remove(&key) else { return Lists::default() };
        let lists = files.into_iter().take(MOST_LISTS).map(|file| self.list(file));
        let lists: Lists = lists.collect();
        self.known.own_lists.insert(key, Arc::clone(&lists));
        lists
    }

    /// The lists in this folder and those above.
    fn folder_lists(&mut self, folder: &'a str) -> Lists {
        if let Some(known) = self.known.lists.get(folder) {
            return Arc::clone(known);
        }
        let here = self.of_folders.remove(folder).unwrap_or_default();
        let here: Vec<_> = here.into_iter().map(|file| self.list(file)).collect();
        let above = parent_of(folder).map(|parent| self.folder_lists(parent));
        let (lists, all) = joined(here, above);
        if !all {
            let place = if folder.is_empty() { "the stick" } else { folder };
            self.problems.push(Problem::new(place, CROWDED));
        }
        self.known.lists.insert(folder, Arc::clone(&lists));
        lists
    }

    fn list(&mut self, file: &'a MediaFile) -> Arc<List> {
        let vouchers = self.vouchers(folder_of(&file.path));
        Arc::new(List { list: self.seen(file), signatures: self.signatures(&file.path), vouchers })
    }

    /// What may vouch for lists in this folder.
    fn vouchers(&mut self, folder: &'a str) -> Lists {
        if let Some(known) = self.known.vouchers.get(folder) {
            return Arc::clone(known);
        }
        let slash = if folder.is_empty() { "" } else { "/" };
        let named = |name| self.files.get(format!("{folder}{slash}{name}").as_str());
        let here = release::NAMES.into_iter().filter_map(named).map(|file| {
            let signatures = self.signatures(&file.path);
            Arc::new(List { list: self.seen(file), signatures, vouchers: Lists::default() })
        });
        let here = here.collect();
        let above = parent_of(folder).map(|parent| self.vouchers(parent));
        // Two in a folder: those that are left out are eight folders above.
        let (vouchers, _) = joined(here, above);
        self.known.vouchers.insert(folder, Arc::clone(&vouchers));
        vouchers
    }
}

/// These before those above, and whether these are all; if there are none here, those above
/// have them in common.
fn joined(here: Vec<Arc<List>>, above: Option<Lists>) -> (Lists, bool) {
    let above = above.unwrap_or_default();
    if here.is_empty() {
        return (above, true);
    }
    let all = here.len() + above.len() <= MOST_LISTS;
    (here.into_iter().chain(above.iter().cloned()).take(MOST_LISTS).collect(), all)
}

/// None: `folder` is the stick itself.
fn parent_of(folder: &str) -> Option<&str> {
    (!folder.is_empty()).then(|| folder_of(folder))
}
