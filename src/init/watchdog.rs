//! The hardware watchdog: it resets the board when PID 1 or `serve` stops working.
//!
//! PID 1 pets it only while `serve` shows that it lives, or is being started again within
//! its grace. A box that serves nobody resets itself and tries again from the start.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use rustix::ioctl::{self, Opcode, Updater};

const DEVICE: &str = "/dev/watchdog";

/// The BCM2835's hardware knows no longer time.
const TIMEOUT_SECONDS: libc::c_int = 15;

/// Three chances before the time is out.
const PET_EVERY: Duration = Duration::from_secs(5);

/// So long `serve` may fail to come (back) to life. Longer than all its pauses between
/// restarts and the kill after silence; a room that installs is not helped by less.
const GRACE: Duration = Duration::from_secs(120);

/// Linux `watchdog.h`: `_IOWR('W', 6, int)`.
const WDIOC_SETTIMEOUT: Opcode = 0xc004_5706;

/// The watchdog, if the board has one and it is not switched off.
#[derive(Debug)]
pub struct Watchdog {
    device: Option<File>,
    next: Option<Instant>,
    patience: Patience,
}

impl Watchdog {
    /// Opens the watchdog, which starts it.
    pub fn start(wanted: bool, now: Instant) -> Watchdog {
        let device = match wanted {
            true => open().map_err(|error| warn!("no watchdog: {DEVICE}: {error}")).ok(),
            false => {
                info!("watchdog switched off on the kernel's command line");
                None
            }
        };
        Watchdog { device, next: None, patience: Patience { until: now + GRACE, over: false } }
    }

    /// `serve` lives, or nobody wants it to.
    pub fn all_is_well(&mut self, now: Instant) {
        self.patience.renew(now);
    }

    /// Pets the watchdog if it is time to and there is reason to.
    pub fn advance(&mut self, now: Instant) {
        if self.next.is_some_and(|next| now < next) || self.device.is_none() {
            return;
        }
        match self.patience.judge(now) {
            Judgement::Pet => self.pet(),
            Judgement::JustEnded => error!(
                "serve has not worked for {} s; the watchdog restarts this box in {} s",
                GRACE.as_secs(),
                TIMEOUT_SECONDS
            ),
            Judgement::Ended => {}
        }
        self.next = Some(now + PET_EVERY);
    }

    /// One full time-out from now, whatever `serve` does: for the way down.
    pub fn pet(&mut self) {
        if let Some(Err(error)) = self.device.as_mut().map(|device| device.write_all(b"\0")) {
            warn!("the watchdog cannot be petted: {error}");
        }
    }

    /// Stops the watchdog, at the end of an orderly shutdown.
    pub fn stop(&mut self) {
        if let Some(mut device) = self.device.take()
            && let Err(error) = device.write_all(b"V")
        {
            warn!("the watchdog cannot be stopped: {error}");
        }
    }
}

fn open() -> io::Result<File> {
    let device = OpenOptions::new().write(true).open(DEVICE)?;
    let mut seconds = TIMEOUT_SECONDS;
    // SAFETY: the operation reads and writes one `int`.
    let set = unsafe { ioctl::ioctl(&device, Updater::<WDIOC_SETTIMEOUT, _>::new(&mut seconds)) };
    if let Err(error) = set {
        warn!("the watchdog keeps its own time-out: {error}");
    } else {
        info!("watchdog started, {seconds} s");
    }
    Ok(device)
}

/// How long nothing has to work. Pure.
#[derive(Debug)]
struct Patience {
    until: Instant,
    over: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Pet,
    JustEnded,
    Ended,
}

impl Patience {
    fn renew(&mut self, now: Instant) {
        self.until = now + GRACE;
        self.over = false;
    }

    fn judge(&mut self, now: Instant) -> Judgement {
        if now < self.until {
            return Judgement::Pet;
        }
        if std::mem::replace(&mut self.over, true) {
            Judgement::Ended
        } else {
            Judgement::JustEnded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_petted_while_serve_lives_and_for_its_grace_after() {
        let start = Instant::now();
        let mut patience = Patience { until: start + GRACE, over: false };
        assert_eq!(patience.judge(start + GRACE / 2), Judgement::Pet);
        patience.renew(start + GRACE / 2);
        assert_eq!(patience.judge(start + GRACE), Judgement::Pet);
        assert_eq!(patience.judge(start + GRACE * 2), Judgement::JustEnded);
        assert_eq!(patience.judge(start + GRACE * 2), Judgement::Ended);
    }

    #[test]
    fn a_serve_that_comes_back_in_time_saves_the_box() {
        let start = Instant::now();
        let mut patience = Patience { until: start, over: false };
        assert_eq!(patience.judge(start), Judgement::JustEnded);
        patience.renew(start);
        assert_eq!(patience.judge(start), Judgement::Pet);
    }

    #[test]
    fn a_box_without_a_watchdog_works_without() {
        let mut watchdog = Watchdog::start(false, Instant::now());
        watchdog.advance(Instant::now());
        watchdog.pet();
        watchdog.stop();
    }
}
