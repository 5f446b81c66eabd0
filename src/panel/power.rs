//! Switching off: ask PID 1, then see for ourselves when nothing can be damaged any more.

use std::fmt;
use std::fs;
use std::io;

use rustix::process::{Pid, Signal, getppid, kill_process};

use crate::world::SAFE_MODE;

/// Why nothing is switched off.
#[derive(Debug)]
pub enum PowerError {
    /// This panel was not started by PID 1, so the machine is not ours to switch off.
    NotOurs,
    /// PID 1 cannot be signalled.
    Signal(io::Error),
}

impl fmt::Display for PowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PowerError::NotOurs => f.write_str("not started by PID 1, so this machine stays on"),
            PowerError::Signal(error) => write!(f, "cannot signal PID 1 ({error})"),
        }
    }
}

impl std::error::Error for PowerError {}

/// Asks PID 1 to stop the servers, close the card and switch off (SIGUSR2, as busybox's
/// init understands it). Only a child of PID 1 may.
pub fn ask_init() -> Result<(), PowerError> {
    if getppid() != Some(Pid::INIT) {
        return Err(PowerError::NotOurs);
    }
    kill_process(Pid::INIT, Signal::USR2).map_err(|error| PowerError::Signal(error.into()))
}

/// Leaves the mark by which PID 1 and the servers know of safe mode. The servers are told as
/// well, but where the settings are wrong there may be none.
pub fn note_safe_mode() {
    if getppid() == Some(Pid::INIT)
        && let Err(error) = fs::write(SAFE_MODE, "")
    {
        log::error!("panel: {SAFE_MODE}: {error}");
    }
}

/// Whether no file system on a disk or card can be written any more. If the kernel does not
/// say, they may be.
pub fn disks_closed() -> bool {
    fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| closed(&mounts))
}

fn closed(mounts: &str) -> bool {
    !mounts.lines().any(|line| {
        let mut fields = line.split(' ');
        let device = fields.next().unwrap_or_default();
        let options = fields.nth(2).unwrap_or_default();
        device.starts_with("/dev/") && options.split(',').any(|option| option == "rw")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: &str = "proc /proc proc rw,relatime 0 0\ndevtmpfs /dev devtmpfs rw 0 0\n";

    #[test]
    fn a_writable_card_is_not_safe_to_unplug() {
        assert!(!closed(&format!("{OTHERS}/dev/mmcblk0p2 /state ext4 rw,noatime 0 0\n")));
        assert!(!closed("/dev/sda1 /media/sda1 vfat noatime,rw 0 0\n"));
    }

    #[test]
    fn read_only_and_kernel_file_systems_are() {
        assert!(closed(&format!("{OTHERS}/dev/mmcblk0p1 /boot vfat ro,errors=remount-ro 0 0\n")));
        assert!(closed(OTHERS));
    }

    #[test]
    fn who_was_not_started_by_pid_1_switches_nothing_off() {
        if getppid() == Some(Pid::INIT) {
            println!("skipped: PID 1 started this test itself");
            return;
        }
        assert!(matches!(ask_init(), Err(PowerError::NotOurs)));
    }
}
