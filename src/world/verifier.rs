//! Verifying images in the background: one file at a time, behind everything else.
//!
//! The shelf is all that this thread and the others share: it takes the next job from there,
//! and puts the verdict there if it is still wanted. A scan that finds a file gone or changed
//! thereby ends the work on it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::World;
use crate::config::Verify;
use crate::inventory::Problem;
use crate::verify::check::{Surroundings, check, unfinished};
use crate::verify::evidence::Seen;
use crate::verify::keys::keyring;
use crate::verify::openpgp::Keyring;
use crate::verify::{Job, Progress, Signer, Verdict, Verdicts};

/// The kernel's scale goes to 19; above 10 a busy Pi would never come to it.
const NICENESS: i32 = 10;

/// Verifies what scans find until the process ends.
pub fn run(world: &World) {
    if let Err(error) = rustix::process::nice(NICENESS) {
        log::debug!("verifying: no lower priority: {error}");
    }
    let mut shelf = world.watch_shelf();
    let mut keys = Keys::default();
    loop {
        let next = shelf.borrow_and_update().verdicts.next_job();
        match next {
            Some(job) => verify(world, &job, &mut keys),
            None => {
                if futures_lite::future::block_on(shelf.changed()).is_err() {
                    return;
                }
            }
        }
    }
}

/// The keys of the newest jobs: those of one scan have the same.
#[derive(Default)]
struct Keys {
    files: Arc<[Seen]>,
    keyring: Keyring,
}

impl Keys {
    /// Reads the keys of this job, unless they are those; what is wrong with new ones. The
    /// error is the verdict on the job; none if it was given up. Then they are read for the
    /// next one again: a stick that fails once may be whole.
    fn of(
        &mut self,
        job: &Job,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Vec<(String, String)>, Option<Verdict>> {
        if self.files == job.keys {
            return Ok(Vec::new());
        }
        let (keyring, problems) =
            keyring(&job.keys, goes_on).map_err(|error| unfinished(&error))?;
        *self = Keys { files: Arc::clone(&job.keys), keyring };
        Ok(problems)
    }
}

fn verify(world: &World, job: &Arc<Job>, keys: &mut Keys) {
    let before = Arc::clone(&keys.files);
    match keys.of(job, &|| world.wants(job)) {
        Ok(problems) => {
            for (file, message) in problems {
                log::warn!("{file}: {message}");
            }
        }
        Err(verdict) => return end(world, job, verdict),
    }
    if before != keys.files {
        for signer in keys.keyring.signers() {
            log::info!("key on the stick: {signer}");
        }
        let signers: Arc<[Signer]> = keys.keyring.signers().cloned().collect();
        world.change_shelf(|shelf| {
            shelf.verdicts = Arc::new(shelf.verdicts.with_keys(job, signers));
        });
    }
    let progress = Progress::default();
    world.change_shelf(|shelf| {
        shelf.verdicts = Arc::new(shelf.verdicts.with_running(job, &progress));
    });
    let goes_on = |took: Duration| {
        // Machines come first: as long as one is served, half of the stick is theirs.
        if world.transfers.count() > 0 {
            thread::sleep(took);
        }
        world.wants(job)
    };
    let surroundings = Surroundings {
        keyring: &keys.keyring,
        now: world.now(),
        progress: &progress,
        goes_on: &goes_on,
    };
    end(world, job, check(job, &surroundings));
}

/// None: it was given up.
fn end(world: &World, job: &Arc<Job>, verdict: Option<Verdict>) {
    let verdict = verdict.filter(|_| world.wants(job));
    let told = verdict.clone();
    world.change_shelf(|shelf| {
        shelf.verdicts = Arc::new(shelf.verdicts.with_verdict(job, verdict));
    });
    // What the log says is true when it says it.
    if let Some(verdict) = told {
        tell(job, &verdict);
    }
}

/// For `pxeberry check`: all of it at once, with what is wrong with keys; `tell` gets a file
/// and per cent.
pub fn check_all(
    policy: Verify,
    jobs: Vec<Job>,
    tell: impl Fn(&str, u64),
) -> (Verdicts, Vec<Problem>) {
    let mut verdicts = Verdicts::default().after_scan(policy, jobs);
    let mut keys = Keys::default();
    let mut problems = Vec::new();
    while let Some(job) = verdicts.next_job() {
        match keys.of(&job, &|| true) {
            Ok(wrong) => {
                let wrong = wrong.into_iter();
                problems.extend(wrong.map(|(file, message)| Problem::new(file, message)));
            }
            Err(verdict) => {
                verdicts = verdicts.with_verdict(&job, verdict);
                continue;
            }
        }
        verdicts = verdicts.with_keys(&job, keys.keyring.signers().cloned().collect());
        let progress = Progress::default();
        let file = &job.file.file;
        let goes_on = |_| {
            tell(&file.path, progress.bytes().saturating_mul(100) / file.size.max(1));
            true
        };
        let keyring = &keys.keyring;
        let surroundings =
            Surroundings { keyring, now: now(), progress: &progress, goes_on: &goes_on };
        verdicts = verdicts.with_verdict(&job, check(&job, &surroundings));
    }
    (verdicts, problems)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A stick that was pulled makes files unreadable, and is no news; the page tells of others.
fn tell(job: &Job, verdict: &Verdict) {
    let path = &job.file.file.path;
    match verdict {
        Verdict::Bad(_) => log::error!("{path}: {verdict}"),
        Verdict::Unreadable(_) => log::debug!("{path}: {verdict}"),
        _ if job.needed => log::info!("{path}: {verdict}"),
        _ => log::debug!("{path}: {verdict}"),
    }
}

impl World {
    fn wants(&self, job: &Arc<Job>) -> bool {
        self.shelf.borrow().verdicts.wants(job)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::world::media;

    #[test]
    fn a_key_that_cannot_be_read_once_is_not_missing_for_good() {
        let stick = std::env::temp_dir().join(format!("pxeberry-key-{}", std::process::id()));
        fs::create_dir_all(stick.join("keys")).unwrap();
        fs::create_dir_all(stick.join("images/x/1.0")).unwrap();
        for name in ["kernel", "kernel.sig", "args.txt"] {
            fs::write(stick.join("images/x/1.0").join(name), name).unwrap();
        }
        let key = stick.join("keys/x.asc");
        fs::write(&key, "not yet").unwrap();
        let (_, jobs) = media::check(&stick).unwrap();
        let job = jobs.first().unwrap();
        fs::rename(&key, stick.join("away")).unwrap();
        let mut keys = Keys::default();
        let verdict = keys.of(job, &|| true).unwrap_err().unwrap();
        assert!(matches!(&verdict, Verdict::Unreadable(why) if why.starts_with("keys/x.asc: ")));
        fs::rename(stick.join("away"), &key).unwrap();
        assert_eq!(keys.of(job, &|| true).unwrap().len(), 1, "it is read again, and is no key");
        assert_eq!(keys.of(job, &|| true).unwrap().len(), 0, "and not once more");
        assert!(Keys::default().of(job, &|| false).unwrap_err().is_none());
        fs::remove_dir_all(&stick).unwrap();
    }
}
