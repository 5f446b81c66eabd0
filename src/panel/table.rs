//! The table of patterns: for the LEDs, the README and the status page alike. Pure.

use std::time::Duration;

use super::pattern::{Leds, State};

/// One line of the table for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The state.
    pub state: State,
    /// The LEDs that blink together.
    pub leds: Leds,
    /// How they blink, in words.
    pub pattern: &'static str,
    /// What that means.
    pub meaning: &'static str,
    /// What to do about it.
    pub action: &'static str,
    steps: &'static [u16],
}

/// Every state in order of importance.
pub fn table() -> &'static [Entry] {
    &TABLE
}

/// The table as the README has it.
pub fn markdown() -> String {
    let head = "| State | LEDs | Pattern | It means | Do |\n|---|---|---|---|---|\n";
    let row = |e: &Entry| {
        let (state, leds) = (e.state.name(), e.leds.names());
        format!("| {state} | {leds} | {} | {} | {} |\n", e.pattern, e.meaning, e.action)
    };
    TABLE.iter().map(row).fold(head.to_owned(), |page, row| page + &row)
}

impl Entry {
    /// After this time the pattern repeats.
    pub fn period(&self) -> Duration {
        self.steps.iter().map(|step| millis(*step)).sum()
    }

    /// Milliseconds: lit, dark, lit, dark, …
    pub fn steps(&self) -> &'static [u16] {
        self.steps
    }

    /// The levels at time `t` after the pattern began.
    pub fn levels(&self, t: Duration) -> Leds {
        if self.lit(t) { self.leds } else { Leds::OFF }
    }

    fn lit(&self, t: Duration) -> bool {
        let period = self.period().as_millis().max(1);
        let mut rest = t.as_millis() % period;
        for (index, step) in self.steps.iter().enumerate() {
            let step = u128::from(*step);
            if rest < step {
                return index % 2 == 0;
            }
            rest -= step;
        }
        false
    }
}

fn millis(step: u16) -> Duration {
    Duration::from_millis(u64::from(step))
}

const RED: Leds = Leds { red: true, ..Leds::OFF };
const AMBER: Leds = Leds { amber: true, ..Leds::OFF };
const GREEN: Leds = Leds { green: true, ..Leds::OFF };
const AMBER_GREEN: Leds = Leds { amber: true, green: true, ..Leds::OFF };

