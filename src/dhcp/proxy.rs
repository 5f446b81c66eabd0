//! proxyDHCP (Intel PXE 2.1 §2.2.3): boot data beside another server's addresses. Pure.
//!
//! Answers only machines that network-boot, never names an address, never refuses one.
//! On port 67 the offer itself carries the boot file and the bit "no discovery", or, for
//! firmware that ignores such an offer, neither ([`super::shape`]). Firmware that asks on
//! port 4011 gets the complete data there.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::SERVER_PORT;
use super::option;
use super::reply::{BootReply, PXE_DIRECT, PXE_RASPBERRY, blank, echo_identity, echo_uuid};
use super::route::Route;
use super::shape::Shape;
use super::wire::{BROADCAST_FLAG, Kind, Reply, Request};
use crate::net::Subnet;

/// Where a request arrived, and who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Port 67, by broadcast or through a relay.
    Server(SocketAddrV4),
    /// Port 4011.
    Proxy(SocketAddrV4),
}

/// Where a relay agent can be: on a private network (RFC 1918), or on ours. Else anybody
/// could have us send to anybody.
fn is_relays(address: Ipv4Addr, own: Subnet) -> bool {
    let on_ours = own.can_lend(address);
    address.is_unspecified() || on_ours || address.is_private() && !own.contains(address)
}

/// The answer with its way; none: silence is the right answer. `own`: our address.
pub fn answer(
    request: &Request,
    door: Door,
    boot: &BootReply,
    shape: Shape,
    own: Subnet,
) -> Option<(Reply, Route)> {
    if !is_relays(request.giaddr, own) {
        return None;
    }
    let own = own.address();
    let kind = match (door, request.kind) {
        (_, Kind::Discover) => Kind::Offer,
        (Door::Proxy(_), Kind::Request | Kind::Inform) => Kind::Ack,
        // Firmware looks for a boot server, on port 67 as well (PXE 2.1 §2.2.1).
        (Door::Server(_), Kind::Request | Kind::Inform) if request.boot_item.is_some() => Kind::Ack,
        // Other REQUESTs belong to the server that gave the address.
        _ => return None,
    };
    let (class, vendor, file): (&[u8], &[u8], &str) = match boot {
        // U-Boot takes no second offer; its own DHCP server must name us.
        BootReply::Nothing | BootReply::Plain(_) => return None,
        BootReply::Pxe(_) if shape == Shape::OnAsking => (b"PXEClient", &[], ""),
        BootReply::Pxe(file) => (b"PXEClient", &PXE_DIRECT, file),
        // iPXE knows a proxy by this class, too.
        BootReply::Ipxe(url) => (b"PXEClient", &PXE_DIRECT, url),
        BootReply::Http(url) => (b"HTTPClient", &[], url),
        BootReply::RaspberryPi => (b"PXEClient", PXE_RASPBERRY, ""),
    };
    let mut reply = blank(kind, request);
    reply.ciaddr = request.ciaddr;
    reply.siaddr = own;
    file.clone_into(&mut reply.file);
    let mut add = |code: u8, data: Vec<u8>| reply.options.push((code, data));
    add(option::SERVER_ID, own.octets().to_vec());
    add(option::VENDOR_CLASS, class.to_vec());
    if !vendor.is_empty() {
        add(option::VENDOR, with_boot_item(vendor, request.boot_item));
    }
    echo_uuid(&mut reply, request);
    echo_identity(&mut reply, request);
    let route = way(request, door, &mut reply);
    Some((reply, route))
}

/// The item that firmware asked for comes back (PXE 2.1 table 2-5), before the end mark.
fn with_boot_item(vendor: &[u8], item: Option<[u8; 4]>) -> Vec<u8> {
    let Some((item, (end, before))) = item.zip(vendor.split_last()) else {
        return vendor.to_vec();
    };
    [before, &[option::VENDOR_BOOT_ITEM, 4], &item, &[*end]].concat()
}

