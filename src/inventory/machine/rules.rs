//! Which rule a machine fits, found without trying all of them: each DHCP packet asks. Pure.

use std::collections::{HashMap, HashSet};

use super::identity::{Identity, Rule, Uuid};

/// Rules with the places of their machines in the roster.
#[derive(Debug, Default)]
pub struct Rules {
    known: HashSet<Rule>,
    /// Those with a whole UUID.
    by_uuid: HashMap<Uuid, Vec<(usize, Rule)>>,
    /// Those with a whole serial number, in lower case.
    by_serial: HashMap<String, Vec<(usize, Rule)>>,
    patterns: Vec<(usize, Rule)>,
    /// The first rank that has a rule on the serial number.
    serial_rank: Option<u8>,
}

impl Rules {
    /// Adds one; false if another machine has it.
    pub fn insert(&mut self, rule: &Rule, place: usize) -> bool {
        let own = (place, rule.clone());
        if rule.serial.is_some() {
            let rank = rule.rank();
            self.serial_rank = Some(self.serial_rank.map_or(rank, |first| first.min(rank)));
        }
        match (&rule.uuid, &rule.serial) {
            (Some(uuid), _) => self.by_uuid.entry(uuid.in_one_order()).or_default().push(own),
            (None, Some(serial)) if !serial.is_pattern() => {
                self.by_serial.entry(serial.as_str().to_owned()).or_default().push(own);
            }
            _ => self.patterns.push(own),
        }
        self.known.insert(rule.clone())
    }

    /// The first one that fits, in the order of [`Rule::rank`] and of the file, with its
    /// machine's place.
    pub fn fitting(&self, identity: &Identity) -> Option<(usize, &Rule)> {
        let uuid = identity.uuid.map(Uuid::in_one_order);
        let serial = identity.serial.as_ref().and_then(Option::as_deref);
        let serial = serial.map(|serial| serial.trim().to_ascii_lowercase());
        let by_uuid = uuid.and_then(|uuid| self.by_uuid.get(&uuid));
        let by_serial = serial.and_then(|serial| self.by_serial.get(&serial));
        let exact = by_uuid.into_iter().chain(by_serial).flatten();
        let mut in_order = exact.chain(&self.patterns);
        in_order.find(|(_, rule)| rule.fits(identity)).map(|(place, rule)| (*place, rule))
    }

    /// Whether a rule before `rank` is on the serial number.
    pub fn any_serial_before(&self, rank: u8) -> bool {
        self.serial_rank.is_some_and(|first| first < rank)
    }

    /// Whether one is on the UUID.
    pub fn any_on_uuid(&self) -> bool {
        !self.by_uuid.is_empty() || self.patterns.iter().any(|(_, rule)| rule.uuids.is_some())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
