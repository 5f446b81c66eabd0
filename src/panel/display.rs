//! Which pattern is on the LEDs just now, and what is laid over it. Pure.
//!
//! A state that comes and goes within a blink would leave a pattern nobody can read. So a
//! pattern that has begun is shown to the end of its period, unless something more
//! important comes.

use std::time::Duration;

use super::pattern::{self, Leds, State};

/// All LEDs lit, then dark for as long: seen over every pattern.
const FLASH: Duration = Duration::from_millis(200);

/// From here on a held button is about to switch the box off: all LEDs lit, without a
/// blink, until the person lets go or [`super::button::HOLD`] is over.
const HOLD_WARNING: Duration = Duration::from_secs(2);

/// The pattern that runs.
#[derive(Debug)]
pub struct Display {
    shown: State,
    since: Duration,
    next: Option<Next>,
    flashed: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Next {
    state: State,
    due: Duration,
}

impl Display {
    /// Starts with `state`.
    pub fn new(state: State, now: Duration) -> Display {
        Display { shown: state, since: now, next: None, flashed: None }
    }

    /// This is what holds now; its pattern is on the LEDs within one period of the old one.
    pub fn show(&mut self, state: State, now: Duration) {
        if state == self.shown {
            self.next = None;
        } else if state < self.shown {
            self.switch(state, now);
        } else {
            let due = self.next.map_or_else(|| self.end_of_period(now), |next| next.due);
            self.next = Some(Next { state, due });
        }
    }

    /// Answers the button with one flash of all LEDs.
    pub fn acknowledge(&mut self, now: Duration) {
        self.flashed = Some(now);
    }

    /// Dark for as long as a flash, over any pattern.
    pub fn pause(&mut self, now: Duration) {
        self.flashed = now.checked_sub(FLASH);
    }

    /// The state whose pattern runs.
    pub fn shown(&self) -> State {
        self.shown
    }

    /// The levels at `now`, while the button has been held for `held`.
    pub fn leds(&mut self, now: Duration, held: Option<Duration>) -> Leds {
        if let Some(next) = self.next.filter(|next| now >= next.due) {
            self.switch(next.state, next.due);
        }
        if held.is_some_and(|held| held >= HOLD_WARNING) {
            return Leds::ALL;
        }
        match self.flashed.map(|flashed| now.saturating_sub(flashed)) {
            Some(age) if age < FLASH => Leds::ALL,
            Some(age) if age < 2 * FLASH => Leds::OFF,
            _ => pattern::levels(self.shown, now.saturating_sub(self.since)),
        }
    }

    fn switch(&mut self, state: State, at: Duration) {
        self.shown = state;
        self.since = at;
        self.next = None;
    }

    fn end_of_period(&self, now: Duration) -> Duration {
        let period = pattern::period(self.shown).as_millis().max(1);
        let into = now.saturating_sub(self.since).as_millis() % period;
        let left = u64::try_from(period - into).unwrap_or(u64::MAX);
        now.saturating_add(Duration::from_millis(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn something_more_important_is_shown_at_once() {
        let mut display = Display::new(State::Ready, ms(0));
        display.show(State::NotAnswering, ms(1234));
        assert_eq!(display.leds(ms(1234), None), pattern::levels(State::NotAnswering, ms(0)));
    }

    #[test]
    fn a_short_piece_of_work_is_shown_for_a_whole_period() {
        let mut display = Display::new(State::Ready, ms(0));
        display.show(State::Serving, ms(100));
        display.show(State::Ready, ms(120));
        for t in (120..2100).step_by(20) {
            let expected = pattern::levels(State::Serving, ms(t - 100));
            assert_eq!(display.leds(ms(t), None), expected, "{t}");
        }
        assert_eq!(display.leds(ms(2100), None), pattern::levels(State::Ready, ms(0)));
        assert_eq!(display.shown(), State::Ready);
    }

    #[test]
    fn a_state_that_returns_in_time_goes_on_undisturbed() {
        let mut display = Display::new(State::Scanning, ms(0));
        display.show(State::Ready, ms(100));
        display.show(State::Scanning, ms(200));
        display.leds(ms(3000), None);
        assert_eq!(display.shown(), State::Scanning);
    }

    #[test]
    fn the_button_is_answered_by_one_flash_over_any_pattern() {
        for entry in pattern::table() {
            let mut display = Display::new(entry.state, ms(0));
            display.acknowledge(ms(1000));
            assert_eq!(display.leds(ms(1000), None), Leds::ALL);
            assert_eq!(display.leds(ms(1199), None), Leds::ALL);
            assert_eq!(display.leds(ms(1200), None), Leds::OFF);
            assert_eq!(display.leds(ms(1399), None), Leds::OFF);
            let expected = pattern::levels(entry.state, ms(1400));
            assert_eq!(display.leds(ms(1400), None), expected);
        }
    }

    #[test]
    fn a_pause_is_dark_over_any_pattern() {
        let mut display = Display::new(State::Ready, ms(0));
        display.pause(ms(1000));
        assert_eq!(display.leds(ms(1000), None), Leds::OFF);
        assert_eq!(display.leds(ms(1199), None), Leds::OFF);
        assert_eq!(display.leds(ms(1200), None), pattern::levels(State::Ready, ms(1200)));
    }

    #[test]
    fn holding_the_button_warns_before_it_switches_off() {
        let mut display = Display::new(State::NoLink, ms(0));
        assert_eq!(display.leds(ms(1000), Some(ms(1999))), Leds::OFF);
        assert_eq!(display.leds(ms(1001), Some(ms(2000))), Leds::ALL);
    }

    #[test]
    fn any_sequence_of_states_ends_in_the_last_ones_pattern_within_one_period() {
        let table = pattern::table();
        let mut seed: usize = 1;
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (seed >> 33) % bound
        };
        for round in 0..2000 {
            let mut display = Display::new(table[below(17)].state, ms(0));
            let mut now = ms(0);
            let mut last = display.shown();
            for _ in 0..below(20) {
                now += ms(20) * u32::try_from(below(200)).unwrap();
                last = table[below(17)].state;
                display.show(last, now);
                display.leds(now, None);
            }
            now += pattern::period(display.shown());
            display.leds(now, None);
            assert_eq!(display.shown(), last, "round {round}");
            for t in (0..pattern::period(last).as_millis()).step_by(20) {
                let now = now + ms(u64::try_from(t).unwrap());
                let expected = pattern::levels(last, now - display.since);
                assert_eq!(display.leds(now, None), expected, "round {round}");
            }
        }
    }
}
