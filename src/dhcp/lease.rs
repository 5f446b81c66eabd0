//! Who has which address. Keyed by MAC: firmware, iPXE, installer and installed system
//! of one machine send up to five different client identifiers, and are one machine.
//!
//! Pure. Offers live in memory only; bindings are written down by the caller before the
//! ACK leaves.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;

use super::Seconds;
use super::site::Site;
use crate::net::Mac;

/// An unanswered offer keeps its address this long; a BIOS takes up to 32 s to decide.
pub const OFFER_HOLD: Seconds = 60;

/// The Pi 3's boot ROM uses an offered address without ever requesting it.
pub const SILENT_OFFER_HOLD: Seconds = 600;

/// An address that somebody else was found at is left alone for so long, as dnsmasq does;
/// before it is offered again it is looked for again.
pub const DECLINE_HOLD: Seconds = 10 * 60;

/// More machines than any few racks hold; past it nobody new gets an address, and nobody
/// loses one.
const MOST_BINDINGS: usize = 16_384;

/// A stranger who makes up MACs can fill this many offers, then the oldest go.
const MOST_OFFERS: usize = 1_024;

/// As many addresses may be left alone; then the one whose time ends first is not.
const MOST_DECLINED: usize = 4_096;

/// A machine's address and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Binding {
    /// The machine's address.
    pub address: Ipv4Addr,
    /// When the lease ends. The record stays: the machine gets the same address again.
    pub expires: Seconds,
}

/// An address that was offered and not yet taken.
#[derive(Debug, Clone, Copy)]
struct Offer {
    address: Ipv4Addr,
    expires: Seconds,
    /// The client may use it without a word.
    silent: bool,
}

/// The lease table, of all networks: a machine is in one of them.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    bindings: HashMap<Mac, Binding>,
    owners: HashMap<Ipv4Addr, Mac>,
    offers: HashMap<Mac, Offer>,
    /// Who was offered an address, and which offer ends first.
    offered: HashMap<Ipv4Addr, Mac>,
    ends: BTreeSet<(Seconds, Mac)>,
    declined: HashMap<Ipv4Addr, Seconds>,
}

impl Leases {
    /// An empty table.
    pub fn new() -> Leases {
        Leases::default()
    }

    /// The machine's binding, expired or not.
    pub fn binding(&self, mac: Mac) -> Option<Binding> {
        self.bindings.get(&mac).copied()
    }

    /// The machine that holds `address` now, by a lease or an open offer.
    pub fn holder(&self, address: Ipv4Addr, now: Seconds) -> Option<Mac> {
        self.owner(address, now).or_else(|| {
            let mac = self.offered.get(&address)?;
            self.offers.get(mac).filter(|offer| offer.expires > now).map(|_| *mac)
        })
    }