/// Steps are milliseconds: lit, dark, lit, dark, … All are whole ticks of the panel's loop.
///
/// The grammar: "lit with winks" is work, "short flashes" is something to plug in, "one
/// long, some short" is something to count, even blinking is "wait". The firmware's own
/// codes on the board's LED (3, 4, 7 and more short flashes; two long and some short) are
/// left to the firmware.
static TABLE: [Entry; 17] = [
    Entry {
        state: State::SafeToUnplug,
        leds: GREEN,
        steps: &[800, 300, 800, 300, 800, 1000],
        pattern: "three long flashes, every 4 s; then dark",
        meaning: "Everything is written and closed.",
        action: "Pull the plug whenever you like.",
    },
    Entry {
        state: State::ShuttingDown,
        leds: Leds::ALL,
        steps: &[1000, 300, 500, 300, 200, 700],
        pattern: "three flashes that get shorter, every 3 s",
        meaning: "The servers stop and the card is closed.",
        action: "Wait for three long flashes or for dark.",
    },
    Entry {
        state: State::Update,
        leds: Leds::ALL,
        steps: &[80, 80, 80, 80, 80, 80, 80, 440],
        pattern: "a burst of four quick flashes, every 1 s",
        meaning: "The card is being updated.",
        action: "Do not pull the plug.",
    },
    Entry {
        state: State::NotAnswering,
        leds: RED,
        steps: &[100, 100],
        pattern: "very fast even blinking, every 0.2 s",
        meaning: "The servers do not answer; they are restarted by themselves.",
        action: "If it lasts a minute, pull the plug and put it back.",
    },
    Entry {
        state: State::Booting,
        leds: AMBER,
        steps: &[500, 500],
        pattern: "even blinking, every 1 s",
        meaning: "Starting.",
        action: "Wait; it takes less than a minute.",
    },
    Entry {
        state: State::NoLink,
        leds: AMBER,
        steps: &[200, 1800],
        pattern: "one short flash, every 2 s",
        meaning: "No network cable, or nothing at its other end.",
        action: "Plug the cable into a switch that is switched on.",
    },
    Entry {
        state: State::Scanning,
        leds: AMBER_GREEN,
        steps: &[200, 200],
        pattern: "fast even blinking, every 0.4 s",
        meaning: "The stick is being read.",
        action: "Wait, and leave the stick in.",
    },
    Entry {
        state: State::ConfigError,
        leds: RED,
        steps: &[800, 300, 200, 300, 200, 300, 200, 1200],
        pattern: "one long and three short flashes, every 3.5 s",
        meaning: "pxeberry.toml has a mistake; the last good one, or the defaults, serve.",
        action: "Read the reason on the status page, correct the file, restart.",
    },
    Entry {
        state: State::StickError,
        leds: RED,
        steps: &[800, 300, 200, 300, 200, 1200],
        pattern: "one long and two short flashes, every 3 s",
        meaning: "The stick cannot be used as it is; what was read before still serves.",
        action: "Read the reason on the status page, correct the stick, press the button.",
    },
    Entry {
        state: State::MachineFailed,
        leds: RED,
        steps: &[800, 300, 200, 300, 200, 300, 200, 300, 200, 1200],
        pattern: "one long and four short flashes, every 4 s",
        meaning: "A machine was tried three times and did not finish its installation.",
        action: "Find it on the status page, look at its screen, arm it again.",
    },
    Entry {
        state: State::OtherDhcp,
        leds: AMBER,
        steps: &[800, 300, 800, 1100],
        pattern: "two long flashes, every 3 s",
        meaning: "Another DHCP server turned up; this one gives no more addresses.",
        action: "If that server should not be there, remove it; else nothing.",
    },
    Entry {
        state: State::NoAddress,
        leds: AMBER,
        steps: &[200, 200, 200, 1400],
        pattern: "two short flashes, every 2 s",
        meaning: "The cable is in, but this box has no address yet.",
        action: "Wait; if it lasts, look at the network's DHCP server.",
    },
    Entry {
        state: State::NoStick,
        leds: AMBER,
        steps: &[1500, 1500],
        pattern: "slow even blinking, every 3 s",
        meaning: "No USB stick, so there is nothing to install.",
        action: "Plug in a stick with images.",
    },
    Entry {
        state: State::Installing,
        leds: AMBER_GREEN,
        steps: &[1000, 200, 200, 200, 200, 200],
        pattern: "lit with three winks, every 2 s",
        meaning: "At least one machine is installing itself.",
        action: "Leave the stick in.",
    },
    Entry {
        state: State::Serving,
        leds: GREEN,
        steps: &[1400, 200, 200, 200],
        pattern: "lit with two winks, every 2 s",
        meaning: "A machine is being given its boot files.",
        action: "Leave the stick in.",
    },
    Entry {
        state: State::Verifying,
        leds: AMBER_GREEN,
        steps: &[800, 300, 200, 1200],
        pattern: "one long and one short flash, every 2.5 s",
        meaning: "Signatures of images are being checked.",
        action: "Wait; machines that need them wait too.",
    },
    Entry {
        state: State::Ready,
        leds: GREEN,
        steps: &[3700, 300],
        pattern: "lit with one wink, every 4 s",
        meaning: "All is well: machines that network-boot get what the stick says.",
        action: "Switch your machines on.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_in_order_of_importance() {
        let states: Vec<State> = TABLE.iter().map(|entry| entry.state).collect();
        assert!(states.is_sorted_by(|a, b| a < b), "{states:?}");
        assert_eq!(states.last(), Some(&State::Ready));
        assert_eq!(State::Ready as usize + 1, TABLE.len());
    }

    #[test]
    fn the_readmes_table_says_what_the_leds_do() {
        let row = "\n| stick-error | red | one long and two short flashes, every 3 s | The stick ";
        assert!(markdown().contains(row), "{}", markdown());
        assert_eq!(markdown().lines().count(), 2 + TABLE.len());
        assert!(markdown().lines().all(|line| line.matches('|').count() == 6));
    }

    #[test]
    fn no_pattern_stands_still_for_five_seconds() {
        for entry in &TABLE {
            assert!(entry.steps.len() >= 2 && entry.steps.len() % 2 == 0, "{:?}", entry.state);
            assert!(entry.steps.iter().all(|step| *step < 5000), "{:?}", entry.state);
            assert!(entry.leds.any(), "{:?}", entry.state);
        }
    }

    #[test]
    fn every_step_is_long_enough_to_see_and_a_whole_number_of_ticks() {
        for entry in &TABLE {
            let right = entry.steps.iter().all(|step| *step >= 80 && step % 20 == 0);
            assert!(right, "{:?}", entry.state);
        }
    }

    /// The same number of steps, and none of them clearly longer, wherever one starts to look.
    fn look_alike(a: &[u16], b: &[u16]) -> bool {
        let close = |a: u16, b: u16| 10 * a.max(b) < 18 * a.min(b);
        a.len() == b.len()
            && (0..b.len()).step_by(2).any(|shift| {
                let shifted = b.iter().cycle().skip(shift);
                a.iter().zip(shifted).all(|(a, b)| close(*a, *b))
            })
    }

    #[test]
    fn rhythm_alone_tells_every_state_from_every_other() {
        for (index, a) in TABLE.iter().enumerate() {
            for b in &TABLE[index + 1..] {
                assert!(!look_alike(a.steps, b.steps), "{:?} and {:?}", a.state, b.state);
            }
        }
    }

    #[test]
    fn the_words_count_what_the_leds_do() {
        let number = |word: &str| match word {
            "one" => 1,
            "two" => 2,
            "three" => 3,
            "four" => 4,
            _ => 0,
        };
        for entry in &TABLE {
            let words = entry.pattern;
            let every = format!("every {} s", entry.period().as_secs_f64());
            assert!(words.contains(&every), "{words}: {every}");
            let counted: usize = words.split(' ').map(number).sum();
            let flashes = entry.steps.len() / 2;
            let expected = if words.contains("even") { 0 } else { flashes };
            assert_eq!(counted, expected, "{words}");
        }
    }
}
