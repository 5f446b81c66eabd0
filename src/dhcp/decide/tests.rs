use super::super::reply::PXE_DIRECT;
use super::super::site::tests::Nobody;
use super::super::wire::{self, tests::packet};
use super::*;
use crate::config::parse;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

struct World {
    config: config::Config,
    leases: Leases,
    boot: BootReply,
    now: Seconds,
}

impl World {
    fn new() -> World {
        World::with("server.probe = false")
    }

    fn with(config: &str) -> World {
        let config = parse(config).unwrap();
        let leases = Leases::new();
        World { config, leases, boot: BootReply::Pxe("undionly.kpxe".into()), now: 1_000 }
    }

    fn ask(&mut self, kind: u8, options: &[(u8, &[u8])], ciaddr: [u8; 4]) -> Option<Reply> {
        let mut bytes = packet(kind, MAC, options);
        bytes[12..16].copy_from_slice(&ciaddr);
        self.hear(&bytes).reply.map(|(reply, _)| reply)
    }

    /// The same through a relay at this address.
    fn relayed(&mut self, kind: u8, options: &[(u8, &[u8])], giaddr: [u8; 4]) -> Verdict {
        let mut bytes = packet(kind, MAC, options);
        bytes[24..28].copy_from_slice(&giaddr);
        self.hear(&bytes)
    }

    fn hear(&mut self, packet: &[u8]) -> Verdict {
        let request = wire::parse(packet).unwrap();
        let context = Context {
            server: &self.config.server,
            leases: &self.leases,
            reservations: &Nobody,
            boot: &self.boot,
            now: self.now,
        };
        let verdict = decide(&request, &context);
        for effect in &verdict.effects {
            effect.apply(&mut self.leases, self.now);
        }
        verdict
    }
}

fn option(reply: &Reply, code: u8) -> Option<&[u8]> {
    reply.options.iter().find(|(c, _)| *c == code).map(|(_, data)| data.as_slice())
}

#[test]
fn discover_offer_request_ack() {
    let mut world = World::new();
    let offer = world.ask(1, &[(97, &[0; 17])], [0; 4]).unwrap();
    assert_eq!(offer.kind, Kind::Offer);
    assert_eq!(offer.file, "undionly.kpxe");
    assert_eq!(offer.siaddr, Ipv4Addr::new(10, 10, 10, 1));
    assert_eq!(option(&offer, 43), Some(&PXE_DIRECT[..]));
    assert_eq!(option(&offer, 97), Some(&[0; 17][..]));
    let wish = offer.yiaddr.octets();
    let ack = world.ask(3, &[(54, &[10, 10, 10, 1]), (50, &wish)], [0; 4]).unwrap();
    assert_eq!(ack.kind, Kind::Ack);
    assert_eq!(ack.yiaddr, offer.yiaddr);
    assert_eq!(option(&ack, 51), Some(&(12 * 3600_u32).to_be_bytes()[..]));
}

#[test]
fn a_request_to_another_server_is_met_with_silence() {
    let mut world = World::new();
    let options: [(u8, &[u8]); 2] = [(54, &[10, 10, 10, 2]), (50, &[10, 10, 10, 100])];
    assert_eq!(world.ask(3, &options, [0; 4]), None);
}

#[test]
fn an_address_of_another_network_is_refused_at_once() {
    let mut world = World::new();
    let nak = world.ask(3, &[(50, &[192, 168, 1, 7])], [0; 4]).unwrap();
    assert_eq!(nak.kind, Kind::Nak);
    assert_eq!(nak.yiaddr, Ipv4Addr::UNSPECIFIED);
    assert_eq!(option(&nak, 51), None);
}

#[test]
fn a_renewal_in_the_first_quarter_repeats_the_lease_and_a_later_one_extends_it() {
    let mut world = World::new();
    let address = [10, 10, 10, 120];
    world.ask(3, &[(54, &[10, 10, 10, 1]), (50, &address)], [0; 4]);
    world.now += 60;
    let early = world.ask(3, &[], address).unwrap();
    assert_eq!(option(&early, 51), Some(&(12 * 3600_u32 - 60).to_be_bytes()[..]));
    world.now += 6 * 3600;
    let late = world.ask(3, &[], address).unwrap();
    assert_eq!(option(&late, 51), Some(&(12 * 3600_u32).to_be_bytes()[..]));
}

