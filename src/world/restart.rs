//! Somebody wants the box to restart: from who is told to the one who can pass it on to PID 1.

use std::sync::atomic::{AtomicBool, Ordering};

/// A wish, where there is somebody to hear it.
#[derive(Debug, Default)]
pub struct Restart {
    possible: AtomicBool,
    wanted: AtomicBool,
}

impl Restart {
    /// PID 1 supervises us: it can be asked.
    pub fn is_possible(&self) {
        self.possible.store(true, Ordering::Relaxed);
    }

    /// Asks for it. False: there is nobody to ask.
    pub fn ask(&self) -> bool {
        let possible = self.possible.load(Ordering::Relaxed);
        if possible {
            self.wanted.store(true, Ordering::Relaxed);
        }
        possible
    }

    /// Whether it was asked for since the last call.
    pub fn take(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_asked_for_once_and_only_where_somebody_hears_it() {
        let restart = Restart::default();
        assert!(!restart.ask() && !restart.take());
        restart.is_possible();
        assert!(restart.ask());
        assert!(restart.take() && !restart.take());
    }
}
