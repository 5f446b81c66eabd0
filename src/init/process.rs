//! A supervised child with what belongs to it: process number, heartbeat pipe, arguments.
//!
//! Does what [`supervise`](super::supervise) decides; never waits for the child.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use log::{error, info, warn};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitStatus, kill_process, kill_process_group};

use super::power;
use super::spawn::{self, Order};
use super::supervise::{Action, Child, PANEL_SILENCE, Rules, SERVERS_SILENCE};
use crate::heartbeat::RESTART;
use crate::net::listen::Listener;

/// Of its pipe, each time: a heartbeat is a byte, twice a second.
const MOST_READS: usize = 16;

/// One child of PID 1.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    rules: Rules,
    arguments: Vec<OsString>,
    child: Child,
    pid: Option<Pid>,
    heartbeat: Option<File>,
    /// It has sent a heartbeat since it was started.
    alive: bool,
    /// It has passed on that the box is to restart.
    wants_restart: bool,
    hang_up_due: bool,
    kill_at: Option<Instant>,
}

impl Process {
    /// `pxeberry serve`: has to show that it lives, and never ends by itself.
    pub fn serve() -> Process {
        Process::new("serve", Rules { silence: Some(SERVERS_SILENCE), may_finish: false })
    }

    /// `pxeberry panel`: has to show that it lives, too, or its LEDs would stand still.
    pub fn panel() -> Process {
        Process::new("panel", Rules { silence: Some(PANEL_SILENCE), may_finish: true })
    }

    /// `pxeberry prompt`: waits for what is typed, as long as there is a terminal.
    pub fn prompt() -> Process {
        Process::new("prompt", Rules { silence: None, may_finish: true })
    }

    fn new(name: &'static str, rules: Rules) -> Process {
        Process {
            name,
            rules,
            arguments: Vec::new(),
            child: Child::new(rules),
            pid: None,
            heartbeat: None,
            alive: false,
            wants_restart: false,
            hang_up_due: false,
            kill_at: None,
        }
    }

    /// From now on the child is to run with these arguments.
    pub fn want(&mut self, options: impl IntoIterator<Item = OsString>, now: Instant) {
        self.arguments = std::iter::once(self.name.into()).chain(options).collect();
        self.child.want(now);
    }

    /// Does what is due. Says whether the child was started.
    pub fn advance(&mut self, listeners: &[Listener], now: Instant) -> bool {
        if self.kill_at.is_some_and(|kill_at| now >= kill_at) {
            self.kill();
        }
        match self.child.due(now) {
            // The one before has not ended yet.
            Some(Action::Start) if self.pid.is_some() => false,
            Some(Action::Start) => self.start(listeners, now),
            Some(Action::Kill) => {
                let silence = self.rules.silence.map_or(0, |silence| silence.as_secs());
                error!("{} has not shown a sign of life for {silence} s: killed", self.name);
                self.kill();
                false
            }
            None => false,
        }
    }

    /// When [`Process::advance`] is to be called again at the latest.
    pub fn next(&self) -> Option<Instant> {
        let start_must_wait = self.pid.is_some() && self.heartbeat.is_none();
        self.child.next().filter(|_| !start_must_wait)
    }

