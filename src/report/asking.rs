//! Made-up DHCPDISCOVERs of each kind of firmware, and the fields of what they are answered,
//! read from the bytes that would be sent. Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::Serialize;

use super::stick::Stick;
use crate::boot::arch::program;
use crate::config::Mode;
use crate::dhcp::decide::{Context, decide};
use crate::dhcp::lease::Leases;
use crate::dhcp::option;
use crate::dhcp::proxy::{self, Door};
use crate::dhcp::shape::Shape;
use crate::dhcp::wire::{self, Reply, Request};
use crate::net::Mac;

/// What a kind of firmware sends.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// `BIOS ROM`
    pub title: &'static str,
    arch: u8,
    class: &'static str,
    is_ipxe: bool,
}

/// A field of the answer.
#[derive(Debug, Serialize)]
pub struct Field {
    /// The option's number; none for a field of the header.
    pub option: Option<u8>,
    /// `yiaddr`, `server`
    pub name: &'static str,
    /// For people.
    pub value: String,
    /// The option's bytes in hexadecimal; empty for a field of the header.
    pub hex: String,
}

/// What a kind of firmware is told.
#[derive(Debug, Serialize)]
pub struct Told {
    /// `BIOS ROM`
    pub client: &'static str,
    /// Its option 60.
    pub class: &'static str,
    /// Its option 93.
    pub arch: u8,
    /// What it loads: a TFTP name or a URL; empty if nothing.
    pub file: String,
    /// The fields of the offer in their order; empty if it is not answered.
    pub offer: Vec<Field>,
}

const fn client(title: &'static str, arch: u8, class: &'static str, is_ipxe: bool) -> Client {
    Client { title, arch, class, is_ipxe }
}

/// Every kind that is made up.
pub const CLIENTS: [Client; 6] = [
    client("BIOS ROM", 0, "PXEClient:Arch:00000:UNDI:002001", false),
    client("UEFI x64 ROM", 7, "PXEClient:Arch:00007:UNDI:003016", false),
    client("UEFI arm64 ROM", 11, "PXEClient:Arch:00011:UNDI:003000", false),
    client("UEFI x64 HTTP boot", 16, "HTTPClient:Arch:00016:UNDI:003001", false),
    client("iPXE on a BIOS", 0, "PXEClient:Arch:00000:UNDI:002001", true),
    client("iPXE on UEFI x64", 7, "PXEClient:Arch:00007:UNDI:003010", true),
];

/// What the machine with `mac` is told if its firmware is `client` and it has no lease yet.
pub fn told(stick: &Stick, mac: Mac, client: Client) -> Told {
    let Client { title, arch, class, .. } = client;
    let request = wire::parse(&discover(mac, client)).ok();
    let reply = request.and_then(|request| answer(stick, &request));
    let file = reply.as_ref().map(|reply| reply.file.clone()).unwrap_or_default();
    let offer = reply.map(|reply| fields(&wire::encode(&reply))).unwrap_or_default();
    Told { client: title, class, arch, file, offer }
}

/// The address that it would be offered.
pub fn address(stick: &Stick, mac: Mac) -> Option<Ipv4Addr> {
    let [first, ..] = CLIENTS;
    let reply = answer(stick, &wire::parse(&discover(mac, first)).ok()?)?;
    Some(reply.yiaddr).filter(|address| !address.is_unspecified())
}

fn answer(stick: &Stick, request: &Request) -> Option<Reply> {
    let machine = stick.inventory.to_install(request.mac, stick.config.boot.unknown);
    let boot = stick.reply(request.mac, machine.as_deref(), program(request));
    if stick.config.mode == Mode::Proxy {
        let door = Door::Server(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68));
        let own = stick.config.server.local.subnet;
        return proxy::answer(request, door, &boot, Shape::InOffer, own).map(|(reply, _)| reply);
    }
    let mut server = stick.config.server.clone();
    // Nobody is at the address.
    server.probe = false;
    let (leases, reservations) = (&Leases::new(), &stick.inventory);
    let context = Context { server: &server, leases, reservations, boot: &boot, now: 0 };
    decide(request, &context).reply.map(|(reply, _)| reply)
}

