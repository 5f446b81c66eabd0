//! The time of day on a board without a clock: never before the build, never before the
//! last time that was saved. Nothing depends on it being right.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use log::{info, warn};

use super::file;

const SAVED: &str = "/state/clock";

/// Rare, because each saving wears the card; the clock is only a floor.
const SAVE_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Saved times beyond this (2100-01-01) are damage, and would set the clock for good.
const LATEST: u64 = 4_102_444_800;

/// When the clock is to be saved again.
#[derive(Debug)]
pub struct Clock {
    next: Instant,
}

impl Clock {
    /// Starts with the clock at or after the build.
    pub fn start(built: u64, now: Instant) -> Clock {
        raise(built, "the image's build");
        Clock { next: now + SAVE_EVERY }
    }

    /// The state partition is there: goes on from the time that was saved.
    pub fn go_on_from_saved(&self) {
        if let Ok(text) = std::fs::read_to_string(SAVED)
            && let Some(saved) = parse(&text)
        {
            raise(saved, "the last saved time");
        }
    }

    /// Saves the time if it is time to.
    pub fn advance(&mut self, now: Instant) {
        if now >= self.next {
            self.next = now + SAVE_EVERY;
            self.save();
        }
    }

    /// Saves the time.
    pub fn save(&self) {
        let text = format!("{}\n", seconds());
        if let Err(error) = file::replace(Path::new(SAVED), text.as_bytes()) {
            warn!("{SAVED}: the time cannot be saved: {error}");
        }
    }
}

fn raise(floor: u64, name: &str) {
    if seconds() >= floor {
        return;
    }
    match set(floor) {
        Ok(()) => info!("clock set to {name}; it may be late, and nothing depends on it"),
        Err(error) => warn!("the clock cannot be set: {error}"),
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn set(seconds: u64) -> io::Result<()> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
    let time = libc::timespec { tv_sec: seconds.try_into().map_err(invalid)?, tv_nsec: 0 };
    // SAFETY: the call only reads `time`.
    match unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn parse(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|seconds| *seconds < LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_time_is_seconds_and_damage_is_no_time() {
        assert_eq!(parse("1764000000\n"), Some(1_764_000_000));
        assert_eq!(parse("99999999999"), None);
        assert_eq!(parse("\0\0\0"), None);
    }

    #[test]
    fn the_clock_is_never_set_back() {
        let before = seconds();
        raise(before - 1000, "the past");
        assert!(seconds() >= before);
    }
}
