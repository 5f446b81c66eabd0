//! Finding images: which files of a stick are an operating system, and how it is started.
//! Pure.
//!
//! Each file is compared with the kernels of all profiles; what is found beside one decides
//! between profiles that both know it. `place` tells which folder is the image's, `told`
//! its version and processor, `start` what belongs to the kernel.

mod files;
mod place;
mod start;
mod told;
mod words;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::iso::is_iso;
use super::profile::read::is_system_name;
use super::{Image, Listing, MediaFile, Problem, Profile, Start, Tree, Version};
use files::Files;
use place::Place;
use start::Candidate;

/// More than any stick has: 200 systems with a few versions each.
pub(super) const MOST_IMAGES: usize = 1000;

/// Images that share a folder share its files; each of them may be asked for all of them.
const MOST_IN_FOLDER: usize = 32;

/// All ways to start, with their names and texts: half a kilobyte each.
const MOST_HELD: usize = 3 * 1024 * 1024;

/// The files of all images together; those in a folder inside another one's count twice.
const MOST_FILES: usize = 40_000;

/// More of them than anybody looks at.
const MOST_PROBLEMS: usize = 200;

/// The images of one stick, `most` at most. `profiles` begins with the stick's `own` ones,
/// which go before the others. Gives the problems, too, and how many there are beside them.
pub(super) fn images<'a>(
    listing: &'a Listing,
    profiles: &'a [Arc<Profile>],
    own: usize,
    most: usize,
) -> (Vec<Image>, Vec<Problem>, usize) {
    let mut found = Found {
        images: Vec::new(),
        problems: Vec::new(),
        unsaid: 0,
        files: Files::of(listing),
        known: BTreeMap::new(),
        folders: BTreeMap::new(),
        full: None,
        held: 0,
        most,
        stopped: false,
    };
    let mut folder = "";
    for file in listing.files.iter().filter(|file| place::can_be_image(&file.path)) {
        let own_folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if own_folder != folder {
            found.files.forget();
            folder = own_folder;
        }
        if found.is_full(&file.path) {
            continue;
        }
        let candidates = candidates(&found.files, file, profiles, own);
        if candidates.is_empty() {
            found.refuse(&file.path, profiles);
        }
        if !found.goes_on() {
            break;
        }
        found.take(&file.path, candidates, profiles);
    }
    for file in &listing.files {
        if !found.goes_on() {
            break;
        }
        found.take_disk_image(file, profiles);
    }
    written::take(&mut found, listing, profiles);
    found.give_files();
    (found.images, found.problems, found.unsaid)
}

/// What was found up to now.
struct Found<'a> {
    images: Vec<Image>,
    problems: Vec<Problem>,
    /// Problems that are not in the list.
    unsaid: usize,
    files: Files<'a>,
    /// By folder, system and version.
    known: BTreeMap<(String, String, Version), Image>,
    /// How many of them are in each folder.
    folders: BTreeMap<String, usize>,
    /// The last one that has too many.
    full: Option<String>,
    held: usize,
    most: usize,
    stopped: bool,
}

/// Every way to take the file at `path` for a kernel.
fn candidates<'a>(
    files: &Files<'a>,
    file: &'a MediaFile,
    profiles: &'a [Arc<Profile>],
    own: usize,
) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::new();
    for (index, profile) in profiles.iter().enumerate().filter(|(_, profile)| !profile.written) {
        for layout in &profile.layout {
            if !files.spend(layout.kernel.effort(&file.path)) {
                return candidates;
            }
            if let Some((base, captures)) = layout.kernel.at_end_of(&file.path)
                && let Some(place) = Place::of(base)
                && place.suits(profile, layout)
            {
                let is_own = index < own;
                candidates
                    .push(Candidate::new(files, file, profile, layout, place, captures, is_own));
            }
        }
    }
    candidates
}