    /// Every binding, for the status page and the store.
    pub fn all(&self) -> impl Iterator<Item = (Mac, Binding)> + '_ {
        self.bindings.iter().map(|(mac, binding)| (*mac, *binding))
    }

    /// The address to offer: reserved, else the machine's own, else what it asks for, else
    /// one that was nobody's and only depends on its MAC, else one whose machine has gone,
    /// else the one whose offer to a stranger is the oldest: who makes up MACs and takes no
    /// offer keeps nobody out. None: the pool is full. A reserved address that somebody still has from before comes free when that one
    /// wants to renew it.
    pub fn choose(
        &self,
        mac: Mac,
        requested: Option<Ipv4Addr>,
        site: &Site,
        now: Seconds,
    ) -> Option<Ipv4Addr> {
        if !self.has_room(mac, now) {
            return None;
        }
        let usable = |address: &Ipv4Addr| self.usable(*address, mac, site, now);
        let own = self.bindings.get(&mac).map(|binding| binding.address);
        let offered = self.offers.get(&mac).map(|offer| offer.address);
        let first_choices = [site.reserved_for(mac), own, offered, requested];
        let start = preferred_index(mac);
        let in_pool = (0..site.pool.size()).map(|step| site.pool.nth(start.wrapping_add(step)));
        let mut nobodys = in_pool.clone().filter(|address| !self.owners.contains_key(address));
        let mut first_choices = first_choices.into_iter().flatten();
        first_choices
            .find(usable)
            .or_else(|| nobodys.find(usable))
            .or_else(|| in_pool.clone().find(usable))
            .or_else(|| self.oldest_offer_to_a_stranger(mac, site, now))
    }

    /// Whether `mac` may be given `address` now.
    pub fn usable(&self, address: Ipv4Addr, mac: Mac, site: &Site, now: Seconds) -> bool {
        self.holder(address, now).is_none_or(|holder| holder == mac)
            && !self.is_declined(address, now)
            && site.allows(address, mac)
    }

    /// The same for a machine that was offered `address` and takes it: an offer to somebody
    /// else, who has not taken it, does not count against it.
    pub fn takeable(&self, address: Ipv4Addr, mac: Mac, site: &Site, now: Seconds) -> bool {
        let offered = self.offered.get(&address).filter(|other| **other != mac);
        let offer = offered.and_then(|other| self.offers.get(other));
        let in_use = offer.is_some_and(|offer| offer.silent && offer.expires > now);
        self.has_room(mac, now)
            && !in_use
            && site.allows(address, mac)
            && !self.is_declined(address, now)
            && self.owner(address, now).is_none_or(|owner| owner == mac)
    }

    /// Whether `mac` has `address` by a lease, or was just offered it.
    pub fn is_at(&self, mac: Mac, address: Ipv4Addr, now: Seconds) -> bool {
        let live = |at: Ipv4Addr, expires: Seconds| at == address && expires > now;
        self.bindings.get(&mac).is_some_and(|binding| live(binding.address, binding.expires))
            || self.offers.get(&mac).is_some_and(|offer| live(offer.address, offer.expires))
    }

    /// Remembers an offer for a short time.
    pub fn offer(&mut self, mac: Mac, address: Ipv4Addr, until: Seconds) {
        self.keep(mac, Offer { address, expires: until, silent: false });
    }

    /// The same for a client that uses what it is offered without requesting it.
    pub fn offer_silently(&mut self, mac: Mac, address: Ipv4Addr, until: Seconds) {
        self.keep(mac, Offer { address, expires: until, silent: true });
    }

    fn keep(&mut self, mac: Mac, offer: Offer) {
        let Offer { address, expires: until, .. } = offer;
        self.withdraw(mac);
        if let Some(former) = self.offered.get(&address).copied() {
            self.withdraw(former);
        }
        if self.offers.len() >= MOST_OFFERS
            && let Some((_, oldest)) = self.ends.first().copied()
        {
            self.withdraw(oldest);
        }
        self.offers.insert(mac, offer);
        self.offered.insert(address, mac);
        self.ends.insert((until, mac));
    }

    /// The machine has taken another server's offer, or ours.
    pub fn withdraw(&mut self, mac: Mac) {
        if let Some(offer) = self.offers.remove(&mac) {
            self.offered.remove(&offer.address);
            self.ends.remove(&(offer.expires, mac));
        }
    }

    /// Gives `address` to `mac`. The machine's former address, and the address's former
    /// machine, are forgotten: what is kept of the machines that this returns must go.
    pub fn bind(&mut self, mac: Mac, binding: Binding) -> Vec<Mac> {
        self.withdraw(mac);
        let mut forgotten = Vec::new();
        if let Some(former) = self.bindings.insert(mac, binding)
            && self.owners.get(&former.address) == Some(&mac)
        {
            self.owners.remove(&former.address);
        }
        if let Some(former) = self.owners.insert(binding.address, mac)
            && former != mac
        {
            self.bindings.remove(&former);
            forgotten.push(former);
        }
        forgotten.extend(self.shrink());
        forgotten
    }

    /// The client gave its address back: it ends now, and stays its own if it comes again.
    pub fn release(&mut self, mac: Mac, now: Seconds) {
        self.withdraw(mac);
        if let Some(binding) = self.bindings.get_mut(&mac) {
            binding.expires = binding.expires.min(now);
        }
    }

    /// Somebody else was found at `address`, which `mac` had or was offered.
    pub fn decline(&mut self, mac: Mac, address: Ipv4Addr, until: Seconds) {
        self.withdraw(mac);
        if self.owners.get(&address) == Some(&mac) {
            self.owners.remove(&address);
            self.bindings.remove(&mac);
        }
        if self.declined.len() >= MOST_DECLINED
            && let Some(soonest) = self.declined.iter().min_by_key(|(_, until)| **until)
        {
            let soonest = *soonest.0;
            self.declined.remove(&soonest);
        }
        self.declined.insert(address, until);
    }

    fn owner(&self, address: Ipv4Addr, now: Seconds) -> Option<Mac> {
        let owner = self.owners.get(&address).copied();
        owner.filter(|mac| self.bindings.get(mac).is_some_and(|binding| binding.expires > now))
    }

    fn is_declined(&self, address: Ipv4Addr, now: Seconds) -> bool {
        self.declined.get(&address).is_some_and(|until| *until > now)
    }

    /// Whether one more machine can be remembered.
    fn has_room(&self, mac: Mac, now: Seconds) -> bool {
        self.bindings.len() < MOST_BINDINGS
            || self.bindings.contains_key(&mac)
            || self.bindings.values().any(|binding| binding.expires <= now)
    }

    fn oldest_offer_to_a_stranger(&self, mac: Mac, site: &Site, now: Seconds) -> Option<Ipv4Addr> {
        let named = site.reservations.names(mac);
        let strangers = self.ends.iter().filter(|(_, holder)| {
            !self.bindings.contains_key(holder) && !site.reservations.names(*holder)
        });
        // What may be in use without a word goes to a named machine only.
        let offers = strangers.filter_map(|(_, holder)| self.offers.get(holder));
        let mut addresses =
            offers.filter(|offer| named || !offer.silent).map(|offer| offer.address);
        addresses.find(|address| {
            site.allows(*address, mac)
                && !self.is_declined(*address, now)
                && self.owner(*address, now).is_none()
        })
    }

    /// Forgets who has gone longest ago. Nobody who is there ([`Leases::has_room`] was asked
    /// before), or two would have one address.
    fn shrink(&mut self) -> Option<Mac> {
        if self.bindings.len() <= MOST_BINDINGS {
            return None;
        }
        let oldest = self.bindings.iter().min_by_key(|(_, binding)| binding.expires);
        let (mac, address) = oldest.map(|(mac, binding)| (*mac, binding.address))?;
        self.bindings.remove(&mac);
        self.owners.remove(&address);
        Some(mac)
    }
}

/// The same machine starts its search at the same place, also after all state was lost.
fn preferred_index(mac: Mac) -> u32 {
    let mut hasher = DefaultHasher::new();
    mac.octets().hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

#[cfg(test)]
mod tests;
