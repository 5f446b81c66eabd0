//! Images of whole disks, in folders that hold no system which starts by itself. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::place::{self, Place};
use super::start::Candidate;
use super::{Found, named};
use crate::inventory::{Image, Listing, MediaFile, Profile, Tree};

/// Takes what nothing else in its folder explains: Linux's own `initrd.img` has such a name.
pub(super) fn take<'a>(found: &mut Found<'a>, listing: &'a Listing, profiles: &'a [Arc<Profile>]) {
    let systems: BTreeSet<String> = found.known.keys().map(|(root, ..)| root.clone()).collect();
    for file in listing.files.iter().filter(|file| place::can_be_image(&file.path)) {
        if !found.goes_on() {
            return;
        }
        if found.is_full(&file.path) {
            continue;
        }
        for profile in profiles.iter().filter(|profile| profile.written) {
            if let Some(candidate) = candidate(found, file, profile)
                && !systems.contains(candidate.place.root)
            {
                take_one(found, file, &candidate, profiles);
            }
        }
    }
}

fn candidate<'a>(
    found: &Found<'a>,
    file: &'a MediaFile,
    profile: &'a Arc<Profile>,
) -> Option<Candidate<'a>> {
    profile.layout.iter().find_map(|layout| {
        found.files.spend(layout.kernel.effort(&file.path)).then_some(())?;
        let (base, captures) = layout.kernel.at_end_of(&file.path)?;
        let place = Place::of(base).filter(|place| place.suits(profile, layout))?;
        Some(Candidate::new(&found.files, file, profile, layout, place, captures, false))
    })
}

fn take_one<'a>(
    found: &mut Found<'a>,
    file: &'a MediaFile,
    candidate: &Candidate<'a>,
    profiles: &[Arc<Profile>],
) {
    let Some((system, title)) = named(candidate, profiles) else {
        return;
    };
    let start = match candidate.start(&found.files) {
        Ok(start) => start,
        Err((file, message)) => return found.problem(&file, message),
    };
    let Some(version) = candidate.version() else {
        let message = format!(
            "looks like the image of a disk, but nothing says which version; put it into \
             images/{system}/<version>/"
        );
        return found.problem(&file.path, message);
    };
    let root = candidate.place.root;
    let key = (root.to_owned(), system.clone(), version.clone());
    let mut known = found.known.get(&key).into_iter().flat_map(|image| &image.starts);
    let message = known.find(|other| other.cpu == start.cpu).map(|other| {
        format!(
            "is left alone: {} in the same folder is the image that is written to disks",
            other.kernel
        )
    });
    if let Some(message) = message {
        return found.problem(&file.path, message);
    }
    let image = Image {
        profile: Arc::clone(candidate.profile),
        system,
        title,
        version,
        files: Tree::default(),
        starts: Vec::new(),
    };
    found.keep(&file.path, root, image, start);
}
