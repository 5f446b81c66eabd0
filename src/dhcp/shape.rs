//! Beside another DHCP server there are two ways to name the boot file, and firmware that
//! takes only one of them. This remembers, for each machine, which one it takes. Pure.
//!
//! Most firmware loads what the offer names. Some UEFI (HPE DL380 Gen9) ignores such an
//! offer from a second server, but follows one that makes it ask on port 4011; and old stacks
//! ask nowhere. Nobody says "I discard this": it shows by the machine asking anew while
//! nothing followed.

use std::collections::HashMap;

use super::Seconds;
use crate::net::Mac;

/// How the boot file is named to firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// In the offer, with "load this, ask nobody" (option 43).
    InOffer,
    /// On port 4011: the offer has no option 43, so that firmware asks there.
    OnAsking,
}

impl Shape {
    fn other(self) -> Shape {
        match self {
            Shape::InOffer => Shape::OnAsking,
            Shape::OnAsking => Shape::InOffer,
        }
    }
}

/// Machines that are remembered; the one that was quiet longest goes first.
const MOST_MACHINES: usize = 4_096;

/// EDK2 waits 4 s, then 8 s, before it asks a third time: what it was offered until then
/// has not made it choose.
const SAME_QUESTION: u8 = 3;

/// A machine that took a shape before is not doubted for one boot that somebody broke off.
const DOUBTS: u8 = 2;

/// What was seen of every machine.
#[derive(Debug, Clone, Default)]
pub struct Shapes(HashMap<Mac, Talk>);

/// What was seen of one machine's firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Talk {
    /// The way of the last offer.
    pub shape: Shape,
    /// The machine has loaded its boot file this way.
    pub works: bool,
    /// How often another way was tried since.
    pub changes: u8,
    transaction: u32,
    asked: u8,
    failures: u8,
    followed: bool,
    last: Seconds,
}

/// What to offer, and what to say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The way to name the boot file.
    pub shape: Shape,
    /// It is another way than last time, because nothing followed.
    pub changed: bool,
}

impl Shapes {
    /// With what was learned before a restart.
    pub fn new(learned: impl IntoIterator<Item = (Mac, Shape)>) -> Shapes {
        let talk = |shape| Talk { shape, works: true, ..Talk::new(0, 0) };
        Shapes(learned.into_iter().map(|(mac, shape)| (mac, talk(shape))).collect())
    }

    /// Firmware asks; the way in which it is answered.
    pub fn offer(&mut self, mac: Mac, transaction: u32, now: Seconds) -> Choice {
        self.make_room(mac);
        let talk = self.0.entry(mac).or_insert_with(|| Talk::new(transaction, now));
        let changed = talk.hear(transaction, now);
        Choice { shape: talk.shape, changed }
    }

    /// The machine took what it was offered. The way, if that is news.
    pub fn follows(&mut self, mac: Mac) -> Option<Shape> {
        let talk = self.0.get_mut(&mac)?;
        talk.followed = true;
        talk.failures = 0;
        let news = !std::mem::replace(&mut talk.works, true);
        news.then_some(talk.shape)
    }

    /// What was seen of a machine.
    pub fn talk(&self, mac: Mac) -> Option<&Talk> {
        self.0.get(&mac)
    }

    /// The way that works for a machine.
    pub fn learned(&self, mac: Mac) -> Option<Shape> {
        self.talk(mac).filter(|talk| talk.works).map(|talk| talk.shape)
    }

    /// What was seen of each machine, latest first.
    pub fn talks(&self) -> Vec<(Mac, Talk)> {
        let mut talks: Vec<(Mac, Talk)> = self.0.iter().map(|(mac, talk)| (*mac, *talk)).collect();
        talks.sort_by_key(|(mac, talk)| (std::cmp::Reverse(talk.last), *mac));
        talks
    }

    fn make_room(&mut self, mac: Mac) {
        if self.0.len() >= MOST_MACHINES
            && !self.0.contains_key(&mac)
            && let Some(quiet) = self.0.iter().min_by_key(|(_, talk)| talk.last)
        {
            let quiet = *quiet.0;
            self.0.remove(&quiet);
        }
    }
}

impl Talk {
    fn new(transaction: u32, now: Seconds) -> Talk {
        Talk {
            shape: Shape::InOffer,
            works: false,
            changes: 0,
            transaction,
            asked: 0,
            failures: 0,
            followed: true,
            last: now,
        }
    }

