//! Replies as firmware wants them: templates, field by field. Pure.

use std::net::Ipv4Addr;

use super::Seconds;
use super::option;
use super::wire::{Kind, Reply, Request};
use crate::config::Network;

/// What replies say of us and of the network that the client is in.
pub struct Terms<'a> {
    /// Our own address: where the boot files are.
    pub own: Ipv4Addr,
    /// What we name as the server's address; a relay may want its own there.
    pub server_id: Ipv4Addr,
    /// The client's network.
    pub network: &'a Network,
    /// What the client shall load.
    pub boot: &'a BootReply,
}

/// What the boot plan says a client shall load; the DHCP side only wraps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootReply {
    /// An address and nothing else: no PXE client, or none that we can boot.
    Nothing,
    /// Firmware: a TFTP name.
    Pxe(String),
    /// Our iPXE, or one as good: the URL of its script.
    Ipxe(String),
    /// UEFI HTTP boot: the URL of a loader.
    Http(String),
    /// U-Boot: a TFTP name, and no option of PXE's.
    Plain(String),
    /// A Raspberry Pi as client: it has its own list of names.
    RaspberryPi,
}

/// OFFER or ACK with an address for so many seconds.
pub(super) fn grant(
    kind: Kind,
    request: &Request,
    terms: &Terms,
    address: Ipv4Addr,
    lease: Seconds,
) -> Reply {
    let mut reply = blank(kind, request);
    reply.yiaddr = address;
    if kind == Kind::Ack {
        reply.ciaddr = request.ciaddr;
    }
    add_network(&mut reply, terms, Some(lease));
    add_boot(&mut reply, terms);
    echo_uuid(&mut reply, request);
    echo_identity(&mut reply, request);
    reply
}

/// Everything that is copied from the request, and nothing else.
pub(super) fn blank(kind: Kind, request: &Request) -> Reply {
    Reply {
        kind,
        mac: request.mac,
        xid: request.xid,
        flags: request.flags,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: request.giaddr,
        file: String::new(),
        options: Vec::new(),
        max_size: request.max_size,
    }
}

/// 54 first: some clients read no further than they must. 1 before 3 (RFC 2132 §3.3).
pub(super) fn add_network(reply: &mut Reply, terms: &Terms, lease: Option<Seconds>) {
    let network = terms.network;
    let mut add = |code: u8, data: Vec<u8>| reply.options.push((code, data));
    add(option::SERVER_ID, terms.server_id.octets().to_vec());
    if let Some(seconds) = lease {
        let bytes = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes();
        add(option::LEASE, bytes(seconds).to_vec());
        add(option::RENEW, bytes(seconds / 2).to_vec());
        add(option::REBIND, bytes(seconds / 8 * 7).to_vec());
    }
    add(option::SUBNET_MASK, network.subnet.netmask().octets().to_vec());
    add(option::BROADCAST, network.subnet.broadcast().octets().to_vec());
    if let Some(router) = network.router {
        add(option::ROUTER, router.octets().to_vec());
    }
    if !network.dns.is_empty() {
        add(option::DNS, network.dns.iter().flat_map(|dns| dns.octets()).collect());
    }
}

/// "Load the file of this offer; no menu, no prompt, no discovery" (PXE 2.1 table 2-1):
/// tag 6 = 8, and tag 10 with the prompt that Dell's UEFI wants to see.
pub(super) const PXE_DIRECT: [u8; 10] = [6, 1, 8, 10, 4, 0, b'P', b'X', b'E', 255];

/// The same for a Raspberry Pi, whose ROM looks for this menu entry.
pub(super) const PXE_RASPBERRY: &[u8] =
    b"\x06\x01\x08\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff";

/// "Do not wait two seconds for a proxy" (iPXE's encapsulated option 176).
const IPXE_NO_PROXY: [u8; 3] = [0xb0, 1, 1];

/// The file goes into the header, never into option 67: shim reads no option, EDK2
/// writes a NUL behind one. 60 and 43 always together: 60 alone sends EDK2 to port 4011.
pub(super) fn add_boot(reply: &mut Reply, terms: &Terms) {
    let mut pxe = |class: &[u8], vendor: &[u8]| {
        reply.options.push((option::VENDOR_CLASS, class.to_vec()));
        if !vendor.is_empty() {
            reply.options.push((option::VENDOR, vendor.to_vec()));
        }
    };
    let file = match terms.boot {
        BootReply::Nothing => return,
        BootReply::Pxe(file) => {
            pxe(b"PXEClient", &PXE_DIRECT);
            file
        }
        BootReply::Http(url) => {
            pxe(b"HTTPClient", &[]);
            url
        }
        BootReply::Plain(file) => file,
        BootReply::RaspberryPi => {
            pxe(b"PXEClient", PXE_RASPBERRY);
            ""
        }
        BootReply::Ipxe(url) => {
            reply.options.push((option::IPXE, IPXE_NO_PROXY.to_vec()));
            url
        }
    };
    reply.siaddr = terms.own;
    reply.file = file.to_owned();
}

/// 61 where the client sent it (RFC 6842 §3), 82 unchanged and last (RFC 3046 §2.2).
pub(super) fn echo_identity(reply: &mut Reply, request: &Request) {
    for (code, data) in
        [(option::CLIENT_ID, &request.client_id), (option::RELAY_INFO, &request.relay_info)]
    {
        reply.options.extend(data.clone().map(|data| (code, data)));
    }
}

/// 97 byte for byte (RFC 4578 §2.3); GRUB looks for its configuration by it.
pub(super) fn echo_uuid(reply: &mut Reply, request: &Request) {
    reply.options.extend(request.uuid.clone().map(|uuid| (option::UUID, uuid)));
}