    /// What to wait on.
    pub fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.heartbeat.as_ref().map(AsFd::as_fd)
    }

    /// Takes the heartbeats that have come. The first one after a start is true.
    pub fn listen(&mut self, now: Instant) -> bool {
        if !self.take_heartbeats() {
            return false;
        }
        self.child.heard(now);
        let first = !std::mem::replace(&mut self.alive, true);
        if self.hang_up_due {
            self.hang_up();
        }
        first
    }

    /// Whether the child runs and has shown that it lives; killing it ends that.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Whether the child has passed on that the box is to restart; once.
    pub fn wants_restart(&mut self) -> bool {
        std::mem::take(&mut self.wants_restart)
    }

    /// Whether the child's process exists.
    pub fn is_running(&self) -> bool {
        self.pid.is_some()
    }

    /// Tells the child that the sticks have changed, once it can hear it.
    pub fn hang_up(&mut self) {
        self.hang_up_due = !self.alive;
        if self.alive {
            self.signal(Signal::HUP);
        }
    }

    /// Tells the child that the box goes down. It ends when it is done, for good.
    pub fn go_down(&mut self) {
        self.child.give_up();
        self.signal(Signal::USR2);
    }

    /// Asks the child to end, for good.
    pub fn stop(&mut self, now: Instant) {
        self.child.give_up();
        self.kill_at = self.pid.map(|_| now + power::CHILDREN_STOP);
        self.signal(Signal::TERM);
    }

    /// Ends the child and all that it started.
    pub fn kill(&mut self) {
        self.kill_at = None;
        self.alive = false;
        if let Some(pid) = self.pid
            && let Err(error) = kill_process_group(pid, Signal::KILL)
        {
            warn!("{}: cannot be killed: {error}", self.name);
        }
    }

    /// A process has ended; if it was this one, it is started again when it is time. Says
    /// whether it was this one, and fell over what it was doing.
    pub fn ended(&mut self, pid: Pid, status: WaitStatus, now: Instant) -> bool {
        if self.pid != Some(pid) {
            return false;
        }
        self.forget();
        let success = status.exit_status() == Some(0);
        match self.child.ended(now, success) {
            Some(pause) => {
                let (how, pause) = (describe(status), pause.as_secs_f32());
                error!("{} {how}; starting it again in {pause:.1} s", self.name);
            }
            None => info!("{} {}", self.name, describe(status)),
        }
        !success
    }

    fn start(&mut self, listeners: &[Listener], now: Instant) -> bool {
        match self.try_start(listeners) {
            Ok(()) => {
                self.child.started(now);
                true
            }
            Err(error) => {
                self.forget();
                self.child.ended(now, false);
                error!("{}: cannot be started: {error}; trying again", self.name);
                false
            }
        }
    }

    fn try_start(&mut self, listeners: &[Listener]) -> io::Result<()> {
        let beats = self.rules.silence.is_some();
        let pipe =
            beats.then(|| pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)).transpose()?;
        let (ours, theirs): (Option<OwnedFd>, Option<OwnedFd>) = pipe.unzip();
        let listeners = listeners.iter().filter(|_| beats);
        let pid = spawn::spawn(&Order {
            arguments: &self.arguments,
            listeners: listeners.map(|socket| (socket.name.as_str(), socket.as_fd())).collect(),
            heartbeat: theirs.as_ref().map(AsFd::as_fd),
        })?;
        self.forget();
        self.pid = Some(pid);
        self.heartbeat = ours.map(File::from);
        Ok(())
    }

    fn forget(&mut self) {
        self.pid = None;
        self.heartbeat = None;
        self.alive = false;
        self.wants_restart = false;
        self.kill_at = None;
    }

    fn take_heartbeats(&mut self) -> bool {
        let Some(mut pipe) = self.heartbeat.as_ref() else { return false };
        let mut heard = false;
        let mut bytes = [0; 64];
        // One that writes without pause must not keep PID 1 here.
        for _ in 0..MOST_READS {
            match pipe.read(&mut bytes) {
                Ok(0) => {
                    // It closed its end: it is ending, or it is silent from here on.
                    self.heartbeat = None;
                    return heard;
                }
                Ok(count) => {
                    heard = true;
                    self.wants_restart |= bytes.iter().take(count).any(|b| *b == RESTART);
                }
                Err(_) => return heard,
            }
        }
        heard
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid
            && let Err(error) = kill_process(pid, signal)
        {
            warn!("{}: cannot be signalled: {error}", self.name);
        }
    }
}

fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => "has ended".to_owned(),
        (Some(code), _) => format!("has failed (exit code {code})"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "has ended somehow".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_up_for_a_child_that_cannot_hear_yet_is_kept() {
        let mut serve = Process::serve();
        serve.hang_up();
        assert!(serve.hang_up_due);
    }
}
