//! Bytes ↔ [`Request`] and [`Reply`], by dhcproto.
//!
//! The gate comes first: what it refuses is never looked at again. It is stricter than
//! the library, which panics on `hlen` > 16 and takes any magic cookie.

use std::fmt;
use std::net::Ipv4Addr;

use dhcproto::v4::borrowed::Message as View;
use dhcproto::v4::{Flags, HType, Message, Opcode, OptionCode};
use dhcproto::{Encodable, Encoder};

use super::option;
use crate::net::Mac;

/// DHCP message type, option 53 (RFC 2132 §9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Client looks for servers.
    Discover,
    /// Server offers an address.
    Offer,
    /// Client asks for an address, or to keep one.
    Request,
    /// Client found the address in use.
    Decline,
    /// Server grants.
    Ack,
    /// Server refuses.
    Nak,
    /// Client gives its address back.
    Release,
    /// Client has an address and asks for the rest.
    Inform,
}

/// What a client said: the header fields and the options that we act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Option 53.
    pub kind: Kind,
    /// Hardware address; only Ethernet gets through the gate.
    pub mac: Mac,
    /// Transaction id, copied into the reply.
    pub xid: u32,
    /// The flags word; bit 15 asks for a broadcast reply.
    pub flags: u16,
    /// The address the client already uses, or 0.0.0.0.
    pub ciaddr: Ipv4Addr,
    /// The relay that passed this on, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// Option 50: the address the client would like.
    pub requested: Option<Ipv4Addr>,
    /// Option 54: the server the client talks to.
    pub server_id: Option<Ipv4Addr>,
    /// Option 57: the longest reply the client can take, in bytes of DHCP.
    pub max_size: usize,
    /// Option 60: `PXEClient:Arch:00007:UNDI:003000`.
    pub vendor_class: Vec<u8>,
    /// Option 61, echoed (RFC 6842).
    pub client_id: Option<Vec<u8>>,
    /// Option 77: `iPXE`, with or without a length byte.
    pub user_class: Vec<u8>,
    /// Option 82, echoed last (RFC 3046 §2.2).
    pub relay_info: Option<Vec<u8>>,
    /// Option 93: the firmware's kind, first value (RFC 4578 §2.1).
    pub arch: Option<u16>,
    /// Option 97: the machine's UUID, echoed byte for byte (RFC 4578 §2.3).
    pub uuid: Option<Vec<u8>>,
    /// Option 175: what this iPXE can do.
    pub ipxe: Vec<u8>,
}

impl Request {
    /// Bit 15 of `flags`: the client cannot take a unicast reply yet.
    pub fn wants_broadcast(&self) -> bool {
        self.flags & BROADCAST_FLAG != 0
    }
}

/// What we answer. Options are encoded in the order in which they stand here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Option 53.
    pub kind: Kind,
    /// Copied from the request.
    pub mac: Mac,
    /// Copied from the request.
    pub xid: u32,
    /// Copied from the request; a relayed NAK sets bit 15.
    pub flags: u16,
    /// Copied from the request in an ACK.
    pub ciaddr: Ipv4Addr,
    /// The client's address.
    pub yiaddr: Ipv4Addr,
    /// Where the boot file is, or 0.0.0.0.
    pub siaddr: Ipv4Addr,
    /// Copied from the request.
    pub giaddr: Ipv4Addr,
    /// The boot file: a TFTP name or a URL, at most [`LONGEST_FILE`] bytes.
    pub file: String,
    /// Options after 53, each at most 255 bytes.
    pub options: Vec<(u8, Vec<u8>)>,
    /// The request's option 57.
    pub max_size: usize,
}

/// `file` is 128 bytes and ends with a NUL for the firmware that counts on one.
pub const LONGEST_FILE: usize = 127;

