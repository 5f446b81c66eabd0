//! What to answer a client, and what to remember (RFC 2131 §4.3). Pure.
//!
//! A REQUEST has four meanings, told apart by what it carries (RFC 2131 table 4):
//! SELECTING names a server; INIT-REBOOT only an address; RENEWING and REBINDING come
//! from the address itself.

use std::net::Ipv4Addr;

use super::Seconds;
use super::lease::{Binding, DECLINE_HOLD, Leases, OFFER_HOLD, Reservations, SILENT_OFFER_HOLD};
use super::option;
use super::reply::{BootReply, add_boot, add_network, blank, echo_identity, grant};
use super::route::{Route, route};
use super::wire::{BROADCAST_FLAG, Kind, Reply, Request};
use crate::config;
use crate::net::Mac;

/// All that an answer depends on, besides the request.
pub struct Context<'a> {
    /// Our network and our own address in it.
    pub server: &'a config::Server,
    /// Who has what.
    pub leases: &'a Leases,
    /// Addresses from the stick.
    pub reservations: &'a dyn Reservations,
    /// What this client shall load.
    pub boot: &'a BootReply,
    /// The present.
    pub now: Seconds,
}

/// Something to remember. Bindings must be on disk before the reply leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Keep this address for this machine for a short time.
    Offer(Mac, Ipv4Addr, Seconds),
    /// The machine has this address now.
    Bind(Mac, Binding),
    /// The machine gave its address back.
    Release(Mac),
    /// Somebody else was found at this address.
    Decline(Mac, Ipv4Addr, Seconds),
    /// There was no address left to offer.
    PoolIsFull(Mac),
}

/// The whole decision: an answer with its way, and what to remember.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// None: silence is the right answer.
    pub reply: Option<(Reply, Route)>,
    /// In the order in which they happened.
    pub effects: Vec<Effect>,
}

/// Decides one request.
pub fn decide(request: &Request, context: &Context) -> Verdict {
    if !request.giaddr.is_unspecified() && !context.server.subnet.contains(request.giaddr) {
        // A relay of a network that we have no addresses for (RFC 2131 §4.3.1).
        return Verdict::default();
    }
    match request.kind {
        Kind::Discover => discover(request, context),
        Kind::Request => asked_for(request, context),
        Kind::Inform => inform(request, context),
        Kind::Release => effect(Effect::Release(request.mac), context.leases.binding(request.mac)),
        Kind::Decline => decline(request, context),
        Kind::Offer | Kind::Ack | Kind::Nak => Verdict::default(),
    }
}

fn discover(request: &Request, context: &Context) -> Verdict {
    let Context { leases, reservations, now, .. } = *context;
    let Some(address) = leases.choose(request.mac, request.requested, reservations, now) else {
        return Verdict { reply: None, effects: vec![Effect::PoolIsFull(request.mac)] };
    };
    let hold = match context.boot {
        BootReply::RaspberryPi => SILENT_OFFER_HOLD,
        _ => OFFER_HOLD,
    };
    let reply = grant(Kind::Offer, request, context, address, context.server.lease.as_secs());
    Verdict {
        reply: Some((reply.clone(), route(request, &reply))),
        effects: vec![Effect::Offer(request.mac, address, now + hold)],
    }
}

/// A REQUEST in one of its four meanings.
fn asked_for(request: &Request, context: &Context) -> Verdict {
    let own = context.server.subnet.address();
    match (request.server_id, request.requested) {
        (Some(server), _) if server != own => Verdict::default(),
        (Some(_), Some(address)) => acknowledge_or_refuse(request, context, address),
        (None, Some(address)) => acknowledge_or_refuse(request, context, address),
        (_, None) if !request.ciaddr.is_unspecified() => {
            acknowledge_or_refuse(request, context, request.ciaddr)
        }
        (_, None) => Verdict::default(),
    }
}

