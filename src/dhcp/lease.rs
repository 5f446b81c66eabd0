//! Who has which address. Keyed by MAC: firmware, iPXE, installer and installed system
//! of one machine send up to five different client identifiers, and are one machine.
//!
//! Pure. Offers live in memory only; bindings are written down by the caller before the
//! ACK leaves.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;

use super::Seconds;
use crate::net::{Mac, Pool, Subnet};

/// An unanswered offer keeps its address this long; a BIOS takes up to 32 s to decide.
pub const OFFER_HOLD: Seconds = 60;

/// The Pi 3's boot ROM uses an offered address without ever requesting it.
pub const SILENT_OFFER_HOLD: Seconds = 600;

/// An address that a client found in use is left alone for a day, as Kea does.
pub const DECLINE_HOLD: Seconds = 24 * 60 * 60;

/// More machines than any few racks hold; past it the oldest expired binding goes.
const MOST_BINDINGS: usize = 16_384;

/// A stranger who makes up MACs can fill this many offers, then the oldest go.
const MOST_OFFERS: usize = 1_024;

/// A machine's address and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Binding {
    /// The machine's address.
    pub address: Ipv4Addr,
    /// When the lease ends. The record stays: the machine gets the same address again.
    pub expires: Seconds,
}

/// The lease table.
#[derive(Debug, Clone)]
pub struct Leases {
    pool: Pool,
    bindings: HashMap<Mac, Binding>,
    owners: HashMap<Ipv4Addr, Mac>,
    offers: HashMap<Mac, Binding>,
    declined: HashMap<Ipv4Addr, Seconds>,
}

/// Addresses that the stick gives to named machines.
pub trait Reservations {
    /// The address that `mac` always has.
    fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr>;
    /// The machine that `address` is kept for.
    fn holder_of(&self, address: Ipv4Addr) -> Option<Mac>;
}

/// Those of the reservations that can be given out on `subnet`; the scan of the stick names
/// the others.
pub struct Lendable<'a> {
    /// All of them.
    pub reservations: &'a dyn Reservations,
    /// Where we give addresses.
    pub subnet: Subnet,
}

impl Reservations for Lendable<'_> {
    fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.reservations.reserved_for(mac).filter(|address| self.subnet.can_lend(*address))
    }

    fn holder_of(&self, address: Ipv4Addr) -> Option<Mac> {
        self.reservations.holder_of(address)
    }
}

impl Leases {
    /// An empty table over `pool`.
    pub fn new(pool: Pool) -> Leases {
        Leases {
            pool,
            bindings: HashMap::new(),
            owners: HashMap::new(),
            offers: HashMap::new(),
            declined: HashMap::new(),
        }
    }

    /// The machine's binding, expired or not.
    pub fn binding(&self, mac: Mac) -> Option<Binding> {
        self.bindings.get(&mac).copied()
    }

    /// The machine that holds `address` now, by a lease or an open offer.
    pub fn holder(&self, address: Ipv4Addr, now: Seconds) -> Option<Mac> {
        let owner = self.owners.get(&address).copied();
        let live = |mac: &Mac| self.bindings.get(mac).is_some_and(|b| b.expires > now);
        owner.filter(live).or_else(|| {
            let offered =
                |(_, offer): &(&Mac, &Binding)| offer.address == address && offer.expires > now;
            self.offers.iter().find(offered).map(|(mac, _)| *mac)
        })
    }

