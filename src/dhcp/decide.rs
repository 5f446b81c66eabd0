//! What to answer a client, and what to remember (RFC 2131 §4.3). Pure.
//!
//! A REQUEST has four meanings, told apart by what it carries (RFC 2131 table 4):
//! SELECTING names a server; INIT-REBOOT only an address; RENEWING and REBINDING come
//! from the address itself.

use std::net::Ipv4Addr;

use super::Seconds;
use super::lease::{Binding, DECLINE_HOLD, Leases, OFFER_HOLD, SILENT_OFFER_HOLD};
use super::option;
use super::reply::{
    BootReply, Terms, add_boot, add_network, blank, echo_identity, echo_uuid, grant,
};
use super::route::{Route, route};
use super::site::{Reservations, Site};
use super::wire::{BROADCAST_FLAG, Kind, Reply, Request};
use crate::config::{self, Network};
use crate::net::Mac;

/// All that an answer depends on, besides the request.
pub struct Context<'a> {
    /// Our networks and our own address.
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
    /// The same for a machine that uses it without requesting it.
    SilentOffer(Mac, Ipv4Addr, Seconds),
    /// The machine does not want what it was offered: it has taken another server's offer.
    Withdraw(Mac),
    /// The machine has this address now.
    Bind(Mac, Binding),
    /// The machine gave its address back.
    Release(Mac),
    /// Somebody else was found at this address.
    Decline(Mac, Ipv4Addr, Seconds),
    /// There was no address left to offer.
    PoolIsFull(Mac),
}

impl Effect {
    /// Does it to the table; what is kept of the machines that this returns is out of date.
    pub fn apply(self, leases: &mut Leases, now: Seconds) -> Vec<Mac> {
        match self {
            Effect::Offer(mac, address, until) => leases.offer(mac, address, until),
            Effect::SilentOffer(mac, address, until) => leases.offer_silently(mac, address, until),
            Effect::Withdraw(mac) => leases.withdraw(mac),
            Effect::Bind(mac, binding) => {
                let forgotten = leases.bind(mac, binding);
                return [vec![mac], forgotten].concat();
            }
            Effect::Release(mac) => {
                leases.release(mac, now);
                return vec![mac];
            }
            Effect::Decline(mac, address, until) => {
                leases.decline(mac, address, until);
                return vec![mac];
            }
            Effect::PoolIsFull(_) => {}
        }
        Vec::new()
    }
}

/// The whole decision: an answer with its way, and what to remember.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// None: silence is the right answer, or the right one for now.
    pub reply: Option<(Reply, Route)>,
    /// In the order in which they happened.
    pub effects: Vec<Effect>,
    /// Before there is a reply, this address must be looked for on the LAN. If nobody is
    /// there, the same request is decided anew; else the address is declined before that.
    pub probe: Option<Ipv4Addr>,
}

/// Decides one request.
pub fn decide(request: &Request, context: &Context) -> Verdict {
    // A relay of a network that we have no addresses for: silence (RFC 2131 §4.3.1).
    let Some(network) = network_of(request, context.server) else {
        return Verdict::default();
    };
    let own = context.server.address();
    let server_id = request.server_override.unwrap_or(own);
    let case = Case {
        request,
        context,
        site: Site {
            subnet: network.subnet,
            pool: network.pool,
            reservations: context.reservations,
        },
        terms: Terms { own, server_id, network, boot: context.boot },
    };
    match request.kind {
        Kind::Discover => case.discover(),
        Kind::Request => case.asked_for(),
        Kind::Inform => case.inform(),
        Kind::Release => case.release(),
        Kind::Decline => case.decline(),
        Kind::Offer | Kind::Ack | Kind::Nak => Verdict::default(),
    }
}

/// Where the client is: as its relay says (RFC 3527, 3011), else where the relay is, which
/// must be on a network of ours; without a relay on our own network. A machine behind a relay renews directly, from the address that it has.
fn network_of<'a>(request: &Request, server: &'a config::Server) -> Option<&'a Network> {
    let with = |address| server.networks().find(|network| network.subnet.contains(address));
    if !request.giaddr.is_unspecified() {
        let relay =
            with(request.giaddr).filter(|network| network.subnet.is_host(request.giaddr))?;
        let ourselves = request.giaddr == server.address();
        return request.link.map_or(Some(relay), with).filter(|_| !ourselves);
    }
    Some(with(request.ciaddr).unwrap_or(&server.local))
}

/// One request with all that its answer depends on.
struct Case<'a> {
    request: &'a Request,
    context: &'a Context<'a>,
    site: Site<'a>,
    terms: Terms<'a>,
}

/// How a client says which address it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// It was offered it by us.
    Selecting,
    /// It had it, or has it.
    Remembering,
}

