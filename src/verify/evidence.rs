//! Which files on the sticks say something of which others. Pure.
//!
//! A file's signature lies beside it (`FILE.sig`, `.asc`, `.gpg`, `.sign`). A list of
//! checksums lies in its folder or in one above, with a signature of its own or none; Debian's
//! are named by the signed `Release` beside or above them. Keys are in `keys/` at the top of
//! any stick.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::{release, sums};
use crate::inventory::{Inventory, Listing, MediaFile};

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

/// A list of checksums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list.
    pub list: Seen,
    /// The file's path below the list's folder.
    pub name: String,
    /// The list's own signatures, if they are not in it.
    pub signatures: Vec<Seen>,
    /// Lists that may vouch for this one, the nearest first: Debian's `Release`.
    pub vouchers: Vec<List>,
}

/// Everything that the verdict on one file depends on: as long as it is the same, so is the
/// verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The file; of a file inside an ISO, the ISO.
    pub file: Seen,
    /// Its detached signatures.
    pub signatures: Vec<Seen>,
    /// Lists that may name it, the nearest first.
    pub lists: Vec<List>,
    /// The keys of all sticks.
    pub keys: Arc<[Seen]>,
    /// Whether it is a kernel, an initial RAM disk or a disk image.
    pub needed: bool,
}

impl Job {
    /// Whether there is anything to check it against.
    pub fn has_evidence(&self) -> bool {
        !self.signatures.is_empty() || !self.lists.is_empty()
    }
}

/// Endings of detached signatures, in the order in which they are looked for.
const SIGNATURES: [&str; 4] = [".sig", ".asc", ".gpg", ".sign"];

/// A file in `tftp/` that is at least as large as this is a kernel or an initial RAM disk:
/// loaders and configurations are smaller.
const SMALLEST_KERNEL: u64 = 1024 * 1024;

/// A project has one key, or a few while it changes them.
const MOST_KEYS: usize = 64;

