//! What happened to each machine, in the order in which it happened. Pure.
//!
//! Every server writes into it, so one look shows where a boot died. It is bounded in
//! machines, in entries of each, and in the length of an entry: peers choose all three.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::slots::{Slot, Slots};
use crate::dhcp::Seconds;
use crate::net::Mac;

/// More machines than any few racks; the one that was quiet longest goes first.
pub const MOST_MACHINES: usize = 2_048;

/// A boot and its installation write about forty; the last three attempts fit.
const MOST_ENTRIES: usize = 128;

/// Of these an installer's own lines, of which there are thousands.
const MOST_SYSLOG: usize = 48;

/// Of all machines together: what keeps the table within about 4 MiB. Whoever has most gives
/// one up for a new one.
pub const MOST_IN_ALL: usize = 10_240;

/// Bytes of an entry's words; a line of a screen and a half, and with all else 256 bytes.
const LONGEST_WORDS: usize = 212;

/// What a machine does in turns, like looking into two files, is one entry each and counts
/// up: so far back the same is looked for.
const TURNS: usize = 6;

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

impl Source {
    /// Every one; the place is its number in a record.
    pub const ALL: [Source; 9] = [
        Source::Dhcp,
        Source::Tftp,
        Source::Http,
        Source::Script,
        Source::Config,
        Source::Report,
        Source::Syslog,
        Source::Life,
        Source::Check,
    ];
}

impl Weight {
    /// Every one; the place is its number in a record.
    pub const ALL: [Weight; 3] = [Weight::Info, Weight::Warning, Weight::Error];
}

/// Something to write down.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// Who saw it.
    pub source: Source,
    /// How much it matters.
    pub weight: Weight,
    /// The beginning of the sentence. What was lately noted with the same one is one entry.
    pub kind: &'a str,
    /// Its end, of which the newest is kept.
    pub detail: &'a str,
}

/// An entry where it is kept.
#[derive(Debug, Clone)]
struct Kept {
    entry: Entry,
    /// Entries of all machines in their order.
    number: u64,
    slot: Slot,
}

/// The timelines of all machines.
#[derive(Debug, Clone, Default)]
pub struct Timelines {
    of: HashMap<Mac, VecDeque<Kept>>,
    slots: Slots,
    last: u64,
}

/// What is to be put into a slot of the record, for [`Timelines::restore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The place.
    pub slot: Slot,
    /// Rows in their order.
    pub number: u64,
    /// Whose it is.
    pub mac: Mac,
    /// What happened.
    pub entry: Entry,
}

impl Timelines {
    /// Writes down one thing. The same again only counts up: a peer that repeats itself does
    /// not push out what happened before.
    pub fn note(&mut self, mac: Mac, note: &Note, now: Seconds) -> Row {
        let words = shown(&[note.kind, note.detail].concat());
        let again = self.takes_same(mac, note);
        let times = again.as_ref().map_or(0, |kept| kept.entry.times).saturating_add(1);
        let entry = Entry { at: now, source: note.source, weight: note.weight, words, times };
        match again {
            Some(kept) => self.put(mac, entry, kept.slot),
            None => self.add(mac, entry),
        }
    }

    /// Makes room for a machine that is not there yet, where there is none: of strangers the one
    /// that was quiet longest goes, and only then one that `is_named`.
    pub fn make_room_for(&mut self, mac: Mac, is_named: impl Fn(Mac) -> bool) {
        if self.of.len() < MOST_MACHINES || self.of.contains_key(&mac) {
            return;
        }
        let last = |line: &VecDeque<Kept>| line.back().map(|kept| kept.number);
        let quiet = self.of.iter().min_by_key(|(mac, line)| (is_named(**mac), last(line)));
        let quiet = quiet.map(|(mac, _)| *mac);
        let gone = quiet.and_then(|quiet| self.of.remove(&quiet)).unwrap_or_default();
        gone.iter().for_each(|kept| self.slots.give(kept.slot));
    }