impl Case<'_> {
    fn discover(&self) -> Verdict {
        let Context { leases, now, .. } = *self.context;
        let mac = self.request.mac;
        let Some(address) = leases.choose(mac, self.request.requested, &self.site, now) else {
            return self.only(Effect::PoolIsFull(mac));
        };
        let effects = vec![match self.context.boot {
            BootReply::RaspberryPi => Effect::SilentOffer(mac, address, now + SILENT_OFFER_HOLD),
            _ => Effect::Offer(mac, address, now + OFFER_HOLD),
        }];
        // ARP reaches our own network only.
        let is_local = self.terms.network == &self.context.server.local;
        if self.context.server.probe && is_local && !leases.is_at(mac, address, now) {
            return Verdict { reply: None, effects, probe: Some(address) };
        }
        let lease = self.context.server.lease.as_secs();
        Verdict {
            effects,
            ..self.answer(grant(Kind::Offer, self.request, &self.terms, address, lease))
        }
    }

    /// A REQUEST in one of its four meanings.
    fn asked_for(&self) -> Verdict {
        let Request { server_id, requested, ciaddr, .. } = *self.request;
        match (server_id, requested) {
            (Some(server), _) if !self.is_us(server) => {
                self.only(Effect::Withdraw(self.request.mac))
            }
            (Some(_), Some(address)) => self.claim(address, Claim::Selecting),
            (None, Some(address)) => self.claim(address, Claim::Remembering),
            (_, None) if !ciaddr.is_unspecified() => self.claim(ciaddr, Claim::Remembering),
            (_, None) => Verdict::default(),
        }
    }

    fn is_us(&self, server: Ipv4Addr) -> bool {
        server == self.terms.own || server == self.terms.server_id
    }

    /// Where no other DHCP server is we speak for the whole network: an address that cannot
    /// be the client's is refused aloud, and it starts anew at once. Where we do not, a
    /// machine that we never met is none of our business.
    fn claim(&self, address: Ipv4Addr, claim: Claim) -> Verdict {
        let Context { leases, now, server, .. } = *self.context;
        let mac = self.request.mac;
        let is_known = leases.binding(mac).is_some();
        if claim == Claim::Remembering && !is_known && !server.authoritative {
            return Verdict::default();
        }
        let given = match claim {
            Claim::Selecting => leases.takeable(address, mac, &self.site, now),
            Claim::Remembering => leases.usable(address, mac, &self.site, now),
        };
        if given { self.acknowledge(address) } else { self.refuse() }
    }

    /// In the first quarter of a lease a renewal only repeats it, so that nothing needs to be
    /// written to the card.
    fn acknowledge(&self, address: Ipv4Addr) -> Verdict {
        let Context { leases, now, server, .. } = *self.context;
        let mac = self.request.mac;
        let lease = server.lease.as_secs();
        let current = leases.binding(mac).filter(|binding| binding.address == address);
        let fresh = current.filter(|binding| binding.expires > now + lease - lease / 4);
        let binding = fresh.unwrap_or(Binding { address, expires: now + lease });
        let left = binding.expires - now;
        Verdict {
            effects: if fresh.is_some() { vec![] } else { vec![Effect::Bind(mac, binding)] },
            ..self.answer(grant(Kind::Ack, self.request, &self.terms, address, left))
        }
    }

    fn refuse(&self) -> Verdict {
        let relayed = !self.request.giaddr.is_unspecified();
        let mut reply = blank(Kind::Nak, self.request);
        reply.flags |= if relayed { BROADCAST_FLAG } else { 0 };
        reply.options.push((option::SERVER_ID, self.terms.server_id.octets().to_vec()));
        reply.options.push((option::MESSAGE, b"this address is not yours here".to_vec()));
        echo_identity(&mut reply, self.request);
        self.answer(reply)
    }

    /// The client has an address by other means and wants the rest: no lease, no yiaddr.
    fn inform(&self) -> Verdict {
        if !self.site.subnet.is_host(self.request.ciaddr) {
            return Verdict::default();
        }
        let mut reply = blank(Kind::Ack, self.request);
        reply.ciaddr = self.request.ciaddr;
        add_network(&mut reply, &self.terms, None);
        add_boot(&mut reply, &self.terms);
        echo_uuid(&mut reply, self.request);
        echo_identity(&mut reply, self.request);
        self.answer(reply)
    }

    /// Only the address that it has, and once: a late RELEASE must not end a newer lease, and
    /// repeating it must not wear the card.
    fn release(&self) -> Verdict {
        let Context { leases, now, .. } = *self.context;
        let Request { mac, ciaddr, server_id, .. } = *self.request;
        let for_us = server_id.is_none_or(|server| self.is_us(server));
        let current = leases.binding(mac).filter(|binding| binding.expires > now);
        match current.filter(|binding| binding.address == ciaddr && for_us) {
            Some(_) => self.only(Effect::Release(mac)),
            None => Verdict::default(),
        }
    }

    /// Only its holder can decline an address: a stranger must not empty the pool.
    fn decline(&self) -> Verdict {
        let Context { leases, now, .. } = *self.context;
        let mac = self.request.mac;
        let for_us = self.request.server_id.is_none_or(|server| self.is_us(server));
        let held = self.request.requested.filter(|ip| leases.holder(*ip, now) == Some(mac));
        match held.filter(|_| for_us) {
            Some(address) => self.only(Effect::Decline(mac, address, now + DECLINE_HOLD)),
            None => Verdict::default(),
        }
    }

    fn answer(&self, reply: Reply) -> Verdict {
        let route = route(self.request, &reply, self.context.server.local.subnet);
        Verdict { reply: Some((reply, route)), ..Verdict::default() }
    }

    fn only(&self, effect: Effect) -> Verdict {
        Verdict { effects: vec![effect], ..Verdict::default() }
    }
}

#[cfg(test)]
mod tests;
