//! The ways down: restart, power off, halt.

use std::fmt;
use std::time::Duration;

use log::error;
use rustix::system::{RebootCommand, reboot};

/// How the box is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Start again.
    Restart,
    /// Switch off, as far as a Pi can.
    PowerOff,
    /// Stop and stay on.
    Halt,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Restart => "restarting",
            End::PowerOff => "powering off",
            End::Halt => "halting",
        })
    }
}

/// `serve` closes its database, which takes well under a second.
pub const CHILDREN_STOP: Duration = Duration::from_secs(5);

/// A killed process ends at once unless the kernel holds it; then nothing more helps.
pub const CHILDREN_DIE: Duration = Duration::from_secs(1);

/// The panel shows "shutting down" at least twice as a whole, 6 s, and then "safe to unplug",
/// 4 s; the rest is for a slow board.
pub const GOODBYE: Duration = Duration::from_secs(13);

/// Where a restart itself fails, it is tried again this often; the watchdog is the last way.
const RETRY: Duration = Duration::from_secs(5);

/// Makes Ctrl-Alt-Del a signal to PID 1, and so an orderly restart.
pub fn catch_ctrl_alt_del() {
    if let Err(error) = reboot(RebootCommand::CadOff) {
        log::warn!("Ctrl-Alt-Del will restart at once, not orderly: {error}");
    }
}

/// The last act of PID 1. Never returns: a PID 1 that ends is a kernel panic.
pub fn end(how: End) -> ! {
    let command = match how {
        End::Restart => RebootCommand::Restart,
        End::PowerOff => RebootCommand::PowerOff,
        End::Halt => RebootCommand::Halt,
    };
    loop {
        if let Err(error) = reboot(command) {
            error!("{how} failed: {error}; pull the power plug");
        }
        std::thread::sleep(RETRY);
    }
}