#[test]
fn inform_gets_the_network_and_no_lease() {
    let ack = World::new().ask(8, &[], [10, 10, 10, 9]).unwrap();
    assert_eq!(ack.yiaddr, Ipv4Addr::UNSPECIFIED);
    assert_eq!(option(&ack, 51), None);
    assert_eq!(option(&ack, 1), Some(&[255, 255, 255, 0][..]));
}

#[test]
fn a_stranger_cannot_decline_addresses_away() {
    let mut world = World::new();
    let address: (u8, &[u8]) = (50, &[10, 10, 10, 100]);
    world.ask(4, &[address], [0; 4]);
    let offer = world.ask(1, &[address], [0; 4]).unwrap();
    assert_eq!(offer.yiaddr, Ipv4Addr::new(10, 10, 10, 100));
}

#[test]
fn an_address_is_looked_for_once_before_it_is_offered_to_a_newcomer() {
    let mut world = World::with("");
    let first = world.hear(&packet(1, MAC, &[]));
    assert_eq!(first.reply, None);
    let address = first.probe.unwrap();
    let second = world.hear(&packet(1, MAC, &[]));
    assert_eq!((second.probe, second.reply.unwrap().0.yiaddr), (None, address));
    let wish = address.octets();
    world.ask(3, &[(54, &[10, 10, 10, 1]), (50, &wish)], [0; 4]).unwrap();
    world.now += 3600;
    assert_eq!(world.hear(&packet(1, MAC, &[])).probe, None, "it has a lease");
    world.now += 24 * 3600;
    assert_eq!(world.hear(&packet(1, MAC, &[])).probe, Some(address), "its lease has ended");
}

#[test]
fn an_address_that_somebody_is_found_at_is_followed_by_another() {
    let mut world = World::with("");
    let address = world.hear(&packet(1, MAC, &[])).probe.unwrap();
    let decline = Effect::Decline(Mac::new(MAC).unwrap(), address, world.now + 1);
    decline.apply(&mut world.leases, world.now);
    assert_ne!(world.hear(&packet(1, MAC, &[])).probe.unwrap(), address);
}

const RELAY: &str = "relay = [{ address = \"10.20.0.1/24\" }]";

#[test]
fn a_machine_behind_a_relay_gets_an_address_of_its_own_network() {
    let mut world = World::with(RELAY);
    let info: (u8, &[u8]) = (82, b"\x01\x02ab");
    let verdict = world.relayed(1, &[info], [10, 20, 0, 1]);
    assert_eq!(verdict.probe, None, "ARP ends at the relay");
    let (offer, route) = verdict.reply.unwrap();
    assert!(world.config.server.relayed[0].pool.contains(offer.yiaddr));
    assert_eq!(option(&offer, 3), Some(&[10, 20, 0, 1][..]), "out through the relay");
    assert_eq!(option(&offer, 54), Some(&[10, 10, 10, 1][..]));
    assert_eq!(offer.options.last().unwrap().0, 82);
    assert_eq!(route, Route::Unicast("10.20.0.1:67".parse().unwrap()));
    // It renews without the relay.
    let address = offer.yiaddr.octets();
    world.relayed(3, &[(54, &[10, 10, 10, 1]), (50, &address)], [10, 20, 0, 1]);
    let ack = world.ask(3, &[], address).unwrap();
    assert_eq!((ack.kind, ack.yiaddr), (Kind::Ack, offer.yiaddr));
}

#[test]
fn a_relay_of_a_network_that_is_none_of_ours_is_met_with_silence() {
    assert_eq!(World::with(RELAY).relayed(1, &[], [10, 30, 0, 1]), Verdict::default());
}

