//! A DHCP packet as text for people, by other code than the server's.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::fmt::Write;

/// The lines of a packet: what it is, the header fields that say something, every option.
pub fn lines(packet: &[u8]) -> String {
    let mut text = format!("{} ({} bytes)\n", kind(packet), packet.len());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "    {name:<22} {value}");
    };
    if packet[10] & 0x80 != 0 {
        line("flags", "broadcast".to_owned());
    }
    for (name, at) in [("ciaddr", 12), ("yiaddr", 16), ("siaddr", 20), ("giaddr", 24)] {
        if packet[at..at + 4] != [0; 4] {
            line(name, address(&packet[at..at + 4]));
        }
    }
    line("chaddr", packet[28..34].iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":"));
    for (name, field) in [("sname", 44..108), ("file", 108..236)] {
        let value = packet[field].split(|byte| *byte == 0).next().unwrap();
        if !value.is_empty() {
            line(name, String::from_utf8_lossy(value).into_owned());
        }
    }
    for (code, data) in options(packet) {
        if code != 53 {
            line(&format!("{code} {}", name(code)), value(code, data));
        }
    }
    text
}

/// `OFFER`, or what else option 53 says.
pub fn kind(packet: &[u8]) -> &'static str {
    const KINDS: [&str; 8] =
        ["DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"];
    let said = options(packet).find(|(code, _)| *code == 53);
    said.and_then(|(_, data)| KINDS.get(usize::from(data[0]) - 1)).copied().unwrap_or("?")
}

/// Code and data of each option, in order.
pub fn options(packet: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = &packet[240..];
    std::iter::from_fn(move || {
        loop {
            match *rest {
                [] | [255, ..] => return None,
                [0, ref after @ ..] => rest = after,
                [code, length, ref after @ ..] => {
                    let (data, after) = after.split_at(usize::from(length));
                    rest = after;
                    return Some((code, data));
                }
                [_] => return None,
            }
        }
    })
}

fn name(code: u8) -> &'static str {
    match code {
        1 => "mask",
        3 => "router",
        6 => "name servers",
        12 => "host name",
        28 => "broadcast",
        43 => "vendor",
        50 => "requested",
        51 => "lease",
        54 => "server",
        55 => "wishes",
        56 => "message",
        57 => "longest answer",
        58 => "renew after",
        59 => "rebind after",
        60 => "class",
        61 => "client id",
        77 => "user class",
        82 => "relay",
        93 => "architecture",
        94 => "interface",
        97 => "UUID",
        175 => "iPXE",
        _ => "",
    }
}

fn value(code: u8, data: &[u8]) -> String {
    match (code, data) {
        (1 | 3 | 6 | 28 | 50 | 54, _) => data.chunks(4).map(address).collect::<Vec<_>>().join(" "),
        (51 | 58 | 59, &[a, b, c, d]) => format!("{} s", u32::from_be_bytes([a, b, c, d])),
        (57 | 93, &[high, low]) => u16::from_be_bytes([high, low]).to_string(),
        (55, _) => data.iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
        (12 | 56 | 60 | 77, _) => String::from_utf8_lossy(data).into_owned(),
        _ => data.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    }
}

fn address(octets: &[u8]) -> String {
    octets.iter().map(u8::to_string).collect::<Vec<_>>().join(".")
}
