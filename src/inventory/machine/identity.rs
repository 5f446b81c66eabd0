//! What a machine's firmware says of itself: SMBIOS UUID and serial number, and rules on
//! them. Pure.
//!
//! Firmware that was never given a number tells one that thousands tell: none of those
//! names a machine ([`Uuid::fault`], [`serial_fault`]).

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::net::Mac;

/// A UUID as firmware stores it: the first three fields little-endian (SMBIOS 2.6 §7.2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// From the bytes of DHCP option 97: a zero, then the UUID as firmware stores it.
    pub fn from_option(option: &[u8]) -> Option<Uuid> {
        match option {
            [0, uuid @ ..] => Some(Uuid(uuid.try_into().ok()?)),
            _ => None,
        }
    }

    /// Why no machine is known by it; none if one can be.
    pub fn fault(self) -> Option<&'static str> {
        let [first, rest @ ..] = &self.0;
        let swapped = Uuid(swap(self.0));
        match *first {
            _ if self.0.starts_with(b"RPi") => Some("is made from a Raspberry Pi's MAC address"),
            0 if rest.iter().all(|byte| byte == first) => Some("is empty (all zero)"),
            0xff if rest.iter().all(|byte| byte == first) => Some("is not set (all F)"),
            _ if rest.iter().all(|byte| byte == first) => {
                Some("is one byte repeated; every Raspberry Pi 3 has 44444444-…")
            }
            // ASRock: the MAC address, which is a machine's name already, and zeros.
            _ if self.0.iter().skip(6).all(|byte| *byte == 0) => Some("is zeros from byte 7 on"),
            _ => [self, swapped].into_iter().find_map(|uuid| {
                let text = uuid.to_string();
                junk().uuid.iter().any(|entry| entry.text == text).then_some(TEMPLATE)
            }),
        }
    }

    /// Firmware older than SMBIOS 2.6, and the screens of some newer, write all fields in
    /// the order of their bytes; a person copies what is on the screen.
    pub fn is(self, other: Uuid) -> bool {
        self == other || swap(self.0) == other.0
    }

    /// The same in whichever order its fields are written.
    pub fn in_one_order(self) -> Uuid {
        self.min(Uuid(swap(self.0)))
    }

    /// The UUID's bytes as firmware stores them.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// From such bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Uuid {
        Uuid(bytes)
    }
}

const TEMPLATE: &str = "is the firmware maker's template; many machines have it";

/// Why no machine is known by this serial number; none if one can be.
pub fn serial_fault(serial: &str) -> Option<&'static str> {
    let serial = serial.trim();
    let mut letters = serial.chars().filter(|letter| letter.is_alphanumeric());
    let first = letters.next();
    if first.is_none() {
        Some("is empty")
    } else if letters.all(|letter| Some(letter) == first) && serial.len() > 1 {
        Some("is one letter repeated")
    } else if junk().serial.iter().any(|entry| entry.text.eq_ignore_ascii_case(serial)) {
        Some(TEMPLATE)
    } else {
        None
    }
}

/// No firmware has longer ones; SMBIOS strings end at 64 in practice.
const LONGEST_SERIAL: usize = 128;

/// A serial number as a machine tells it, if a machine can be known by it.
pub fn told_serial(text: &str) -> Option<String> {
    let serial = text.trim();
    let printable = serial.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let good = printable && serial.len() <= LONGEST_SERIAL && serial_fault(serial).is_none();
    good.then(|| serial.to_owned())
}

fn swap(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let mut swapped = [0; 16];
    let (fields, tail) = swapped.split_at_mut(8);
    fields.copy_from_slice(&[d, c, b, a, f, e, h, g]);
    tail.copy_from_slice(&rest);
    swapped
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in swap(self.0).into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ();

    fn from_str(text: &str) -> Result<Uuid, ()> {
        let lengths = text.split('-').map(str::len);
        if !lengths.eq([8, 4, 4, 4, 12]) || !text.is_ascii() {
            return Err(());
        }
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let nibbles = pair.iter().map(|digit| char::from(*digit).to_digit(16));
            for nibble in nibbles {
                *byte = *byte << 4 | u8::try_from(nibble.ok_or(())?).map_err(|_| ())?;
            }
        }
        Ok(Uuid(swap(bytes)))
    }
}

