//! Ethernet hardware addresses, in every spelling that people use on a stick.

use std::fmt;
use std::str::FromStr;

/// A unicast Ethernet address. The key of everything: leases, machines, configs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Refuses multicast, broadcast and all-zero addresses: no machine has one.
    pub fn new(octets: [u8; 6]) -> Option<Mac> {
        let multicast = octets[0] & 1 == 1;
        let zero = octets == [0; 6];
        (!multicast && !zero).then_some(Mac(octets))
    }

    /// A name for what no card stands for any more. Like a group's address, which no packet
    /// comes from and nobody can write: a stranger cannot claim it.
    pub fn key([first, rest @ ..]: [u8; 6]) -> Mac {
        let [b, c, d, e, f] = rest;
        Mac([first | 3, b, c, d, e, f])
    }

    /// What was written down by [`Mac::octets`], keys among them.
    pub fn stored(octets: [u8; 6]) -> Option<Mac> {
        (octets != [0; 6]).then_some(Mac(octets))
    }

    /// The six octets in wire order.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// `00-25-90-c0-f7-86`: pxelinux's spelling, and what FAT and NTFS can hold.
    pub fn dashed(self) -> String {
        self.joined("-")
    }

    fn joined(self, separator: &str) -> String {
        self.0.map(|octet| format!("{octet:02x}")).join(separator)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(":"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an Ethernet address of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseMacError;

impl fmt::Display for ParseMacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address of one machine; write it like 00:25:90:c0:f7:86")
    }
}

impl std::error::Error for ParseMacError {}

impl FromStr for Mac {
    type Err = ParseMacError;

    /// Accepts colons, dashes or nothing between the octets, in either case.
    fn from_str(text: &str) -> Result<Mac, ParseMacError> {
        let digits = match text.len() {
            17 => without_separators(text).ok_or(ParseMacError)?,
            12 => text.to_owned(),
            _ => return Err(ParseMacError),
        };
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseMacError);
        }
        let value = u64::from_str_radix(&digits, 16).map_err(|_| ParseMacError)?;
        let [_, _, octets @ ..] = value.to_be_bytes();
        Mac::new(octets).ok_or(ParseMacError)
    }
}

impl serde::Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?} is {error}")))
    }
}

/// Two digits, then the same separator five times between two digits.
fn without_separators(text: &str) -> Option<String> {
    let separator = text.chars().nth(2).filter(|c| matches!(c, ':' | '-'))?;
    let octets: Vec<&str> = text.split(separator).collect();
    let right_shape = octets.len() == 6 && octets.iter().all(|octet| octet.len() == 2);
    right_shape.then(|| octets.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_machine() {
        let mac: Mac = "00:25:90:c0:f7:86".parse().unwrap();
        for spelling in ["00-25-90-C0-F7-86", "002590c0f786", "00:25:90:C0:f7:86"] {
            assert_eq!(spelling.parse(), Ok(mac), "{spelling}");
        }
        assert_eq!(mac.to_string(), "00:25:90:c0:f7:86");
        assert_eq!(mac.dashed(), "00-25-90-c0-f7-86");
    }

    #[test]
    fn nobody_can_claim_a_key() {
        let key = Mac::key([0x50, 1, 2, 3, 4, 5]);
        assert_eq!(Mac::new(key.octets()), None);
        assert_eq!(key.to_string().parse::<Mac>(), Err(ParseMacError));
        assert_eq!(Mac::stored(key.octets()), Some(key));
        assert_eq!(Mac::stored([0; 6]), None);
    }

    #[test]
    fn what_no_machine_can_have_is_refused() {
        for text in [
            "",
            "default",
            "00:25:90:c0:f7",
            "00:25-90:c0:f7:86",
            "0025:90c0:f7:86:0",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "+0:25:90:c0:f7:86",
            "00:25:90:c0:f7:8é",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(ParseMacError), "{text}");
        }
    }
}
