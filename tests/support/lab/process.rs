//! Emulators: started here, and ended here, whatever becomes of the scenario.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::failure::{Failure, Result};

/// A running emulator, which ends when this is dropped.
pub struct Process {
    child: Child,
    complaints: PathBuf,
}

impl Process {
    /// Starts the emulator; its serial console is its standard input and output, what it
    /// complains about goes to the file `complaints`.
    pub fn start(command: &mut Command, complaints: &Path) -> Result<(Process, Serial)> {
        let tool = command.get_program().to_string_lossy().into_owned();
        let log = File::create(complaints).map_err(Failure::at(complaints.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        // SAFETY: the closure makes one system call, which is allowed between fork and exec.
        unsafe {
            // A killed test run leaves no emulators behind.
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let mut child = command.spawn().map_err(Failure::at(&tool))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new(format!("{tool}: has no standard input and output")));
        };
        let complaints = complaints.to_owned();
        Ok((Process { child, complaints }, Serial { input, output }))
    }

    /// The file with the emulator's own complaints.
    pub fn complaints(&self) -> &Path {
        &self.complaints
    }
}

/// The two directions of a serial line.
pub struct Serial {
    /// What is typed.
    pub input: ChildStdin,
    /// What is printed.
    pub output: ChildStdout,
}

/// QEMU's end of a channel, to be kept until QEMU has been started.
pub struct OtherEnd(#[expect(dead_code, reason = "held open for the emulator")] UnixStream);

/// Adds a character device to QEMU's command line; returns our end of it.
pub fn character_device(command: &mut Command, id: &str) -> Result<(UnixStream, OtherEnd)> {
    let (ours, theirs) = UnixStream::pair().map_err(Failure::at(id))?;
    // QEMU inherits it under its number.
    fcntl_setfd(&theirs, FdFlags::empty()).map_err(Failure::at(id))?;
    command.arg("-chardev").arg(format!("socket,id={id},fd={}", theirs.as_raw_fd()));
    Ok((ours, OtherEnd(theirs)))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
