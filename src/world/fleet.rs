//! Leases and records in memory; what must survive is written by the world around it.

use std::collections::HashMap;

use crate::boot::arch::Platform;
use crate::boot::loader::Loaders;
use crate::dhcp::lease::Leases;
use crate::dhcp::shape::Shapes;
use crate::fleet::life::Record;
use crate::fleet::stage::Boots;
use crate::fleet::store::{Change, Saved};
use crate::inventory::machine::identity::Identity;
use crate::net::Mac;

/// More machines than any few racks hold; strangers are only remembered with
/// `boot.unknown = "install"`, and past this they boot their disks.
const MOST_RECORDS: usize = 16_384;

/// Something that must be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// A machine's lease.
    Lease(Mac),
    /// The record that is kept under this card.
    Machine(Mac),
    /// The kind of offer that a machine's firmware takes beside another DHCP server.
    Shape(Mac),
    /// The iPXE that a machine runs.
    Loader(Mac),
    /// What a machine said of itself.
    Identity(Mac),
}

/// Who has which address, and who is where in its life.
pub struct Fleet {
    /// The lease table.
    pub leases: Leases,
    /// Which kind of offer each machine's firmware takes.
    pub shapes: Shapes,
    /// Which iPXE each UEFI machine runs.
    pub loaders: Loaders,
    /// How far each machine's last boot came.
    pub boots: Boots,
    /// Somebody was told that no address is left; said once until there is one again.
    pub pool_is_full: bool,
    records: HashMap<Mac, Record>,
    platforms: HashMap<Mac, Platform>,
    identities: HashMap<Mac, Identity>,
}

impl Fleet {
    /// With what the card remembered.
    pub fn new(saved: Saved) -> Fleet {
        let mut leases = Leases::new();
        for (mac, binding) in saved.leases {
            leases.bind(mac, binding);
        }
        Fleet {
            leases,
            shapes: Shapes::new(saved.shapes),
            loaders: Loaders::new(saved.loaders),
            boots: Boots::default(),
            pool_is_full: false,
            records: saved.machines.into_iter().collect(),
            platforms: HashMap::new(),
            identities: saved.identities.into_iter().collect(),
        }
    }

    /// The record of the machine with these network cards, and the card it is kept under.
    pub fn record(&self, cards: &[Mac]) -> Option<(Mac, &Record)> {
        cards.iter().find_map(|mac| Some((*mac, self.records.get(mac)?)))
    }

    /// Keeps a record. False: there is no room, and what is not remembered is not installed.
    /// Half of it is for machines that a stick names: strangers are made up easily.
    pub fn remember(&mut self, mac: Mac, record: Record, is_named: bool) -> bool {
        let most = if is_named { MOST_RECORDS } else { MOST_RECORDS / 2 };
        let has_room = self.records.len() < most || self.records.contains_key(&mac);
        if has_room {
            self.records.insert(mac, record);
        }
        has_room
    }

    /// A card went to another machine: the life that it stood for is kept under `key`. False if
    /// there is none, or none that is not kept there already.
    pub fn move_life(&mut self, mac: Mac, key: Mac) -> bool {
        let life = if self.records.contains_key(&key) { None } else { self.records.remove(&mac) };
        let moves = life.is_some();
        self.records.extend(life.map(|life| (key, life)));
        moves
    }

    /// The machine's firmware says what it is: before each network boot, so this is not
    /// written down.
    pub fn saw_platform(&mut self, mac: Mac, platform: Platform) {
        make_room(&mut self.platforms, mac);
        self.platforms.insert(mac, platform);
    }

    /// What it said last.
    pub fn platform(&self, mac: Mac) -> Option<Platform> {
        self.platforms.get(&mac).copied()
    }

    /// What stands behind `touched` now; none if nothing is to be written.
    pub fn change(&self, touched: Touched) -> Option<Change> {
        match touched {
            Touched::Lease(mac) => Some(match self.leases.binding(mac) {
                Some(binding) => Change::Lease(mac, binding),
                None => Change::NoLease(mac),
            }),
            Touched::Loader(mac) => Some(Change::Loader(mac, self.loaders.learned(mac)?)),
            Touched::Shape(mac) => Some(Change::Shape(mac, self.shapes.learned(mac)?)),
            Touched::Identity(mac) => {
                Some(Change::Identity(mac, self.identities.get(&mac)?.clone()))
            }
            Touched::Machine(mac) => Some(match self.records.get(&mac) {
                Some(record) => Change::Machine(mac, record.clone()),
                None => Change::NoMachine(mac),
            }),
        }
    }

    /// What the machine with `mac` said of itself.
    pub fn identity(&self, mac: Mac) -> Identity {
        self.identities.get(&mac).cloned().unwrap_or_default()
    }

    /// Keeps it.
    pub fn remember_identity(&mut self, mac: Mac, identity: Identity) {
        make_room(&mut self.identities, mac);
        self.identities.insert(mac, identity);
    }

    /// What everybody said.
    pub fn identities(&self) -> Vec<(Mac, Identity)> {
        self.identities.iter().map(|(mac, identity)| (*mac, identity.clone())).collect()
    }

    /// The machine whose installation has this token.
    pub fn with_token(&self, token: &str) -> Option<Mac> {
        let has = |(_, record): &(&Mac, &Record)| !token.is_empty() && record.token == token;
        self.records.iter().find(has).map(|(mac, _)| *mac)
    }
}

/// Where somebody makes up thousands of cards, another one is forgotten for a new one, and
/// asked again.
fn make_room<T>(known: &mut HashMap<Mac, T>, mac: Mac) {
    if known.len() >= MOST_RECORDS
        && !known.contains_key(&mac)
        && let Some(other) = known.keys().next().copied()
    {
        known.remove(&other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: usize) -> Mac {
        let [.., a, b] = number.to_be_bytes();
        Mac::new([2, 0, 0, 0, a, b]).unwrap()
    }

    #[test]
    fn strangers_leave_room_for_machines_that_a_stick_names() {
        let mut fleet = Fleet::new(Saved::default());
        let armed = || Record::armed("token".to_owned(), 0);
        let kept = (0..MOST_RECORDS).filter(|n| fleet.remember(mac(*n), armed(), false)).count();
        assert_eq!(kept, MOST_RECORDS / 2);
        assert!(fleet.remember(mac(0), armed(), false), "it is known already");
        assert!(fleet.remember(mac(MOST_RECORDS), armed(), true));
    }

    #[test]
    fn who_comes_after_thousands_is_known_all_the_same() {
        let mut fleet = Fleet::new(Saved::default());
        for number in 0..=MOST_RECORDS {
            fleet.saw_platform(mac(number), Platform::Efi64);
        }
        assert_eq!(fleet.platform(mac(MOST_RECORDS)), Some(Platform::Efi64));
        assert_eq!(fleet.platforms.len(), MOST_RECORDS);
    }
}
