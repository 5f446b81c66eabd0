//! The panel as one pure step: what was sensed in, what to show and to do out.
//!
//! Everything that decides is here; the loop in `mod.rs` only reads pins and obeys.

use std::time::Duration;

use super::button::{Button, Press};
use super::display::Display;
use super::health::Health;
use super::pattern::{self, Leds, State};

/// The shutting-down pattern is shown twice as a whole, even if all is closed at once: who
/// looks up late sees it, too. With "safe to unplug" it is less than PID 1 waits.
const SHORTEST_SHUTDOWN: Duration = Duration::from_secs(6);

/// PID 1 needs seconds. After this it will not come any more, and the truth is shown again.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(60);

/// What was sensed since the last step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input {
    /// The level of the button.
    pub pressed: bool,
    /// A new answer of the server.
    pub answer: Option<State>,
    /// No file system on any disk or card can be written; asked only while shutting down.
    pub disks_closed: bool,
}

/// What to show and to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// The levels of the LEDs.
    pub leds: Leds,
    /// The state whose pattern that is.
    pub shown: State,
    /// What else to do.
    pub effect: Option<Effect>,
}

/// What a press of the button makes happen outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Have the sticks read again.
    Rescan,
    /// Have the servers go on with the defaults and install nothing.
    SafeMode,
    /// Ask PID 1 to stop everything and switch off.
    PowerOff,
}

/// All state of the panel.
#[derive(Debug)]
pub struct Face {
    button: Button,
    health: Health,
    display: Display,
    shutdown: Option<Shutdown>,
}

#[derive(Debug, Clone, Copy)]
struct Shutdown {
    since: Duration,
    closed_since: Option<Duration>,
}

impl Face {
    /// `uptime` is the age of the machine at `now`; `just_switched_on`, whether a button that
    /// is down has been held since then.
    pub fn new(uptime: Duration, just_switched_on: bool, now: Duration) -> Face {
        let health = Health::new(uptime, now);
        let display = Display::new(health.state(now), now);
        Face { button: Button::new(just_switched_on), health, display, shutdown: None }
    }

    /// One step. Times never go back.
    pub fn step(&mut self, input: Input, now: Duration) -> Output {
        if let Some(state) = input.answer {
            self.health.answered(state, now);
        }
        let effect = self.feel(input.pressed, now);
        self.watch_shutdown(input.disks_closed, now);
        let states = [Some(self.health.state(now)), self.shutdown_state()];
        if let Some(state) = State::foremost(states.into_iter().flatten()) {
            self.display.show(state, now);
        }
        let leds = self.display.leds(now, self.button.held(now));
        Output { leds, shown: self.display.shown(), effect }
    }

    /// Whether [`Input::disks_closed`] is wanted.
    pub fn shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// The box goes down, whoever asked for that.
    pub fn go_down(&mut self, now: Duration) {
        self.shutdown.get_or_insert(Shutdown { since: now, closed_since: None });
    }

    /// "Safe to unplug" has been shown from its beginning to its end.
    pub fn has_said_goodbye(&self, now: Duration) -> bool {
        let since = self.shutdown.and_then(|shutdown| shutdown.closed_since);
        since.is_some_and(|since| now >= since + pattern::period(State::SafeToUnplug))
    }

    /// PID 1 cannot be asked: show again what holds.
    pub fn power_off_refused(&mut self) {
        self.shutdown = None;
    }

    fn feel(&mut self, pressed: bool, now: Duration) -> Option<Effect> {
        let was_down = self.button.held(now).is_some();
        let press = self.button.sample(pressed, now);
        let went_down = !was_down && self.button.held(now).is_some();
        if went_down || press == Some(Press::HeldAtPowerOn) {
            self.display.acknowledge(now);
        }
        let effect = match press? {
            Press::Short => Effect::Rescan,
            Press::HeldAtPowerOn => Effect::SafeMode,
            Press::Hold5s => Effect::PowerOff,
        };
        if self.shutting_down() {
            return None;
        }
        if effect == Effect::PowerOff {
            self.go_down(now);
            // Else nobody could tell the end of the warning from the first flash.
            self.display.pause(now);
        }
        Some(effect)
    }

    fn watch_shutdown(&mut self, disks_closed: bool, now: Duration) {
        let Some(shutdown) = &mut self.shutdown else { return };
        let age = now.saturating_sub(shutdown.since);
        let closed = disks_closed && age >= SHORTEST_SHUTDOWN;
        shutdown.closed_since = closed.then(|| shutdown.closed_since.unwrap_or(now));
        if !closed && age >= LONGEST_SHUTDOWN {
            self.shutdown = None;
        }
    }