/// A job for each file that machines get from the sticks, if there is something to say of it.
pub fn jobs(
    listings: &[Listing],
    inventory: &Inventory,
    stamp_of: impl Fn(&MediaFile) -> Stamp,
) -> Vec<Job> {
    let sticks: Vec<Stick> = listings.iter().filter_map(|l| Stick::of(l, &stamp_of)).collect();
    let keys = sticks.iter().flat_map(Stick::keys).take(MOST_KEYS).collect();
    let mut given: BTreeMap<(&Path, &str), bool> = BTreeMap::new();
    for (file, needed) in exported(inventory) {
        let place = (file.volume.as_ref(), container(file));
        *given.entry(place).or_default() |= needed;
    }
    let job = |((volume, path), needed): ((&Path, &str), bool)| {
        let stick = sticks.iter().find(|stick| stick.volume == volume)?;
        let job = stick.job(path, needed, Arc::clone(&keys))?;
        (needed || job.has_evidence()).then_some(job)
    };
    given.into_iter().filter_map(job).collect()
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

fn is_evidence(name: &str) -> bool {
    let is_release = release::NAMES.contains(&name);
    is_release
        || sums::is_list(name)
        || name.rsplit_once('.').is_some_and(|(_, end)| is_signature_ending(end))
}

fn is_signature_ending(end: &str) -> bool {
    SIGNATURES.iter().any(|known| known.trim_start_matches('.').eq_ignore_ascii_case(end))
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// One stick's own files by path, and the lists by folder.
struct Stick<'a> {
    volume: &'a Path,
    stamp_of: &'a dyn Fn(&MediaFile) -> Stamp,
    files: BTreeMap<&'a str, &'a MediaFile>,
    lists: BTreeMap<&'a str, Vec<&'a MediaFile>>,
}

impl<'a> Stick<'a> {
    fn of(listing: &'a Listing, stamp_of: &'a dyn Fn(&MediaFile) -> Stamp) -> Option<Stick<'a>> {
        let volume = listing.files.first()?.volume.as_ref();
        let own = || listing.files.iter().filter(|file| file.inside.is_none());
        let mut lists: BTreeMap<&str, Vec<&MediaFile>> = BTreeMap::new();
        for file in own().filter(|file| sums::is_list(name_of(&file.path))) {
            lists.entry(folder_of(&file.path)).or_default().push(file);
        }
        let files = own().map(|file| (file.path.as_str(), file)).collect();
        Some(Stick { volume, stamp_of, files, lists })
    }

    fn seen(&self, file: &MediaFile) -> Seen {
        Seen { file: file.clone(), stamp: (self.stamp_of)(file) }
    }

    fn keys(&self) -> impl Iterator<Item = Seen> {
        let is_key = |path: &str| {
            let Some((folder, name)) = path.split_once('/') else { return false };
            let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
            folder.eq_ignore_ascii_case("keys")
                && matches!(end.as_deref(), Some("asc" | "gpg" | "pgp"))
        };
        self.files.iter().filter(move |(path, _)| is_key(path)).map(|(_, file)| self.seen(file))
    }

    fn job(&self, path: &str, needed: bool, keys: Arc<[Seen]>) -> Option<Job> {
        let file = self.files.get(path)?;
        let signatures = self.signatures(path);
        let lists = folders_around(path).flat_map(|folder| self.lists_in(folder, path)).collect();
        Some(Job { file: self.seen(file), signatures, lists, keys, needed })
    }

    fn signatures(&self, path: &str) -> Vec<Seen> {
        let beside = SIGNATURES.iter().filter_map(|end| {
            let name = format!("{path}{end}");
            // `SHA256SUMS.asc` is looked at as a list, too; its content says which it is.
            self.files.get(name.as_str()).map(|file| self.seen(file))
        });
        beside.collect()
    }

    fn lists_in(&self, folder: &'a str, path: &str) -> impl Iterator<Item = List> {
        let name = below(folder, path).to_owned();
        let lists = self.lists.get(folder).into_iter().flatten();
        let may_name = {
            let name = name.clone();
            move |list: &&&MediaFile| sums::may_name(name_of(&list.path), &name)
        };
        lists.filter(may_name).map(move |list| List {
            list: self.seen(list),
            name: name.clone(),
            signatures: self.signatures(&list.path),
            vouchers: self.vouchers(&list.path),
        })
    }

    /// What may vouch for the list at `path`.
    fn vouchers(&self, path: &str) -> Vec<List> {
        let named = |folder, name: &str| match folder {
            "" => self.files.get(name),
            folder => self.files.get(format!("{folder}/{name}").as_str()),
        };
        let around = folders_around(path)
            .flat_map(|folder| release::NAMES.map(|name| Some((folder, named(folder, name)?))));
        let vouchers = around.flatten().map(|(folder, file)| List {
            list: self.seen(file),
            name: below(folder, path).to_owned(),
            signatures: self.signatures(&file.path),
            vouchers: Vec::new(),
        });
        vouchers.collect()
    }
}

/// The folder that `path` is in, and those above, up to the stick itself.
fn folders_around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder_of(path)), |folder| {
        (!folder.is_empty()).then(|| folder_of(folder))
    })
}

/// `path`, seen from `folder`.
fn below<'a>(folder: &str, path: &'a str) -> &'a str {
    path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/')
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
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
        jobs(&listings, &found, |_| Stamp::default())
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
            "keys/deeper/d.pgp",
        ]);
        let job = found.iter().find(|job| job.file.file.path.ends_with(".vmlinuz")).unwrap();
        let kernel = "@/coreos_production_pxe.vmlinuz";
        assert_eq!(paths(&job.signatures), [format!("{kernel}.sig"), format!("{kernel}.asc")]);
        let lists = job.lists.iter().map(|list| &list.list);
        assert_eq!(paths(lists), ["@/sha512sums.txt", "images/coreos/CHECKSUM", "SHA256SUMS"]);
        assert_eq!(paths(&job.lists[0].signatures), ["@/sha512sums.txt.gpg"]);
        assert_eq!(job.lists[1].name, "1185.3.0/coreos_production_pxe.vmlinuz");
        assert_eq!(paths(job.keys.iter()), ["Keys/b.GPG", "keys/a.asc", "keys/deeper/d.pgp"]);
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
}
