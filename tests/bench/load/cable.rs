//! A cable between two tap devices, with a delay and losses of its own. It stands in for the
//! kernel's netem, which is a module that not every kernel has.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Result, failed, tap};

/// A virtio header is not asked for, so frames come one by one and with their checksums.
const LARGEST_FRAME: usize = 2048;

/// Frames that are read before those that are due go out.
const BATCH: usize = 64;

/// Carries frames between two tap devices, which it makes, until its process ends. Each frame
/// takes `delay`, and so many of a thousand are lost, in each direction.
pub fn run(taps: [&str; 2], delay: Duration, lost: u64) -> Result<String> {
    let [left, right] = taps.map(|tap| open(tap).map(Arc::new).map_err(failed(tap)));
    let (left, right) = (left?, right?);
    println!("ready");
    let there = Way { from: Arc::clone(&left), to: Arc::clone(&right), delay, lost, seed: 1 };
    let back = Way { from: right, to: left, delay, lost, seed: 2 };
    let other = thread::spawn(move || there.carry());
    back.carry().map_err(failed("the cable"))?;
    other.join().map_err(|_| "the cable: a fault")?.map_err(failed("the cable"))?;
    Ok(String::new())
}

/// One direction.
struct Way {
    from: Arc<File>,
    to: Arc<File>,
    delay: Duration,
    lost: u64,
    seed: u64,
}

impl Way {
    fn carry(mut self) -> std::io::Result<()> {
        // As exact as the kernel can: its default is 50 microseconds.
        rustix::thread::set_current_timer_slack(NonZero::new(1))?;
        let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let mut frame = [0; LARGEST_FRAME];
        loop {
            let next = waiting.front().map(|(due, _)| until(*due));
            match poll(&mut [PollFd::new(&*self.from, PollFlags::IN)], next.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for _ in 0..BATCH {
                match (&*self.from).read(&mut frame) {
                    Ok(length) if !self.is_lost() => {
                        let bytes = frame.get(..length).unwrap_or_default().to_vec();
                        waiting.push_back((Instant::now() + self.delay, bytes));
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // The interface is down yet.
                    Err(error) => return Err(error),
                }
            }
            let now = Instant::now();
            while waiting.front().is_some_and(|(due, _)| *due <= now) {
                if let Some((_, bytes)) = waiting.pop_front() {
                    // Nobody is there yet: it is lost.
                    let _ = (&*self.to).write(&bytes);
                }
            }
        }
    }

    /// The same frames each time (xorshift64).
    fn is_lost(&mut self) -> bool {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 33) % 1000 < self.lost
    }
}

fn until(due: Instant) -> Timespec {
    let left = due.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}

/// A tap device that is asked whether it has something.
fn open(tap: &str) -> std::io::Result<File> {
    let device = tap::open(tap)?;
    rustix::io::ioctl_fionbio(&device, true)?;
    Ok(device)
}