    fn shutdown_state(&self) -> Option<State> {
        let closed = self.shutdown?.closed_since.is_some();
        Some(if closed { State::SafeToUnplug } else { State::ShuttingDown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panel on a box that was switched on 10 s ago, stepped every 20 ms.
    struct Bench {
        face: Face,
        now: Duration,
        done: Vec<Effect>,
    }

    impl Bench {
        fn new() -> Bench {
            let face = Face::new(Duration::from_secs(10), false, Duration::ZERO);
            Bench { face, now: Duration::ZERO, done: Vec::new() }
        }

        fn step(&mut self, input: Input) -> Output {
            self.now += Duration::from_millis(20);
            let output = self.face.step(input, self.now);
            self.done.extend(output.effect);
            output
        }

        /// The server answers `state` in each step.
        fn run(&mut self, state: State, pressed: bool, milliseconds: u64) -> Output {
            let input = Input { pressed, answer: Some(state), disks_closed: false };
            let mut last = self.step(input);
            for _ in 1..milliseconds / 20 {
                last = self.step(input);
            }
            last
        }
    }

    #[test]
    fn a_press_is_acknowledged_on_the_leds_within_100_ms_and_then_rescans() {
        let mut bench = Bench::new();
        bench.run(State::NoLink, false, 1500);
        let pressed_at = bench.now;
        while bench.run(State::NoLink, true, 20).leds != Leds::ALL {
            assert!(bench.now - pressed_at < Duration::from_millis(100));
        }
        assert_eq!(bench.done, []);
        bench.run(State::NoLink, false, 100);
        assert_eq!(bench.done, [Effect::Rescan]);
    }

    #[test]
    fn a_press_rescans_whatever_is_shown() {
        for state in [State::Scanning, State::ConfigError, State::Ready, State::Installing] {
            let mut bench = Bench::new();
            for presses in 1..4 {
                bench.run(state, false, 100);
                bench.run(state, true, 100);
                bench.run(state, false, 100);
                assert_eq!(bench.done, vec![Effect::Rescan; presses], "{state:?}");
            }
        }
    }

    #[test]
    fn holding_shuts_down_and_says_safe_only_when_all_disks_are_closed() {
        let mut bench = Bench::new();
        bench.run(State::Ready, false, 200);
        assert_eq!(bench.run(State::Ready, true, 5100).shown, State::ShuttingDown);
        assert_eq!(bench.done, [Effect::PowerOff]);
        assert_eq!(bench.run(State::Ready, false, 20_000).shown, State::ShuttingDown);
        let closed = Input { disks_closed: true, ..Input::default() };
        assert_eq!(bench.step(closed).shown, State::SafeToUnplug);
        assert_eq!(bench.done, [Effect::PowerOff]);
    }

    #[test]
    fn the_shutting_down_pattern_is_seen_even_if_there_is_nothing_to_close() {
        let mut bench = Bench::new();
        bench.run(State::Ready, false, 200);
        assert_eq!(bench.run(State::Ready, true, 5000).leds, Leds::ALL);
        // A pause, so that the first flash is told from the warning.
        assert_eq!(bench.run(State::Ready, true, 20).leds, Leds::OFF);
        let began = bench.now;
        assert_eq!(bench.run(State::Ready, true, 180).leds, Leds::OFF);
        assert_eq!(bench.run(State::Ready, true, 20).leds, Leds::ALL);
        let closed = Input { disks_closed: true, ..Input::default() };
        while bench.step(closed).shown == State::ShuttingDown {}
        assert_eq!(bench.now - began, Duration::from_secs(6));
        assert_eq!(bench.step(closed).shown, State::SafeToUnplug);
    }

    #[test]
    fn a_shutdown_that_others_asked_for_is_shown_like_one_of_the_button() {
        let mut bench = Bench::new();
        bench.run(State::Ready, false, 200);
        bench.face.go_down(bench.now);
        assert_eq!(bench.run(State::Ready, false, 4000).shown, State::ShuttingDown);
        assert_eq!(bench.done, []);
    }

    #[test]
    fn safe_to_unplug_is_shown_as_a_whole_and_then_the_panel_may_end() {
        let mut bench = Bench::new();
        bench.face.go_down(Duration::ZERO);
        bench.run(State::Ready, false, 7000);
        assert!(!bench.face.has_said_goodbye(bench.now));
        let closed = Input { disks_closed: true, ..Input::default() };
        let began = bench.now + Duration::from_millis(20);
        while !bench.face.has_said_goodbye(bench.now) {
            let leds = bench.step(closed).leds;
            assert_eq!(leds, pattern::levels(State::SafeToUnplug, bench.now - began));
            assert!(bench.now - began <= pattern::period(State::SafeToUnplug));
        }
        assert_eq!(bench.now - began, pattern::period(State::SafeToUnplug));
    }

    #[test]
    fn a_shutdown_that_never_ends_gives_way_to_the_truth() {
        let mut bench = Bench::new();
        bench.run(State::Ready, false, 200);
        bench.run(State::Ready, true, 5100);
        bench.run(State::NoStick, false, 64_000);
        assert_eq!(bench.step(Input::default()).shown, State::NoStick);
        bench.run(State::NoStick, true, 100);
        bench.run(State::NoStick, false, 100);
        assert_eq!(bench.done, [Effect::PowerOff, Effect::Rescan]);
    }

    #[test]
    fn the_button_is_not_heeded_while_the_box_shuts_down() {
        let mut bench = Bench::new();
        bench.run(State::Ready, false, 200);
        bench.run(State::Ready, true, 5100);
        bench.run(State::Ready, false, 100);
        bench.run(State::Ready, true, 100);
        bench.run(State::Ready, false, 100);
        bench.run(State::Ready, true, 6000);
        assert_eq!(bench.done, [Effect::PowerOff]);
    }

    #[test]
    fn a_refused_power_off_is_not_shown_as_one() {
        let mut bench = Bench::new();
        bench.run(State::Ready, false, 200);
        bench.run(State::Ready, true, 5100);
        bench.face.power_off_refused();
        assert_eq!(bench.run(State::Ready, false, 4000).shown, State::Ready);
    }

    #[test]
    fn silence_is_shown_within_two_seconds_of_the_last_answer() {
        let mut bench = Bench::new();
        bench.run(State::Installing, false, 3000);
        let last_answer = bench.now;
        while bench.step(Input::default()).shown != State::NotAnswering {}
        assert!(bench.now - last_answer <= Duration::from_secs(2));
    }

    #[test]
    fn held_at_power_on_asks_for_safe_mode() {
        let mut bench = Bench::new();
        bench.face = Face::new(Duration::from_secs(3), true, Duration::ZERO);
        bench.run(State::Booting, true, 8000);
        assert_eq!(bench.done, [Effect::SafeMode]);
    }
}
