//! Which network card belongs to which machine: what the stick says, and what was learned
//! since from what machines said of themselves. Pure.
//!
//! The list never changes. What is learned only grows, and nothing that the stick names by
//! MAC is ever learned otherwise: a card cannot talk its way into another machine's place.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{PoisonError, RwLock};

use super::Machine;
use super::identity::{Identity, Rule};
use crate::net::Mac;

/// More cards than any few racks have; past this, machines are known by their MAC alone.
const MOST_LEARNED: usize = 8_192;

/// The machines that the sticks name.
#[derive(Debug, Default)]
pub struct Roster {
    list: Vec<Machine>,
    by_mac: BTreeMap<Mac, usize>,
    by_address: HashMap<Ipv4Addr, usize>,
    /// In the order in which they are tried: a place in `list` each.
    rules: Vec<usize>,
    learned: RwLock<BTreeMap<Mac, Learned>>,
}

/// What a card told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Learned {
    place: usize,
    identity: Identity,
}

impl Roster {
    /// Adds a machine. The error says what another one has already.
    pub fn add(&mut self, machine: Machine) -> Result<(), String> {
        let place = self.list.len();
        if let Some(address) = machine.address
            && self.by_address.insert(address, place).is_some()
        {
            return Err(format!("ip {address}"));
        }
        for mac in &machine.macs {
            if self.by_mac.insert(*mac, place).is_some() {
                return Err(format!("mac {mac}"));
            }
        }
        if let Some(rule) = &machine.rule {
            if self.rules().any(|(_, other)| other == rule) {
                return Err(format!("match {}", rule.words()));
            }
            let rank = rule.rank();
            let at = self.rules().take_while(|(_, other)| other.rank() <= rank).count();
            self.rules.insert(at, place);
        }
        self.list.push(machine);
        Ok(())
    }

    /// Adds what another stick names.
    pub fn join(&mut self, other: Roster) -> Result<(), String> {
        other.list.into_iter().try_for_each(|machine| self.add(machine))
    }

    /// Every machine once, in the order of the file.
    pub fn list(&self) -> &[Machine] {
        &self.list
    }

    /// Whether the stick itself names this card.
    pub fn names(&self, mac: Mac) -> bool {
        self.by_mac.contains_key(&mac)
    }

    /// The machine that has `mac`.
    pub fn get(&self, mac: Mac) -> Option<&Machine> {
        self.list.get(self.place(mac)?)
    }

    /// Every machine with each of its cards that is known, by card.
    pub fn iter(&self) -> impl Iterator<Item = (Mac, &Machine)> {
        let mut places = self.by_mac.clone();
        places.extend(self.learned().iter().map(|(mac, learned)| (*mac, learned.place)));
        places.into_iter().filter_map(|(mac, place)| Some((mac, self.list.get(place)?)))
    }

    /// Every card of the machine that has `mac`.
    pub fn cards(&self, mac: Mac) -> Option<Vec<Mac>> {
        let place = self.place(mac)?;
        let machine = self.list.get(place)?;
        let learned = self.learned();
        let own = learned.get(&mac);
        // A pattern stands for many machines: cards of one tell the same of themselves.
        let pattern = machine.rule.as_ref().is_some_and(Rule::is_pattern);
        let same = |(_, other): &(&Mac, &Learned)| {
            other.place == place && (!pattern || own.is_some_and(|own| is_one(own, other)))
        };
        let others = learned.iter().filter(same).map(|(mac, _)| *mac);
        let mut cards = machine.macs.clone();
        cards.extend(others);
        if !cards.contains(&mac) {
            cards.push(mac);
        }
        Some(cards)
    }

    /// The card that `address` is kept for; `Err` if it is kept and no card is known yet.
    pub fn holder(&self, address: Ipv4Addr) -> Option<Result<Mac, ()>> {
        let place = *self.by_address.get(&address)?;
        let own = self.list.get(place)?.macs.first().copied();
        Some(own.or_else(|| self.first_learned(place)).ok_or(()))
    }

    /// The address that `mac` always has. Of several cards the first one has it.
    pub fn address(&self, mac: Mac) -> Option<Ipv4Addr> {
        let address = self.get(mac)?.address?;
        (self.holder(address) == Some(Ok(mac))).then_some(address)
    }

    /// Notes what the machine with `mac` said of itself; true if that tells who it is, and
    /// was not known before.
    pub fn learn(&self, mac: Mac, identity: &Identity) -> bool {
        if self.rules.is_empty() || self.names(mac) {
            return false;
        }
        let Some(place) = self.rules().position(|(_, rule)| rule.fits(identity)) else {
            return false;
        };
        let Some(place) = self.rules.get(place).copied() else {
            return false;
        };
        let news = Learned { place, identity: identity.clone() };
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if learned.get(&mac) == Some(&news)
            || learned.len() >= MOST_LEARNED && !learned.contains_key(&mac)
        {
            return false;
        }
        learned.insert(mac, news).is_none_or(|before| before.place != place)
    }

    /// Whether the serial number of the machine with `mac` could tell who it is. `told` is
    /// what it said of itself up to now.
    pub fn wants_serial(&self, mac: Mac, told: &Identity) -> bool {
        if told.serial.is_some() || self.names(mac) {
            return false;
        }
        let known = self.rules().find(|(_, rule)| rule.fits(told));
        let rank = known.map_or(u8::MAX, |(_, rule)| rule.rank());
        self.rules().any(|(_, rule)| rule.serial.is_some() && rule.rank() < rank)
    }

    /// Whether any machine is known by what it says of itself.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    fn rules(&self) -> impl Iterator<Item = (&Machine, &Rule)> {
        self.rules.iter().filter_map(|place| {
            let machine = self.list.get(*place)?;
            Some((machine, machine.rule.as_ref()?))
        })
    }

    /// Its place in [`Roster::list`].
    pub fn place(&self, mac: Mac) -> Option<usize> {
        let named = self.by_mac.get(&mac).copied();
        named.or_else(|| self.learned().get(&mac).map(|learned| learned.place))
    }

    fn first_learned(&self, place: usize) -> Option<Mac> {
        self.learned().iter().find(|(_, learned)| learned.place == place).map(|(mac, _)| *mac)
    }

    fn learned(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Mac, Learned>> {
        self.learned.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two cards are those of one machine, among many that fit one pattern.
fn is_one(a: &Learned, b: &Learned) -> bool {
    match (a.identity.uuid, b.identity.uuid) {
        (Some(a), Some(b)) => a == b && a.fault().is_none(),
        _ => false,
    }
}
