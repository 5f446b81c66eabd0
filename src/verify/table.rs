//! The verdicts on everything that the sticks serve, as they are now. Pure.
//!
//! A verdict lives as long as nothing has changed that it depends on, and dies with the
//! process: a stick may change while this box is off, and keep every size and time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::evidence::{Job, Seen, container};
use super::verdict::{Gate, Signer, Verdict};
use crate::config::Verify;
use crate::inventory::{Image, Inventory, MediaFile};

/// Verdicts by place; a new table replaces the old one whole.
#[derive(Debug, Clone, Default)]
pub struct Verdicts {
    policy: Verify,
    entries: BTreeMap<Arc<Path>, BTreeMap<String, Entry>>,
    running: Option<(Arc<Job>, Progress)>,
    keys: Keys,
}

/// Files with keys, and whose keys these are.
type Keys = (Arc<[Seen]>, Arc<[Signer]>);

#[derive(Debug, Clone)]
struct Entry {
    job: Arc<Job>,
    verdict: Arc<Verdict>,
}

/// How many bytes of the running job are done.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// So many more.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// From the start: the same file is read for another signature.
    pub fn restart(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// So far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is known of a whole image, or of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file that is told of.
    pub path: String,
    /// What is known of it.
    pub verdict: Arc<Verdict>,
    /// Per cent, while it is being verified.
    pub percent: Option<u8>,
}

impl Verdicts {
    /// What is known after a scan that found these jobs.
    pub fn after_scan(&self, policy: Verify, jobs: Vec<Job>) -> Verdicts {
        let mut next = Verdicts { policy, ..Verdicts::default() };
        for job in jobs.into_iter().filter(|_| policy != Verify::Off) {
            let known = self.entry(&job.file.file).filter(|entry| *entry.job == job);
            let entry = known.cloned().unwrap_or_else(|| {
                let first = if job.has_evidence() { Verdict::Waiting } else { Verdict::NotSigned };
                Entry { job: Arc::new(job), verdict: Arc::new(first) }
            });
            // What could not be read is tried again with each scan.
            let entry = match *entry.verdict {
                Verdict::Unreadable(_) => Entry { verdict: Arc::new(Verdict::Waiting), ..entry },
                _ => entry,
            };
            let file = &entry.job.file.file;
            let stick = next.entries.entry(Arc::clone(&file.volume)).or_default();
            stick.insert(file.path.clone(), entry);
        }
        if next.all().any(|entry| entry.job.keys == self.keys.0) {
            next.keys = self.keys.clone();
        }
        next.running = self.running.clone().filter(|(job, _)| next.wants(job));
        next
    }

    /// The job to do next: small files first, so that kernels are not kept waiting by disks.
    pub fn next_job(&self) -> Option<Arc<Job>> {
        let waiting = self.all().filter(|entry| *entry.verdict == Verdict::Waiting);
        waiting.min_by_key(|entry| entry.job.file.file.size).map(|entry| Arc::clone(&entry.job))
    }

    /// Whether the verdict on this job is still wanted.
    pub fn wants(&self, job: &Arc<Job>) -> bool {
        self.entry(&job.file.file)
            .is_some_and(|entry| Arc::ptr_eq(&entry.job, job) && *entry.verdict == Verdict::Waiting)
    }

    /// The same with a job begun.
    pub fn with_running(&self, job: &Arc<Job>, progress: &Progress) -> Verdicts {
        Verdicts { running: Some((Arc::clone(job), progress.clone())), ..self.clone() }
    }

    /// The same with a job ended; no verdict if it was given up.
    pub fn with_verdict(&self, job: &Arc<Job>, verdict: Option<Verdict>) -> Verdicts {
        let mut next = Verdicts { running: None, ..self.clone() };
        let file = &job.file.file;
        let stick = next.entries.get_mut(&*file.volume);
        if let Some(entry) = stick.and_then(|stick| stick.get_mut(&file.path))
            && Arc::ptr_eq(&entry.job, job)
            && let Some(verdict) = verdict
        {
            entry.verdict = Arc::new(verdict);
        }
        next
    }

