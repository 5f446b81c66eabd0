//! Replies as firmware wants them: templates, field by field. Pure.

use std::net::Ipv4Addr;

use super::Seconds;
use super::decide::Context;
use super::option;
use super::wire::{Kind, Reply, Request};

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
    /// A Raspberry Pi as client: it has its own list of names.
    RaspberryPi,
}

/// OFFER or ACK with an address.
pub(super) fn grant(
    kind: Kind,
    request: &Request,
    context: &Context,
    address: Ipv4Addr,
    seconds: Seconds,
) -> Reply {
    let mut reply = blank(kind, request);
    reply.yiaddr = address;
    if kind == Kind::Ack {
        reply.ciaddr = request.ciaddr;
    }
    add_network(&mut reply, context, Some(seconds));
    add_boot(&mut reply, request, context);
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
pub(super) fn add_network(reply: &mut Reply, context: &Context, lease: Option<Seconds>) {
    let server = context.server;
    let mut add = |code: u8, data: Vec<u8>| reply.options.push((code, data));
    add(option::SERVER_ID, server.subnet.address().octets().to_vec());
    if let Some(seconds) = lease {
        let bytes = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes();
        add(option::LEASE, bytes(seconds).to_vec());
        add(option::RENEW, bytes(seconds / 2).to_vec());
        add(option::REBIND, bytes(seconds / 8 * 7).to_vec());
    }
    add(option::SUBNET_MASK, server.subnet.netmask().octets().to_vec());
    add(option::BROADCAST, server.subnet.broadcast().octets().to_vec());
    if let Some(router) = server.router {
        add(option::ROUTER, router.octets().to_vec());
    }
    if !server.dns.is_empty() {
        add(option::DNS, server.dns.iter().flat_map(|dns| dns.octets()).collect());
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
pub(super) fn add_boot(reply: &mut Reply, request: &Request, context: &Context) {
    let mut pxe = |class: &[u8], vendor: &[u8]| {
        reply.options.push((option::VENDOR_CLASS, class.to_vec()));
        if !vendor.is_empty() {
            reply.options.push((option::VENDOR, vendor.to_vec()));
        }
        if let Some(uuid) = &request.uuid {
            reply.options.push((option::UUID, uuid.clone()));
        }
    };
    let file = match context.boot {
        BootReply::Nothing => return,
        BootReply::Pxe(file) => {
            pxe(b"PXEClient", &PXE_DIRECT);
            file
        }
        BootReply::Http(url) => {
            pxe(b"HTTPClient", &[]);
            url
        }
        BootReply::RaspberryPi => {
            pxe(b"PXEClient", PXE_RASPBERRY);
            ""
        }
        BootReply::Ipxe(url) => {
            reply.options.push((option::IPXE, IPXE_NO_PROXY.to_vec()));
            url
        }
    };
    reply.siaddr = context.server.subnet.address();
    reply.file = file.to_owned();
}

/// 61 where the client sent it (RFC 6842 §3), 82 unchanged and last (RFC 3046 §2.2).
pub(super) fn echo_identity(reply: &mut Reply, request: &Request) {
    if let Some(client_id) = &request.client_id {
        reply.options.push((option::CLIENT_ID, client_id.clone()));
    }
    if let Some(relay_info) = &request.relay_info {
        reply.options.push((option::RELAY_INFO, relay_info.clone()));
    }
}