/// Bit 15 of `flags` (RFC 2131 figure 2).
pub const BROADCAST_FLAG: u16 = 0x8000;

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
    let mut request = Request {
        kind: Kind::Discover,
        mac: Mac::new(hardware).ok_or(Malformed::Hardware)?,
        xid: view.xid(),
        flags: u16::from(view.flags()),
        ciaddr: view.ciaddr(),
        giaddr: view.giaddr(),
        requested: None,
        server_id: None,
        max_size: DEFAULT_MAX_SIZE,
        vendor_class: Vec::new(),
        client_id: None,
        user_class: Vec::new(),
        relay_info: None,
        arch: None,
        uuid: None,
        ipxe: Vec::new(),
    };
    let mut kind = None;
    for option in view.opts() {
        if option.code() == OptionCode::MessageType {
            let once = kind.replace(message_type(option.data())?).is_none();
            if !once {
                return Err(Malformed::MessageType);
            }
        }
        request.take(u8::from(option.code()), option.data());
    }
    request.kind = kind.ok_or(Malformed::MessageType)?;
    Ok(request)
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
    let mut rest = packet.get(HEADER..).unwrap_or_default();
    loop {
        rest = match rest {
            [] | [END, ..] => return Ok(()),
            [PAD, after @ ..] => after,
            [_, length, after @ ..] => {
                after.get(usize::from(*length)..).ok_or(Malformed::Overrun)?
            }
            [_] => return Err(Malformed::Overrun),
        };
    }
}

const BOOTREQUEST: u8 = 1;
const ETHERNET: u8 = 1;
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
const PAD: u8 = 0;
const END: u8 = 255;

/// RFC 1542 §4.1.1: more than 16 hops is a loop.
const MOST_HOPS: u8 = 16;

impl Request {
    /// Each option leniently: one that makes no sense counts as not sent.
    fn take(&mut self, code: u8, data: &[u8]) {
        let address = || <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from);
        let word = || data.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes));
        match code {
            option::REQUESTED => self.requested = address(),
            option::SERVER_ID => self.server_id = address(),
            option::MAX_SIZE => {
                let size = usize::from(word().unwrap_or(0)).saturating_sub(IP_UDP_HEADERS);
                self.max_size = size.max(DEFAULT_MAX_SIZE);
            }
            option::VENDOR_CLASS => self.vendor_class = data.to_vec(),
            option::CLIENT_ID => self.client_id = (!data.is_empty()).then(|| data.to_vec()),
            option::USER_CLASS => self.user_class = data.to_vec(),
            option::RELAY_INFO => self.relay_info = Some(data.to_vec()),
            option::ARCH => self.arch = word(),
            option::UUID => self.uuid = Some(data.to_vec()),
            option::IPXE => self.ipxe = data.to_vec(),
            _ => {}
        }
    }
}