impl<'a> Found<'a> {
    /// Takes the candidate that most speaks for.
    fn take(&mut self, path: &str, candidates: Vec<Candidate<'a>>, all: &[Arc<Profile>]) {
        // The first of those that are equal: profiles stand in the order of preference.
        let Some(best) = candidates.iter().rev().max_by_key(|candidate| candidate.weight()) else {
            return;
        };
        let rival = candidates.iter().find(|other| other.rivals(best));
        if let Some(rival) = rival {
            let message = format!(
                "fits both {} and {}; taken for {}, because more of its names are here (the folder \
                 images/<system>/ decides, if it is named so)",
                best.profile.title, rival.profile.title, best.profile.title
            );
            self.problem(path, message);
        }
        let Some((system, title)) = named(best, all) else {
            return;
        };
        let start = match best.start(&self.files) {
            Ok(start) => start,
            Err((file, message)) => return self.problem(&file, message),
        };
        let Some(version) = best.version() else {
            let message = format!(
                "looks like {title}, but nothing says which version; put it into \
                 images/{system}/<version>/"
            );
            return self.problem(path, message);
        };
        let image = Image {
            profile: Arc::clone(best.profile),
            system,
            title,
            version,
            files: Tree::default(),
            starts: Vec::new(),
        };
        self.keep(path, best.place.root, image, start);
    }

    /// A folder with nothing but what is written to the disk is an image, too.
    fn take_disk_image(&mut self, file: &'a MediaFile, profiles: &'a [Arc<Profile>]) {
        for profile in profiles {
            let Some(layout) = profile.layout.first().filter(|layout| layout.bare_names) else {
                continue;
            };
            let Some(image) = &profile.disk_image else { continue };
            self.files.spend(image.effort(&file.path));
            if let Some((base, captures)) = image.at_end_of(&file.path)
                && let Some(place) = Place::of(base)
                && place.suits(profile, layout)
                && let Some(version) = place.version(profile)
            {
                let known = (place.root.to_owned(), profile.name.clone(), version.clone());
                if self.known.contains_key(&known) {
                    continue;
                }
                let candidate =
                    Candidate::new(&self.files, file, profile, layout, place, captures, false);
                let Ok(start) = candidate.start_without_kernel(&self.files) else {
                    continue;
                };
                let image = Image {
                    profile: Arc::clone(profile),
                    system: profile.name.clone(),
                    title: profile.title.clone(),
                    version,
                    files: Tree::default(),
                    starts: Vec::new(),
                };
                self.keep(&file.path, place.root, image, start);
            }
        }
    }

    /// What people take for an image that is none.
    fn refuse(&mut self, path: &str, profiles: &[Arc<Profile>]) {
        let mut refusals = profiles.iter().flat_map(|profile| &profile.refuse);
        let known = refusals.find(|refusal| {
            let found = self.files.spend(refusal.file.effort(path));
            let found = found.then(|| refusal.file.at_end_of(path)).flatten();
            found.is_some_and(|(base, _)| Place::of(base).is_some())
        });
        if let Some(refusal) = known {
            self.problem(path, refusal.because.clone());
        }
    }

    /// Keeps a way to start `image`, which may be known already.
    fn keep(&mut self, path: &str, root: &str, image: Image, start: Start) {
        let key = (root.to_owned(), image.system.clone(), image.version.clone());
        if !self.known.contains_key(&key) {
            let here = self.folders.entry(key.0.clone()).or_default();
            *here += 1;
            if *here > MOST_IN_FOLDER && !is_shared(root) {
                let message = format!(
                    "more than {MOST_IN_FOLDER} images in one folder; give each a folder of its \
                     own: images/<system>/<version>/"
                );
                self.full = Some(key.0);
                return self.problem(path, message);
            }
            if self.known.len() >= self.most {
                return self.stop("holds more than 1,000 images; the rest was not looked at");
            }
        }
        self.held += weight(&start);
        if self.held > MOST_HELD {
            return self.stop("holds too much that can be started; the rest was not looked at");
        }
        self.known.entry(key).or_insert(image).starts.push(start);
    }

