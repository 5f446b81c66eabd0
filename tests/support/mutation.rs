//! Packets that are nearly right: real ones with a few seeded mistakes.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use super::chance::Random;

/// Mutated packets get no longer: past it the gate looks at the length only.
const LONGEST: usize = 1700;

/// Where options begin.
const OPTIONS: usize = 240;

/// Values at which parsers break.
const BYTES: [u8; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 127, 128, 254, 255];

/// Addresses that mean something on the server's network, and some that mean nothing there.
const ADDRESSES: [[u8; 4]; 14] = [
    [10, 10, 10, 1],
    [10, 10, 10, 99],
    [10, 10, 10, 100],
    [10, 10, 10, 120],
    [10, 10, 10, 121],
    [10, 10, 10, 250],
    [10, 10, 10, 255],
    [10, 10, 10, 0],
    [192, 168, 1, 1],
    [8, 8, 8, 8],
    [127, 0, 0, 1],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
    [0, 0, 0, 0],
];

/// Begin and end of each header field.
const FIELDS: [(usize, usize); 15] = [
    (0, 1),     // op
    (1, 2),     // htype
    (2, 3),     // hlen
    (3, 4),     // hops
    (4, 8),     // xid
    (8, 10),    // secs
    (10, 12),   // flags
    (12, 16),   // ciaddr
    (16, 20),   // yiaddr
    (20, 24),   // siaddr
    (24, 28),   // giaddr
    (28, 34),   // chaddr
    (34, 108),  // rest of chaddr, sname
    (108, 236), // file
    (236, 240), // magic cookie
];

/// Options that the server or the client side reads, and a few that it must not mind.
const CODES: [u8; 22] =
    [0, 1, 3, 6, 12, 43, 50, 51, 52, 53, 54, 55, 57, 60, 61, 77, 82, 93, 97, 118, 175, 255];

const CLASSES: [&[u8]; 12] = [
    b"PXEClient",
    b"PXEClient:Arch:00007:UNDI:003016",
    b"PXEClient:Arch:00000",
    b"PXEClient:Arch:",
    b"PXEClient:Arch:99999999999999999999:UNDI",
    b"PXEClient:Arch:00011:UNDI:003000\0",
    b"HTTPClient:Arch:00016:UNDI:003000",
    b"HTTPClient",
    b"PXEClien",
    b"pxeclient",
    b"MSFT 5.0",
    b"iPXE",
];

/// Makes mistakes in packets of a corpus.
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// Over these right packets.
    pub fn new(corpus: Vec<Vec<u8>>) -> Mutator {
        Mutator { corpus }
    }

    /// One of them with one to five mistakes.
    pub fn packet(&self, random: &mut Random) -> Vec<u8> {
        let mut packet = random.one_of(&self.corpus).clone();
        for _ in 0..=random.below(5) {
            match random.below(10) {
                0..=2 => spoil(&mut packet, random),
                3..=5 => change_field(&mut packet, random),
                _ => self.change_options(&mut packet, random),
            }
        }
        packet.truncate(LONGEST);
        packet
    }

    fn change_options(&self, packet: &mut Vec<u8>, random: &mut Random) {
        let places = options(packet);
        if places.is_empty() {
            return extend(packet, random);
        }
        let (start, end) = *random.one_of(&places);
        let target = random.one_of(&places).0;
        match random.below(7) {
            // Twice, beside itself or elsewhere.
            0 => {
                let twin = packet[start..end].to_vec();
                insert(packet, target, &twin);
            }
            // From another client.
            1 => {
                let other = random.one_of(&self.corpus);
                if let Some((start, end)) = pick(&options(other), random) {
                    insert(packet, target, &other[start..end]);
                }
            }
            // A lie about its length.
            2 => packet[start + 1] = *random.one_of(&BYTES),
            3 => drop(packet.drain(start..end)),
            // Other data of another length.
            4 => {
                let code = packet[start];
                packet.splice(start..end, option(code, random));
            }
            5 => insert(packet, target, &any_option(random)),
            // No end.
            _ => packet.truncate(places.last().map_or(OPTIONS, |(_, end)| *end)),
        }
    }
}

/// A mistake that knows nothing of DHCP: a bit, a byte, the length.
pub fn spoil(packet: &mut Vec<u8>, random: &mut Random) {
    if packet.is_empty() {
        return extend(packet, random);
    }
    let at = random.below(packet.len());
    match random.below(4) {
        0 => packet[at] ^= 1 << random.below(8),
        1 => packet[at] = *random.one_of(&BYTES),
        2 => packet.truncate(at),
        _ => extend(packet, random),
    }
}

/// An option that one side or the other reads, or must not mind.
pub fn any_option(random: &mut Random) -> Vec<u8> {
    let code = *random.one_of(&CODES);
    option(code, random)
}

fn extend(packet: &mut Vec<u8>, random: &mut Random) {
    let length = random.below(400);
    let more = if random.below(2) == 0 { vec![0; length] } else { random.bytes(length) };
    packet.extend(more);
}

fn change_field(packet: &mut [u8], random: &mut Random) {
    let (start, end) = *random.one_of(&FIELDS);
    let Some(field) = packet.get_mut(start..end) else {
        return;
    };
    match (field.len(), random.below(4)) {
        (4, 0 | 1) => field.copy_from_slice(random.one_of(&ADDRESSES).as_slice()),
        // One more client of the same make.
        (6, 0 | 1) => field[5] = random.byte(),
        (_, 2) => field.fill(*random.one_of(&BYTES)),
        (length, _) => field.copy_from_slice(&random.bytes(length)),
    }
}

/// Begin and end of every option that lies whole in the packet.
fn options(packet: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = OPTIONS;
    while let [code, length, ..] = packet.get(at..).unwrap_or_default() {
        let end = if *code == 0 { at + 1 } else { at + 2 + usize::from(*length) };
        if *code == 255 || end > packet.len() {
            break;
        }
        if *code != 0 {
            found.push((at, end));
        }
        at = end;
    }
    found
}

fn pick(places: &[(usize, usize)], random: &mut Random) -> Option<(usize, usize)> {
    (!places.is_empty()).then(|| *random.one_of(places))
}

fn insert(packet: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    packet.splice(at..at, bytes.iter().copied());
}

/// An option whose length is true, and whose data may make sense.
fn option(code: u8, random: &mut Random) -> Vec<u8> {
    let length = *random.one_of(&[0, 1, 2, 3, 4, 7, 16, 17, 64, 254, 255]);
    let nonsense = random.below(3) == 0;
    let data = match code {
        _ if nonsense => random.bytes(length),
        50 | 54 | 118 => random.one_of(&ADDRESSES).to_vec(),
        53 => vec![*random.one_of(&BYTES)],
        57 => random.one_of(&[[0, 0], [2, 64], [5, 192], [5, 220], [255, 255]]).to_vec(),
        60 => random.one_of(&CLASSES).to_vec(),
        77 => random.one_of(&[&b"iPXE"[..], b"\x04iPXE", b"iPXEE", b"gPXE"]).to_vec(),
        93 => vec![0, *random.one_of(&[0, 6, 7, 9, 11, 15, 16, 17, 19, 22, 41])],
        175 => vec![0x13, 1, 1, 0x18, 1, 1, 0x27, *random.one_of(&BYTES), 1],
        _ => random.bytes(length),
    };
    let length = u8::try_from(data.len()).unwrap();
    [&[code, length], data.as_slice()].concat()
}
