//! What the LEDs say: one rhythm for each state, as a pure function of the time.
//!
//! A state is told by its rhythm alone; colour is a help, not the message. So a person who
//! cannot tell red from green, and the board's own single LED, lose nothing. No pattern is
//! steady: an LED that does not change for five seconds means that nobody drives it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::table::{Entry, table};

/// What holds now, most important first: of several, the panel shows the first.
///
/// The order: what would hurt if the plug were pulled; whether the servers live; what
/// nothing works without; the answer to a press of the button; faults; what is missing;
/// work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the table says what each one means")]
pub enum State {
    SafeToUnplug,
    ShuttingDown,
    Update,
    NotAnswering,
    Booting,
    NoLink,
    Scanning,
    ConfigError,
    StickError,
    MachineFailed,
    OtherDhcp,
    NoAddress,
    NoStick,
    Installing,
    Serving,
    Verifying,
    Ready,
}

/// Which LEDs are lit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are called what they are")]
pub struct Leds {
    pub red: bool,
    pub amber: bool,
    pub green: bool,
}

/// The levels at time `t` after the pattern began.
pub fn levels(state: State, t: Duration) -> Leds {
    table().iter().find(|entry| entry.state == state).map_or(Leds::OFF, |entry| entry.levels(t))
}

/// After this time the pattern repeats.
pub fn period(state: State) -> Duration {
    let entry = table().iter().find(|entry| entry.state == state);
    entry.map_or(Duration::ZERO, Entry::period)
}

impl State {
    /// The one to show when several hold; none if none holds.
    pub fn foremost(states: impl IntoIterator<Item = State>) -> Option<State> {
        states.into_iter().min()
    }

    /// The state of that [`name`](State::name); none if there is no such state.
    pub fn named(name: &str) -> Option<State> {
        table().iter().map(|entry| entry.state).find(|state| state.name() == name)
    }

    /// `no-stick`: as in the JSON of the control socket.
    pub fn name(self) -> &'static str {
        match self {
            State::SafeToUnplug => "safe-to-unplug",
            State::ShuttingDown => "shutting-down",
            State::Update => "update",
            State::NotAnswering => "not-answering",
            State::Booting => "booting",
            State::NoLink => "no-link",
            State::Scanning => "scanning",
            State::ConfigError => "config-error",
            State::StickError => "stick-error",
            State::MachineFailed => "machine-failed",
            State::OtherDhcp => "other-dhcp",
            State::NoAddress => "no-address",
            State::NoStick => "no-stick",
            State::Installing => "installing",
            State::Serving => "serving",
            State::Verifying => "verifying",
            State::Ready => "ready",
        }
    }
}

impl Leds {
    /// All dark.
    pub const OFF: Leds = Leds { red: false, amber: false, green: false };
    /// Left behind for a panel that fell: no pattern is steady, so this says that nobody
    /// drives them.
    pub const NOBODY: Leds = Leds { red: true, amber: false, green: false };
    /// All lit.
    pub const ALL: Leds = Leds { red: true, amber: true, green: true };

    /// Whether any is lit; what a board with a single LED shows.
    pub fn any(self) -> bool {
        self.red || self.amber || self.green
    }

    /// `red + amber`, for the table.
    pub fn names(self) -> String {
        self.lit().join(" + ")
    }

    /// The names of those that are lit.
    pub fn lit(self) -> Vec<&'static str> {
        let all = [(self.red, "red"), (self.amber, "amber"), (self.green, "green")];
        all.into_iter().filter(|(lit, _)| *lit).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMBER: Leds = Leds { amber: true, ..Leds::OFF };
    const GREEN: Leds = Leds { green: true, ..Leds::OFF };
    const RED: Leds = Leds { red: true, ..Leds::OFF };

    fn at(state: State, milliseconds: u64) -> Leds {
        levels(state, Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_names_are_those_of_the_json() {
        for entry in table() {
            let json = format!("\"{}\"", entry.state.name());
            assert_eq!(serde_json::to_string(&entry.state).unwrap(), json);
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), entry.state);
            assert_eq!(State::named(entry.state.name()), Some(entry.state));
        }
        assert_eq!(State::named("on-fire"), None);
    }

