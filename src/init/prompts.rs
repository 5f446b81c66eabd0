//! A prompt on each of the box's consoles.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::{Pid, WaitStatus};

use super::process::Process;

/// Where the kernel says what it writes its messages to.
const CONSOLES: &str = "/sys/class/tty/console/active";

/// A serial line and a screen; the kernel takes eight.
const MOST: usize = 4;

/// The prompts.
#[derive(Debug, Default)]
pub struct Prompts(Vec<Process>);

impl Prompts {
    /// From now on there is one on each console.
    pub fn want(&mut self, socket: &Path, now: Instant) {
        let active = fs::read_to_string(CONSOLES).unwrap_or_default();
        for terminal in terminals(&active).filter(|terminal| terminal.exists()) {
            let mut process = Process::prompt();
            process.want([terminal.into(), "--socket".into(), socket.into()], now);
            self.0.push(process);
        }
    }

    /// Starts those that are due.
    pub fn advance(&mut self, now: Instant) {
        for process in &mut self.0 {
            process.advance(&[], now);
        }
    }

    /// When they are to be looked at again at the latest.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().filter_map(Process::next).min()
    }

    /// A process has ended.
    pub fn ended(&mut self, pid: Pid, status: WaitStatus, now: Instant) {
        for process in &mut self.0 {
            process.ended(pid, status, now);
        }
    }

    /// There is nothing to ask any more.
    pub fn stop(&mut self) {
        self.0.iter_mut().for_each(Process::kill);
        self.0.clear();
    }
}

fn terminals(active: &str) -> impl Iterator<Item = PathBuf> {
    let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    active.split_whitespace().filter(is_name).take(MOST).map(|name| Path::new("/dev").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_console_of_the_kernel_is_a_terminal() {
        let names: Vec<PathBuf> = terminals("ttyS1 tty1\n").collect();
        assert_eq!(names, [Path::new("/dev/ttyS1"), Path::new("/dev/tty1")]);
        assert_eq!(terminals("../x tty1").count(), 1);
        assert_eq!(terminals("").count(), 0);
    }
}
