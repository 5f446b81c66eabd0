//! The sign of life that a child owes PID 1: a byte a second into a pipe that it inherited.

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, RawFd};
use std::time::Duration;

/// PID 1 hears from its children this often; after a few missed beats it starts one anew.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Environment variable with the number of the pipe.
pub const FD_VARIABLE: &str = "PXEBERRY_HEARTBEAT_FD";

/// Among the beats: a person wants the box to restart, and PID 1 is the one who can.
pub const RESTART: u8 = b'R';

/// Our end of the pipe.
#[derive(Debug)]
pub struct Heart(File);

impl Heart {
    /// The pipe that PID 1 handed down; none where nobody supervises. To be called once.
    pub fn from_supervisor() -> Option<Heart> {
        let number: RawFd = std::env::var(FD_VARIABLE).ok()?.parse().ok()?;
        if number <= libc::STDERR_FILENO {
            return None;
        }
        // SAFETY: PID 1 opened this descriptor for us alone and told its number; nothing
        // else in this process uses it.
        Some(Heart(unsafe { File::from_raw_fd(number) }))
    }

    /// One beat. Never waits; one that cannot be told is one that was missed.
    pub fn beat(&mut self) {
        let _ = self.0.write_all(b".");
    }

    /// Asks PID 1 to restart the box.
    pub fn asks_for_restart(&mut self) {
        let _ = self.0.write_all(&[RESTART]);
    }
}
