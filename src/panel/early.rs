//! The button before the panel runs: was the box switched on with it held?
//!
//! The servers wait for that answer, so it comes at once for a button that is up. It refuses
//! to say anything to the log and to touch the LEDs: the panel that follows does both.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::button::{Button, HELD_AT_POWER_ON, Press};
use super::{MODEL, TICK, board, model};
use crate::config::Panel;

/// A button that has not settled by then is a loose wire.
const LONGEST_LOOK: Duration = HELD_AT_POWER_ON.saturating_mul(2);

/// Looks until it is clear, which takes a second for a button that is held. Where there is
/// no button, nobody holds it.
pub fn held_at_power_on(panel: &Panel) -> bool {
    let models = model::candidates(&fs::read_to_string(MODEL).unwrap_or_default());
    let Some(pressed) = board::button(panel, &models) else { return false };
    let start = Instant::now();
    let next_tick = || {
        thread::sleep(TICK);
        start.elapsed()
    };
    held(pressed, next_tick)
}

fn held(mut pressed: impl FnMut() -> bool, mut next_tick: impl FnMut() -> Duration) -> bool {
    let mut button = Button::new(true);
    let mut now = Duration::ZERO;
    while now < LONGEST_LOOK && !button.is_up() {
        if button.sample(pressed(), now) == Some(Press::HeldAtPowerOn) {
            return true;
        }
        now = next_tick();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// The answer, and how many milliseconds it takes, for a button that is down at these
    /// times.
    fn answer(down: impl Fn(u64) -> bool) -> (bool, u64) {
        let time = Cell::new(0);
        let next_tick = || {
            time.set(time.get() + 20);
            Duration::from_millis(time.get())
        };
        (held(|| down(time.get()), next_tick), time.get())
    }

    #[test]
    fn a_button_that_is_up_is_told_in_two_ticks_or_three() {
        assert_eq!(answer(|_| false), (false, 60));
    }

    #[test]
    fn a_button_that_is_held_is_told_after_a_second() {
        assert_eq!(answer(|_| true), (true, 1000));
    }

    #[test]
    fn a_touch_is_told_when_it_ends() {
        assert_eq!(answer(|t| t < 600), (false, 660));
    }

    #[test]
    fn a_loose_wire_is_not_looked_at_for_ever() {
        assert_eq!(answer(|t| t / 20 % 2 == 0), (false, 2000));
    }
}
