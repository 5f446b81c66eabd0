//! Which files on the sticks say something of which others. Pure.
//!
//! A file's signature lies beside it (`FILE.sig`, `.asc`, `.gpg`, `.sign`). A list of
//! checksums lies in its folder or in one above, with a signature of its own or none; Debian's
//! are named by the signed `Release` beside or above them. Keys are in `keys/` at the top of
//! any stick.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::stick::Stick;
use super::{release, sums};
use crate::inventory::{Inventory, Listing, MediaFile, Problem};

/// What tells a file from another one of the same name and size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The kernel's number of the mount: another stick at the same place is another one, even
    /// if it is a copy.
    pub mount: u64,
    /// When its content changed, in nanoseconds since 1970.
    pub modified: i128,
    /// When anything of it changed. No inode: FAT's are made up anew now and then.
    pub changed: i128,
}

/// A file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The file.
    pub file: MediaFile,
    /// At that moment.
    pub stamp: Stamp,
}

/// A list of checksums: one for all files that it may name.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// The list.
    pub list: Seen,
    /// The list's own signatures, if they are not in it.
    pub signatures: Vec<Seen>,
    /// Lists that may vouch for this one, the nearest first: Debian's `Release`.
    pub vouchers: Lists,
}

impl List {
    /// What this list calls the file at `path`, which is in its folder or below.
    pub fn name_of<'a>(&self, path: &'a str) -> &'a str {
        let folder = folder_of(&self.list.file.path);
        path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/')
    }
}

/// Several lists that several files have in common.
pub type Lists = Arc<[Arc<List>]>;

/// Everything that the verdict on one file depends on: as long as it is the same, so is the
/// verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The file; of a file inside an ISO, the ISO.
    pub file: Seen,
    /// Its detached signatures.
    pub signatures: Vec<Seen>,
    /// Lists of this file alone.
    pub own_lists: Lists,
    /// Lists in its folder and above, which may name it, the nearest first.
    pub folder_lists: Lists,
    /// The keys of all sticks.
    pub keys: Arc<[Seen]>,
    /// Whether it is a kernel, an initial RAM disk or a disk image.
    pub needed: bool,
}

impl Job {
    /// Whether there is anything to check it against.
    pub fn has_evidence(&self) -> bool {
        !self.signatures.is_empty() || self.lists().next().is_some()
    }

    /// Every list that may name it.
    pub fn lists(&self) -> impl Iterator<Item = &List> {
        self.own_lists.iter().chain(self.folder_lists.iter()).map(|list| &**list)
    }
}

/// Endings of detached signatures, in the order in which they are looked for.
pub(super) const SIGNATURES: [&str; 4] = [".sig", ".asc", ".gpg", ".sign"];

/// A file in `tftp/` that is at least as large as this is a kernel or an initial RAM disk:
/// loaders and configurations are smaller.
const SMALLEST_KERNEL: u64 = 1024 * 1024;

/// A project has one key, or a few while it changes them.
const MOST_KEYS: usize = 64;

const TOO_MANY_KEYS: &str = "is the 65th file with keys; it and those behind it are not looked at";

/// A job for each file that machines get from the sticks, if there is something to say of it;
/// and what of the sticks is not looked at.
pub fn jobs(
    listings: &[Listing],
    inventory: &Inventory,
    stamp_of: impl Fn(&MediaFile) -> Stamp,
) -> (Vec<Job>, Vec<Problem>) {
    let mut sticks: Vec<Stick> = listings.iter().filter_map(|l| Stick::of(l, &stamp_of)).collect();
    let mut keys: Vec<Seen> = sticks.iter().flat_map(Stick::keys).take(MOST_KEYS + 1).collect();
    let left_out = keys.get(MOST_KEYS).map(|seen| Problem::new(&seen.file.path, TOO_MANY_KEYS));
    keys.truncate(MOST_KEYS);
    let keys: Arc<[Seen]> = keys.into();
    let mut given: BTreeMap<(&Path, &str), bool> = BTreeMap::new();
    for (file, needed) in exported(inventory) {
        *given.entry((file.volume.as_ref(), container(file))).or_default() |= needed;
    }
    let job = |((volume, path), needed): ((&Path, &str), bool)| {
        let stick = sticks.iter_mut().find(|stick| stick.volume == volume)?;
        let job = stick.job(path, needed, Arc::clone(&keys))?;
        (needed || job.has_evidence()).then_some(job)
    };
    let jobs = given.into_iter().filter_map(job).collect();
    let problems = sticks.into_iter().flat_map(|stick| stick.problems);
    (jobs, problems.chain(left_out).collect())
}