/// Back to the door it came from; by broadcast, because the client has no address yet.
fn way(request: &Request, door: Door, reply: &mut Reply) -> Route {
    match door {
        Door::Proxy(from) => Route::Unicast(from),
        Door::Server(_) if !request.giaddr.is_unspecified() => {
            Route::Unicast(SocketAddrV4::new(request.giaddr, SERVER_PORT))
        }
        Door::Server(from) if reply.kind == Kind::Ack => Route::Unicast(from),
        Door::Server(_) => {
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
    const BROADCASTER: Door = Door::Server(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68));
    const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 50), 4011);

    fn ask(kind: u8, door: Door, boot: &BootReply) -> Option<(Reply, Route)> {
        let bytes = packet(kind, [0x52, 0x54, 0, 0, 0, 1], &[(60, b"PXEClient"), (97, &[0; 17])]);
        answer(&wire::parse(&bytes).unwrap(), door, boot, Shape::InOffer, network())
    }

    fn network() -> Subnet {
        Subnet::new(OWN, 24).unwrap()
    }

    fn pxe() -> BootReply {
        BootReply::Pxe("snponly.efi".to_owned())
    }

    fn codes(reply: &Reply) -> Vec<u8> {
        reply.options.iter().map(|(code, _)| *code).collect()
    }

    #[test]
    fn an_offer_carries_the_boot_file_and_never_an_address() {
        let (reply, route) = ask(1, BROADCASTER, &pxe()).unwrap();
        assert_eq!((reply.kind, reply.yiaddr), (Kind::Offer, Ipv4Addr::UNSPECIFIED));
        assert_eq!((reply.siaddr, reply.file.as_str()), (OWN, "snponly.efi"));
        assert_eq!(codes(&reply), [54, 60, 43, 97], "no lease, mask, router or name server");
        assert_eq!((route, reply.flags), (Route::Broadcast, BROADCAST_FLAG));
    }

    #[test]
    fn whoever_does_not_network_boot_hears_nothing() {
        for kind in [1, 3, 4, 7, 8] {
            assert_eq!(ask(kind, BROADCASTER, &BootReply::Nothing), None);
            assert_eq!(ask(kind, Door::Proxy(CLIENT), &BootReply::Nothing), None);
        }
    }

    #[test]
    fn requests_for_addresses_are_the_other_servers_business() {
        for kind in [3, 4, 7, 8] {
            assert_eq!(ask(kind, BROADCASTER, &pxe()), None, "{kind}");
        }
    }

    #[test]
    fn on_port_4011_the_complete_data_go_back_to_where_the_request_came_from() {
        let (reply, route) = ask(3, Door::Proxy(CLIENT), &pxe()).unwrap();
        assert_eq!((reply.kind, reply.file.as_str()), (Kind::Ack, "snponly.efi"));
        assert_eq!(reply.yiaddr, Ipv4Addr::UNSPECIFIED);
        assert_eq!(route, Route::Unicast(CLIENT));
    }

    #[test]
    fn firmware_that_ignores_the_first_kind_of_offer_is_made_to_ask_on_port_4011() {
        let bytes = packet(1, [0x52, 0x54, 0, 0, 0, 1], &[(60, b"PXEClient")]);
        let request = wire::parse(&bytes).unwrap();
        let (reply, _) = answer(&request, BROADCASTER, &pxe(), Shape::OnAsking, network()).unwrap();
        assert_eq!((reply.siaddr, reply.file.as_str()), (OWN, ""));
        assert_eq!(codes(&reply), [54, 60], "no 43: EDK2 calls that BINL, and asks");
    }

    #[test]
    fn who_looks_for_a_boot_server_gets_its_item_back_where_it_asked_from() {
        let item: &[u8] = &[71, 4, 0, 0, 0, 0, 255];
        for kind in [3, 8] {
            let bytes = packet(kind, [0x52, 0x54, 0, 0, 0, 1], &[(60, b"PXEClient"), (43, item)]);
            let request = wire::parse(&bytes).unwrap();
            let door = Door::Server(CLIENT);
            let (reply, route) = answer(&request, door, &pxe(), Shape::InOffer, network()).unwrap();
            assert_eq!((reply.kind, route), (Kind::Ack, Route::Unicast(CLIENT)));
            let vendor = &reply.options.iter().find(|(code, _)| *code == 43).unwrap().1;
            assert_eq!(vendor[..], b"\x06\x01\x08\x0a\x04\0PXE\x47\x04\0\0\0\0\xff"[..]);
        }
    }

    #[test]
    fn a_relay_is_answered_where_relays_can_be_and_nowhere_else() {
        let mut bytes = packet(1, [0x52, 0x54, 0, 0, 0, 1], &[(60, b"PXEClient")]);
        let mut through = |giaddr: [u8; 4]| {
            bytes[24..28].copy_from_slice(&giaddr);
            let request = wire::parse(&bytes).unwrap();
            answer(&request, BROADCASTER, &pxe(), Shape::InOffer, network()).map(|found| found.1)
        };
        let to = Route::Unicast("10.20.0.1:67".parse().unwrap());
        assert_eq!(through([10, 20, 0, 1]), Some(to));
        assert!(through([192, 168, 1, 1]).is_some());
        for giaddr in [[8, 8, 8, 8], [192, 168, 1, 255], OWN.octets(), [127, 0, 0, 1], [255; 4]] {
            assert_eq!(through(giaddr), None, "{giaddr:?}");
        }
    }
}
