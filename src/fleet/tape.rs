//! The flight recorder's record as bytes: rows of fixed sizes, each with a checksum. Pure.
//!
//! The record outlives the servers and nothing else. Whoever had them in his hand may have
//! written it: a row that is read is bounded and cleaned like any peer's words.

use super::capture::{Packet, Taken};
use super::facts::Facts;
use super::slots::Slot;
use super::timeline::{Entry, MOST_IN_ALL, MOST_MACHINES, Row, Source, Weight};
use super::{capture, timeline};
use crate::net::Mac;

/// A part of the record, with rows of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub at: u64,
    /// Bytes of a row.
    pub row: usize,
    /// How many rows it has.
    pub rows: usize,
}

/// Entries of timelines.
pub const ENTRIES: Part = Part { at: 0, row: 256, rows: MOST_IN_ALL };

/// What machines are.
pub const FACTS: Part = Part { at: ENTRIES.end(), row: 512, rows: MOST_MACHINES };

/// Packets.
pub const PACKETS: Part = Part { at: FACTS.end(), row: 768, rows: capture::MOST_IN_ALL };

impl Part {
    /// Where the next part begins.
    const fn end(self) -> u64 {
        self.at + (self.row * self.rows) as u64
    }

    /// Where a row begins; none if there is no such row.
    pub fn place(self, slot: Slot) -> Option<u64> {
        let slot = usize::try_from(slot).ok().filter(|slot| *slot < self.rows)?;
        Some(self.at + (slot * self.row) as u64)
    }

    /// A row with what it holds; none if that is too long.
    pub fn seal(self, slot: Slot, data: &[u8]) -> Option<Vec<u8>> {
        let length = u16::try_from(data.len()).ok()?;
        let mut row = Vec::with_capacity(HEAD + data.len());
        row.extend(length.to_le_bytes());
        row.extend(checksum(self.at, slot, data).to_le_bytes());
        row.extend(data);
        (row.len() <= self.row).then_some(row)
    }

    /// What a row holds, if it is whole and stands where it was written.
    pub fn open(self, slot: Slot, row: &[u8]) -> Option<&[u8]> {
        let (length, rest) = row.split_first_chunk::<2>()?;
        let (sum, rest) = rest.split_first_chunk::<8>()?;
        let data = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
        let whole = checksum(self.at, slot, data) == u64::from_le_bytes(*sum);
        (whole && !data.is_empty()).then_some(data)
    }
}

/// Length and checksum.
const HEAD: usize = 10;

/// FNV-1a, 64 bits: against rows of another version or place, and torn ones; not against a
/// person, who can write a right one as well.
fn checksum(part: u64, slot: Slot, data: &[u8]) -> u64 {
    const VERSION: u8 = 1;
    let start = [&[VERSION][..], &part.to_le_bytes(), &slot.to_le_bytes()].concat();
    start.iter().chain(data).fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// An entry of a timeline.
pub fn entry(row: &Row) -> Vec<u8> {
    let Row { number, mac, entry, .. } = row;
    let place = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX);
    let source = Source::ALL.iter().position(|source| *source == entry.source);
    let weight = Weight::ALL.iter().position(|weight| *weight == entry.weight);
    let mut data = Vec::with_capacity(ENTRIES.row);
    data.extend(number.to_le_bytes());
    data.extend(mac.octets());
    data.extend(entry.at.to_le_bytes());
    data.extend([place(source), place(weight)]);
    data.extend(entry.times.to_le_bytes());
    data.extend(entry.words.as_bytes());
    data
}

/// The same read back: its number, whose it is, and what happened.
pub fn read_entry(data: &[u8]) -> Option<(u64, Mac, Entry)> {
    let (number, data) = data.split_first_chunk::<8>()?;
    let (mac, data) = data.split_first_chunk::<6>()?;
    let (at, data) = data.split_first_chunk::<8>()?;
    let ([source, weight], data) = data.split_first_chunk::<2>()?;
    let (times, words) = data.split_first_chunk::<4>()?;
    let entry = Entry {
        at: u64::from_le_bytes(*at),
        source: *Source::ALL.get(usize::from(*source))?,
        weight: *Weight::ALL.get(usize::from(*weight))?,
        words: timeline::shown(std::str::from_utf8(words).ok()?),
        times: u32::from_le_bytes(*times).max(1),
    };
    Some((u64::from_le_bytes(*number), Mac::new(*mac)?, entry))
}

/// What a machine is.
pub fn facts(mac: Mac, facts: &Facts) -> Vec<u8> {
    // Our own type: it always is JSON.
    [&mac.octets()[..], &serde_json::to_vec(facts).unwrap_or_default()].concat()
}