fn message_type(data: &[u8]) -> Result<Kind, Malformed> {
    match data {
        [1] => Ok(Kind::Discover),
        [3] => Ok(Kind::Request),
        [4] => Ok(Kind::Decline),
        [7] => Ok(Kind::Release),
        [8] => Ok(Kind::Inform),
        _ => Err(Malformed::MessageType),
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
    let file = reply.file.as_bytes();
    if let Some(field) = packet.get_mut(FILE_FIELD)
        && file.len() <= LONGEST_FILE
    {
        field.iter_mut().zip(file).for_each(|(to, from)| *to = *from);
    }
    packet
}

/// Where `file` stands in the header.
const FILE_FIELD: std::ops::Range<usize> = 108..236;

/// Adds an option whole, or not at all when the client could not take the packet.
fn append(packet: &mut Vec<u8>, limit: usize, code: u8, data: &[u8]) {
    let Ok(length) = u8::try_from(data.len()) else {
        return;
    };
    if packet.len() + 2 + data.len() < limit {
        packet.extend([code, length]);
        packet.extend(data);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A DISCOVER as SeaBIOS with iPXE sends it, less what we do not read.
    pub fn discover(mac: [u8; 6]) -> Vec<u8> {
        packet(1, mac, &[])
    }

    pub fn packet(kind: u8, mac: [u8; 6], options: &[(u8, &[u8])]) -> Vec<u8> {
        let mut packet = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef];
        packet.resize(28, 0);
        packet.extend(mac);
        packet.resize(236, 0);
        packet.extend(MAGIC_COOKIE);
        packet.extend([53, 1, kind]);
        for (code, data) in options {
            packet.extend([*code, u8::try_from(data.len()).unwrap()]);
            packet.extend(*data);
        }
        packet.push(END);
        packet
    }

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

    fn reply() -> Reply {
        Reply {
            kind: Kind::Offer,
            mac: Mac::new(MAC).unwrap(),
            xid: 7,
            flags: BROADCAST_FLAG,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::new(10, 10, 10, 100),
            siaddr: Ipv4Addr::new(10, 10, 10, 1),
            giaddr: Ipv4Addr::UNSPECIFIED,
            file: "undionly.kpxe".to_owned(),
            options: vec![(option::SERVER_ID, vec![10, 10, 10, 1])],
            max_size: 548,
        }
    }

    #[test]
    fn the_options_that_matter_are_read() {
        let bytes = packet(
            3,
            MAC,
            &[(50, &[10, 10, 10, 100]), (54, &[10, 10, 10, 1]), (60, b"PXEClient"), (93, &[0, 7])],
        );
        let request = parse(&bytes).unwrap();
        assert_eq!(request.kind, Kind::Request);
        assert_eq!(request.requested, Some(Ipv4Addr::new(10, 10, 10, 100)));
        assert_eq!(request.server_id, Some(Ipv4Addr::new(10, 10, 10, 1)));
        assert_eq!(request.vendor_class, b"PXEClient");
        assert_eq!(request.arch, Some(7));
        assert_eq!(request.xid, 0xdead_beef);
    }

    #[test]
    fn the_gate_refuses_what_the_library_would_trip_over() {
        let good = discover(MAC);
        let with = |index: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[index] = value;
            parse(&bytes)
        };
        assert_eq!(with(2, 17), Err(Malformed::Hardware), "hlen 17");
        assert_eq!(with(2, 255), Err(Malformed::Hardware), "hlen 255");
        assert_eq!(with(28, 0xff), Err(Malformed::Hardware), "multicast client");
        assert_eq!(with(0, 2), Err(Malformed::NotDhcp), "a reply");
        assert_eq!(with(236, 0), Err(Malformed::NotDhcp), "cookie");
        assert_eq!(with(3, 17), Err(Malformed::Hops));
        assert_eq!(with(241, 200), Err(Malformed::Overrun));
        assert_eq!(with(242, 9), Err(Malformed::MessageType));
        assert_eq!(parse(&good[..239]), Err(Malformed::Size));
    }

    #[test]
    fn two_message_types_are_refused() {
        assert_eq!(parse(&packet(1, MAC, &[(53, &[3])])), Err(Malformed::MessageType));
    }

    #[test]
    fn a_cut_packet_never_panics() {
        let good = packet(1, MAC, &[(93, &[0, 7]), (97, &[0; 17]), (175, &[0xb0, 1, 1])]);
        for length in 0..good.len() {
            let _ = parse(&good[..length]);
        }
    }

    #[test]
    fn a_reply_carries_file_server_and_options_and_is_never_short() {
        let bytes = encode(&reply());
        assert_eq!(bytes.len(), 300);
        assert_eq!(bytes[0], 2);
        assert_eq!(&bytes[16..24], [10, 10, 10, 100, 10, 10, 10, 1]);
        assert_eq!(&bytes[108..122], b"undionly.kpxe\0");
        assert_eq!(&bytes[236..249], [99, 130, 83, 99, 53, 1, 2, 54, 4, 10, 10, 10, 1]);
        assert_eq!(bytes[249], END);
    }

    #[test]
    fn a_reply_never_exceeds_what_the_client_takes() {
        let mut reply = reply();
        reply.options = (0..10).map(|code| (code + 100, vec![1; 200])).collect();
        assert!(encode(&reply).len() <= 548);
    }
}