    /// Puts back what was kept over a restart, oldest first.
    pub fn restore(&mut self, mac: Mac, entry: Entry) -> Row {
        let entry = Entry { words: shown(&entry.words), ..entry };
        self.add(mac, entry)
    }

    /// What happened to a machine that has these cards, oldest first.
    pub fn of(&self, cards: &[Mac]) -> Vec<Entry> {
        let mut all: Vec<&Kept> =
            cards.iter().filter_map(|mac| self.of.get(mac)).flatten().collect();
        all.sort_by_key(|kept| kept.number);
        all.into_iter().map(|kept| kept.entry.clone()).collect()
    }

    /// Every machine with the time of its last entry.
    pub fn last_of_each(&self) -> Vec<(Mac, Seconds)> {
        let last = |(mac, line): (&Mac, &VecDeque<Kept>)| Some((*mac, line.back()?.entry.at));
        self.of.iter().filter_map(last).collect()
    }

    /// The same as before, lately: it is taken out, to be put in again behind the others.
    fn takes_same(&mut self, mac: Mac, note: &Note) -> Option<Kept> {
        let line = self.of.get_mut(&mac)?;
        let kind = shown(note.kind);
        let same = |entry: &Entry| {
            let words = if note.detail.is_empty() {
                entry.words == kind
            } else {
                entry.words.starts_with(&kind)
            };
            words && entry.source == note.source && entry.weight == note.weight
        };
        let lately = line.iter().enumerate().rev().take(TURNS);
        let at = lately.into_iter().find(|(_, kept)| same(&kept.entry)).map(|(at, _)| at)?;
        line.remove(at)
    }

    fn add(&mut self, mac: Mac, entry: Entry) -> Row {
        self.make_room(mac, entry.source);
        let slot = self.slots.take();
        self.put(mac, entry, slot)
    }

    fn put(&mut self, mac: Mac, entry: Entry, slot: Slot) -> Row {
        self.last += 1;
        let kept = Kept { entry: entry.clone(), number: self.last, slot };
        self.of.entry(mac).or_default().push_back(kept);
        Row { slot, number: self.last, mac, entry }
    }

    fn make_room(&mut self, mac: Mac, source: Source) {
        self.make_room_for(mac, |_| false);
        let line = self.of.entry(mac).or_default();
        let syslog = line.iter().filter(|kept| kept.entry.source == Source::Syslog).count();
        if source == Source::Syslog && syslog >= MOST_SYSLOG {
            drop_one(line, Source::Syslog, &mut self.slots);
        }
        if line.len() >= MOST_ENTRIES
            && let Some(oldest) = line.pop_front()
        {
            self.slots.give(oldest.slot);
        }
        if self.slots.used() >= MOST_IN_ALL
            && let Some(longest) = self.of.values_mut().max_by_key(|line| line.len())
            && let Some(oldest) = longest.pop_front()
        {
            self.slots.give(oldest.slot);
        }
    }
}

/// The oldest entry of a source: of those that matter least, if there are such.
fn drop_one(line: &mut VecDeque<Kept>, source: Source, slots: &mut Slots) {
    let of_source = line.iter().enumerate().filter(|(_, kept)| kept.entry.source == source);
    let least = of_source.min_by_key(|(at, kept)| (kept.entry.weight, *at)).map(|(at, _)| at);
    if let Some(gone) = least.and_then(|at| line.remove(at)) {
        slots.give(gone.slot);
    }
}

/// Peers choose parts of the words: no line breaks, no control characters, nothing that turns
/// the direction of writing, not too long.
pub fn shown(words: &str) -> String {
    let turns = |letter| matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let unfit = |letter: char| letter.is_control() || turns(letter);
    let clean = words.chars().map(|letter| if unfit(letter) { ' ' } else { letter });
    let mut out = String::with_capacity(words.len().min(LONGEST_WORDS + '…'.len_utf8()));
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
mod tests;
