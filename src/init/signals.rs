//! Signals as something to wait on (`signalfd`), so that the loop of PID 1 has one door.
//!
//! The meanings are those of busybox's init, so that `kill` and every tool that knows
//! busybox does the right thing: USR1 halts, USR2 powers off, TERM and INT (which is
//! Ctrl-Alt-Del) restart.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use super::power::End;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A child has ended.
    Reap,
    /// The box is to go down.
    GoDown(End),
}

const WATCHED: [libc::c_int; 5] =
    [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGUSR2];

/// Size of the kernel's record of one signal.
const RECORD: usize = size_of::<libc::signalfd_siginfo>();

/// The door.
#[derive(Debug)]
pub struct Signals(File);

impl Signals {
    /// From here on the watched signals wait to be read, and interrupt nothing.
    pub fn listen() -> io::Result<Signals> {
        // SAFETY: `sigset_t` is made of integers; all calls get pointers to it while it
        // lives, and valid signal numbers.
        let fd = unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in WATCHED {
                libc::sigaddset(&raw mut set, signal);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) == -1 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if fd == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Signals(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// The requests that have come since the last time.
    pub fn read(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut record = [0; RECORD];
        while (&self.0).read(&mut record).is_ok_and(|length| length == RECORD) {
            // `ssi_signo` is the first field.
            let number = record.first_chunk().copied().map_or(0, i32::from_ne_bytes);
            requests.extend(meaning(number));
        }
        requests
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn meaning(signal: libc::c_int) -> Option<Request> {
    match signal {
        libc::SIGCHLD => Some(Request::Reap),
        libc::SIGTERM | libc::SIGINT => Some(Request::GoDown(End::Restart)),
        libc::SIGUSR1 => Some(Request::GoDown(End::Halt)),
        libc::SIGUSR2 => Some(Request::GoDown(End::PowerOff)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_mean_what_they_mean_to_busybox() {
        assert_eq!(meaning(libc::SIGUSR1), Some(Request::GoDown(End::Halt)));
        assert_eq!(meaning(libc::SIGUSR2), Some(Request::GoDown(End::PowerOff)));
        assert_eq!(meaning(libc::SIGTERM), Some(Request::GoDown(End::Restart)));
        assert_eq!(meaning(libc::SIGINT), Some(Request::GoDown(End::Restart)));
        assert_eq!(meaning(libc::SIGCHLD), Some(Request::Reap));
        assert_eq!(meaning(libc::SIGWINCH), None);
    }
}
