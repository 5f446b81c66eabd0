//! Bytes ↔ [`Request`] and [`Reply`], by dhcproto.
//!
//! The gate comes first: what it refuses is never looked at again. It is stricter than
//! the library, which panics on `hlen` > 16 and takes any magic cookie.

use std::fmt;
use std::net::Ipv4Addr;

use dhcproto::v4::borrowed::Message as View;
use dhcproto::v4::{Flags, HType, Message, Opcode};
use dhcproto::{Encodable, Encoder};

use super::option::{self, END, Options, suboption};

pub use super::message::{BROADCAST_FLAG, Kind, Reply, Request};
use crate::net::Mac;

/// `file` is 128 bytes and ends with a NUL for the firmware that counts on one.
pub const LONGEST_FILE: usize = 127;

/// Fixed header with the magic cookie.
const HEADER: usize = 240;

/// Where the magic cookie stands.
const COOKIE: std::ops::Range<usize> = 236..240;

/// The longest packet that fits an Ethernet frame; nothing larger is sent to a server.
const LONGEST_PACKET: usize = 1500;

/// BOOTP's size: some ROMs and relays drop shorter packets (RFC 1542 §2.1).
const SHORTEST_REPLY: usize = 300;

/// The reply that every client must take, when it names no other (RFC 2132 §9.10):
/// 576 bytes of IP less the IP and UDP headers.
const DEFAULT_MAX_SIZE: usize = 548;

/// IP and UDP headers, which option 57 counts and we do not.
const IP_UDP_HEADERS: usize = 28;

/// Why the gate refused a packet. Every variant is a peer's fault or an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than the fixed header or longer than a frame.
    Size,
    /// Not a request, or the DHCP magic cookie is missing.
    NotDhcp,
    /// Not an Ethernet address of one machine.
    Hardware,
    /// Passed on by more relays than any network has.
    Hops,
    /// An option reaches past the end of the packet.
    Overrun,
    /// No message type, two of them, or one that does not exist.
    MessageType,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Size => "impossible size",
            Malformed::NotDhcp => "not a DHCP request",
            Malformed::Hardware => "not an Ethernet client",
            Malformed::Hops => "too many relays, or a loop",
            Malformed::Overrun => "an option reaches past the end",
            Malformed::MessageType => "no usable message type",
        })
    }
}

/// Parses a packet from a client, or says why it gets no answer.
pub fn parse(packet: &[u8]) -> Result<Request, Malformed> {
    gate(packet)?;
    let view = View::new(packet).map_err(|_| Malformed::Size)?;
    let hardware: [u8; 6] = view.chaddr().try_into().map_err(|_| Malformed::Hardware)?;
    let options = options(packet)?;
    let relay_info = options.owned(option::RELAY_INFO);
    // Only a relay may speak of where the client is and who we are.
    let relayed = !view.giaddr().is_unspecified();
    let said = relay_info.as_deref().filter(|_| relayed);
    let of_relay = |tag| option::address(suboption(said?, tag)?);
    let selected = options.address(option::SUBNET_SELECTION).filter(|_| relayed);
    let boot_item = |vendor| suboption(vendor, option::VENDOR_BOOT_ITEM)?.try_into().ok();
    Ok(Request {
        kind: options.get(option::MESSAGE_TYPE).and_then(kind).ok_or(Malformed::MessageType)?,
        mac: Mac::new(hardware).ok_or(Malformed::Hardware)?,
        xid: view.xid(),
        flags: u16::from(view.flags()),
        ciaddr: view.ciaddr(),
        giaddr: view.giaddr(),
        requested: options.address(option::REQUESTED),
        server_id: options.address(option::SERVER_ID),
        max_size: max_size(options.word(option::MAX_SIZE)),
        vendor_class: options.owned(option::VENDOR_CLASS).unwrap_or_default(),
        client_id: options.owned(option::CLIENT_ID).filter(|id| fits_one_option(id)),
        user_class: options.owned(option::USER_CLASS).unwrap_or_default(),
        link: of_relay(option::RELAY_LINK).or(selected),
        server_override: of_relay(option::RELAY_SERVER_ID),
        relay_info,
        arch: options.word(option::ARCH),
        uuid: options.owned(option::UUID).filter(|id| fits_one_option(id)),
        ipxe: options.owned(option::IPXE).unwrap_or_default(),
        boot_item: options.get(option::VENDOR).and_then(boot_item),
    })
}

/// A server's message, as far as a client looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromServer {
    /// The client's transaction.
    pub xid: u32,
    /// The client that it is for.
    pub client: [u8; 6],
    /// The address that is offered or granted.
    pub yiaddr: Ipv4Addr,
    /// All options that make sense.
    pub options: Options,
}

/// Parses a packet from a server. Leniently: one that writes nonsense behind its last option
/// gives addresses all the same, and must not be taken for nobody.
pub fn parse_reply(packet: &[u8]) -> Option<FromServer> {
    let [BOOTREPLY, ETHERNET, 6, ..] = packet else {
        return None;
    };
    if !(HEADER..=LONGEST_PACKET).contains(&packet.len())
        || packet.get(COOKIE) != Some(&MAGIC_COOKIE)
    {
        return None;
    }
    let view = View::new(packet).ok()?;
    let mut options = Options::default();
    // What stands before an overrun counts.
    let _ = options.add(packet.get(HEADER..)?);
    let client = view.chaddr().try_into().ok()?;
    Some(FromServer { xid: view.xid(), client, yiaddr: view.yiaddr(), options })
}