    /// Every binding, for the status page and the store.
    pub fn all(&self) -> impl Iterator<Item = (Mac, Binding)> + '_ {
        self.bindings.iter().map(|(mac, binding)| (*mac, *binding))
    }

    /// The address to offer: reserved, else the machine's own, else what it asks for, else
    /// a free one that only depends on its MAC. None: the pool is full. A reserved address
    /// that somebody still has from before comes free when that one wants to renew it.
    pub fn choose(
        &self,
        mac: Mac,
        requested: Option<Ipv4Addr>,
        reservations: &dyn Reservations,
        now: Seconds,
    ) -> Option<Ipv4Addr> {
        let usable = |address: &Ipv4Addr| self.usable(*address, mac, reservations, now);
        let reserved = reservations.reserved_for(mac);
        let own = self.bindings.get(&mac).map(|binding| binding.address);
        let offered = self.offers.get(&mac).map(|offer| offer.address);
        let mut first_choices = [reserved, own, offered, requested].into_iter().flatten();
        first_choices.find(usable).or_else(|| {
            let start = preferred_index(mac);
            (0..self.pool.size()).map(|step| self.pool.nth(start.wrapping_add(step))).find(usable)
        })
    }

    /// Whether `mac` may be given `address` now.
    pub fn usable(
        &self,
        address: Ipv4Addr,
        mac: Mac,
        reservations: &dyn Reservations,
        now: Seconds,
    ) -> bool {
        let kept_for_another = reservations.holder_of(address).is_some_and(|holder| holder != mac);
        let own_reservation = reservations.reserved_for(mac) == Some(address);
        (own_reservation || self.pool.contains(address) && !kept_for_another)
            && self.free_for(address, mac, now)
    }

    /// Remembers an offer for a short time.
    pub fn offer(&mut self, mac: Mac, address: Ipv4Addr, until: Seconds) {
        if self.offers.len() >= MOST_OFFERS && !self.offers.contains_key(&mac) {
            let oldest = self.offers.iter().min_by_key(|(_, offer)| offer.expires);
            if let Some(oldest) = oldest.map(|(mac, _)| *mac) {
                self.offers.remove(&oldest);
            }
        }
        self.offers.insert(mac, Binding { address, expires: until });
    }

    /// Gives `address` to `mac`. The machine's former address, and the address's former
    /// machine, are forgotten.
    pub fn bind(&mut self, mac: Mac, binding: Binding) {
        self.offers.remove(&mac);
        if let Some(former) = self.bindings.insert(mac, binding)
            && self.owners.get(&former.address) == Some(&mac)
        {
            self.owners.remove(&former.address);
        }
        if let Some(former) = self.owners.insert(binding.address, mac)
            && former != mac
        {
            self.bindings.remove(&former);
        }
        self.shrink();
    }

    /// The client gave its address back: it ends now, and stays its own if it comes again.
    pub fn release(&mut self, mac: Mac, now: Seconds) {
        self.offers.remove(&mac);
        if let Some(binding) = self.bindings.get_mut(&mac) {
            binding.expires = binding.expires.min(now);
        }
    }

    /// The client found somebody else at `address`.
    pub fn decline(&mut self, mac: Mac, address: Ipv4Addr, until: Seconds) {
        self.offers.remove(&mac);
        if self.owners.get(&address) == Some(&mac) {
            self.owners.remove(&address);
            self.bindings.remove(&mac);
        }
        if self.pool.contains(address) {
            self.declined.insert(address, until);
        }
    }

    /// Nobody else holds it and nobody found it in use.
    fn free_for(&self, address: Ipv4Addr, mac: Mac, now: Seconds) -> bool {
        let declined = self.declined.get(&address).is_some_and(|until| *until > now);
        !declined && self.holder(address, now).is_none_or(|holder| holder == mac)
    }

    fn shrink(&mut self) {
        if self.bindings.len() > MOST_BINDINGS
            && let Some(oldest) =
                self.bindings.iter().min_by_key(|(_, b)| b.expires).map(|(mac, _)| *mac)
            && let Some(binding) = self.bindings.remove(&oldest)
        {
            self.owners.remove(&binding.address);
        }
    }
}

