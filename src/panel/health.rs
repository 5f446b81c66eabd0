//! What the server's answers, or their absence, mean for the LEDs. Pure.

use std::time::Duration;

use super::pattern::State;

/// Without an answer for this long the servers are dead or hang, and the LEDs say so.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// A machine that was switched on less than this ago is still starting.
pub const BOOT_TIME: Duration = Duration::from_secs(60);

/// The newest answer.
#[derive(Debug)]
pub struct Health {
    first_answer_due: Duration,
    last: Option<(Duration, State)>,
}

impl Health {
    /// `uptime` is the age of the machine at `now`, so that a panel that is restarted later
    /// does not say "starting" while the servers hang.
    pub fn new(uptime: Duration, now: Duration) -> Health {
        let grace = BOOT_TIME.saturating_sub(uptime).max(PATIENCE);
        Health { first_answer_due: now.saturating_add(grace), last: None }
    }

    /// The server said that `state` is what matters most.
    pub fn answered(&mut self, state: State, now: Duration) {
        self.last = Some((now, state));
    }

    /// What to show at `now`.
    pub fn state(&self, now: Duration) -> State {
        match self.last {
            Some((at, state)) if now.saturating_sub(at) < PATIENCE => state,
            None if now < self.first_answer_due => State::Booting,
            _ => State::NotAnswering,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn silence_after_an_answer_is_a_fault_within_two_seconds() {
        let mut health = Health::new(ms(3000), ms(0));
        health.answered(State::Ready, ms(5000));
        assert_eq!(health.state(ms(6999)), State::Ready);
        assert_eq!(health.state(ms(7000)), State::NotAnswering);
        health.answered(State::NoStick, ms(9000));
        assert_eq!(health.state(ms(9000)), State::NoStick);
    }

    #[test]
    fn until_the_machine_is_a_minute_old_silence_means_booting() {
        let health = Health::new(ms(3000), ms(0));
        assert_eq!(health.state(ms(0)), State::Booting);
        assert_eq!(health.state(ms(56_999)), State::Booting);
        assert_eq!(health.state(ms(57_000)), State::NotAnswering);
    }

    #[test]
    fn a_panel_that_is_restarted_later_does_not_call_silence_booting() {
        let health = Health::new(ms(3_600_000), ms(0));
        assert_eq!(health.state(ms(1999)), State::Booting);
        assert_eq!(health.state(ms(2000)), State::NotAnswering);
    }
}