    /// One more question; true if it is answered in another way than the last.
    fn hear(&mut self, transaction: u32, now: Seconds) -> bool {
        let anew = transaction != self.transaction;
        let unheard = !self.followed && (anew || self.asked + 1 == SAME_QUESTION);
        self.asked = if anew { 1 } else { self.asked.saturating_add(1) };
        self.transaction = transaction;
        self.followed &= !anew && self.asked > 1;
        self.last = now;
        if !unheard {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if self.works && self.failures < DOUBTS {
            return false;
        }
        self.failures = 0;
        self.works = false;
        self.shape = self.shape.other();
        self.changes = self.changes.saturating_add(1);
        true
    }

    /// One sentence for a person.
    pub fn words(&self) -> &'static str {
        match (self.works, self.shape, self.changes) {
            (true, Shape::InOffer, _) => "loads the boot file that our offer names",
            (true, Shape::OnAsking, 0) => "asks on port 4011 for its boot file, and loads it",
            (true, Shape::OnAsking, _) => {
                "ignored a boot file in our offer, asks on port 4011 instead, and loads it"
            }
            (false, _, 0) => "was offered a boot file; nothing followed yet",
            (false, Shape::OnAsking, _) => {
                "ignored the boot file in our offer; is now asked to come to port 4011"
            }
            (false, Shape::InOffer, 1..=2) => {
                "did not come to port 4011; is offered the boot file once more"
            }
            (false, Shape::InOffer, _) => {
                "takes neither kind of offer; look at its screen, or let this box be the only \
                 DHCP server"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> Mac {
        Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
    }

    /// The ways in which these transactions are answered, with nothing following.
    fn unheard(shapes: &mut Shapes, transactions: &[u32]) -> Vec<Shape> {
        let offer = |id: &u32| shapes.offer(mac(1), *id, 0).shape;
        transactions.iter().map(offer).collect()
    }

    use Shape::{InOffer, OnAsking};

    #[test]
    fn firmware_that_starts_anew_without_loading_anything_is_asked_the_other_way() {
        let mut shapes = Shapes::default();
        assert_eq!(unheard(&mut shapes, &[1, 2, 3]), [InOffer, OnAsking, InOffer]);
    }

    #[test]
    fn the_third_time_the_same_question_comes_it_is_answered_the_other_way() {
        let mut shapes = Shapes::default();
        let asked = unheard(&mut shapes, &[7, 7, 7, 7]);
        assert_eq!(asked, [InOffer, InOffer, OnAsking, OnAsking]);
    }

    #[test]
    fn what_worked_is_remembered_and_a_boot_that_was_broken_off_changes_nothing() {
        let mut shapes = Shapes::default();
        unheard(&mut shapes, &[1, 2]);
        assert_eq!(shapes.follows(mac(1)), Some(OnAsking));
        assert_eq!(shapes.follows(mac(1)), None, "no news");
        assert_eq!(unheard(&mut shapes, &[3, 4]), [OnAsking, OnAsking]);
        assert_eq!(unheard(&mut shapes, &[5]), [InOffer], "twice is a change");
    }

    #[test]
    fn whoever_loads_its_file_is_always_offered_it_in_the_same_way() {
        let mut shapes = Shapes::default();
        for transaction in 0..100 {
            let choice = shapes.offer(mac(1), transaction, 0);
            assert_eq!(choice, Choice { shape: InOffer, changed: false });
            shapes.follows(mac(1));
        }
    }

    #[test]
    fn a_restart_keeps_what_was_learned() {
        let mut shapes = Shapes::new([(mac(1), OnAsking)]);
        assert_eq!(unheard(&mut shapes, &[1]), [OnAsking]);
        assert_eq!(shapes.follows(mac(1)), None);
    }

    #[test]
    fn made_up_machines_cannot_fill_the_memory() {
        let mut shapes = Shapes::default();
        for n in 0..10_000_u64 {
            let [.., a, b, c] = n.to_be_bytes();
            shapes.offer(Mac::new([2, 0, 0, a, b, c]).unwrap(), 1, n);
        }
        assert_eq!(shapes.0.len(), MOST_MACHINES);
    }

    #[test]
    fn a_person_is_told_what_was_seen_and_done() {
        let mut shapes = Shapes::default();
        let mut words = |transaction| {
            shapes.offer(mac(1), transaction, 0);
            shapes.talks()[0].1.words()
        };
        assert!(words(1).contains("nothing followed"));
        assert!(words(2).contains("port 4011"));
        assert!(words(3).contains("once more"));
        words(4);
        assert!(words(5).contains("neither"));
    }
}
