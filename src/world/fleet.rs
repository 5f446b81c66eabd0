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

    /// Keeps a record that was written down.
    pub fn remember(&mut self, mac: Mac, record: Record) {
        if self.records.len() < MOST_RECORDS || self.records.contains_key(&mac) {
            self.records.insert(mac, record);
        }
    }

    /// The machine's firmware says what it is: before each network boot, so this is not
    /// written down.
    pub fn saw_platform(&mut self, mac: Mac, platform: Platform) {
        if self.platforms.len() < MOST_RECORDS || self.platforms.contains_key(&mac) {
            self.platforms.insert(mac, platform);
        }
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
            Touched::Machine(mac) => Some(Change::Machine(mac, self.records.get(&mac)?.clone())),
        }
    }

    /// What the machine with `mac` said of itself.
    pub fn identity(&self, mac: Mac) -> Identity {
        self.identities.get(&mac).cloned().unwrap_or_default()
    }

    /// Keeps it. Where somebody makes up thousands of cards, another one is forgotten for it,
    /// and asked again.
    pub fn remember_identity(&mut self, mac: Mac, identity: Identity) {
        if self.identities.len() >= MOST_RECORDS
            && !self.identities.contains_key(&mac)
            && let Some(other) = self.identities.keys().next().copied()
        {
            self.identities.remove(&other);
        }
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
