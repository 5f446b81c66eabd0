//! When to start, restart and kill a child. Pure: time is an argument, the loop of PID 1
//! does what it is told and reports what happened.
//!
//! A child that ends is started again after 0.2 s, then twice as long each time up to 10 s,
//! and from the beginning once it ran stably. A child that has to show a sign of life and
//! does not is killed, which ends it like any other.

use std::time::{Duration, Instant};

/// Short enough that a client of the servers hardly notices.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Long enough that a child that cannot work at all does not occupy the box.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A child that ran this long had not failed at its start.
const STABLE: Duration = Duration::from_secs(30);

/// Without a heartbeat for this long the servers hang (one comes every second): a stick that
/// hangs in the kernel may hold them up for some seconds, and a restart helps nobody then.
pub const SERVERS_SILENCE: Duration = Duration::from_secs(10);

/// The panel waits for nothing, and while it hangs its LEDs say what held before.
pub const PANEL_SILENCE: Duration = Duration::from_secs(3);

/// What the loop is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start the child, then call [`Child::started`] or [`Child::ended`].
    Start,
    /// Kill the child; its end is reported as always.
    Kill,
}

/// How a child is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// After this time without a heartbeat it hangs; none: it sends none.
    pub silence: Option<Duration>,
    /// Whether an end without an error means that there is nothing to do for it here.
    pub may_finish: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Waiting { until: Instant },
    Running { since: Instant, heard: Instant },
    Killed { since: Instant },
}

/// One supervised child.
#[derive(Debug)]
pub struct Child {
    rules: Rules,
    state: State,
    pause: Duration,
}

impl Child {
    /// A child that nobody wants yet.
    pub fn new(rules: Rules) -> Child {
        Child { rules, state: State::Off, pause: FIRST_PAUSE }
    }

    /// From `when` on the child is to run.
    pub fn want(&mut self, when: Instant) {
        if self.state == State::Off {
            self.state = State::Waiting { until: when };
        }
    }

    /// What is due at `now`: a start until it is reported, a kill once.
    pub fn due(&mut self, now: Instant) -> Option<Action> {
        match self.state {
            State::Waiting { until } if now >= until => Some(Action::Start),
            State::Running { since, heard }
                if self.rules.silence.is_some_and(|silence| now >= heard + silence) =>
            {
                self.state = State::Killed { since };
                Some(Action::Kill)
            }
            _ => None,
        }
    }

    /// When [`Child::due`] is to be asked again at the latest.
    pub fn next(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { heard, .. } => self.rules.silence.map(|silence| heard + silence),
            _ => None,
        }
    }

    /// The child runs since `now`.
    pub fn started(&mut self, now: Instant) {
        self.state = State::Running { since: now, heard: now };
    }

    /// The child has shown that it lives.
    pub fn heard(&mut self, now: Instant) {
        if let State::Running { heard, .. } = &mut self.state {
            *heard = now;
        }
    }

    /// The child has ended, or could not be started. Says after which pause it is started
    /// again; none means never.
    pub fn ended(&mut self, now: Instant, success: bool) -> Option<Duration> {
        if success && self.rules.may_finish || self.state == State::Off {
            self.state = State::Off;
            return None;
        }
        if let State::Running { since, .. } | State::Killed { since } = self.state
            && now >= since + STABLE
        {
            self.pause = FIRST_PAUSE;
        }
        let pause = self.pause;
        self.state = State::Waiting { until: now + pause };
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }

    /// Nobody wants the child any more: it is not started again.
    pub fn give_up(&mut self) {
        self.state = State::Off;
        self.pause = FIRST_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVE: Rules = Rules { silence: Some(SERVERS_SILENCE), may_finish: false };
    const PANEL: Rules = Rules { silence: None, may_finish: true };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn running(rules: Rules, now: Instant) -> Child {
        let mut child = Child::new(rules);
        child.want(now);
        assert_eq!(child.due(now), Some(Action::Start));
        child.started(now);
        child
    }

    #[test]
    fn a_child_that_nobody_wants_is_not_started() {
        let now = Instant::now();
        assert_eq!(Child::new(SERVE).due(now), None);
        let mut child = running(SERVE, now);
        child.give_up();
        assert_eq!(child.ended(now, false), None);
        assert_eq!(child.due(now + seconds(60)), None);
    }

    #[test]
    fn the_pause_doubles_up_to_ten_seconds() {
        let mut now = Instant::now();
        let mut child = running(SERVE, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = child.ended(now, false).unwrap();
            assert_eq!(child.due(now + pause - Duration::from_millis(1)), None);
            now += pause;
            assert_eq!(child.due(now), Some(Action::Start));
            child.started(now);
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    }

    #[test]
    fn a_stable_run_forgives_what_was_before() {
        let mut now = Instant::now();
        let mut child = running(SERVE, now);
        for _ in 0..5 {
            now += child.ended(now, false).unwrap();
            child.started(now);
        }
        now += seconds(30);
        assert_eq!(child.ended(now, false), Some(FIRST_PAUSE));
    }

    #[test]
    fn a_child_that_falls_silent_is_killed_once_and_then_started_again() {
        let start = Instant::now();
        let mut child = running(SERVE, start);
        child.heard(start + seconds(5));
        assert_eq!(child.due(start + seconds(14)), None);
        assert_eq!(child.next(), Some(start + seconds(15)));
        assert_eq!(child.due(start + seconds(15)), Some(Action::Kill));
        assert_eq!(child.due(start + seconds(16)), None);
        assert!(child.ended(start + seconds(16), false).is_some());
        assert_eq!(child.due(start + seconds(17)), Some(Action::Start));
    }

    #[test]
    fn without_heartbeats_in_the_rules_silence_is_fine() {
        let start = Instant::now();
        let mut child = running(PANEL, start);
        assert_eq!(child.due(start + seconds(3600)), None);
        assert_eq!(child.next(), None);
    }

    #[test]
    fn only_a_child_that_may_finish_stays_away_after_a_success() {
        let now = Instant::now();
        assert_eq!(running(PANEL, now).ended(now, true), None);
        assert!(running(PANEL, now).ended(now, false).is_some());
        assert!(running(SERVE, now).ended(now, true).is_some());
    }

    #[test]
    fn a_child_that_cannot_be_started_is_tried_again_later() {
        let now = Instant::now();
        let mut child = Child::new(SERVE);
        child.want(now);
        assert_eq!(child.due(now), Some(Action::Start));
        assert_eq!(child.ended(now, false), Some(FIRST_PAUSE));
        assert_eq!(child.due(now), None);
    }
}
