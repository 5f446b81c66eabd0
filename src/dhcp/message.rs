//! A client's request and a server's reply, as far as we act on them. Pure.

use std::net::Ipv4Addr;

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
    /// Where the client is, as its relay (82.5, RFC 3527) or itself (118, RFC 3011) says.
    pub link: Option<Ipv4Addr>,
    /// Sub-option 11 of 82: the address that we shall name as ours (RFC 5107).
    pub server_override: Option<Ipv4Addr>,
    /// Sub-option 71 of 43: the item that firmware asks a boot server for.
    pub boot_item: Option<[u8; 4]>,
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
    /// Where the boot file is, or 0.0.0.0; `sname` says the same in words.
    pub siaddr: Ipv4Addr,
    /// Copied from the request.
    pub giaddr: Ipv4Addr,
    /// The boot file: a TFTP name or a URL, at most `wire::LONGEST_FILE` bytes.
    pub file: String,
    /// Options after 53; those over 255 bytes are sent in parts.
    pub options: Vec<(u8, Vec<u8>)>,
    /// The request's option 57.
    pub max_size: usize,
}

/// Bit 15 of `flags` (RFC 2131 figure 2).
pub const BROADCAST_FLAG: u16 = 0x8000;