    #[test]
    fn of_several_states_the_one_that_matters_most_is_shown() {
        let shown = |states: &[State]| State::foremost(states.iter().copied());
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[State::Ready, State::Serving]), Some(State::Serving));
        assert_eq!(shown(&[State::Installing, State::MachineFailed]), Some(State::MachineFailed));
        assert_eq!(shown(&[State::StickError, State::Scanning]), Some(State::Scanning));
        assert_eq!(shown(&[State::NoStick, State::NoLink]), Some(State::NoLink));
        assert_eq!(shown(&[State::NotAnswering, State::ShuttingDown]), Some(State::ShuttingDown));
        assert_eq!(shown(&[State::ShuttingDown, State::SafeToUnplug]), Some(State::SafeToUnplug));
    }

    /// For each state what is lit, and the milliseconds at which that changes; the last one
    /// is the period.
    const CHANGES: [(State, &str, &[u64]); 17] = [
        (State::SafeToUnplug, "green", &[800, 1100, 1900, 2200, 3000, 4000]),
        (State::ShuttingDown, "red + amber + green", &[1000, 1300, 1800, 2100, 2300, 3000]),
        (State::Update, "red + amber + green", &[80, 160, 240, 320, 400, 480, 560, 1000]),
        (State::NotAnswering, "red", &[100, 200]),
        (State::Booting, "amber", &[500, 1000]),
        (State::NoLink, "amber", &[200, 2000]),
        (State::Scanning, "amber + green", &[200, 400]),
        (State::ConfigError, "red", &[800, 1100, 1300, 1600, 1800, 2100, 2300, 3500]),
        (State::StickError, "red", &[800, 1100, 1300, 1600, 1800, 3000]),
        (State::MachineFailed, "red", &[800, 1100, 1300, 1600, 1800, 2100, 2300, 2600, 2800, 4000]),
        (State::OtherDhcp, "amber", &[800, 1100, 1900, 3000]),
        (State::NoAddress, "amber", &[200, 400, 600, 2000]),
        (State::NoStick, "amber", &[1500, 3000]),
        (State::Installing, "amber + green", &[1000, 1200, 1400, 1600, 1800, 2000]),
        (State::Serving, "green", &[1400, 1600, 1800, 2000]),
        (State::Verifying, "amber + green", &[800, 1100, 1300, 2500]),
        (State::Ready, "green", &[3700, 4000]),
    ];

    #[test]
    fn every_pattern_changes_at_exactly_its_times() {
        for (index, (state, lit, changes)) in CHANGES.into_iter().enumerate() {
            assert_eq!(table()[index].state, state);
            let end = *changes.last().unwrap();
            assert_eq!(period(state), Duration::from_millis(end), "{state:?}");
            for t in 0..2 * end {
                let before = changes.iter().filter(|change| **change <= t % end).count();
                let expected = if before % 2 == 0 { lit } else { "" };
                assert_eq!(at(state, t).names(), expected, "{state:?} at {t} ms");
            }
        }
    }

    #[test]
    fn ready_is_green_with_one_wink_in_four_seconds() {
        assert_eq!(at(State::Ready, 0), GREEN);
        assert_eq!(at(State::Ready, 3699), GREEN);
        assert_eq!(at(State::Ready, 3700), Leds::OFF);
        assert_eq!(at(State::Ready, 3999), Leds::OFF);
        assert_eq!(at(State::Ready, 4000), GREEN);
    }

    #[test]
    fn not_answering_is_red_five_times_a_second() {
        for second in 0..3 {
            for flash in 0..5 {
                let start = second * 1000 + flash * 200;
                assert_eq!(at(State::NotAnswering, start), RED);
                assert_eq!(at(State::NotAnswering, start + 99), RED);
                assert_eq!(at(State::NotAnswering, start + 100), Leds::OFF);
            }
        }
    }

    #[test]
    fn a_pattern_goes_on_unchanged_for_years() {
        let years = period(State::NoStick) * 100_000_000;
        assert_eq!(levels(State::NoStick, years), AMBER);
        assert_eq!(levels(State::NoStick, years + Duration::from_millis(1500)), Leds::OFF);
    }
}