/// The same machine starts its search at the same place, also after all state was lost.
fn preferred_index(mac: Mac) -> u32 {
    let mut hasher = DefaultHasher::new();
    mac.octets().hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A stick that reserves no address.
    pub struct Nobody;

    impl Reservations for Nobody {
        fn reserved_for(&self, _: Mac) -> Option<Ipv4Addr> {
            None
        }
        fn holder_of(&self, _: Ipv4Addr) -> Option<Mac> {
            None
        }
    }

    struct One(Mac, Ipv4Addr);

    impl Reservations for One {
        fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
            (mac == self.0).then_some(self.1)
        }
        fn holder_of(&self, address: Ipv4Addr) -> Option<Mac> {
            (address == self.1).then_some(self.0)
        }
    }

    fn leases(pool: &str) -> Leases {
        let subnet = "10.10.10.1/24".parse().unwrap();
        Leases::new(Pool::parse(pool, subnet).unwrap())
    }

    fn mac(last: u8) -> Mac {
        Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
    }

    const fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, 10, last)
    }

    #[test]
    fn a_machine_gets_the_same_address_again_even_with_no_memory_of_it() {
        let first = leases("10.10.10.100-10.10.10.250").choose(mac(1), None, &Nobody, 0);
        let second = leases("10.10.10.100-10.10.10.250").choose(mac(1), None, &Nobody, 9);
        assert!(first.is_some());
        assert_eq!(first, second);
    }

    #[test]
    fn every_address_is_given_once_and_then_the_pool_is_full() {
        let mut leases = leases("10.10.10.100-10.10.10.109");
        let mut given: Vec<Ipv4Addr> = (1..=10)
            .map(|n| {
                let address = leases.choose(mac(n), None, &Nobody, 0).unwrap();
                leases.bind(mac(n), Binding { address, expires: 100 });
                address
            })
            .collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 10);
        assert_eq!(leases.choose(mac(11), None, &Nobody, 50), None);
        assert!(leases.choose(mac(11), None, &Nobody, 100).is_some(), "leases ended");
    }

    #[test]
    fn an_offered_address_is_kept_for_its_machine_until_the_offer_ends() {
        let mut leases = leases("10.10.10.100-10.10.10.100");
        leases.offer(mac(1), ip(100), OFFER_HOLD);
        assert_eq!(leases.choose(mac(2), None, &Nobody, OFFER_HOLD - 1), None);
        assert_eq!(leases.choose(mac(2), None, &Nobody, OFFER_HOLD), Some(ip(100)));
    }

    #[test]
    fn an_expired_machine_loses_its_address_only_to_another_that_needs_it() {
        let mut leases = leases("10.10.10.100-10.10.10.100");
        leases.bind(mac(1), Binding { address: ip(100), expires: 10 });
        assert_eq!(leases.choose(mac(1), None, &Nobody, 11), Some(ip(100)));
        leases.bind(mac(2), Binding { address: ip(100), expires: 99 });
        assert_eq!(leases.binding(mac(1)), None);
        assert_eq!(leases.holder(ip(100), 50), Some(mac(2)));
    }

    #[test]
    fn a_reserved_address_goes_to_nobody_else_and_may_lie_outside_the_pool() {
        let leases = leases("10.10.10.100-10.10.10.101");
        let inside = One(mac(1), ip(100));
        assert_eq!(leases.choose(mac(2), Some(ip(100)), &inside, 0), Some(ip(101)));
        assert_eq!(leases.choose(mac(1), None, &inside, 0), Some(ip(100)));
        let outside = One(mac(1), ip(20));
        assert_eq!(leases.choose(mac(1), None, &outside, 0), Some(ip(20)));
    }

    #[test]
    fn while_another_still_has_its_reserved_address_a_machine_gets_a_different_one() {
        let mut leases = leases("10.10.10.100-10.10.10.101");
        leases.bind(mac(2), Binding { address: ip(100), expires: 10 });
        let reserved = One(mac(1), ip(100));
        assert_eq!(leases.choose(mac(1), None, &reserved, 9), Some(ip(101)));
        assert!(!leases.usable(ip(100), mac(2), &reserved, 9), "its holder cannot renew it");
        assert_eq!(leases.choose(mac(1), None, &reserved, 10), Some(ip(100)));
    }

    #[test]
    fn a_reservation_that_cannot_be_on_this_network_is_none() {
        let subnet: Subnet = "10.10.10.1/24".parse().unwrap();
        for (last, lendable) in [(0, false), (1, false), (20, true), (255, false)] {
            let one = One(mac(1), ip(last));
            let reserved = Lendable { reservations: &one, subnet }.reserved_for(mac(1));
            assert_eq!(reserved.is_some(), lendable, "{last}");
        }
    }

    #[test]
    fn a_declined_address_is_left_alone_for_its_time() {
        let mut leases = leases("10.10.10.100-10.10.10.101");
        leases.bind(mac(1), Binding { address: ip(100), expires: 1000 });
        leases.decline(mac(1), ip(100), 500);
        assert_eq!(leases.choose(mac(1), Some(ip(100)), &Nobody, 499), Some(ip(101)));
        assert!(leases.usable(ip(100), mac(1), &Nobody, 500));
    }

    #[test]
    fn made_up_clients_cannot_fill_the_memory_with_offers() {
        let mut leases = leases("10.10.10.2-10.10.10.250");
        for n in 0..10_000_u32 {
            let [_, a, b, c] = n.to_be_bytes();
            let mac = Mac::new([2, 0, 0, a, b, c]).unwrap();
            leases.offer(mac, ip(2), u64::from(n));
        }
        assert_eq!(leases.offers.len(), MOST_OFFERS);
    }
}