    /// Gives each image the files below its folder.
    fn give_files(&mut self) {
        self.files.close();
        let mut room = MOST_FILES;
        let mut last: Option<(String, Arc<BTreeMap<String, MediaFile>>)> = None;
        for ((root, ..), mut image) in std::mem::take(&mut self.known) {
            let same = last.take().filter(|(folder, _)| *folder == root && !is_shared(&root));
            let files = match same {
                Some((_, files)) => Some(files),
                None => files_of(&self.files, &root, &image, &mut room).map(Arc::new),
            };
            let Some(files) = files else {
                self.problem(&root, format!("{}: too many files beside it", image.name()));
                continue;
            };
            image.files = Tree::of(Arc::clone(&files));
            self.images.push(image);
            last = Some((root, files));
        }
    }

    /// Whether it lies in a folder that has too many images already; said once.
    fn is_full(&self, path: &str) -> bool {
        let full = self.full.as_deref().and_then(|full| path.strip_prefix(full));
        full.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether there is still something to be done; says once if that is too much.
    fn goes_on(&mut self) -> bool {
        if self.files.is_spent() {
            self.stop("holds too much that could be an image; the rest was not looked at");
        }
        !self.stopped
    }

    fn stop(&mut self, why: &str) {
        if !self.stopped {
            self.stopped = true;
            self.problems.insert(0, Problem::new("the stick", why));
        }
    }

    fn problem(&mut self, path: &str, message: String) {
        let problem = Problem::new(path, message);
        if self.problems.last() == Some(&problem) {
            return;
        }
        match self.problems.len() < MOST_PROBLEMS {
            true => self.problems.push(problem),
            false => self.unsaid += 1,
        }
    }
}

/// The system's name and title. A general profile has those of its folder; none where that is
/// another system's.
fn named(best: &Candidate, all: &[Arc<Profile>]) -> Option<(String, String)> {
    if !best.profile.general {
        return Some((best.profile.name.clone(), best.profile.title.clone()));
    }
    let name = best.place.system?.to_ascii_lowercase();
    let taken = all.iter().any(|profile| profile.name == name && !profile.general);
    (is_system_name(&name) && !taken).then(|| (name.clone(), name))
}

/// Bytes that it takes, roughly.
fn weight(start: &Start) -> usize {
    let Start { root, base, kernel, initrds, files, iso, args, rewrite, missing, .. } = start;
    let texts = [root, base, kernel].into_iter().chain(iso).chain(initrds).chain(args);
    let texts = texts.chain(missing).chain(files.iter().flat_map(|(name, path)| [name, path]));
    let texts = texts.chain(rewrite.iter().flat_map(|(path, text)| [path, text]));
    size_of::<Start>() + texts.map(|text| 40 + text.len()).sum::<usize>()
}

/// Whether many images lie there, each of them in its own ISO.
fn is_shared(root: &str) -> bool {
    place::is_images(root)
}

/// The files below an image's folder. Of a folder with many ISOs, those of its own and what
/// may say something of it. None if there are more than there is `room` for.
fn files_of(
    files: &Files,
    root: &str,
    image: &Image,
    room: &mut usize,
) -> Option<BTreeMap<String, MediaFile>> {
    let mut own = BTreeMap::new();
    let mut add = |path: &str, file: &MediaFile| {
        *room = room.checked_sub(1)?;
        own.insert(path.to_owned(), file.clone());
        Some(())
    };
    if !is_shared(root) {
        files.below(root).try_for_each(|(path, file)| add(path, file))?;
        return Some(own);
    }
    let isos = || image.starts.iter().filter_map(|start| start.iso.as_deref());
    for iso in isos() {
        let folder = format!("{root}/{iso}");
        files.below(&folder).try_for_each(|(path, file)| add(&format!("{iso}/{path}"), file))?;
    }
    let is_beside = |name: &str| {
        let stem = |iso: &str| iso.split_once('.').map_or(iso.len(), |(stem, _)| stem.len());
        // Another ISO says nothing of this one.
        let is_other = is_iso(name) && !isos().any(|iso| iso == name);
        name.contains("SUM")
            || !is_other
                && isos().any(|iso| iso.get(..stem(iso)).is_some_and(|stem| name.starts_with(stem)))
    };
    let mut beside = files.beside(root).filter(|(name, _)| is_beside(name));
    beside.try_for_each(|(name, file)| add(name, file))?;
    (!files.is_spent()).then_some(own)
}

#[cfg(test)]
mod tests;
