//! proxyDHCP (Intel PXE 2.1 §2.2.3): boot data beside another server's addresses. Pure.
//!
//! Answers only machines that network-boot, never names an address, never refuses one.
//! On port 67 the offer itself carries the boot file and the bit "no discovery"; firmware
//! that asks on port 4011 all the same gets the complete data there.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::SERVER_PORT;
use super::option;
use super::reply::{BootReply, PXE_DIRECT, PXE_RASPBERRY};
use super::route::Route;
use super::wire::{BROADCAST_FLAG, Kind, Reply, Request};

/// Where a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Port 67, by broadcast or through a relay.
    Server,
    /// Port 4011, from this address and port.
    Proxy(SocketAddrV4),
}

/// The answer with its way; none: silence is the right answer.
pub fn answer(
    request: &Request,
    door: Door,
    boot: &BootReply,
    own: Ipv4Addr,
) -> Option<(Reply, Route)> {
    let kind = match (door, request.kind) {
        (_, Kind::Discover) => Kind::Offer,
        (Door::Proxy(_), Kind::Request | Kind::Inform) => Kind::Ack,
        // On port 67 REQUESTs belong to the server that gave the address.
        _ => return None,
    };
    let mut reply = Reply {
        kind,
        mac: request.mac,
        xid: request.xid,
        flags: request.flags,
        ciaddr: request.ciaddr,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: own,
        giaddr: request.giaddr,
        file: String::new(),
        options: vec![(option::SERVER_ID, own.octets().to_vec())],
        max_size: request.max_size,
    };
    let (class, vendor, file): (&[u8], &[u8], &str) = match boot {
        BootReply::Nothing => return None,
        BootReply::Pxe(file) => (b"PXEClient", &PXE_DIRECT, file),
        // iPXE knows a proxy by this class, too.
        BootReply::Ipxe(url) => (b"PXEClient", &PXE_DIRECT, url),
        BootReply::Http(url) => (b"HTTPClient", &[], url),
        BootReply::RaspberryPi => (b"PXEClient", PXE_RASPBERRY, ""),
    };
    file.clone_into(&mut reply.file);
    let mut add = |code: u8, data: &[u8]| reply.options.push((code, data.to_vec()));
    add(option::VENDOR_CLASS, class);
    if !vendor.is_empty() {
        add(option::VENDOR, vendor);
    }
    if let Some(uuid) = &request.uuid {
        add(option::UUID, uuid);
    }
    if let Some(client_id) = &request.client_id {
        add(option::CLIENT_ID, client_id);
    }
    if let Some(relay_info) = &request.relay_info {
        add(option::RELAY_INFO, relay_info);
    }
    let route = way(request, door, &mut reply);
    Some((reply, route))
}

/// Back to the door it came from; by broadcast, because the client has no address yet.
fn way(request: &Request, door: Door, reply: &mut Reply) -> Route {
    match door {
        Door::Proxy(from) => Route::Unicast(from),
        Door::Server if !request.giaddr.is_unspecified() => {
            Route::Unicast(SocketAddrV4::new(request.giaddr, SERVER_PORT))
        }
        Door::Server => {
            reply.flags |= BROADCAST_FLAG;
            reply.ciaddr = Ipv4Addr::UNSPECIFIED;
            Route::Broadcast
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{self, tests::packet};
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 77);
    const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 50), 4011);

    fn ask(kind: u8, door: Door, boot: &BootReply) -> Option<(Reply, Route)> {
        let bytes = packet(kind, [0x52, 0x54, 0, 0, 0, 1], &[(60, b"PXEClient"), (97, &[0; 17])]);
        answer(&wire::parse(&bytes).unwrap(), door, boot, OWN)
    }

    fn pxe() -> BootReply {
        BootReply::Pxe("snponly.efi".to_owned())
    }

    fn codes(reply: &Reply) -> Vec<u8> {
        reply.options.iter().map(|(code, _)| *code).collect()
    }

    #[test]
    fn an_offer_carries_the_boot_file_and_never_an_address() {
        let (reply, route) = ask(1, Door::Server, &pxe()).unwrap();
        assert_eq!((reply.kind, reply.yiaddr), (Kind::Offer, Ipv4Addr::UNSPECIFIED));
        assert_eq!((reply.siaddr, reply.file.as_str()), (OWN, "snponly.efi"));
        assert_eq!(codes(&reply), [54, 60, 43, 97], "no lease, mask, router or name server");
        assert_eq!((route, reply.flags), (Route::Broadcast, BROADCAST_FLAG));
    }

    #[test]
    fn whoever_does_not_network_boot_hears_nothing() {
        for kind in [1, 3, 4, 7, 8] {
            assert_eq!(ask(kind, Door::Server, &BootReply::Nothing), None);
            assert_eq!(ask(kind, Door::Proxy(CLIENT), &BootReply::Nothing), None);
        }
    }

    #[test]
    fn requests_for_addresses_are_the_other_servers_business() {
        for kind in [3, 4, 7, 8] {
            assert_eq!(ask(kind, Door::Server, &pxe()), None, "{kind}");
        }
    }

    #[test]
    fn on_port_4011_the_complete_data_go_back_to_where_the_request_came_from() {
        let (reply, route) = ask(3, Door::Proxy(CLIENT), &pxe()).unwrap();
        assert_eq!((reply.kind, reply.file.as_str()), (Kind::Ack, "snponly.efi"));
        assert_eq!(reply.yiaddr, Ipv4Addr::UNSPECIFIED);
        assert_eq!(route, Route::Unicast(CLIENT));
    }
}
