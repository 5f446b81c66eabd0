//! Images of whole disks, in folders that hold no system which starts by itself. Pure.

use std::sync::Arc;

use super::place::Place;
use super::start::Candidate;
use super::{Found, profile_in};
use crate::inventory::{Listing, Problem, Profile};

/// Takes what nothing else in its folder explains: Linux's own `initrd.img` has such a name.
pub(super) fn take(found: &mut Found, listing: &Listing, profiles: &[Arc<Profile>]) {
    let systems: Vec<String> = found.images.keys().map(|(root, ..)| root.clone()).collect();
    for file in &listing.files {
        for profile in profiles.iter().filter(|profile| profile.written) {
            let fits = profile.layout.iter().find_map(|layout| {
                let (base, captures) = layout.kernel.at_end_of(&file.path)?;
                let place = Place::of(base).filter(|place| place.suits(profile, layout))?;
                Some((layout, place, captures))
            });
            let Some((layout, place, captures)) = fits else {
                continue;
            };
            if systems.iter().any(|root| root == place.root) {
                continue;
            }
            let candidate =
                Candidate::new(&found.files, file, profile, layout, place, captures, false);
            let Some(named) = profile_in(&candidate, profiles) else {
                continue;
            };
            let start = match candidate.start(&found.files) {
                Ok(start) => start,
                Err((file, message)) => {
                    found.problems.push(Problem::new(file, message));
                    continue;
                }
            };
            let Some(version) = candidate.version() else {
                let message = format!(
                    "looks like the image of a disk, but nothing says which version; put it \
                     into images/{}/<version>/",
                    named.name
                );
                found.problems.push(Problem::new(&file.path, message));
                continue;
            };
            let image = found.image(place.root, named, version);
            if let Some(other) = image.starts.iter().find(|other| other.cpu == start.cpu) {
                let message = format!(
                    "is left alone: {} in the same folder is the image that is written to disks",
                    other.kernel
                );
                found.problems.push(Problem::new(&file.path, message));
            } else {
                image.starts.push(start);
            }
        }
    }
}