impl serde::Serialize for Uuid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("not a UUID"))
    }
}

/// A text with `*` for any letters and `?` for one, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// As it is written, in lower case.
    pub fn new(text: &str) -> Glob {
        Glob(text.trim().to_ascii_lowercase())
    }

    /// Whether it can fit more than one text.
    pub fn is_pattern(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    /// The pattern, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` fits. Takes no more than the product of both lengths.
    pub fn fits(&self, text: &str) -> bool {
        let text = text.trim().to_ascii_lowercase();
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut from) = (0, 0);
        // Where the last star is, and up to where it has eaten.
        let mut star: Option<(usize, usize)> = None;
        while let Some(letter) = text.get(from) {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(wanted) if wanted == letter || *wanted == b'?' => {
                    at += 1;
                    from += 1;
                }
                _ => match star {
                    Some((place, eaten)) => {
                        star = Some((place, eaten + 1));
                        at = place + 1;
                        from = eaten + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern.iter().skip(at).all(|rest| *rest == b'*')
    }
}

/// What is known of a machine from what it told.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, Deserialize)]
pub struct Identity {
    /// From DHCP option 97, or its boot script; also one that no machine can be known by.
    pub uuid: Option<Uuid>,
    /// From its boot script. `Some(None)`: it was asked, and has none that is of use.
    pub serial: Option<Option<String>>,
}

impl Identity {
    /// Its firmware says this UUID. Whoever says another one than before is another machine
    /// with that card, and its serial number is not known.
    pub fn hear_uuid(&mut self, uuid: Uuid) {
        if !self.uuid.is_some_and(|known| known.is(uuid)) {
            self.serial = None;
        }
        self.uuid = Some(uuid);
    }

    /// Whether this cannot have been said by the machine that says `other`.
    pub fn contradicts(&self, other: &Identity) -> bool {
        let serial = |of: &Identity| of.serial.clone().flatten();
        self.uuid.zip(other.uuid).is_some_and(|(a, b)| !a.is(b))
            || serial(self).zip(serial(other)).is_some_and(|(a, b)| !a.eq_ignore_ascii_case(&b))
    }

    /// Under what a life is kept that no card stands for any more: like a MAC, made of what
    /// tells this machine from all others (FNV-1a).
    pub fn key(&self, with_serial: bool) -> Option<Mac> {
        let serial = self.serial.as_ref().and_then(Option::as_deref).filter(|_| with_serial);
        let uuid = self.uuid.filter(|uuid| uuid.fault().is_none());
        let uuid = uuid.map(|uuid| uuid.0.min(swap(uuid.0)));
        if uuid.is_none() && serial.is_none() {
            return None;
        }
        let mut told = uuid.unwrap_or_default().to_vec();
        told.extend(serial.unwrap_or_default().to_ascii_lowercase().bytes());
        let mixed = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let [a, b, c, d, e, f, ..] = told.iter().fold(0xcbf2_9ce4_8422_2325, mixed).to_be_bytes();
        Some(Mac::key([a, b, c, d, e, f]))
    }
}

/// `match = { serial = "…", uuid = "…" }`: all that stands there must fit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// On the serial number.
    pub serial: Option<Glob>,
    /// On the UUID: a whole one.
    pub uuid: Option<Uuid>,
    /// On the UUID: a pattern.
    pub uuids: Option<Glob>,
}

impl Rule {
    /// Reads what `machines.toml` says; the error is for people.
    pub fn parse(serial: Option<&str>, uuid: Option<&str>) -> Result<Rule, String> {
        if serial.is_none() && uuid.is_none() {
            return Err("match needs serial = \"…\" or uuid = \"…\"".to_owned());
        }
        let mut rule = Rule { serial: None, uuid: None, uuids: None };
        if let Some(text) = serial {
            let glob = Glob::new(text);
            let fault = match glob.as_str().trim_matches(['*', '?']) {
                // Each comparison may take the product of both lengths.
                _ if glob.as_str().len() > LONGEST_SERIAL => Some("is longer than any"),
                "" => Some("fits every machine"),
                _ if glob.is_pattern() => None,
                _ => serial_fault(text),
            };
            if let Some(fault) = fault {
                let shown: String = text.chars().take(LONGEST_SERIAL).collect();
                return Err(format!("match: serial {shown:?} {fault}"));
            }
            rule.serial = Some(glob);
        }
        if let Some(text) = uuid {
            rule.read_uuid(text)?;
        }
        Ok(rule)
    }

    fn read_uuid(&mut self, text: &str) -> Result<(), String> {
        let glob = Glob::new(text);
        if glob.is_pattern() {
            let known = glob.as_str().bytes().filter(u8::is_ascii_hexdigit).count();
            let plain = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'-' | b'*' | b'?');
            let is_short = glob.as_str().len() <= LONGEST_SERIAL;
            if known == 0 || !is_short || !glob.as_str().bytes().all(plain) {
                return Err(format!(
                    "match: uuid {text:?}: a pattern is hexadecimal digits, - and *"
                ));
            }
            self.uuids = Some(glob);
            return Ok(());
        }
        let Ok(uuid) = text.trim().parse::<Uuid>() else {
            return Err(format!(
                "match: uuid {text:?}: write it like \"4c4c4544-0051-3410-8051-b5c04f375931\""
            ));
        };
        if let Some(fault) = uuid.fault() {
            return Err(format!("match: uuid {text:?} {fault}"));
        }
        self.uuid = Some(uuid);
        Ok(())
    }

    /// Whether it can fit more than one machine.
    pub fn is_pattern(&self) -> bool {
        let exact = self.uuid.is_some() || self.serial.as_ref().is_some_and(|s| !s.is_pattern());
        !exact
    }

    /// Whether a pattern must be compared with what a machine says.
    pub fn holds_pattern(&self) -> bool {
        self.uuids.is_some() || self.serial.as_ref().is_some_and(Glob::is_pattern)
    }

    /// Whether a machine that says so of itself is meant. What it did not say does not fit.
    pub fn fits(&self, identity: &Identity) -> bool {
        let uuid = identity.uuid;
        let serial = identity.serial.as_ref().and_then(Option::as_deref);
        let is_told = |own: Uuid| uuid.is_some_and(|told| own.is(told));
        let glob_fits = |glob: &Glob| uuid.is_some_and(|told| glob.fits(&told.to_string()));
        self.serial.as_ref().is_none_or(|glob| serial.is_some_and(|told| glob.fits(told)))
            && self.uuid.is_none_or(is_told)
            && self.uuids.as_ref().is_none_or(glob_fits)
            // Last: it is the most work.
            && (self.serial_alone() || uuid.is_some_and(|uuid| uuid.fault().is_none()))
    }

    fn serial_alone(&self) -> bool {
        self.uuid.is_none() && self.uuids.is_none()
    }

    /// `serial 5q4q7y1`
    pub fn words(&self) -> String {
        let serial = self.serial.as_ref().map(|glob| format!("serial {}", glob.as_str()));
        let uuid = self.uuid.map(|uuid| format!("uuid {uuid}"));
        let uuids = self.uuids.as_ref().map(|glob| format!("uuid {}", glob.as_str()));
        [serial, uuid, uuids].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Rules that name one machine go before patterns, and a UUID before a serial number.
    pub fn rank(&self) -> u8 {
        match (self.uuid, self.is_pattern()) {
            (Some(_), _) => 0,
            (None, false) => 1,
            (None, true) => 2,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Junk {
    serial: Vec<JunkEntry>,
    uuid: Vec<JunkEntry>,
}

#[derive(Debug, Deserialize)]
struct JunkEntry {
    text: String,
    #[allow(dead_code, reason = "for whoever reads the list")]
    source: String,
}

/// The built-in list. A test holds that it parses.
fn junk() -> &'static Junk {
    static JUNK: OnceLock<Junk> = OnceLock::new();
    JUNK.get_or_init(|| {
        toml::from_str(include_str!("junk.toml"))
            .unwrap_or(Junk { serial: Vec::new(), uuid: Vec::new() })
    })
}

#[cfg(test)]
mod tests;
