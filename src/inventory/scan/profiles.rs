//! A stick's own profiles, before it is walked.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::MOST_ENTRIES;
use crate::inventory::detect::is_profile;
use crate::inventory::media_file;
use crate::inventory::profile::Profile;
use crate::inventory::profile::own::{self, Own};

/// What a person writes of a system is short.
pub(super) const LARGEST_PROFILE: u64 = own::LARGEST as u64;

/// The stick's own profiles, which say what else of it is of interest. What is wrong with
/// them is said where they are read for good.
pub(super) fn own_profiles(volume: &Path, deadline: Instant) -> Vec<Arc<Profile>> {
    let folders = names_in(volume).filter(|name| name.eq_ignore_ascii_case("profiles"));
    let paths = folders.flat_map(|folder| {
        names_in(&volume.join(&folder)).map(move |name| format!("{folder}/{name}"))
    });
    let in_time = |_: &String| Instant::now() < deadline;
    let paths = paths.take(MOST_ENTRIES).take_while(in_time).filter(|path| is_profile(path));
    let mut paths: Vec<String> = paths.collect();
    paths.sort();
    paths.truncate(own::MOST_FILES);
    let mut own = Own::default();
    for path in paths.iter().take_while(|path| in_time(path)) {
        let mut text = String::new();
        let Ok(file) = media_file::open_beneath(volume, path) else {
            continue;
        };
        // One byte more, so that a larger one is refused and not cut.
        if file.take(LARGEST_PROFILE + 1).read_to_string(&mut text).is_ok() {
            let _ = own.add(path, &text);
        }
    }
    own.profiles()
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST_ENTRIES);
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}
