//! Signals as something to wait for, not something that interrupts.
//!
//! The signals are blocked in every thread, and the loop sleeps by waiting for them: no
//! handler, no flag, no race, and an end within one tick.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// What ends the panel in order: its supervisor, Ctrl-C, a closed terminal.
const ENDING: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// PID 1 takes the box down.
const GOING_DOWN: i32 = libc::SIGUSR2;

/// What a signal tells the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// To end, dark, now.
    End,
    /// That the box goes down: the panel ends when it has shown that.
    GoingDown,
}

/// The blocked signals.
pub struct Signals(libc::sigset_t);

impl Signals {
    /// Blocks them for this thread and for those that it starts from now on.
    pub fn block() -> io::Result<Signals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the call fills in the set that the pointer is to.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: sigemptyset has filled it in; it cannot fail for a valid pointer.
        let mut set = unsafe { set.assume_init() };
        for signal in ENDING.into_iter().chain([GOING_DOWN]) {
            // SAFETY: the set is initialised, the signal number is libc's own.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        // SAFETY: the set is initialised; a null old set is allowed.
        match unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
        } {
            0 => Ok(Signals(set)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Sleeps for `time`, or until one of the signals comes.
    pub fn wait(&self, time: Duration) -> Option<Told> {
        // Ticks are milliseconds; a second is more than anybody sleeps here.
        let time = time.min(Duration::from_secs(1));
        // SAFETY: timespec is plain numbers, for which zero is a value.
        let mut timeout: libc::timespec = unsafe { std::mem::zeroed() };
        timeout.tv_sec = i64::from(time.as_secs() > 0);
        timeout.tv_nsec = i64::from(time.subsec_nanos());
        // SAFETY: both pointers are to initialised values; a null siginfo is allowed.
        let signal = unsafe {
            libc::sigtimedwait(&raw const self.0, std::ptr::null_mut(), &raw const timeout)
        };
        match signal {
            GOING_DOWN => Some(Told::GoingDown),
            signal if signal > 0 => Some(Told::End),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_the_sleep_and_silence_does_not() {
        let signals = Signals::block().unwrap();
        assert_eq!(signals.wait(Duration::from_millis(1)), None);
        for (signal, told) in [(libc::SIGTERM, Told::End), (libc::SIGUSR2, Told::GoingDown)] {
            // SAFETY: the signal is blocked in this thread, so it stays pending until waited
            // for.
            unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
            assert_eq!(signals.wait(Duration::from_secs(1)), Some(told));
        }
    }
}