fn discover(mac: Mac, client: Client) -> Vec<u8> {
    const BROADCAST: [u8; 4] = [0, 0, 0x80, 0];
    let mut packet = vec![1, 1, 6, 0, 0, 0, 0, 1];
    // iPXE hears unicast answers without an address, firmware does not.
    packet.extend(if client.is_ipxe { [0; 4] } else { BROADCAST });
    packet.resize(28, 0);
    packet.extend(mac.octets());
    packet.resize(236, 0);
    packet.extend([99, 130, 83, 99]);
    let mut add = |code: u8, data: &[u8]| {
        packet.push(code);
        packet.extend(u8::try_from(data.len()));
        packet.extend(data);
    };
    add(option::MESSAGE_TYPE, &[1]);
    add(option::MAX_SIZE, &1472_u16.to_be_bytes());
    add(option::VENDOR_CLASS, client.class.as_bytes());
    add(option::ARCH, &[0, client.arch]);
    if client.is_ipxe {
        add(option::USER_CLASS, b"iPXE");
        // HTTP, bzImage, EFI and menus are in it.
        add(option::IPXE, &[0x13, 1, 1, 0x18, 1, 1, 0x24, 1, 1, 0x27, 1, 1]);
    }
    packet.push(option::END);
    packet
}

/// The fields of a packet that say something, in their order.
fn fields(packet: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let header = |name, value| Field { option: None, name, value, hex: String::new() };
    for (name, at) in [("yiaddr", 16), ("siaddr", 20), ("giaddr", 24)] {
        let address = packet.get(at..at + 4).and_then(option::address);
        let address = address.filter(|address| !address.is_unspecified());
        fields.extend(address.map(|address| header(name, address.to_string())));
    }
    for (name, field) in [("sname", 44..108), ("file", 108..236)] {
        let bytes = packet.get(field).unwrap_or_default();
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        if !text.is_empty() {
            fields.push(header(name, String::from_utf8_lossy(text).into_owned()));
        }
    }
    let mut rest = packet.get(240..).unwrap_or_default();
    while let [code, length, after @ ..] = rest {
        let Some((data, after)) =
            after.split_at_checked(usize::from(*length)).filter(|_| *code != option::END)
        else {
            break;
        };
        let hex = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let (name, value) = (name(*code), value(*code, data));
        fields.push(Field { option: Some(*code), name, value, hex });
        rest = after;
    }
    fields
}

fn name(code: u8) -> &'static str {
    match code {
        option::SUBNET_MASK => "subnet mask",
        option::ROUTER => "router",
        option::DNS => "name servers",
        option::BROADCAST => "broadcast address",
        option::VENDOR => "vendor (PXE)",
        option::LEASE => "lease",
        option::MESSAGE_TYPE => "message type",
        option::SERVER_ID => "server",
        option::RENEW => "renew after",
        option::REBIND => "rebind after",
        option::VENDOR_CLASS => "vendor class",
        option::IPXE => "iPXE",
        _ => "",
    }
}

fn value(code: u8, data: &[u8]) -> String {
    let addresses = || {
        let each = data.chunks(4).filter_map(option::address);
        each.map(|address| address.to_string()).collect::<Vec<_>>().join(" ")
    };
    match (code, data) {
        (
            option::SUBNET_MASK
            | option::ROUTER
            | option::DNS
            | option::BROADCAST
            | option::SERVER_ID,
            _,
        ) => addresses(),
        (option::LEASE | option::RENEW | option::REBIND, &[a, b, c, d]) => {
            format!("{} s", u32::from_be_bytes([a, b, c, d]))
        }
        (option::MESSAGE_TYPE, [2]) => "OFFER".to_owned(),
        (option::VENDOR_CLASS, _) => String::from_utf8_lossy(data).into_owned(),
        _ => data.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    }
}
