//! What happened to each machine, in the order in which it happened. Pure.
//!
//! Every server writes into it, so one look shows where a boot died. It is bounded in
//! machines, in entries of each, and in the length of an entry: peers choose all three.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::dhcp::Seconds;
use crate::net::Mac;

/// More machines than any few racks; the one that was quiet longest goes first.
const MOST_MACHINES: usize = 2_048;

/// A boot and its installation write about forty; the last three attempts fit.
const MOST_ENTRIES: usize = 128;

/// Of all machines together: what keeps the table within about 4 MiB.
const MOST_IN_ALL: usize = 16_384;

/// Bytes of an entry's words; a line of a screen and a half.
const LONGEST_WORDS: usize = 240;

/// Which part of the appliance saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Ports 67 and 4011.
    Dhcp,
    /// Port 69.
    Tftp,
    /// A file by HTTP.
    Http,
    /// A boot script or menu.
    Script,
    /// A configuration of its own.
    Config,
    /// The machine's own word: a callback, or a failure that its loader reports.
    Report,
    /// A log line of its installer (RFC 3164, RFC 5424).
    Syslog,
    /// Its life went on: armed, installing, installed, failed.
    Life,
    /// What a person should check.
    Check,
}

/// How much a person should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// As it should be.
    Info,
    /// It may have been meant otherwise.
    Warning,
    /// Something ended.
    Error,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, on the appliance's own clock; only differences mean anything.
    pub at: Seconds,
    /// Who saw it.
    pub source: Source,
    /// How much it matters.
    pub weight: Weight,
    /// One sentence without the machine's name; for people, of characters that can be shown.
    pub words: String,
    /// How often the same was seen in a row.
    pub times: u32,
}

/// The timelines of all machines.
#[derive(Debug, Clone, Default)]
pub struct Timelines {
    of: HashMap<Mac, VecDeque<Entry>>,
    in_all: usize,
}

impl Timelines {
    /// Writes down one thing. The same words from the same source again only count up: a
    /// peer that repeats itself does not push out what happened before.
    pub fn note(&mut self, mac: Mac, source: Source, weight: Weight, words: &str, now: Seconds) {
        let words = shown(words);
        self.make_room(mac);
        let line = self.of.entry(mac).or_default();
        if let Some(last) = line.back_mut()
            && last.source == source
            && last.words == words
        {
            last.times = last.times.saturating_add(1);
            last.at = now;
            return;
        }
        if line.len() >= MOST_ENTRIES {
            line.pop_front();
            self.in_all -= 1;
        }
        line.push_back(Entry { at: now, source, weight, words, times: 1 });
        self.in_all += 1;
    }

    /// What happened to a machine that has these cards, oldest first.
    pub fn of(&self, cards: &[Mac]) -> Vec<Entry> {
        let mut all: Vec<Entry> =
            cards.iter().filter_map(|mac| self.of.get(mac)).flatten().cloned().collect();
        // Stable: of one second the order of each card stays.
        all.sort_by_key(|entry| entry.at);
        all
    }

    /// Every machine with the time of its last entry.
    pub fn last_of_each(&self) -> Vec<(Mac, Seconds)> {
        let last = |(mac, line): (&Mac, &VecDeque<Entry>)| Some((*mac, line.back()?.at));
        self.of.iter().filter_map(last).collect()
    }

    fn make_room(&mut self, mac: Mac) {
        let full = self.of.len() >= MOST_MACHINES && !self.of.contains_key(&mac);
        if !full && self.in_all < MOST_IN_ALL {
            return;
        }
        let last = |line: &VecDeque<Entry>| line.back().map(|entry| entry.at);
        let quiet = self.of.iter().filter(|(other, _)| **other != mac);
        let quiet = quiet.min_by_key(|(_, line)| last(line)).map(|(mac, _)| *mac);
        if let Some(gone) = quiet.and_then(|quiet| self.of.remove(&quiet)) {
            self.in_all -= gone.len();
        }
    }
}

/// Peers choose parts of the words: no line breaks, no control characters, not too long.
fn shown(words: &str) -> String {
    let clean = words.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut out = String::new();
    for letter in clean {
        if out.len() + letter.len_utf8() > LONGEST_WORDS {
            out.push('…');
            break;
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: usize) -> Mac {
        let [.., high, low] = number.to_be_bytes();
        Mac::new([2, 0, 0, 1, high, low]).unwrap()
    }

    #[test]
    fn what_happened_is_told_in_its_order_and_over_all_cards() {
        let mut lines = Timelines::default();
        lines.note(mac(0), Source::Dhcp, Weight::Info, "asks", 1);
        lines.note(mac(1), Source::Tftp, Weight::Info, "takes", 2);
        lines.note(mac(0), Source::Http, Weight::Error, "misses", 3);
        let words: Vec<_> = lines.of(&[mac(0), mac(1)]).into_iter().map(|e| e.words).collect();
        assert_eq!(words, ["asks", "takes", "misses"]);
        assert!(lines.of(&[mac(2)]).is_empty());
    }

    #[test]
    fn a_peer_that_repeats_itself_pushes_nothing_out() {
        let mut lines = Timelines::default();
        lines.note(mac(0), Source::Life, Weight::Info, "armed", 1);
        for second in 0..10_000 {
            lines.note(mac(0), Source::Dhcp, Weight::Info, "asks", second);
        }
        let all = lines.of(&[mac(0)]);
        assert_eq!(all.len(), 2);
        assert_eq!(all.last().map(|entry| entry.times), Some(10_000));
    }

    #[test]
    fn strangers_and_talkers_do_not_grow_it() {
        let mut lines = Timelines::default();
        for number in 0..20_000 {
            for step in 0..20 {
                let words = format!("{number} {step}");
                lines.note(mac(number), Source::Dhcp, Weight::Info, &words, number as u64);
            }
        }
        assert!(lines.of.len() <= MOST_MACHINES);
        let counted: usize = lines.of.values().map(VecDeque::len).sum();
        assert_eq!(lines.in_all, counted);
        assert!(lines.in_all <= MOST_IN_ALL);
        for step in 0..1_000 {
            lines.note(mac(0), Source::Syslog, Weight::Info, &step.to_string(), 30_000);
        }
        assert_eq!(lines.of(&[mac(0)]).len(), MOST_ENTRIES);
    }

    #[test]
    fn words_of_peers_cannot_break_a_line_or_fill_the_memory() {
        assert_eq!(shown("a\nb\u{1b}[1m"), "a b [1m");
        let long = shown(&"ö".repeat(10_000));
        assert!(long.len() <= LONGEST_WORDS + '…'.len_utf8() && long.ends_with('…'));
    }
}
