//! Requests as clients write them, and as the library reads them. Pure.
//!
//! ROMs leave bytes behind a name (Jetway, Lenovo T460), pad their packets with NULs or leave
//! out the last one; the library drops all of these without a word. And it grants options as
//! they come. So a request is read here, and written anew.

use std::fmt::Write as _;

/// Ethernet's MTU less IP, UDP and TFTP headers: larger blocks are fragmented, and lost.
const LARGEST_BLOCK: u64 = 1468;

/// RFC 2348: from 8 bytes.
const SMALLEST_BLOCK: u64 = 8;

/// EDK2 asks for 4; more than 16 overruns small switches' buffers.
pub const LARGEST_WINDOW: u64 = 16;

/// RFC 2347 limits a request to 512 bytes; padding may follow.
pub const LONGEST_PACKET: usize = 1024;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A file.
    Read(Request),
    /// To leave one here.
    Write,
}

/// A read request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// As it was asked for; what is no text in it is U+FFFD.
    pub name: String,
    /// `blksize`, as it is granted.
    block: Option<u64>,
    /// `windowsize`, as it is granted.
    window: Option<u64>,
    /// Whether the size is asked for.
    size: bool,
}

/// Reads a packet; none if it is no request.
pub fn parse(packet: &[u8]) -> Option<Asked> {
    let (code, rest) = packet.split_first_chunk::<2>()?;
    if packet.len() > LONGEST_PACKET {
        return None;
    }
    let mut words = rest.split(|byte| *byte == 0);
    let name = String::from_utf8_lossy(words.next()?).into_owned();
    let mode = words.next()?;
    let octet = mode.eq_ignore_ascii_case(b"octet");
    // Whoever asks for text gets the file as it is: here are no lines to be changed.
    if !octet && !mode.eq_ignore_ascii_case(b"netascii") {
        return None;
    }
    match code {
        [0, 1] => {}
        [0, 2] => return Some(Asked::Write),
        _ => return None,
    }
    let mut request = Request { name, block: None, window: None, size: false };
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        // The padding.
        if name.is_empty() {
            break;
        }
        request.read_option(name, value, octet);
    }
    Some(Asked::Read(request))
}

impl Request {
    /// For the library, with a window of at most `window` blocks. `timeout` is left out (RFC
    /// 2347: what is not granted is not mentioned): it would say how soon a lost packet is
    /// sent again, and clients ask for seconds.
    pub fn encode(&self, window: u64) -> Vec<u8> {
        let mut text = format!("\0\u{1}{}\0octet\0", self.name);
        // Writing into a String cannot fail.
        if let Some(block) = self.block {
            let _ = write!(text, "blksize\0{block}\0");
        }
        if self.size {
            text.push_str("tsize\x000\0");
        }
        if let Some(asked) = self.window {
            let _ = write!(text, "windowsize\0{}\0", asked.min(window));
        }
        text.into_bytes()
    }

    /// Whether its client takes one block after the other.
    pub fn is_one_by_one(&self) -> bool {
        self.window.is_none_or(|window| window == 1)
    }

    /// The first of several counts; what makes no sense is not granted.
    fn read_option(&mut self, name: &[u8], value: &[u8], octet: bool) {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let Ok(number) = text.parse::<u64>() else {
            return;
        };
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"blksize") && self.block.is_none() && number >= SMALLEST_BLOCK {
            self.block = Some(number.min(LARGEST_BLOCK));
        } else if is(b"windowsize") && self.window.is_none() && number >= 1 {
            self.window = Some(number.min(LARGEST_WINDOW));
        } else if is(b"tsize") && octet && number == 0 {
            self.size = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_window_or_with_one_of_one_blocks_go_out_one_by_one() {
        for (options, expected) in
            [("", true), ("windowsize\x001\0", true), ("windowsize\x004\0", false)]
        {
            let packet = format!("\0\x01a\0octet\0{options}");
            let Some(Asked::Read(request)) = parse(packet.as_bytes()) else { unreachable!() };
            assert_eq!(request.is_one_by_one(), expected, "{options:?}");
        }
    }

    fn read(packet: &[u8]) -> Request {
        match parse(packet) {
            Some(Asked::Read(request)) => request,
            other => panic!("{packet:?}: {other:?}"),
        }
    }

    fn anew(packet: &[u8]) -> String {
        String::from_utf8(read(packet).encode(LARGEST_WINDOW)).unwrap()
    }

    #[test]
    fn options_are_granted_within_limits_and_never_raised() {
        for (options, granted) in [
            ("tsize\x000\0blksize\x001468\0windowsize\x004\0", None),
            (
                "blksize\x0065464\0windowsize\x0065535\0timeout\x00255\0",
                Some("blksize\x001468\0windowsize\x0016\0"),
            ),
            ("BLKSIZE\x001408\0TSize\x000\0", Some("blksize\x001408\0tsize\x000\0")),
            ("blksize\x007\0windowsize\x000\0tsize\x005\0", Some("")),
            ("blksize\x00x\0blksize\x00512\0blksize\x001024\0", Some("blksize\x00512\0")),
            ("blksize\x0099999999999999999999\0", Some("")),
            ("rollover\x001\0multicast\0\0blksize\x008\0", Some("blksize\x008\0")),
        ] {
            let packet = format!("\0\u{1}snponly.efi\0octet\0{options}");
            let mut got = anew(packet.as_bytes());
            let mut expected = format!("\0\u{1}snponly.efi\0octet\0{}", granted.unwrap_or(options));
            // In any order.
            for text in [&mut got, &mut expected] {
                let mut words: Vec<&str> = text.split('\0').collect();
                words.sort();
                *text = words.join(" ");
            }
            assert_eq!(got, expected, "{options:?}");
        }
        let request = read(b"\0\x01a\0octet\0windowsize\x0016\0");
        assert_eq!(request.encode(4), b"\0\x01a\0octet\0windowsize\x004\0");
    }

    #[test]
    fn requests_are_read_as_roms_write_them() {
        for (packet, name) in [
            (&b"\0\x01pxelinux.0\0octet\0"[..], "pxelinux.0"),
            (b"\0\x01pxelinux.0\0OCTET", "pxelinux.0"),
            (b"\0\x01pxelinux.0\0netascii\0", "pxelinux.0"),
            (b"\0\x01pxelinux.0\0octet\0\0\0\0\0\0", "pxelinux.0"),
            (b"\0\x01snponly.efi\xff\0octet\0", "snponly.efi\u{fffd}"),
            (b"\0\x01\xe4.efi\0octet\0", "\u{fffd}.efi"),
            (b"\0\x01\0octet\0", ""),
        ] {
            assert_eq!(read(packet).name, name, "{packet:?}");
            let again = parse(&read(packet).encode(LARGEST_WINDOW));
            assert_eq!(again, Some(Asked::Read(read(packet))), "{packet:?}");
        }
        assert_eq!(parse(b"\0\x02pxelinux.0\0octet\0"), Some(Asked::Write));
    }

    #[test]
    fn what_is_no_request_gets_no_answer() {
        let long = [&b"\0\x01a\0octet\0"[..], &[0; LONGEST_PACKET]].concat();
        for packet in [
            &b""[..],
            b"\0",
            b"\0\x01",
            b"\0\x01a",
            b"\0\x01a\0",
            b"\0\x01a\0binary\0",
            b"\0\x03\0\x01data",
            b"\0\x04\0\x01",
            b"\0\x05\0\0enough\0",
            b"\x01\x01a\0octet\0",
            &long,
        ] {
            assert_eq!(parse(packet), None, "{packet:?}");
        }
    }
}