#[test]
fn a_relay_may_mean_another_network_and_be_the_server_to_its_clients() {
    let mut world = World::with(RELAY);
    let info: &[u8] = &[5, 4, 10, 20, 0, 0, 11, 4, 10, 20, 0, 1];
    let (offer, _) = world.relayed(1, &[(82, info)], [10, 10, 10, 9]).reply.unwrap();
    assert!(world.config.server.relayed[0].pool.contains(offer.yiaddr));
    assert_eq!(option(&offer, 54), Some(&[10, 20, 0, 1][..]));
    let wish = offer.yiaddr.octets();
    let options: [(u8, &[u8]); 3] = [(54, &[10, 20, 0, 1]), (50, &wish), (82, info)];
    let (ack, _) = world.relayed(3, &options, [10, 10, 10, 9]).reply.unwrap();
    assert_eq!(ack.kind, Kind::Ack);
}

#[test]
fn who_does_not_speak_for_the_network_refuses_only_whom_it_knows() {
    let mut world = World::with("server = { probe = false, authoritative = false }");
    assert_eq!(world.ask(3, &[(50, &[10, 10, 10, 120])], [0; 4]), None);
    assert_eq!(world.ask(3, &[], [10, 10, 10, 120]), None);
    world.ask(3, &[(54, &[10, 10, 10, 1]), (50, &[10, 10, 10, 120])], [0; 4]).unwrap();
    let nak = world.ask(3, &[(50, &[192, 168, 1, 7])], [0; 4]).unwrap();
    assert_eq!(nak.kind, Kind::Nak);
}

#[test]
fn a_late_release_of_another_address_ends_no_lease() {
    let mut world = World::new();
    world.ask(3, &[(54, &[10, 10, 10, 1]), (50, &[10, 10, 10, 120])], [0; 4]).unwrap();
    let ends = |world: &World| world.leases.binding(Mac::new(MAC).unwrap()).unwrap().expires;
    let before = ends(&world);
    world.ask(7, &[], [10, 10, 10, 121]);
    assert_eq!(ends(&world), before);
    world.ask(7, &[(54, &[10, 10, 10, 2])], [10, 10, 10, 120]);
    assert_eq!(ends(&world), before, "it speaks to another server");
    let release = |world: &mut World| {
        let mut bytes = packet(7, MAC, &[]);
        bytes[12..16].copy_from_slice(&[10, 10, 10, 120]);
        world.hear(&bytes).effects.len()
    };
    assert_eq!(release(&mut world), 1);
    assert_eq!(ends(&world), world.now);
    assert_eq!(release(&mut world), 0, "a repetition is written down again");
}

#[test]
fn nobody_can_have_us_send_to_an_address_that_is_not_the_clients_own() {
    let mut world = World::new();
    let mut discover = packet(1, MAC, &[]);
    discover[12..16].copy_from_slice(&[10, 10, 10, 77]);
    let (_, route) = world.hear(&discover).reply.unwrap();
    assert!(matches!(route, Route::Hardware(..)), "{route:?}");
    for giaddr in [[10, 10, 10, 1], [10, 10, 10, 255], [10, 10, 10, 0], [8, 8, 8, 8]] {
        assert_eq!(world.relayed(1, &[], giaddr), Verdict::default(), "{giaddr:?}");
    }
}

#[test]
fn a_machine_that_is_not_netbooting_gets_no_boot_data() {
    let mut world = World::new();
    world.boot = BootReply::Nothing;
    let offer = world.ask(1, &[], [0; 4]).unwrap();
    assert_eq!((offer.file.as_str(), offer.siaddr), ("", Ipv4Addr::UNSPECIFIED));
    for code in [43, 60, 66, 67] {
        assert_eq!(option(&offer, code), None);
    }
}

#[test]
fn a_client_identifier_comes_back_and_relay_information_is_last() {
    let mut world = World::new();
    let reply = world.ask(1, &[(82, b"\x01\x02ab"), (61, b"\x01xyz")], [0; 4]).unwrap();
    assert_eq!(option(&reply, 61), Some(&b"\x01xyz"[..]));
    assert_eq!(reply.options.last(), Some(&(82, b"\x01\x02ab".to_vec())));
}
