//! Whose turn it is to have something read. Pure.
//!
//! Every stick has its own few readers, so one that hangs takes nobody else's. Among those
//! who want something of one stick, what is small goes first, and then each address in turn:
//! who has opened thirty connections gets no more of the stick than who has one.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// Two keep a stick busy; the third is never given to a download.
const READERS_OF_A_STICK: usize = 3;
const READERS_OF_DOWNLOADS: usize = 2;

/// More than there are connections and transfers: what is behind them has been given up.
const MOST_WAITING: usize = 2_048;

/// What is to be read, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// The stick's mount point.
    pub volume: Arc<Path>,
    /// Who wants it.
    pub asker: Ipv4Addr,
    /// A piece of a download, which can wait for a script or a loader.
    pub download: bool,
}

/// Loaders, scripts and configurations are smaller; what is larger is a download.
const LARGEST_SMALL: u64 = 8 * 1024 * 1024;

impl Errand {
    /// To read `length` bytes of a file there, in whatever pieces.
    pub fn new(volume: &Arc<Path>, asker: Ipv4Addr, length: u64) -> Errand {
        Errand { volume: Arc::clone(volume), asker, download: length > LARGEST_SMALL }
    }
}

/// Jobs that wait, and how many readers each stick has now.
#[derive(Debug)]
pub struct Turns<J> {
    sticks: Vec<Stick<J>>,
}

#[derive(Debug)]
struct Stick<J> {
    volume: Arc<Path>,
    small: Line<J>,
    downloads: Line<J>,
}

/// Jobs of one kind: first come first served for each address, and one address after the
/// other.
#[derive(Debug)]
struct Line<J> {
    busy: usize,
    waiting: usize,
    order: VecDeque<Ipv4Addr>,
    jobs: HashMap<Ipv4Addr, VecDeque<J>>,
}

impl<J> Default for Turns<J> {
    /// Nobody waits.
    fn default() -> Turns<J> {
        Turns { sticks: Vec::new() }
    }
}

impl<J> Turns<J> {
    /// A job more. False: too many wait for this stick, even without those whom `wanted`
    /// says that nobody waits for any more.
    pub fn push(&mut self, errand: &Errand, job: J, wanted: impl Fn(&J) -> bool) -> bool {
        let line = self.line(errand);
        if line.waiting >= MOST_WAITING {
            line.keep(wanted);
        }
        let fits = line.waiting < MOST_WAITING;
        if fits {
            line.push(errand.asker, job);
        }
        fits
    }

    /// Begins the next job that may begin now. [`Turns::done`] is told when it has ended.
    pub fn begin(&mut self) -> Option<(Errand, J)> {
        let at = self.sticks.iter().position(Stick::has_turn)?;
        // The stick goes to the end: the next reader looks at the others first.
        let mut stick = self.sticks.remove(at);
        let taken = stick.take();
        self.sticks.push(stick);
        taken
    }

    /// Whether another one may begin now.
    pub fn have_more(&self) -> bool {
        self.sticks.iter().any(Stick::has_turn)
    }

    /// A job has ended.
    pub fn done(&mut self, errand: &Errand) {
        let line = self.line(errand);
        line.busy = line.busy.saturating_sub(1);
        self.sticks.retain(|stick| !stick.is_idle());
    }

    /// A job has had its turn, and wants another. It has its place in the line already.
    pub fn again(&mut self, errand: &Errand, job: J) {
        let line = self.line(errand);
        line.busy = line.busy.saturating_sub(1);
        line.push(errand.asker, job);
    }

    fn line(&mut self, errand: &Errand) -> &mut Line<J> {
        let known = self.sticks.iter().position(|stick| stick.volume == errand.volume);
        let at = known.unwrap_or(self.sticks.len());
        if known.is_none() {
            let volume = Arc::clone(&errand.volume);
            self.sticks.push(Stick { volume, small: Line::new(), downloads: Line::new() });
        }
        #[allow(clippy::indexing_slicing, reason = "found, or pushed just now")]
        let stick = &mut self.sticks[at];
        if errand.download { &mut stick.downloads } else { &mut stick.small }
    }
}

impl<J> Stick<J> {
    fn has_turn(&self) -> bool {
        let (small, downloads) = (&self.small, &self.downloads);
        let free = small.busy + downloads.busy < READERS_OF_A_STICK;
        let for_download = downloads.waiting > 0 && downloads.busy < READERS_OF_DOWNLOADS;
        free && (small.waiting > 0 || for_download)
    }

    fn take(&mut self) -> Option<(Errand, J)> {
        let download = self.small.waiting == 0;
        let line = if download { &mut self.downloads } else { &mut self.small };
        let (asker, job) = line.pop()?;
        line.busy += 1;
        Some((Errand { volume: Arc::clone(&self.volume), asker, download }, job))
    }

