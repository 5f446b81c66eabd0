//! Finding images: which files of a stick are an operating system, and how it is started.
//! Pure.
//!
//! Each file is compared with the kernels of all profiles; what is found beside one decides
//! between profiles that both know it. `place` tells which folder is the image's, `told`
//! its version and processor, `start` what belongs to the kernel.

mod place;
mod start;
mod told;
mod words;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::profile::read::is_system_name;
use super::{Image, Listing, MediaFile, Problem, Profile, Version};
use place::Place;
pub use place::is_iso;
use start::Candidate;

/// The files of one stick, in the order of their paths.
pub(super) struct Files<'a> {
    sorted: Vec<&'a MediaFile>,
    texts: BTreeMap<&'a str, &'a str>,
}

/// The images of one stick. `profiles` begins with the stick's `own` ones, which go before
/// the others.
pub(super) fn images(
    listing: &Listing,
    profiles: &[Arc<Profile>],
    own: usize,
) -> (Vec<Image>, Vec<Problem>) {
    let files = Files::of(listing);
    let mut found = Found { files, problems: Vec::new(), images: BTreeMap::new() };
    for file in listing.files.iter().filter(|file| place::can_be_image(&file.path)) {
        let candidates = candidates(&found.files, file, profiles, own);
        if candidates.is_empty() {
            found.refuse(&file.path, profiles);
        }
        found.take(&file.path, candidates, profiles);
    }
    for file in &listing.files {
        found.take_disk_image(file, profiles);
    }
    written::take(&mut found, listing, profiles);
    let Found { files, mut problems, images } = found;
    problems.dedup();
    let images = images.into_iter().map(|((root, ..), mut image)| {
        image.files = files_of(&files, &root, &image);
        image
    });
    (images.collect(), problems)
}

struct Found<'a> {
    files: Files<'a>,
    problems: Vec<Problem>,
    /// By folder, system and version.
    images: BTreeMap<(String, String, Version), Image>,
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
            self.problems.push(Problem::new(path, message));
        }
        let Some(profile) = profile_in(best, all) else {
            return;
        };
        let start = match best.start(&self.files) {
            Ok(start) => start,
            Err((file, message)) => return self.problems.push(Problem::new(file, message)),
        };
        let Some(version) = best.version() else {
            let message = format!(
                "looks like {}, but nothing says which version; put it into \
                 images/{}/<version>/",
                profile.title, profile.name
            );
            return self.problems.push(Problem::new(path, message));
        };
        self.image(best.place.root, profile, version).starts.push(start);
    }

    /// A folder with nothing but what is written to the disk is an image, too.
    fn take_disk_image(&mut self, file: &'a MediaFile, profiles: &[Arc<Profile>]) {
        for profile in profiles {
            let Some(layout) = profile.layout.first().filter(|layout| layout.bare_names) else {
                continue;
            };
            if let Some((base, captures)) =
                profile.disk_image.as_ref().and_then(|image| image.at_end_of(&file.path))
                && let Some(place) = Place::of(base)
                && place.suits(profile, layout)
                && let Some(version) = place.version(profile)
            {
                let known = (place.root.to_owned(), profile.name.clone(), version.clone());
                if self.images.contains_key(&known) {
                    continue;
                }
                let candidate =
                    Candidate::new(&self.files, file, profile, layout, place, captures, false);
                let Ok(start) = candidate.start_without_kernel(&self.files) else {
                    continue;
                };
                self.image(place.root, Arc::clone(profile), version).starts.push(start);
            }
        }
    }

    /// What people take for an image that is none.
    fn refuse(&mut self, path: &str, profiles: &[Arc<Profile>]) {
        let refusals = profiles.iter().flat_map(|profile| &profile.refuse);
        let known = refusals.into_iter().find(|refusal| {
            let found = refusal.file.at_end_of(path);
            found.is_some_and(|(base, _)| Place::of(base).is_some())
        });
        if let Some(refusal) = known {
            self.problems.push(Problem::new(path, refusal.because.clone()));
        }
    }

    fn image(&mut self, root: &str, profile: Arc<Profile>, version: Version) -> &mut Image {
        let key = (root.to_owned(), profile.name.clone(), version.clone());
        self.images.entry(key).or_insert_with(|| Image {
            profile,
            version,
            files: BTreeMap::new(),
            starts: Vec::new(),
        })
    }
}

/// A general profile has the name of its folder; none where that is another system's.
fn profile_in(best: &Candidate, all: &[Arc<Profile>]) -> Option<Arc<Profile>> {
    if !best.profile.general {
        return Some(Arc::clone(best.profile));
    }
    let name = best.place.system?.to_ascii_lowercase();
    let taken = all.iter().any(|profile| profile.name == name && !profile.general);
    (is_system_name(&name) && !taken).then(|| {
        let title = name.clone();
        Arc::new(Profile { name, title, ..Profile::clone(best.profile) })
    })
}

/// The files below an image's folder. Of a folder with many ISOs, those of its own and what
/// may say something of it.
fn files_of(files: &Files, root: &str, image: &Image) -> BTreeMap<String, MediaFile> {
    let own_isos = || image.starts.iter().filter_map(|start| start.iso.as_deref());
    let shared = root.eq_ignore_ascii_case("images");
    let belongs = |path: &str| {
        let first = path.split('/').next().unwrap_or(path);
        let stem = |iso: &str| iso.split_once('.').map_or(iso, |(stem, _)| stem).to_owned();
        !shared
            || own_isos()
                .any(|iso| first == iso || (path == first && first.starts_with(&stem(iso))))
            || path == first && first.contains("SUM")
    };
    let below = files.below(root).filter(|(path, _)| belongs(path));
    below.map(|(path, file)| (path.to_owned(), file.clone())).collect()
}

impl<'a> Files<'a> {
    fn of(listing: &'a Listing) -> Files<'a> {
        let mut sorted: Vec<&MediaFile> = listing.files.iter().collect();
        sorted.sort_by(|a, b| a.path.cmp(&b.path));
        let texts = listing.texts.iter().filter_map(|(index, text)| {
            Some((listing.files.get(*index)?.path.as_str(), text.as_str()))
        });
        Files { sorted, texts: texts.collect() }
    }

    /// The files below `folder`, with their paths from there.
    fn below(&self, folder: &str) -> impl Iterator<Item = (&'a str, &'a MediaFile)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let begin = self.sorted.partition_point(|file| file.path < prefix);
        let rest = self.sorted.get(begin..).unwrap_or_default().iter().copied();
        rest.map_while(move |file: &'a MediaFile| Some((file.path.strip_prefix(&prefix)?, file)))
    }

    /// The file at this path, in this spelling or another case.
    fn at(&self, folder: &str, name: &str) -> Option<&'a MediaFile> {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let exact = self.sorted.binary_search_by(|file| file.path.as_str().cmp(&path)).ok();
        match exact.and_then(|index| self.sorted.get(index)) {
            Some(file) => Some(file),
            None => {
                let mut below = self.below(folder);
                below.find(|(path, _)| path.eq_ignore_ascii_case(name)).map(|(_, file)| file)
            }
        }
    }

    fn text(&self, file: &MediaFile) -> Option<&'a str> {
        self.texts.get(file.path.as_str()).copied()
    }
}

#[cfg(test)]
mod tests;