/// The bytes of a reply: at least 300, never more than the client takes.
pub fn encode(reply: &Reply) -> Vec<u8> {
    let mut packet = header(reply);
    let limit = reply.max_size.clamp(DEFAULT_MAX_SIZE, LONGEST_PACKET - IP_UDP_HEADERS);
    append(&mut packet, limit, option::MESSAGE_TYPE, &[code_of(reply.kind)]);
    for (code, data) in &reply.options {
        append(&mut packet, limit, *code, data);
    }
    packet.push(END);
    packet.resize(packet.len().max(SHORTEST_REPLY), 0);
    packet
}

/// Everything that makes the rest of the code safe to run on a stranger's bytes.
fn gate(packet: &[u8]) -> Result<(), Malformed> {
    if !(HEADER..=LONGEST_PACKET).contains(&packet.len()) {
        return Err(Malformed::Size);
    }
    let [op, htype, hlen, hops, ..] = packet else {
        return Err(Malformed::Size);
    };
    if *op != BOOTREQUEST || packet.get(COOKIE) != Some(&MAGIC_COOKIE) {
        return Err(Malformed::NotDhcp);
    }
    if *htype != ETHERNET || *hlen != 6 {
        return Err(Malformed::Hardware);
    }
    if *hops > MOST_HOPS {
        return Err(Malformed::Hops);
    }
    Ok(())
}

/// All options, also those that a client put where a file name would stand (RFC 2131 §4.1).
fn options(packet: &[u8]) -> Result<Options, Malformed> {
    const FILE: u8 = 1;
    const SERVER_NAME: u8 = 2;
    let mut options = Options::default();
    let field = packet.get(HEADER..).unwrap_or_default();
    options.add(field).map_err(|_| Malformed::Overrun)?;
    let overload = match options.get(option::OVERLOAD) {
        Some([fields]) => *fields,
        _ => 0,
    };
    for (field, place) in [(FILE, FILE_FIELD), (SERVER_NAME, SERVER_NAME_FIELD)] {
        if overload & field != 0 {
            let field = packet.get(place).unwrap_or_default();
            options.add(field).map_err(|_| Malformed::Overrun)?;
        }
    }
    Ok(options)
}

/// What goes back to a client must not come in parts: ROMs do not join them. A longer
/// identity is none.
fn fits_one_option(data: &[u8]) -> bool {
    data.len() <= LONGEST_PART
}

fn max_size(option: Option<u16>) -> usize {
    usize::from(option.unwrap_or(0)).saturating_sub(IP_UDP_HEADERS).max(DEFAULT_MAX_SIZE)
}

const BOOTREQUEST: u8 = 1;
const BOOTREPLY: u8 = 2;
const ETHERNET: u8 = 1;
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];

/// RFC 1542 §4.1.1: more than 16 hops is a loop.
const MOST_HOPS: u8 = 16;

/// One byte; a second message type, joined to the first, makes two.
fn kind(data: &[u8]) -> Option<Kind> {
    match data {
        [1] => Some(Kind::Discover),
        [3] => Some(Kind::Request),
        [4] => Some(Kind::Decline),
        [7] => Some(Kind::Release),
        [8] => Some(Kind::Inform),
        _ => None,
    }
}

fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::Discover => 1,
        Kind::Offer => 2,
        Kind::Request => 3,
        Kind::Decline => 4,
        Kind::Ack => 5,
        Kind::Nak => 6,
        Kind::Release => 7,
        Kind::Inform => 8,
    }
}

/// The 240 bytes before the options.
fn header(reply: &Reply) -> Vec<u8> {
    let mut message = Message::default();
    message
        .set_opcode(Opcode::BootReply)
        .set_htype(HType::Eth)
        .set_xid(reply.xid)
        .set_flags(Flags::from(reply.flags))
        .set_ciaddr(reply.ciaddr)
        .set_yiaddr(reply.yiaddr)
        .set_siaddr(reply.siaddr)
        .set_giaddr(reply.giaddr)
        .set_chaddr(&reply.mac.octets());
    let mut packet = Vec::with_capacity(SHORTEST_REPLY);
    // Encoding a fixed header into memory has nothing that can fail; an empty packet
    // would be resized below and dropped by the client, never sent half.
    let _ = message.encode(&mut Encoder::new(&mut packet));
    packet.resize(HEADER, 0);
    if reply.file.len() <= LONGEST_FILE {
        put(&mut packet, FILE_FIELD, &reply.file);
    }
    // Some BIOS ROMs take the server from here.
    if !reply.siaddr.is_unspecified() {
        put(&mut packet, SERVER_NAME_FIELD, &reply.siaddr.to_string());
    }
    packet
}

/// Where `sname` stands in the header.
const SERVER_NAME_FIELD: std::ops::Range<usize> = 44..108;

/// Where `file` stands in the header.
const FILE_FIELD: std::ops::Range<usize> = 108..236;

/// Writes text into a header field that was zero; the caller has seen that it fits.
fn put(packet: &mut [u8], field: std::ops::Range<usize>, text: &str) {
    if let Some(field) = packet.get_mut(field) {
        field.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    }
}

/// An option's length is one byte.
const LONGEST_PART: usize = 255;

/// Adds an option whole, in parts if it is long (RFC 3396 §6), or not at all when the client
/// could not take the packet.
fn append(packet: &mut Vec<u8>, limit: usize, code: u8, data: &[u8]) {
    let parts = data.chunks(LONGEST_PART);
    if packet.len() + data.len() + 2 * parts.len() < limit {
        for part in parts {
            packet.push(code);
            packet.extend(u8::try_from(part.len()));
            packet.extend(part);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