    /// The same with the keys that this job may be verified with.
    pub fn with_keys(&self, job: &Job, keys: Arc<[Signer]>) -> Verdicts {
        Verdicts { keys: (Arc::clone(&job.keys), keys), ..self.clone() }
    }

    /// Whose keys are on the sticks; none before the first of them was needed.
    pub fn keys(&self) -> &[Signer] {
        &self.keys.1
    }

    /// Whether something is being verified, or waits for it.
    pub fn at_work(&self) -> bool {
        self.all().any(|entry| *entry.verdict == Verdict::Waiting)
    }

    /// May a machine have this file?
    pub fn gate(&self, file: &MediaFile) -> Gate {
        match self.entry(file) {
            Some(entry) => entry.verdict.gate(self.policy, entry.job.needed),
            None => Gate::Open,
        }
    }

    /// May a machine be told to install this image?
    pub fn gate_of(&self, image: &Image, inventory: &Inventory) -> Gate {
        let mut gate = Gate::Open;
        for file in needed_files(image, inventory) {
            match self.gate(file) {
                Gate::Closed(why) => return Gate::Closed(why),
                Gate::Wait => gate = Gate::Wait,
                Gate::Open => {}
            }
        }
        gate
    }

    /// What a person has to know of this file.
    pub fn report(&self, file: &MediaFile) -> Option<Report> {
        self.entry(file).map(|entry| self.report_on(entry))
    }

    /// The same of every file that is looked at.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        self.all().map(|entry| self.report_on(entry))
    }

    fn report_on(&self, entry: &Entry) -> Report {
        let running = self.running.as_ref().filter(|(job, _)| Arc::ptr_eq(job, &entry.job));
        let size = entry.job.file.file.size.max(1);
        let percent = running.map(|(_, progress)| progress.bytes().saturating_mul(100) / size);
        Report {
            path: entry.job.file.file.path.clone(),
            verdict: Arc::clone(&entry.verdict),
            percent: percent.map(|percent| u8::try_from(percent.min(99)).unwrap_or(99)),
        }
    }

    /// The one report that matters most of those on an image's files; none if nothing of it
    /// is verified here.
    pub fn report_of(&self, image: &Image, inventory: &Inventory) -> Option<Report> {
        let reports = needed_files(image, inventory).filter_map(|file| self.report(file));
        // Of equal ones, the one that is being verified.
        reports.max_by_key(|report| (report.verdict.weight(), report.percent.is_some()))
    }

    fn entry(&self, file: &MediaFile) -> Option<&Entry> {
        self.entries.get(&*file.volume)?.get(container(file))
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().flat_map(BTreeMap::values)
    }
}

/// The image's kernel, initial RAM disks and disk image, where machines get them from: what is
/// laid over the boot tree goes by the name that they ask for.
fn needed_files<'a>(
    image: &'a Image,
    inventory: &'a Inventory,
) -> impl Iterator<Item = &'a MediaFile> {
    let bare = image.profile.layout.iter().any(|layout| layout.bare_names);
    image.needed().filter_map(move |name| {
        let asked = if bare { name.to_owned() } else { format!("images/{}/{name}", image.name()) };
        inventory.tftp.get(&asked.to_ascii_lowercase()).or_else(|| image.file(name))
    })
}

#[cfg(test)]
mod tests {
    use super::super::evidence::Stamp;
    use super::*;

    fn job(path: &str, size: u64, modified: u64, mount: u64) -> Job {
        let volume: Arc<Path> = Path::new("/media/sda1").into();
        let file = |path: String, size| Seen {
            file: MediaFile { volume: Arc::clone(&volume), path, size, modified, inside: None },
            stamp: Stamp { mount, ..Stamp::default() },
        };
        Job {
            signatures: vec![file(format!("{path}.sig"), 1)],
            file: file(path.to_owned(), size),
            own_lists: Arc::default(),
            folder_lists: Arc::default(),
            keys: Arc::new([]),
            needed: true,
        }
    }

