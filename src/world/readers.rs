//! The threads that read from sticks for HTTP and TFTP: few, and none of them a server's
//! own, so that a slow stick holds up those alone who want something of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::turns::{Errand, Turns};

/// Two sticks that hang at the same time leave some for a third and for the loaders. They
/// are started when they are needed.
const MOST_THREADS: usize = 8;

/// The readers of all sticks.
#[derive(Clone, Default)]
pub struct Readers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    work: Condvar,
}

#[derive(Default)]
struct Desk {
    turns: Turns<Box<dyn Job>>,
    threads: usize,
    idle: usize,
}

impl Readers {
    /// Does `work` when its turn comes. The receiver gets what it returns, or an error if
    /// it cannot be done; dropping it gives the turn up.
    pub fn read<T: Send + 'static>(
        &self,
        errand: &Errand,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, reading) = oneshot::channel();
        // Not taken: the answer's sender is dropped, and the receiver says so.
        self.push(errand, Box::new(Task { answer, work }));
        reading
    }

    /// Does `work` again each time that its turn comes, until it returns something. The receiver
    /// gets that; dropping it gives the turns up.
    pub fn read_in_turns<T: Send + 'static>(
        &self,
        errand: &Errand,
        work: impl FnMut() -> Option<T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, reading) = oneshot::channel();
        self.push(errand, Box::new(Turnwise { answer, work }));
        reading
    }

    /// Does `work` when its turn comes, whether or not anybody still waits for it. False: it
    /// cannot be done, and `work` was dropped.
    pub fn run(&self, errand: &Errand, work: impl FnOnce() + Send + 'static) -> bool {
        self.push(errand, Box::new(Chore(work)))
    }

    fn push(&self, errand: &Errand, job: Box<dyn Job>) -> bool {
        let mut desk = self.0.desk();
        let taken = desk.turns.push(errand, job, |job| job.is_wanted());
        // Else who reads this stick now takes it next.
        let calls = taken && desk.turns.have_more();
        if calls {
            self.0.make_sure_of_a_reader(&mut desk);
        }
        drop(desk);
        // He who wakes up finds the desk free.
        if calls {
            self.0.work.notify_one();
        }
        taken
    }
}

impl Shared {
    /// Has somebody look at what waits.
    fn make_sure_of_a_reader(self: &Arc<Shared>, desk: &mut Desk) {
        if desk.idle > 0 || desk.threads == MOST_THREADS {
            return;
        }
        let shared = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("reader".into()).spawn(move || shared.run());
        match spawned {
            Ok(_) => desk.threads += 1,
            Err(error) if desk.threads == 0 => log::error!("no thread to read sticks: {error}"),
            Err(_) => {}
        }
    }

    fn run(self: &Arc<Shared>) {
        let mut desk = self.desk();
        loop {
            let Some((errand, job)) = desk.turns.begin() else {
                desk.idle += 1;
                desk = self.work.wait(desk).unwrap_or_else(PoisonError::into_inner);
                desk.idle -= 1;
                continue;
            };
            // Who was called for this one may have been called for the next one, too; this may
            // be a stick that hangs.
            let calls = desk.turns.have_more();
            if calls {
                self.make_sure_of_a_reader(&mut desk);
            }
            drop(desk);
            if calls {
                self.work.notify_one();
            }
            let again = catch_unwind(AssertUnwindSafe(|| job.run()));
            if again.is_err() {
                log::error!("reading failed by a fault in this program");
            }
            desk = self.desk();
            match again {
                Ok(Some(job)) => desk.turns.again(&errand, job),
                Ok(None) | Err(_) => desk.turns.done(&errand),
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something to be done by a reader.
trait Job: Send {
    /// Whether anybody waits for it.
    fn is_wanted(&self) -> bool;
    /// Does it, if somebody does. Itself, if it wants another turn.
    fn run(self: Box<Self>) -> Option<Box<dyn Job>>;
}

struct Task<T, W> {
    answer: oneshot::Sender<T>,
    work: W,
}

impl<T: Send, W: FnOnce() -> T + Send> Job for Task<T, W> {
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(self: Box<Self>) -> Option<Box<dyn Job>> {
        if self.is_wanted() {
            // Nobody waits any more: nothing is lost.
            let _ = self.answer.send((self.work)());
        }
        None
    }
}

/// Something that takes as many turns as it says.
struct Turnwise<T, W> {
    answer: oneshot::Sender<T>,
    work: W,
}

impl<T, W> Job for Turnwise<T, W>
where
    T: Send + 'static,
    W: FnMut() -> Option<T> + Send + 'static,
{
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(mut self: Box<Self>) -> Option<Box<dyn Job>> {
        if !self.is_wanted() {
            return None;
        }
        let Some(result) = (self.work)() else {
            return Some(self);
        };
        // As above.
        let _ = self.answer.send(result);
        None
    }
}

/// Something that nobody stands and waits for.
struct Chore<W>(W);

impl<W: FnOnce() + Send> Job for Chore<W> {
    fn is_wanted(&self) -> bool {
        true
    }

    fn run(self: Box<Self>) -> Option<Box<dyn Job>> {
        (self.0)();
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// For what takes no time.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn errand(volume: &str, download: bool) -> Errand {
        Errand { volume: Path::new(volume).into(), asker: Ipv4Addr::LOCALHOST, download }
    }

    #[test]
    fn a_stick_that_hangs_holds_up_nobody_else() {
        let readers = Readers::default();
        let (let_go, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let stuck: Vec<_> = (0..20)
            .map(|number| {
                let hang = Arc::clone(&hang);
                let wait = move || hang.lock().unwrap().recv().map(|()| number);
                readers.read(&errand("/media/dead", number % 2 == 0), wait)
            })
            .collect();
        for number in 0..50 {
            let read = readers.read(&errand("/media/good", true), move || number);
            assert_eq!(read.blocking_recv(), Ok(number));
        }
        for _ in 0..20 {
            let_go.send(()).unwrap();
        }
        for (number, reading) in stuck.into_iter().enumerate() {
            assert_eq!(reading.blocking_recv().unwrap().map(|n| n as usize), Ok(number));
        }
    }

    #[test]
    fn what_takes_many_turns_lets_others_have_theirs_and_ends_when_nobody_waits() {
        let readers = Readers::default();
        let (begun, begins) = mpsc::sync_channel(1);
        let (kept, ended) = mpsc::channel::<()>();
        let endless: Vec<_> = (0..3)
            .map(|_| {
                let (begun, kept) = (begun.clone(), kept.clone());
                readers.read_in_turns(&errand("/media/a", true), move || {
                    let _ = (begun.try_send(()), &kept);
                    None::<()>
                })
            })
            .collect();
        drop(kept);
        begins.recv().unwrap();
        for turns in 1..20 {
            let mut left = turns;
            let (told, hears) = mpsc::channel();
            let counts = readers.read_in_turns(&errand("/media/a", true), move || {
                left -= 1;
                (left == 0).then(|| told.send(turns))
            });
            assert_eq!(hears.recv_timeout(PATIENCE), Ok(turns));
            assert_eq!(counts.blocking_recv(), Ok(Ok(())));
        }
        drop(endless);
        let end = ended.recv_timeout(PATIENCE);
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected), "all have ended");
    }

    #[test]
    fn a_fault_in_one_job_is_its_own() {
        let readers = Readers::default();
        for _ in 0..20 {
            let reading = readers.read(&errand("/media/a", true), || panic!("on purpose"));
            let _: Result<(), _> = reading.blocking_recv();
        }
        assert_eq!(readers.read(&errand("/media/a", true), || 7).blocking_recv(), Ok(7));
    }
}