/// We only serve where no other DHCP server is, so we speak for the whole network: an
/// address that cannot be the client's is refused aloud, and it starts anew at once.
fn acknowledge_or_refuse(request: &Request, context: &Context, address: Ipv4Addr) -> Verdict {
    let Context { leases, reservations, now, .. } = *context;
    if !leases.usable(address, request.mac, reservations, now) {
        return refuse(request, context);
    }
    let lease = context.server.lease.as_secs();
    let current = leases.binding(request.mac).filter(|binding| binding.address == address);
    // In the first quarter of a lease a renewal only repeats it, so that nothing needs to
    // be written to the card.
    let fresh = current.filter(|binding| binding.expires > now + lease - lease / 4);
    let binding = fresh.unwrap_or(Binding { address, expires: now + lease });
    let reply = grant(Kind::Ack, request, context, address, binding.expires - now);
    Verdict {
        reply: Some((reply.clone(), route(request, &reply))),
        effects: if fresh.is_some() { vec![] } else { vec![Effect::Bind(request.mac, binding)] },
    }
}

fn refuse(request: &Request, context: &Context) -> Verdict {
    let relayed = !request.giaddr.is_unspecified();
    let mut reply = blank(Kind::Nak, request);
    reply.flags |= if relayed { BROADCAST_FLAG } else { 0 };
    let server = context.server.subnet.address();
    reply.options.push((option::SERVER_ID, server.octets().to_vec()));
    reply.options.push((option::MESSAGE, b"this address is not yours here".to_vec()));
    echo_identity(&mut reply, request);
    Verdict { reply: Some((reply.clone(), route(request, &reply))), effects: vec![] }
}

/// The client has an address by other means and wants the rest: no lease, no yiaddr.
fn inform(request: &Request, context: &Context) -> Verdict {
    if !context.server.subnet.is_host(request.ciaddr) {
        return Verdict::default();
    }
    let mut reply = blank(Kind::Ack, request);
    reply.ciaddr = request.ciaddr;
    add_network(&mut reply, context, None);
    add_boot(&mut reply, request, context);
    echo_identity(&mut reply, request);
    Verdict { reply: Some((reply.clone(), route(request, &reply))), effects: vec![] }
}

fn decline(request: &Request, context: &Context) -> Verdict {
    let for_us = request.server_id.is_none_or(|server| server == context.server.subnet.address());
    let held = request
        .requested
        .filter(|address| context.leases.holder(*address, context.now) == Some(request.mac));
    // Only its holder can decline an address: a stranger must not empty the pool.
    match held.filter(|_| for_us) {
        Some(address) => Verdict {
            reply: None,
            effects: vec![Effect::Decline(request.mac, address, context.now + DECLINE_HOLD)],
        },
        None => Verdict::default(),
    }
}

fn effect(effect: Effect, when: Option<Binding>) -> Verdict {
    Verdict { reply: None, effects: when.map(|_| effect).into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::super::lease::tests::Nobody;
    use super::super::reply::PXE_DIRECT;
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
            let config = parse("").unwrap();
            let leases = Leases::new(config.server.pool);
            World { config, leases, boot: BootReply::Pxe("undionly.kpxe".into()), now: 1_000 }
        }

        fn ask(&mut self, kind: u8, options: &[(u8, &[u8])], ciaddr: [u8; 4]) -> Option<Reply> {
            let mut bytes = packet(kind, MAC, options);
            bytes[12..16].copy_from_slice(&ciaddr);
            let request = wire::parse(&bytes).unwrap();
            let verdict = decide(
                &request,
                &Context {
                    server: &self.config.server,
                    leases: &self.leases,
                    reservations: &Nobody,
                    boot: &self.boot,
                    now: self.now,
                },
            );
            for effect in verdict.effects {
                match effect {
                    Effect::Offer(mac, address, until) => self.leases.offer(mac, address, until),
                    Effect::Bind(mac, binding) => self.leases.bind(mac, binding),
                    Effect::Release(mac) => self.leases.release(mac, self.now),
                    Effect::Decline(mac, ip, until) => self.leases.decline(mac, ip, until),
                    Effect::PoolIsFull(_) => {}
                }
            }
            verdict.reply.map(|(reply, _)| reply)
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
        world.ask(4, &[(50, &[10, 10, 10, 100])], [0; 4]);
        let other = Mac::new([2; 6]).unwrap();
        assert!(world.leases.usable(Ipv4Addr::new(10, 10, 10, 100), other, &Nobody, world.now));
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
}
