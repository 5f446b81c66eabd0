//! Work that may block for minutes (a dying stick), done in a forked copy of PID 1.
//!
//! The copy does its work, writes one line of result into a pipe and ends. PID 1 reads the
//! pipe when it is readable and never waits: a copy that hangs in the kernel hangs alone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// A result is a line for a person or three short words; more is a mistake.
const LONGEST_RESULT: usize = 4096;

/// One helper at work.
#[derive(Debug)]
pub struct Helper {
    output: File,
    text: Vec<u8>,
}

/// Starts `work` in a copy of this process; what it returns is the result.
pub fn start(work: impl FnOnce() -> String) -> io::Result<Helper> {
    let (output, input) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // SAFETY: PID 1 has one thread, so the copy is a whole process: no lock is held by a
    // thread that does not exist there. The copy never returns from `run_and_exit`.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => run_and_exit(&input, work),
        _ => Ok(Helper { output: File::from(output), text: Vec::new() }),
    }
}

fn run_and_exit(input: &OwnedFd, work: impl FnOnce() -> String) -> ! {
    close_all_but(input);
    let result = catch_unwind(AssertUnwindSafe(work));
    let text = result.unwrap_or_else(|_| "error\tinternal error".to_owned());
    if let Ok(input) = input.try_clone() {
        let _ = File::from(input).write_all(text.as_bytes());
    }
    // SAFETY: ends the copy at once, without running what belongs to PID 1 (destructors,
    // buffers).
    unsafe { libc::_exit(0) }
}

/// A hung copy must not keep the watchdog or a listening socket open.
fn close_all_but(kept: &OwnedFd) {
    let Ok(kept) = libc::c_uint::try_from(kept.as_raw_fd()) else { return };
    // SAFETY: nothing in the copy uses any other descriptor from here on: it ends with
    // `_exit`, so no owner of one is ever dropped. (musl has no function for this call.)
    let close = |first: libc::c_uint, last: libc::c_uint| unsafe {
        libc::syscall(libc::SYS_close_range, first, last, 0);
    };
    if kept > 3 {
        close(3, kept - 1);
    }
    close(kept + 1, libc::c_uint::MAX);
}

impl Helper {
    /// The result, once the helper has ended.
    pub fn result(&mut self) -> Option<String> {
        let mut buffer = [0; 512];
        loop {
            match self.output.read(&mut buffer) {
                Ok(0) => return Some(String::from_utf8_lossy(&self.text).into_owned()),
                Ok(length) if self.text.len() < LONGEST_RESULT => {
                    self.text.extend_from_slice(buffer.get(..length).unwrap_or_default());
                }
                Ok(_) => {}
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INTR) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => return Some(format!("error\t{error}")),
            }
        }
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}