    fn verified(jobs: Vec<Job>) -> Verdicts {
        let mut table = Verdicts::default().after_scan(Verify::Required, jobs);
        while let Some(job) = table.next_job() {
            table = table.with_verdict(&job, Some(Verdict::SumOnly("x".to_owned())));
        }
        table
    }

    #[test]
    fn a_verdict_lasts_as_long_as_all_that_it_depends_on() {
        let table = verified(vec![job("a", 5, 7, 1), job("b", 5, 7, 1)]);
        let same = table.after_scan(Verify::Required, vec![job("b", 5, 7, 1), job("a", 5, 7, 1)]);
        assert!(!same.at_work());
        for (what, other) in [
            ("another size", job("a", 6, 7, 1)),
            ("another time", job("a", 5, 8, 1)),
            ("another stick", job("a", 5, 7, 2)),
            ("another key", {
                let keys = Arc::new([job("keys/a.asc", 1, 1, 1).file]);
                Job { keys, ..job("a", 5, 7, 1) }
            }),
            ("another signature", Job { signatures: Vec::new(), ..job("a", 5, 7, 1) }),
        ] {
            let next = table.after_scan(Verify::Required, vec![other.clone()]);
            let report = next.report(&other.file.file).unwrap();
            assert!(!matches!(*report.verdict, Verdict::SumOnly(_)), "{what}");
        }
        // A stick that was away in between is another one.
        let away = table.after_scan(Verify::Required, Vec::new());
        assert!(away.after_scan(Verify::Required, vec![job("a", 5, 7, 1)]).at_work());
    }

    #[test]
    fn small_files_come_first_and_a_file_that_is_gone_is_given_up() {
        let jobs = || vec![job("disk", 1 << 30, 7, 1), job("kernel", 9, 7, 1)];
        let table = Verdicts::default().after_scan(Verify::Required, jobs());
        let kernel = table.next_job().unwrap();
        assert_eq!(kernel.file.file.path, "kernel");
        let table = table.with_running(&kernel, &Progress::default());
        let unread = Verdict::Unreadable("gone".to_owned());
        let later = table.after_scan(Verify::Required, jobs());
        assert!(later.wants(&kernel), "a scan that finds the same does not begin anew");
        let gone = later.after_scan(Verify::Required, vec![job("disk", 1 << 30, 7, 1)]);
        assert!(!gone.wants(&kernel));
        assert!(gone.with_verdict(&kernel, Some(unread.clone())).at_work(), "the disk waits");
        // What could not be read is tried again by the next scan.
        let table = later.with_verdict(&kernel, Some(unread));
        assert!(!table.wants(&kernel));
        let again = table.after_scan(Verify::Required, jobs());
        assert_eq!(again.next_job().unwrap().file.file.path, "kernel");
    }

    #[test]
    fn per_cent_are_of_the_file_that_is_read_and_nothing_is_looked_at_when_off() {
        let table = Verdicts::default().after_scan(Verify::WhenSigned, vec![job("a", 200, 7, 1)]);
        let (job, progress) = (table.next_job().unwrap(), Progress::default());
        let table = table.with_running(&job, &progress);
        progress.add(50);
        assert_eq!(table.report(&job.file.file).unwrap().percent, Some(25));
        assert_eq!(table.gate(&job.file.file), Gate::Open, "the others do not wait");
        let strict = table.after_scan(Verify::Required, vec![(*job).clone()]);
        assert_eq!(strict.gate(&job.file.file), Gate::Wait);
        let off = table.after_scan(Verify::Off, vec![(*job).clone()]);
        assert_eq!((off.at_work(), off.gate(&job.file.file)), (false, Gate::Open));
    }
}
