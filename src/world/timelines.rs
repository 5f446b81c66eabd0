//! The flight recorder: what happened to each machine, what it is, and its last packets; and
//! who waits for something to change.

use std::cmp::Reverse;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use tokio::sync::watch;

use super::recorder::Recorder;
use super::{World, locked};
use crate::fleet::capture::{Captures, Packet, Taken};
use crate::fleet::facts::{Facts, Known};
use crate::fleet::tape::{self, ENTRIES, FACTS, PACKETS};
use crate::fleet::timeline::{Entry, Note, Row, Source, Timelines, Weight};
use crate::net::Mac;

/// What the recorder holds of all machines; its lock is taken last, and for moments.
#[derive(Default)]
pub(super) struct Flight {
    timelines: Mutex<Timelines>,
    known: Mutex<Known>,
    captures: Mutex<Captures>,
    recorder: Recorder,
}

impl World {
    /// Goes on with a record that a former process left, and keeps it from now on.
    pub fn keep_record(&mut self, recorder: Recorder) {
        let now = self.now();
        let (mut rows, mut facts, mut packets) = (Vec::new(), Vec::new(), Vec::new());
        recorder.read(ENTRIES, |data| rows.extend(tape::read_entry(data)));
        recorder.read(FACTS, |data| facts.extend(tape::read_facts(data)));
        recorder.read(PACKETS, |data| packets.extend(tape::read_packet(data)));
        // Written anew: what was damaged is gone, and each thing has one row.
        recorder.clear();
        let flight = &mut self.flight;
        flight.recorder = recorder;
        rows.sort_by_key(|(number, ..)| *number);
        for (_, mac, entry) in rows {
            let entry = Entry { at: entry.at.min(now), ..entry };
            flight.keep(&locked(&flight.timelines).restore(mac, entry));
        }
        for (mac, facts) in facts {
            let news = locked(&flight.known).learn(mac, now, |known| *known = facts);
            flight.keep_facts(mac, news);
        }
        packets.sort_by_key(|(.., packet)| packet.micros);
        for (mac, kept, packet) in packets {
            flight.keep_packet(&locked(&flight.captures).take(mac, kept, packet));
        }
    }

    /// Writes into a machine's timeline. `words` is one sentence without its name.
    pub fn happened_to(&self, mac: Mac, source: Source, weight: Weight, words: &str) {
        self.noted(mac, &Note { source, weight, kind: words, detail: "" });
    }

    /// The same of a machine that may be a stranger: anybody can make up thousands, so they
    /// are noted when they have an address.
    pub fn happened_to_known(&self, mac: Mac, source: Source, weight: Weight, words: &str) {
        if self.knows(mac) {
            self.happened_to(mac, source, weight, words);
        }
    }

    /// Writes into a machine's timeline what is one entry with others of its kind.
    pub fn noted(&self, mac: Mac, note: &Note) {
        let now = self.now();
        {
            let inventory = self.shelf().inventory;
            let mut timelines = locked(&self.flight.timelines);
            timelines.make_room_for(mac, |mac| inventory.machine(mac).is_some());
            let row = timelines.note(mac, note, now);
            // Under the lock: rows of one slot are written in their order.
            self.flight.keep(&row);
        }
        self.changed();
    }

    /// What happened to the machine that has this card, oldest first.
    pub fn timeline(&self, mac: Mac) -> Vec<Entry> {
        locked(&self.flight.timelines).of(&self.all_cards(mac))
    }

    /// Machines of which something happened and that no stick names, latest first.
    pub fn strangers(&self, most: usize) -> Vec<Mac> {
        let mut seen = locked(&self.flight.timelines).last_of_each();
        let inventory = self.shelf().inventory;
        seen.retain(|(mac, _)| inventory.machine(*mac).is_none());
        seen.sort_by_key(|(mac, at)| (Reverse(*at), *mac));
        seen.into_iter().take(most).map(|(mac, _)| mac).collect()
    }

    /// What the machine with this card said of itself.
    pub fn facts(&self, mac: Mac) -> Facts {
        locked(&self.flight.known).of(&self.all_cards(mac))
    }

    /// Learns what a machine is.
    pub fn learn(&self, mac: Mac, learn: impl FnOnce(&mut Facts)) {
        let now = self.now();
        let inventory = self.shelf().inventory;
        let mut known = locked(&self.flight.known);
        known.make_room_for(mac, |mac| inventory.machine(mac).is_some());
        let news = known.learn(mac, now, learn);
        let is_news = news.is_some();
        self.flight.keep_facts(mac, news);
        drop(known);
        if is_news {
            self.changed();
        }
    }

    /// A datagram from or to a machine. Of strangers none is kept.
    pub fn packet(&self, mac: Mac, ends: [(Ipv4Addr, u16); 2], payload: &[u8]) {
        if !self.knows(mac) {
            return;
        }
        let since = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let micros = self.epoch.saturating_mul(1_000_000).saturating_add(since);
        let [from, to] = ends;
        let packet = Packet::new(micros, from, to, payload);
        let mut captures = locked(&self.flight.captures);
        self.flight.keep_packet(&captures.take(mac, false, packet));
    }

    /// The machine's attempt failed: its packets are kept until the next one that fails.
    pub fn attempt_failed(&self, mac: Mac) {
        let mut captures = locked(&self.flight.captures);
        captures.fails(mac).iter().for_each(|taken| self.flight.keep_packet(taken));
    }

    /// The packets of the last attempt that failed, else the last ones, as a file of pcap:
    /// DHCP, proxyDHCP and requests by TFTP. None: there are none.
    pub fn capture(&self, mac: Mac) -> Option<Vec<u8>> {
        locked(&self.flight.captures).pcap(&self.all_cards(mac))
    }

    /// Something that the page shows is another now.
    pub fn changed(&self) {
        self.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }

    /// The number of the newest change.
    pub fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// To wait for that; the number is another after each change.
    pub fn watch_changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn all_cards(&self, mac: Mac) -> Vec<Mac> {
        let named = self.shelf.borrow().inventory.roster.cards(mac);
        named.unwrap_or_else(|| vec![mac])
    }
}

impl Flight {
    fn keep(&self, row: &Row) {
        self.recorder.write(ENTRIES, row.slot, &tape::entry(row));
    }

    fn keep_facts(&self, mac: Mac, news: Option<(u32, Facts)>) {
        if let Some((slot, facts)) = news {
            self.recorder.write(FACTS, slot, &tape::facts(mac, &facts));
        }
    }

    fn keep_packet(&self, taken: &Taken) {
        self.recorder.write(PACKETS, taken.slot, &tape::packet(taken));
    }
}
