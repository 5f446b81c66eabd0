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
            records: saved.machines.into_iter().map(missed).collect(),
            platforms: HashMap::new(),
            identities: saved.identities.into_iter().take(MOST_RECORDS).collect(),
        }
    }

    /// The record of the machine that may be kept under these cards and says so of itself, and
    /// the card it is kept under. Cards can be made up: of several lives the one that wipes
    /// least counts.
    pub fn record(&self, lives: &[Mac], who: &Identity) -> Option<(Mac, &Record)> {
        self.records_of(lives, who).min_by_key(|(_, record)| record.phase.rank())
    }

    fn records_of(&self, lives: &[Mac], who: &Identity) -> impl Iterator<Item = (Mac, &Record)> {
        let all = lives.iter().filter_map(|mac| Some((*mac, self.records.get(mac)?)));
        all.filter(|(_, record)| !record.is_anothers(who))
    }

    /// A place for a new record: none has another machine's.
    pub fn free_place(&self, lives: &[Mac]) -> Option<Mac> {
        lives.iter().copied().find(|mac| !self.records.contains_key(mac))
    }

    /// Forgets all lives of a machine but the one under `kept`: a person has decided.
    pub fn forget_others(&mut self, lives: &[Mac], who: &Identity, kept: Mac) -> Vec<Mac> {
        let all = self.records_of(lives, who).map(|(mac, _)| mac);
        let others: Vec<Mac> = all.filter(|mac| *mac != kept).collect();
        others.iter().for_each(|mac| drop(self.records.remove(mac)));
        others
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
    /// there is none, none that is not kept there already, or none that is surely that of the
    /// machine that said `said`.
    pub fn move_life(&mut self, mac: Mac, key: Mac, said: &Identity) -> bool {
        let of = self.records.get(&mac).and_then(|record| record.of.as_ref());
        let is_its = of.is_some_and(|of| !of.contradicts(said));
        let may_move = is_its && !self.records.contains_key(&key);
        let life = if may_move { self.records.remove(&mac) } else { None };
        let moves = life.is_some();
        self.records.extend(life.map(|life| (key, life)));
        moves
    }

    /// We were away: whatever was reported meanwhile was not heard.
    pub fn missed(&mut self) {
        self.records.values_mut().for_each(|record| record.missed = true);
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
            Touched::Identity(mac) => Some(match self.identities.get(&mac) {
                Some(identity) => Change::Identity(mac, identity.clone()),
                None => Change::NoIdentity(mac),
            }),
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

    /// Keeps it. The card that was forgotten for it, if one had to be: one without a life, as
    /// long as there is one.
    pub fn remember_identity(&mut self, mac: Mac, identity: Identity) -> Option<Mac> {
        let is_full = self.identities.len() >= MOST_RECORDS && !self.identities.contains_key(&mac);
        let gone = is_full.then(|| {
            let mut all = self.identities.keys();
            let lifeless = all.clone().find(|mac| !self.records.contains_key(mac));
            lifeless.or_else(|| all.next()).copied()
        });
        let gone = gone.flatten().inspect(|gone| drop(self.identities.remove(gone)));
        self.identities.insert(mac, identity);
        gone
    }

    /// What everybody said. First those that lives are kept under: of a machine for which
    /// too many cards were made up, some are passed over.
    pub fn identities(&self) -> Vec<(Mac, Identity)> {
        let all = self.identities.iter().map(|(mac, identity)| (*mac, identity.clone()));
        let mut all: Vec<(Mac, Identity)> = all.collect();
        all.sort_by_key(|(mac, _)| (!self.records.contains_key(mac), *mac));
        all
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

/// Who reads lives from the card was away.
fn missed((mac, record): (Mac, Record)) -> (Mac, Record) {
    (mac, Record { missed: true, ..record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::life::Phase;

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
    fn cards_that_lives_are_kept_under_are_told_first() {
        let mut fleet = Fleet::new(Saved::default());
        for number in 0..100 {
            assert_eq!(fleet.remember_identity(mac(number), Identity::default()), None);
        }
        assert!(fleet.remember(mac(60), Record::armed("token".to_owned(), 0), true));
        let macs: Vec<Mac> = fleet.identities().into_iter().map(|(mac, _)| mac).collect();
        assert_eq!(macs.get(..3), Some([mac(60), mac(0), mac(1)].as_slice()));
    }

    fn says(last: u8) -> Identity {
        let uuid = format!("4c4c4544-0051-3410-8051-b5c04f3759{last:02x}");
        Identity { uuid: uuid.parse().ok(), serial: None }
    }

    fn life(phase: Phase, of: Option<Identity>) -> Record {
        Record { phase, of, ..Record::armed("token".to_owned(), 0) }
    }

    #[test]
    fn a_life_is_only_that_of_the_machine_that_said_what_was_said_when_it_began() {
        let mut fleet = Fleet::new(Saved::default());
        assert!(fleet.remember(mac(1), life(Phase::Installed, Some(says(1))), true));
        assert!(fleet.record(&[mac(1)], &says(1)).is_some());
        assert!(fleet.record(&[mac(1)], &says(2)).is_none(), "another machine has its card");
        assert!(fleet.record(&[mac(1)], &Identity::default()).is_some(), "it may be the same");
        assert_eq!(fleet.free_place(&[mac(1), mac(2)]), Some(mac(2)));
        // Who merely had the card in between takes no life along.
        assert!(!fleet.move_life(mac(1), mac(9), &says(2)));
        assert!(fleet.move_life(mac(1), mac(9), &says(1)));
        // Nobody knows whose this is: it stays where it is.
        assert!(fleet.remember(mac(3), life(Phase::Installed, None), true));
        assert!(!fleet.move_life(mac(3), mac(8), &says(1)));
    }

    #[test]
    fn of_several_lives_the_one_that_wipes_least_counts_until_a_person_decides() {
        let mut fleet = Fleet::new(Saved::default());
        let cards = [mac(1), mac(2), mac(3)];
        for (card, phase) in cards.iter().zip([Phase::Armed, Phase::Installing, Phase::Installed]) {
            assert!(fleet.remember(*card, life(phase, None), true));
        }
        let kept = fleet.record(&cards, &says(1)).map(|(card, _)| card);
        assert_eq!(kept, Some(mac(3)));
        assert_eq!(fleet.forget_others(&cards, &says(1), mac(3)), [mac(1), mac(2)]);
        assert!(fleet.records.keys().eq([&mac(3)]));
    }

    #[test]
    fn made_up_cards_leave_no_rows_and_keep_those_with_lives() {
        let mut fleet = Fleet::new(Saved::default());
        assert!(fleet.remember(mac(0), life(Phase::Armed, None), true));
        for number in 0..MOST_RECORDS {
            assert_eq!(fleet.remember_identity(mac(number), says(1)), None);
        }
        let gone = fleet.remember_identity(mac(MOST_RECORDS), says(1)).unwrap();
        assert_ne!(gone, mac(0));
        assert!(matches!(fleet.change(Touched::Identity(gone)), Some(Change::NoIdentity(_))));
        assert_eq!(fleet.identities.len(), MOST_RECORDS);
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