/// The same read back.
pub fn read_facts(data: &[u8]) -> Option<(Mac, Facts)> {
    let (mac, json) = data.split_first_chunk::<6>()?;
    let facts: Facts = serde_json::from_slice(json).ok()?;
    Some((Mac::new(*mac)?, facts.bounded()))
}

/// A packet.
pub fn packet(taken: &Taken) -> Vec<u8> {
    let Taken { mac, kept, packet, .. } = taken;
    let mut data = Vec::with_capacity(PACKETS.row);
    data.extend(mac.octets());
    data.push(u8::from(*kept));
    data.extend(packet.micros.to_le_bytes());
    for (address, port) in [packet.from, packet.to] {
        data.extend(address.octets());
        data.extend(port.to_le_bytes());
    }
    data.extend(packet.length.to_le_bytes());
    data.extend(&packet.payload);
    data
}

/// The same read back: whose it is, and whether it is of a failed attempt.
pub fn read_packet(data: &[u8]) -> Option<(Mac, bool, Packet)> {
    fn end(data: &[u8]) -> Option<((std::net::Ipv4Addr, u16), &[u8])> {
        let (address, data) = data.split_first_chunk::<4>()?;
        let (port, data) = data.split_first_chunk::<2>()?;
        Some(((std::net::Ipv4Addr::from(*address), u16::from_le_bytes(*port)), data))
    }
    let (mac, data) = data.split_first_chunk::<6>()?;
    let ([kept], data) = data.split_first_chunk::<1>()?;
    let (micros, data) = data.split_first_chunk::<8>()?;
    let (from, data) = end(data)?;
    let (to, data) = end(data)?;
    let (length, payload) = data.split_first_chunk::<2>()?;
    let packet = Packet {
        micros: u64::from_le_bytes(*micros),
        from,
        to,
        length: u16::from_le_bytes(*length),
        payload: payload.into(),
    };
    Some((Mac::new(*mac)?, *kept == 1, packet.bounded()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let entry = Entry {
            at: 1_000_000,
            source: Source::Check,
            weight: Weight::Error,
            words: timeline::shown(&"wörter ".repeat(100)),
            times: 7,
        };
        Row { slot: 5, number: 77, mac: Mac::new([2, 0, 0, 0, 0, 9]).unwrap(), entry }
    }

    #[test]
    fn the_longest_of_each_kind_fits_its_row_and_is_read_back() {
        let Row { slot, number, mac, entry: written } = row();
        let sealed = ENTRIES.seal(slot, &entry(&row())).unwrap();
        let read = read_entry(ENTRIES.open(slot, &sealed).unwrap());
        assert_eq!(read, Some((number, mac, written)));
        let longest = Facts::longest();
        let sealed = FACTS.seal(0, &facts(mac, &longest)).unwrap();
        assert_eq!(read_facts(FACTS.open(0, &sealed).unwrap()), Some((mac, longest)));
        let taken = Taken { slot: 1, mac, kept: true, packet: Packet::longest() };
        let sealed = PACKETS.seal(1, &packet(&taken)).unwrap();
        let read = read_packet(PACKETS.open(1, &sealed).unwrap());
        assert_eq!(read, Some((mac, true, Packet::longest())));
    }

    #[test]
    fn a_row_that_is_torn_or_stands_elsewhere_is_none() {
        let sealed = ENTRIES.seal(5, &entry(&row())).unwrap();
        assert!(ENTRIES.open(6, &sealed).is_none() && FACTS.open(5, &sealed).is_none());
        for at in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[at] ^= 0x40;
            assert!(ENTRIES.open(5, &torn).is_none(), "byte {at}");
            assert!(ENTRIES.open(5, &sealed[..at]).is_none(), "cut at {at}");
        }
        assert!(ENTRIES.open(5, &[0; 256]).is_none(), "never written");
    }

    #[test]
    fn nonsense_with_a_right_checksum_is_harmless() {
        for length in 0..300 {
            for byte in [0, 1, 0x7f, 0xff, b'{'] {
                let data = vec![byte; length];
                let _ = (read_entry(&data), read_facts(&data), read_packet(&data));
            }
        }
        let huge = serde_json::json!({ "nic": "x".repeat(60_000), "loader": "\u{1b}[2J" });
        let data = [&[2, 0, 0, 0, 0, 1][..], huge.to_string().as_bytes()].concat();
        let (_, facts) = read_facts(&data).unwrap();
        assert!(facts.nic.unwrap().len() < 100);
        assert_eq!(facts.loader.as_deref(), Some(" [2J"));
    }

    #[test]
    fn the_parts_lie_one_behind_the_other_within_eight_mebibytes() {
        assert_eq!((ENTRIES.end(), FACTS.end()), (FACTS.at, PACKETS.at));
        assert!(PACKETS.end() <= 8 * 1024 * 1024);
        assert_eq!(ENTRIES.place(1), Some(256));
        assert_eq!(FACTS.place(2_048), None);
    }
}
