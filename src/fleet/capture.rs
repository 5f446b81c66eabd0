//! The last packets of each machine, and how a person's tools read them. Pure.
//!
//! Kept are DHCP, proxyDHCP and requests by TFTP, both ways as far as we answer them
//! ourselves: who asked for what and what we said. Nothing of HTTP: its addresses hold
//! tokens and its answers passwords, and the timeline has each request.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;

use super::slots::{Slot, Slots};
use super::timeline::MOST_MACHINES;
use crate::net::Mac;
use crate::net::packet::Datagram;

/// Packets of one machine in each of its two rings: a boot is about twenty (firmware, iPXE
/// and installer ask for an address, PXELINUX for nine files).
const MOST_PACKETS: usize = 32;

/// Of all machines together, which with 728 bytes each is less than 1 MiB: those of thirty
/// machines that boot, and failed before.
pub const MOST_IN_ALL: usize = 1_024;

/// So much of a packet is kept; DHCP's are shorter (576 bytes, RFC 2131 §2).
const LONGEST: usize = 728;

/// One UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it came or went, in microseconds since 1970 by the appliance's own clock.
    pub micros: u64,
    /// Sender.
    pub from: (Ipv4Addr, u16),
    /// Receiver.
    pub to: (Ipv4Addr, u16),
    /// Bytes that it carried.
    pub length: u16,
    /// The first of them.
    pub payload: Box<[u8]>,
}

/// A packet with its place in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The place.
    pub slot: Slot,
    /// Whose it is.
    pub mac: Mac,
    /// It is of an attempt that failed.
    pub kept: bool,
    /// What was seen.
    pub packet: Packet,
}

impl Packet {
    /// A datagram that was seen.
    pub fn new(micros: u64, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Packet {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let payload = payload.get(..LONGEST).unwrap_or(payload).into();
        Packet { micros, from, to, length, payload }
    }

    /// The same, if it can have been one.
    pub(super) fn bounded(self) -> Option<Packet> {
        let held = self.payload.len();
        let fits = held <= LONGEST && held <= usize::from(self.length) && self.length <= 1472;
        fits.then_some(self)
    }

    #[cfg(test)]
    pub(super) fn longest() -> Packet {
        let end = (Ipv4Addr::new(10, 10, 10, 1), 67);
        Packet::new(1 << 50, end, end, &[7; 1472])
    }
}

#[derive(Debug, Default)]
struct Rings {
    /// Since the last failure.
    live: VecDeque<(Slot, Packet)>,
    /// Until then.
    kept: VecDeque<(Slot, Packet)>,
}

impl Rings {
    fn len(&self) -> usize {
        self.live.len() + self.kept.len()
    }

    /// Gives up its oldest packet: of what goes on, if there is such.
    fn drop_one(&mut self) -> Option<Slot> {
        self.live.pop_front().or_else(|| self.kept.pop_front()).map(|(slot, _)| slot)
    }
}

/// The last packets of all machines.
#[derive(Debug, Default)]
pub struct Captures {
    of: HashMap<Mac, Rings>,
    slots: Slots,
}

impl Captures {
    /// A packet to or from a machine.
    pub fn take(&mut self, mac: Mac, kept: bool, packet: Packet) -> Taken {
        self.make_room(mac);
        let slot = self.slots.take();
        let rings = self.of.entry(mac).or_default();
        let ring = if kept { &mut rings.kept } else { &mut rings.live };
        ring.push_back((slot, packet.clone()));
        if ring.len() > MOST_PACKETS
            && let Some((slot, _)) = ring.pop_front()
        {
            self.slots.give(slot);
        }
        Taken { slot, mac, kept, packet }
    }

    /// The machine's attempt failed: its packets are kept until the next one that fails.
    /// Their rows in the record.
    pub fn fails(&mut self, mac: Mac) -> Vec<Taken> {
        let Some(rings) = self.of.get_mut(&mac).filter(|rings| !rings.live.is_empty()) else {
            return Vec::new();
        };
        let before = std::mem::replace(&mut rings.kept, std::mem::take(&mut rings.live));
        before.iter().for_each(|(slot, _)| self.slots.give(*slot));
        let taken = |(slot, packet): &(Slot, Packet)| Taken {
            slot: *slot,
            mac,
            kept: true,
            packet: packet.clone(),
        };
        rings.kept.iter().map(taken).collect()
    }

    /// The packets of the last attempt that failed, else the last ones, of a machine with
    /// these cards, as a file of pcap. None: there are none.
    pub fn pcap(&self, cards: &[Mac]) -> Option<Vec<u8>> {
        let rings = || cards.iter().filter_map(|mac| self.of.get(mac));
        let kept: Vec<&Packet> = rings().flat_map(|rings| &rings.kept).map(|(_, p)| p).collect();
        let mut packets = match kept.is_empty() {
            false => kept,
            true => rings().flat_map(|rings| &rings.live).map(|(_, packet)| packet).collect(),
        };
        packets.sort_by_key(|packet| packet.micros);
        (!packets.is_empty()).then(|| pcap(&packets))
    }