/// The file whose bytes these are.
pub fn container(file: &MediaFile) -> &str {
    file.inside.as_ref().map_or(&file.path, |inside| &inside.iso)
}

/// What machines may be given, and whether as kernel, initial RAM disk or disk image.
fn exported(inventory: &Inventory) -> impl Iterator<Item = (&MediaFile, bool)> {
    let of_images = inventory.images.iter().flat_map(|image| {
        let needed: BTreeSet<&str> = image.needed().collect();
        let is_needed = move |name: &str| needed.contains(name);
        image.files.iter().map(move |(name, file)| (file, is_needed(name)))
    });
    let of_tftp = inventory.tftp.values().map(|file| (file, file.size >= SMALLEST_KERNEL));
    of_images.chain(of_tftp).filter(|(file, _)| !is_evidence(name_of(&file.path)))
}

/// The folder with keys at the top of a stick, in any case.
pub const KEYS: &str = "keys";

/// Whether the file at this path on a stick is one with keys.
pub fn is_key(path: &str) -> bool {
    let Some((folder, name)) = path.split_once('/') else { return false };
    let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    folder.eq_ignore_ascii_case(KEYS)
        && end.is_some_and(|end| ["asc", "gpg", "pgp", "key"].contains(&end.as_str()))
}

fn is_evidence(name: &str) -> bool {
    let is_release = release::NAMES.contains(&name);
    is_release
        || sums::is_list(name)
        || name.rsplit_once('.').is_some_and(|(_, end)| is_signature_ending(end))
}

fn is_signature_ending(end: &str) -> bool {
    SIGNATURES.iter().any(|known| known.trim_start_matches('.').eq_ignore_ascii_case(end))
}

pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::inventory::{Profile, inventory};

    const FOLDER: &str = "images/coreos/1185.3.0";

    fn listing(paths: &[&str]) -> Listing {
        let file = |path: &&str| MediaFile {
            volume: Path::new("/media/sda1").into(),
            path: path.replace("@", FOLDER),
            size: 1,
            modified: 0,
            inside: None,
        };
        Listing { files: paths.iter().map(file).collect(), ..Listing::default() }
    }

    fn jobs_of(paths: &[&str]) -> Vec<Job> {
        let listings = [listing(paths)];
        let found = inventory(&listings, &Profile::built_in()).unwrap();
        jobs(&listings, &found, |_| Stamp::default()).0
    }

    fn paths<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Vec<String> {
        seen.into_iter().map(|seen| seen.file.path.replace(FOLDER, "@")).collect()
    }

    #[test]
    fn signatures_lie_beside_and_lists_beside_and_above() {
        let found = jobs_of(&[
            "SHA256SUMS",
            "images/coreos/CHECKSUM",
            "images/flatcar/SHA256SUMS",
            "@/coreos_production_pxe.vmlinuz",
            "@/coreos_production_pxe.vmlinuz.sig",
            "@/coreos_production_pxe.vmlinuz.asc",
            "@/coreos_production_image.bin.bz2.DIGESTS",
            "@/sha512sums.txt",
            "@/sha512sums.txt.gpg",
            "keys/a.asc",
            "Keys/b.GPG",
            "keys/c.txt",
            "keys/c.Key",
            "keys/deeper/d.pgp",
        ]);
        let job = found.iter().find(|job| job.file.file.path.ends_with(".vmlinuz")).unwrap();
        let kernel = "@/coreos_production_pxe.vmlinuz";
        assert_eq!(paths(&job.signatures), [format!("{kernel}.sig"), format!("{kernel}.asc")]);
        let lists: Vec<&List> = job.lists().collect();
        let expected = ["@/sha512sums.txt", "images/coreos/CHECKSUM", "SHA256SUMS"];
        assert_eq!(paths(lists.iter().map(|list| &list.list)), expected);
        assert_eq!(paths(&lists[0].signatures), ["@/sha512sums.txt.gpg"]);
        let path = &job.file.file.path;
        assert_eq!(lists[1].name_of(path), "1185.3.0/coreos_production_pxe.vmlinuz");
        let keys = ["Keys/b.GPG", "keys/a.asc", "keys/c.Key", "keys/deeper/d.pgp"];
        assert_eq!(paths(job.keys.iter()), keys);
        // What says something of others is not looked at itself.
        assert_eq!(found.len(), 1);
        assert!(job.needed);
    }

    #[test]
    fn an_unneeded_file_without_evidence_is_no_job() {
        let found = jobs_of(&["@/coreos_production_pxe.vmlinuz", "@/version.txt", "@/pool/a.deb"]);
        let names: Vec<&str> = found.iter().map(|job| name_of(&job.file.file.path)).collect();
        assert_eq!(names, ["coreos_production_pxe.vmlinuz"]);
        assert!(!found[0].has_evidence());
    }
    /// Files that lie in `tftp/` are given out whatever they are called.
    fn looked_at(paths: &[String]) -> (Vec<Job>, Vec<String>, usize) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let listings = [listing(&paths)];
        let found = inventory(&listings, &Profile::built_in()).unwrap();
        let looks = Cell::new(0);
        let (jobs, problems) = jobs(&listings, &found, |_| {
            looks.set(looks.get() + 1);
            Stamp::default()
        });
        (jobs, problems.iter().map(ToString::to_string).collect(), looks.get())
    }

    #[test]
    fn a_list_is_looked_at_once_for_all_files_that_it_may_name() {
        let mut paths: Vec<String> = (0..100).map(|at| format!("tftp/f{at}")).collect();
        paths.extend(["tftp/SHA256SUMS", "tftp/Release", "tftp/Release.gpg"].map(str::to_owned));
        let (jobs, problems, looks) = looked_at(&paths);
        assert_eq!((jobs.len(), problems.len()), (100, 0));
        assert!(jobs.iter().all(|job| Arc::ptr_eq(&job.folder_lists, &jobs[0].folder_lists)));
        assert_eq!(jobs[0].folder_lists[0].vouchers.len(), 1);
        assert_eq!(looks, paths.len());
    }

    #[test]
    fn of_too_many_lists_the_nearest_are_looked_at_and_the_rest_is_told() {
        let mut paths: Vec<String> = (0..9).map(|at| format!("tftp/{at}-CHECKSUM")).collect();
        paths.extend((0..9).map(|at| format!("tftp/x/{at}-CHECKSUM")));
        paths.extend(["tftp/f", "tftp/x/f"].map(str::to_owned));
        let (jobs, problems, _) = looked_at(&paths);
        assert_eq!(jobs.iter().map(|job| job.lists().count()).collect::<Vec<_>>(), [9, 16]);
        let nearest = jobs[1].lists().take_while(|l| l.list.file.path.starts_with("tftp/x/"));
        assert_eq!(nearest.count(), 9);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("tftp/x: more than 16 lists"), "{problems:?}");
        let many =
            |count| (0..count).flat_map(|at| ["f", "SHA256SUMS"].map(|n| format!("tftp/{at}/{n}")));
        for (count, told) in [(1_000, 0), (1_001, 1)] {
            let (jobs, problems, _) = looked_at(&many(count).collect::<Vec<_>>());
            assert_eq!(jobs.len(), 1_000);
            assert_eq!(problems.len(), told, "{count}: {problems:?}");
        }
    }
}