    fn is_idle(&self) -> bool {
        [&self.small, &self.downloads].iter().all(|line| line.busy + line.waiting == 0)
    }
}

impl<J> Line<J> {
    fn new() -> Line<J> {
        Line { busy: 0, waiting: 0, order: VecDeque::new(), jobs: HashMap::new() }
    }

    fn push(&mut self, asker: Ipv4Addr, job: J) {
        let own = self.jobs.entry(asker).or_default();
        if own.is_empty() {
            self.order.push_back(asker);
        }
        own.push_back(job);
        self.waiting += 1;
    }

    fn pop(&mut self) -> Option<(Ipv4Addr, J)> {
        let asker = self.order.pop_front()?;
        let own = self.jobs.get_mut(&asker)?;
        let job = own.pop_front()?;
        self.waiting -= 1;
        if own.is_empty() {
            self.jobs.remove(&asker);
        } else {
            self.order.push_back(asker);
        }
        Some((asker, job))
    }

    fn keep(&mut self, wanted: impl Fn(&J) -> bool) {
        self.jobs.values_mut().for_each(|own| own.retain(|job| wanted(job)));
        self.jobs.retain(|_, own| !own.is_empty());
        self.order.retain(|asker| self.jobs.contains_key(asker));
        self.waiting = self.jobs.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(volume: &str, asker: u8, download: bool) -> Errand {
        let volume = Path::new(volume).into();
        Errand { volume, asker: Ipv4Addr::new(10, 10, 10, asker), download }
    }

    fn begin(turns: &mut Turns<u32>) -> Option<u32> {
        turns.begin().map(|(_, job)| job)
    }

    #[test]
    fn a_stick_that_hangs_takes_no_readers_of_another() {
        let mut turns = Turns::default();
        for job in 0..10 {
            assert!(turns.push(&errand("/media/dead", 1, job % 2 == 0), job, |_| true));
        }
        let hangs = std::iter::from_fn(|| turns.begin()).count();
        assert_eq!(hangs, READERS_OF_A_STICK);
        assert!(turns.push(&errand("/media/good", 1, true), 99, |_| true));
        assert_eq!(begin(&mut turns), Some(99));
    }

    #[test]
    fn downloads_leave_a_reader_for_small_files_which_go_first() {
        let mut turns = Turns::default();
        for job in 0..5 {
            turns.push(&errand("/media/a", 1, true), job, |_| true);
        }
        assert_eq!([begin(&mut turns), begin(&mut turns)], [Some(0), Some(1)]);
        assert_eq!(begin(&mut turns), None, "the third reader waits for a small file");
        turns.push(&errand("/media/a", 2, false), 50, |_| true);
        turns.push(&errand("/media/a", 2, false), 51, |_| true);
        assert_eq!([begin(&mut turns), begin(&mut turns)], [Some(50), None]);
        turns.done(&errand("/media/a", 1, true));
        assert_eq!(begin(&mut turns), Some(51), "before the download that has waited longer");
    }

    #[test]
    fn each_address_has_its_turn_however_much_it_wants() {
        let mut turns = Turns::default();
        for job in 0..30 {
            turns.push(&errand("/media/a", 1, true), job, |_| true);
        }
        turns.push(&errand("/media/a", 2, true), 100, |_| true);
        let mut order = Vec::new();
        while let Some((errand, job)) = turns.begin() {
            order.push(job);
            turns.done(&errand);
        }
        assert_eq!(order[..3], [0, 100, 1]);
        assert_eq!(order.len(), 31);
        assert!(turns.sticks.is_empty(), "nothing is kept of a stick that is gone");
    }

    #[test]
    fn who_wants_another_turn_waits_for_it_behind_the_others() {
        let mut turns = Turns::default();
        for asker in 1..=3 {
            turns.push(&errand("/media/a", asker, true), u32::from(asker), |_| true);
        }
        let mut order = Vec::new();
        while let Some((errand, job)) = turns.begin() {
            order.push(job);
            if order.len() < 9 {
                turns.again(&errand, job);
            } else {
                turns.done(&errand);
            }
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2]);
        assert!(turns.sticks.is_empty());
    }

    #[test]
    fn who_has_gone_makes_room_for_who_comes() {
        let mut turns = Turns::default();
        let dead = errand("/media/dead", 1, true);
        for job in 0..MOST_WAITING {
            assert!(turns.push(&dead, job, |_| true));
        }
        assert!(!turns.push(&dead, 0, |_| true), "all of them are wanted still");
        assert!(turns.push(&dead, 0, |job| job % 2 == 0));
        assert!(turns.push(&errand("/media/good", 1, true), 0, |_| true));
    }
}