    /// Who was quiet longest gives all for a new machine; who has most, one for a new packet.
    fn make_room(&mut self, mac: Mac) {
        if self.of.len() >= MOST_MACHINES && !self.of.contains_key(&mac) {
            let last = |rings: &Rings| {
                let newest = rings.live.back().or_else(|| rings.kept.back());
                newest.map(|(_, packet)| packet.micros)
            };
            let quiet = self.of.iter().min_by_key(|(_, rings)| last(rings)).map(|(mac, _)| *mac);
            let mut gone = quiet.and_then(|quiet| self.of.remove(&quiet)).unwrap_or_default();
            while let Some(slot) = gone.drop_one() {
                self.slots.give(slot);
            }
        }
        // One more is taken before a full ring gives its oldest back.
        if self.slots.used() + 1 >= MOST_IN_ALL
            && let Some(most) = self.of.values_mut().max_by_key(|rings| rings.len())
            && let Some(slot) = most.drop_one()
        {
            self.slots.give(slot);
        }
    }
}

/// The format of libpcap (version 2.4) with whole IPv4 packets: what is below was never seen.
fn pcap(packets: &[&Packet]) -> Vec<u8> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const VERSION: [u16; 2] = [2, 4];
    const LINKTYPE_RAW: u32 = 101;
    const HEADERS: usize = 28;
    let mut file = MAGIC.to_le_bytes().to_vec();
    file.extend(VERSION.iter().flat_map(|part| part.to_le_bytes()));
    for word in [0, 0, u32::from(u16::MAX), LINKTYPE_RAW] {
        file.extend(word.to_le_bytes());
    }
    for packet in packets {
        let Packet { micros, from, to, length, payload } = packet;
        let mut whole = payload.to_vec();
        whole.resize(usize::from(*length), 0);
        let datagram = Datagram { from: *from, to: *to, payload: &whole };
        let Some(bytes) = datagram.encode() else { continue };
        let held = bytes.get(..HEADERS + payload.len()).unwrap_or_default();
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let words = [micros / 1_000_000, micros % 1_000_000, held.len() as u64, bytes.len() as u64];
        words.iter().for_each(|value| file.extend(word(*value)));
        file.extend(held);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: usize) -> Mac {
        let [.., high, low] = number.to_be_bytes();
        Mac::new([2, 0, 0, 1, high, low]).unwrap()
    }

    fn packet(micros: u64, payload: &[u8]) -> Packet {
        let (client, server) = (Ipv4Addr::new(10, 10, 10, 100), Ipv4Addr::new(10, 10, 10, 1));
        Packet::new(micros, (client, 68), (server, 67), payload)
    }

    /// The payloads in a file, read as its format says.
    fn payloads(file: &[u8]) -> Vec<Vec<u8>> {
        let word = |at: usize| u32::from_le_bytes(*file[at..].first_chunk().unwrap()) as usize;
        let mut at = 24;
        let mut found = Vec::new();
        while at < file.len() {
            let (held, whole) = (word(at + 8), word(at + 12));
            let bytes = &file[at + 16..at + 16 + held];
            assert!(held == whole && Datagram::parse(bytes).is_some() || held == 28 + LONGEST);
            found.push(bytes[28..].to_vec());
            at += 16 + held;
        }
        found
    }

    #[test]
    fn the_packets_of_a_failed_attempt_are_kept_while_the_next_one_runs() {
        let mut captures = Captures::default();
        assert_eq!(captures.pcap(&[mac(1)]), None);
        captures.take(mac(1), false, packet(1, b"first"));
        assert_eq!(payloads(&captures.pcap(&[mac(1)]).unwrap()), [b"first"]);
        assert_eq!(captures.fails(mac(1)).len(), 1);
        captures.take(mac(1), false, packet(2, b"again"));
        assert_eq!(payloads(&captures.pcap(&[mac(1)]).unwrap()), [b"first"]);
        captures.fails(mac(1));
        assert_eq!(payloads(&captures.pcap(&[mac(0), mac(1)]).unwrap()), [b"again"]);
        assert!(captures.fails(mac(1)).is_empty(), "nothing came since");
        assert_eq!(payloads(&captures.pcap(&[mac(1)]).unwrap()), [b"again"]);
    }

    #[test]
    fn a_long_packet_is_cut_and_its_length_told() {
        let mut captures = Captures::default();
        captures.take(mac(1), false, packet(1, &[9; 1400]));
        let file = captures.pcap(&[mac(1)]).unwrap();
        assert_eq!(payloads(&file)[0].len(), LONGEST);
        assert_eq!(u32::from_le_bytes(*file[36..].first_chunk().unwrap()), 1428);
    }

    #[test]
    fn no_flood_grows_it_or_pushes_out_who_says_little() {
        let mut captures = Captures::default();
        captures.take(mac(9_999), true, packet(1, b"quiet"));
        let mut rows = HashMap::new();
        for step in 0..20_000_u64 {
            let who = mac(usize::try_from(step % 200).unwrap());
            let taken = captures.take(who, false, packet(step, b"flood"));
            assert!((taken.slot as usize) < MOST_IN_ALL);
            rows.insert(taken.slot, taken);
            if step % 1_000 == 999 {
                captures.fails(who);
            }
        }
        let held: usize = captures.of.values().map(Rings::len).sum();
        assert!(held <= MOST_IN_ALL && held == captures.slots.used());
        assert_eq!(payloads(&captures.pcap(&[mac(9_999)]).unwrap()), [b"quiet"]);
        for number in 0..5_000 {
            captures.take(mac(number), false, packet(30_000, b"new"));
        }
        assert!(captures.of.len() <= MOST_MACHINES);
        let held: usize = captures.of.values().map(Rings::len).sum();
        assert_eq!(held, captures.slots.used());
    }
}
