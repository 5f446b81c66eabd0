//! Reading the sticks: at the start, when one comes or goes, and at a press of the button.
//!
//! One thread scans; requests that come meanwhile lead to exactly one more scan. The new
//! inventory replaces the old one whole, or is refused while the old one serves on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use super::World;
use crate::boot::plan::Media;
use crate::inventory::{Inventory, Listing, Problem, Profile, inventory, list};
use crate::verify::check::stamp;
use crate::verify::{self, Job};

/// Asks for scans.
#[derive(Clone)]
pub struct Scanner(SyncSender<()>);

impl Scanner {
    /// The sticks are read again as soon as the running scan, if any, has ended.
    pub fn request(&self) {
        // The queue holds one request: a second one would see the same content.
        let _ = self.0.try_send(());
    }
}

/// A scanner and the queue that [`run`] serves.
pub fn scanner() -> (Scanner, Receiver<()>) {
    let (sender, receiver) = sync_channel(1);
    (Scanner(sender), receiver)
}

/// What in the media folder is a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticks {
    /// Each folder: on a workstation.
    Folders,
    /// Each folder that something is mounted on. Before that, and after a stick was pulled,
    /// its folder is an empty one, which must not pass for a stick without machines.
    Mounted,
}

/// Scans on request until the process ends.
pub fn run(world: &World, sticks: Sticks, requests: &Receiver<()>) {
    while requests.recv().is_ok() {
        scan(world, sticks);
    }
}

fn scan(world: &World, kind: Sticks) {
    let media = &world.config.media;
    let folders = sticks(media, kind);
    world.change_shelf(|shelf| {
        shelf.scanning = !folders.is_empty();
        shelf.scan_began = shelf.scanning.then(Instant::now);
    });
    // What was pulled while it was read is no stick, either.
    let read = folders.iter().map(|folder| (list(folder), kind.has(media, folder)));
    let listings: Vec<Listing> =
        read.filter_map(|(listing, there)| there.then_some(listing)).collect();
    let sticks = listings.len();
    let outcome = inventory(&listings, &Profile::built_in()).map(|mut found| {
        found.note_addresses_outside(&world.config.server);
        world.introduce(&found);
        let (jobs, problems) = verify::jobs(&listings, &found, stamp);
        found.problems.extend(problems);
        (Arc::new(found), jobs)
    });
    let (outcome, jobs) = match outcome {
        Ok((found, jobs)) => (Ok(found), jobs),
        Err(problems) => (Err(problems), Vec::new()),
    };
    // What the log says of the sticks is true when it says it.
    world.change_shelf(|shelf| {
        shelf.scanning = false;
        shelf.sticks = sticks;
        match &outcome {
            Ok(found) => {
                shelf.inventory = Arc::clone(found);
                shelf.verdicts = Arc::new(shelf.verdicts.after_scan(world.config.verify, jobs));
                shelf.accepted = sticks > 0;
                shelf.refused = Vec::new();
            }
            Err(problems) => shelf.refused = problems.clone(),
        }
    });
    match &outcome {
        _ if sticks == 0 => log::info!("no stick is there"),
        Ok(found) => tell(found, sticks),
        Err(problems) => {
            for problem in problems {
                log::error!("{problem}");
            }
            log::warn!("{}", what_serves_now(world.media()));
        }
    }
}

fn what_serves_now(media: Media) -> &'static str {
    match media {
        Media::Ready => "the stick's new content is refused; what was there before serves on",
        _ => "the stick's content is refused; nothing is installed until that is right",
    }
}

/// In the order of their names.
fn sticks(media: &Path, kind: Sticks) -> Vec<PathBuf> {
    let entries = match fs::read_dir(media) {
        Ok(entries) => entries,
        Err(error) => {
            log::warn!("{}: cannot be read: {error}", media.display());
            return Vec::new();
        }
    };
    let folders = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        entry.file_type().ok()?.is_dir().then(|| entry.path())
    });
    let mut sticks: Vec<PathBuf> = folders.filter(|folder| kind.has(media, folder)).collect();
    sticks.sort();
    sticks
}

impl Sticks {
    fn has(self, media: &Path, folder: &Path) -> bool {
        let device = |path| fs::symlink_metadata(path).map(|data| data.dev()).ok();
        match self {
            Sticks::Folders => true,
            Sticks::Mounted => device(folder).is_some_and(|own| device(media) != Some(own)),
        }
    }
}

fn tell(found: &Inventory, sticks: usize) {
    for problem in &found.problems {
        log::warn!("{problem}");
    }
    let count = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    log::info!(
        "{} read: {}, {}{}",
        count(sticks, "stick"),
        count(found.images.len(), "image"),
        count(found.machines().count(), "machine"),
        match found.problems.len() {
            0 => String::new(),
            problems => format!(", {}", count(problems, "problem")),
        }
    );
}

/// For `pxeberry check`: the same scan of one folder, and what is to be verified there.
pub fn check(folder: &Path) -> Result<(Inventory, Vec<Job>), Vec<Problem>> {
    let listings = [list(folder)];
    let mut found = inventory(&listings, &Profile::built_in())?;
    let (jobs, problems) = verify::jobs(&listings, &found, stamp);
    found.problems.extend(problems);
    Ok((found, jobs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_mount_is_a_stick_on_a_workstation_alone() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(sticks(here, Sticks::Folders).contains(&here.join("src")));
        assert_eq!(sticks(&here.join("src"), Sticks::Mounted), Vec::<PathBuf>::new());
        // Every Linux has this mount.
        assert!(sticks(Path::new("/"), Sticks::Mounted).contains(&"/proc".into()));
    }

    #[test]
    fn a_press_while_a_scan_runs_leads_to_exactly_one_more_scan() {
        let (scanner, requests) = scanner();
        scanner.request();
        // The scan begins.
        assert!(requests.try_recv().is_ok());
        for _ in 0..3 {
            scanner.request();
        }
        assert!(requests.try_recv().is_ok());
        assert!(requests.try_recv().is_err());
    }
}
