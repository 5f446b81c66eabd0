//! The button: from sampled levels with their times to what the person meant. Pure.
//!
//! It refuses to act on a button that has not been seen released once: a stuck button, a
//! missing pull-up or a plug on the wrong pins must not switch anything off.

use std::time::Duration;

/// Contacts of cheap buttons bounce for up to 10 ms; this leaves room.
pub const DEBOUNCE: Duration = Duration::from_millis(30);

/// Long enough that nobody switches the box off by leaning on it.
pub const HOLD: Duration = Duration::from_secs(5);

/// Longer than the lines need to settle after reset, shorter than a person lets go.
pub const HELD_AT_POWER_ON: Duration = Duration::from_secs(1);

/// What the person meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Pressed and released before [`HOLD`]; told on release.
    Short,
    /// Held for [`HOLD`]; told once, while still held.
    Hold5s,
    /// Held since before the start; told once.
    HeldAtPowerOn,
}

/// The state of one button.
#[derive(Debug)]
pub struct Button {
    level: Option<Level>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    pressed: bool,
    since: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Not yet seen in either position.
    Unknown {
        at_power_on: bool,
    },
    /// Down, and what that meant is settled: nothing until it is released.
    Ignored,
    Up,
    Down {
        since: Duration,
    },
}

impl Button {
    /// `at_power_on`: the box was switched on just now, so a button that is down means it.
    pub fn new(at_power_on: bool) -> Button {
        Button { level: None, phase: Phase::Unknown { at_power_on } }
    }

    /// Takes the level that was read at `now`. Times never go back.
    pub fn sample(&mut self, pressed: bool, now: Duration) -> Option<Press> {
        let level = match self.level {
            Some(level) if level.pressed == pressed => level,
            _ => Level { pressed, since: now },
        };
        self.level = Some(level);
        let steady = now.saturating_sub(level.since);
        if steady < DEBOUNCE {
            return None;
        }
        let (phase, press) = self.phase.settled(level, steady, now);
        self.phase = phase;
        press
    }

    /// Whether it has been seen released, and nobody holds it now.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// For how long it has been held down; none if it is up or does not count.
    pub fn held(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Down { since } => Some(now.saturating_sub(since)),
            Phase::Unknown { .. } | Phase::Ignored | Phase::Up => None,
        }
    }
}

impl Phase {
    fn settled(self, level: Level, steady: Duration, now: Duration) -> (Phase, Option<Press>) {
        match self {
            Phase::Down { .. } if !level.pressed => (Phase::Up, Some(Press::Short)),
            _ if !level.pressed => (Phase::Up, None),
            Phase::Unknown { at_power_on: true } if steady >= HELD_AT_POWER_ON => {
                (Phase::Ignored, Some(Press::HeldAtPowerOn))
            }
            Phase::Up => (Phase::Down { since: level.since }, None),
            Phase::Down { since } if now.saturating_sub(since) >= HOLD => {
                (Phase::Ignored, Some(Press::Hold5s))
            }
            unchanged => (unchanged, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Samples `level(t)` every 20 ms as the panel does; returns each press with its time.
    fn presses(mut button: Button, end: u64, level: impl Fn(u64) -> bool) -> Vec<(u64, Press)> {
        let times = (0..=end).step_by(20);
        times.filter_map(|t| button.sample(level(t), ms(t)).map(|press| (t, press))).collect()
    }

    fn running() -> Button {
        Button::new(false)
    }

    #[test]
    fn a_press_is_told_30_ms_after_the_release() {
        let down = |t| (1000..1200).contains(&t);
        assert_eq!(presses(running(), 10_000, down), [(1240, Press::Short)]);
    }

    #[test]
    fn holding_is_told_once_after_five_seconds_and_nothing_on_release() {
        let down = |t| (1000..9000).contains(&t);
        assert_eq!(presses(running(), 20_000, down), [(6000, Press::Hold5s)]);
    }

    #[test]
    fn almost_five_seconds_is_still_short() {
        let down = |t| (1000..5980).contains(&t);
        assert_eq!(presses(running(), 20_000, down), [(6020, Press::Short)]);
    }

    #[test]
    fn a_button_held_at_power_on_is_told_once_and_never_as_a_hold() {
        let down = |t| t < 12_000;
        assert_eq!(presses(Button::new(true), 20_000, down), [(1000, Press::HeldAtPowerOn)]);
    }

    #[test]
    fn a_touch_at_power_on_means_nothing() {
        let down = |t| t < 900;
        assert_eq!(presses(Button::new(true), 20_000, down), []);
    }

    #[test]
    fn a_button_that_is_down_when_a_panel_is_restarted_means_nothing() {
        assert_eq!(presses(running(), 60_000, |_| true), []);
    }

    #[test]
    fn the_first_press_after_the_first_release_counts() {
        let down = |t| t < 2000 || (3000..3100).contains(&t);
        assert_eq!(presses(running(), 5000, down), [(3140, Press::Short)]);
    }

    #[test]
    fn while_it_is_down_it_says_for_how_long() {
        let mut button = running();
        for t in (0..=2000).step_by(20) {
            button.sample(t >= 1000, ms(t));
        }
        assert_eq!(button.held(ms(2000)), Some(ms(1000)));
        for t in (2020..=2100).step_by(20) {
            button.sample(false, ms(t));
        }
        assert_eq!(button.held(ms(2100)), None);
    }

    #[test]
    fn a_bounce_while_it_is_held_does_not_start_the_hold_anew() {
        let down = |t| (1000..8000).contains(&t) && t != 3000;
        assert_eq!(presses(running(), 9000, down), [(6000, Press::Hold5s)]);
    }

    /// splitmix64: small, seeded, good enough to shake a button.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % bound
        }

        /// Up to 29 ms of noise, one level a millisecond.
        fn bounce(&mut self) -> Vec<bool> {
            (0..self.below(30)).map(|_| self.below(2) == 1).collect()
        }
    }

    /// Reads the signal at irregular times, at most 25 ms apart, as a busy machine does.
    fn told(signal: &[bool], random: &mut Random) -> Vec<Press> {
        let mut button = running();
        let mut told = Vec::new();
        let mut t = 0;
        while let Some(pressed) = signal.get(usize::try_from(t).unwrap()) {
            told.extend(button.sample(*pressed, ms(t)));
            t += 1 + random.below(25);
        }
        told
    }

    #[test]
    fn any_bounce_under_30_ms_gives_exactly_the_one_press_that_was_made() {
        for seed in 0..3000 {
            let mut random = Random(seed);
            let mut signal = vec![false; 100];
            signal.extend(random.bounce());
            signal.extend(vec![true; 90 + usize::try_from(random.below(2000)).unwrap()]);
            signal.extend(random.bounce());
            signal.extend(vec![false; 100]);
            assert_eq!(told(&signal, &mut random), [Press::Short], "seed {seed}");
        }
    }

    #[test]
    fn a_bounce_under_30_ms_without_a_press_gives_none() {
        for seed in 0..3000 {
            let mut random = Random(seed);
            let mut signal = vec![false; 100];
            signal.extend(random.bounce());
            signal.extend(vec![false; 100]);
            assert_eq!(told(&signal, &mut random), [], "seed {seed}");
        }
    }
}
