//! DHCP options: their codes (IANA "BOOTP Vendor Extensions"), and reading them behind a
//! strict gate. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Every option of a message by its code; parts of one code are joined in their order
/// (RFC 3396 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(BTreeMap<u8, Vec<u8>>);

/// An option reaches past the end of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrun;

impl Options {
    /// Adds the options of one field, up to its end mark. What is checked here is what is
    /// read: there is no second walk that could see another option.
    pub fn add(&mut self, field: &[u8]) -> Result<(), Overrun> {
        let mut rest = field;
        loop {
            rest = match rest {
                [] | [END, ..] => return Ok(()),
                [PAD, after @ ..] => after,
                [code, length, after @ ..] => {
                    let (data, after) =
                        after.split_at_checked(usize::from(*length)).ok_or(Overrun)?;
                    self.0.entry(*code).or_default().extend_from_slice(data);
                    after
                }
                [_] => return Err(Overrun),
            };
        }
    }

    /// The data of an option that was sent, which may be empty.
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    /// The data of an option, owned; none if it was not sent or says nothing.
    pub fn owned(&self, code: u8) -> Option<Vec<u8>> {
        self.0.get(&code).filter(|data| !data.is_empty()).cloned()
    }

    /// An option that is one address; none if it is anything else.
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        address(self.get(code)?)
    }

    /// The first 16-bit value of an option.
    pub fn word(&self, code: u8) -> Option<u16> {
        self.get(code)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
    }
}

/// A sub-option of an encapsulated option (43, 82, 175), up to where it stops making sense.
pub fn suboption(mut data: &[u8], tag: u8) -> Option<&[u8]> {
    while let [found, length, rest @ ..] = data {
        if *found == END {
            return None;
        }
        let (value, after) = rest.split_at_checked(usize::from(*length))?;
        if *found == tag {
            return Some(value);
        }
        data = after;
    }
    None
}

/// Four bytes as an address.
pub fn address(data: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from)
}

/// RFC 2132 §3.1: fills up, has no length.
pub const PAD: u8 = 0;
/// RFC 2132 §3.2: nothing behind it is an option.
pub const END: u8 = 255;

/// RFC 2132 §3.3
pub const SUBNET_MASK: u8 = 1;
/// RFC 2132 §3.5
pub const ROUTER: u8 = 3;
/// RFC 2132 §3.8
pub const DNS: u8 = 6;
/// RFC 2132 §5.3
pub const BROADCAST: u8 = 28;
/// RFC 2132 §8.4, with PXE's sub-options
pub const VENDOR: u8 = 43;
/// RFC 2132 §9.1
pub const REQUESTED: u8 = 50;
/// RFC 2132 §9.3: options stand in `file` (1), `sname` (2) or both (3) as well
pub const OVERLOAD: u8 = 52;
/// RFC 2132 §9.2
pub const LEASE: u8 = 51;
/// RFC 2132 §9.6
pub const MESSAGE_TYPE: u8 = 53;
/// RFC 2132 §9.7
pub const SERVER_ID: u8 = 54;
/// RFC 2132 §9.9
pub const MESSAGE: u8 = 56;
/// RFC 2132 §9.10
pub const MAX_SIZE: u8 = 57;
/// RFC 2132 §9.11: T1
pub const RENEW: u8 = 58;
/// RFC 2132 §9.12: T2
pub const REBIND: u8 = 59;
/// RFC 2132 §9.13
pub const VENDOR_CLASS: u8 = 60;
/// RFC 2132 §9.14
pub const CLIENT_ID: u8 = 61;
/// RFC 3004
pub const USER_CLASS: u8 = 77;
/// RFC 3046
pub const RELAY_INFO: u8 = 82;
/// RFC 4578 §2.1
pub const ARCH: u8 = 93;
/// RFC 4578 §2.3
pub const UUID: u8 = 97;
/// RFC 3011: the network that the client wants to be in
pub const SUBNET_SELECTION: u8 = 118;
/// iPXE's own
pub const IPXE: u8 = 175;

/// Sub-option of 43: the boot server's item that a client has chosen (PXE 2.1 table 2-1).
pub const VENDOR_BOOT_ITEM: u8 = 71;
/// Sub-option of 82 (RFC 3527): the network that the relay means, if not that of giaddr.
pub const RELAY_LINK: u8 = 5;
/// Sub-option of 82 (RFC 5107): the address that clients shall take for their server's.
pub const RELAY_SERVER_ID: u8 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &[u8]) -> Result<Options, Overrun> {
        let mut options = Options::default();
        options.add(field).map(|()| options)
    }

    #[test]
    fn a_long_option_comes_in_parts_that_are_joined() {
        let options = read(&[60, 2, b'P', b'X', 0, 0, 93, 2, 0, 7, 60, 1, b'E', 255, 9]).unwrap();
        assert_eq!(options.get(60), Some(&b"PXE"[..]));
        assert_eq!(options.word(93), Some(7));
        assert_eq!(options.get(9), None, "behind the end mark");
    }

    #[test]
    fn an_option_never_reaches_past_its_field() {
        for field in [&[60, 3, 1, 2][..], &[60], &[0, 0, 60]] {
            assert_eq!(read(field), Err(Overrun), "{field:?}");
        }
        assert!(read(&[60, 0]).is_ok(), "no end mark");
    }

    #[test]
    fn a_sub_option_is_found_and_a_broken_one_is_none() {
        let data = [6, 1, 8, 71, 4, 0, 0, 0, 0, 255];
        assert_eq!(suboption(&data, 71), Some(&[0; 4][..]));
        assert_eq!(suboption(&data, 8), None);
        assert_eq!(suboption(&[255, 71, 1, 0], 71), None, "behind the end mark");
        assert_eq!(suboption(&[6, 9, 8], 6), None);
    }
}
