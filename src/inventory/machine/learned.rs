//! Which cards told whose they are: bounded, because anybody can make cards up. Pure.

use std::collections::BTreeMap;

use super::identity::{Identity, Uuid};
use crate::net::Mac;

/// More cards than any few racks have; past this, machines are known by their MAC alone.
const MOST: usize = 8_192;

/// No machine has more. Of one of which more are told, those that came first stay, and the
/// last place is the newest one's: whoever makes up cards with a machine's number cannot keep
/// the machine itself from being known, and the card that its life is kept under stays.
const MOST_OF_ONE: usize = 16;

/// A machine, by its place in the roster. A pattern stands for many, told apart by UUID.
type Key = (usize, Option<Uuid>);

/// What the cards told.
#[derive(Debug, Default)]
pub struct Learned {
    cards: BTreeMap<Mac, Card>,
    /// The cards of each machine in the order in which they came.
    machines: BTreeMap<Key, Vec<Mac>>,
    /// Cards that fit a pattern, in the same order.
    of_patterns: Vec<Mac>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Card {
    place: usize,
    identity: Identity,
    /// None: nothing says which other cards its machine has.
    machine: Option<Key>,
    is_pattern: bool,
}

impl Learned {
    /// The place of the machine that has `mac`.
    pub fn place(&self, mac: Mac) -> Option<usize> {
        self.cards.get(&mac).map(|card| card.place)
    }

    /// What the machine that has `mac` said.
    pub fn identity(&self, mac: Mac) -> Option<&Identity> {
        self.cards.get(&mac).map(|card| &card.identity)
    }

    /// Every card with the place of its machine.
    pub fn iter(&self) -> impl Iterator<Item = (Mac, usize)> {
        self.cards.iter().map(|(mac, card)| (*mac, card.place))
    }

    /// The learned cards of the machine that has `mac`, itself among them if it is one.
    pub fn cards(&self, mac: Mac) -> &[Mac] {
        let machine = self.cards.get(&mac).and_then(|card| card.machine);
        machine.map_or(&[], |machine| self.of(machine))
    }

    /// Those of a machine that is the only one at its place.
    pub fn cards_at(&self, place: usize) -> &[Mac] {
        self.of((place, None))
    }

    /// Notes that `mac` belongs to the machine at `place`; true if that was not known before.
    pub fn insert(
        &mut self,
        mac: Mac,
        place: usize,
        identity: &Identity,
        is_pattern: bool,
    ) -> bool {
        let uuid = identity.uuid.filter(|uuid| uuid.fault().is_none());
        let machine = match is_pattern {
            true => uuid.map(|uuid| (place, Some(uuid))),
            false => Some((place, None)),
        };
        let card = Card { place, identity: identity.clone(), machine, is_pattern };
        if self.cards.get(&mac) == Some(&card) {
            return false;
        }
        let before = self.remove(mac);
        if self.cards.len() >= MOST && !self.make_room(is_pattern) {
            return false;
        }
        if let Some(machine) = machine {
            if self.of(machine).len() >= MOST_OF_ONE
                && let Some(last) = self.of(machine).last().copied()
            {
                self.remove(last);
            }
            self.machines.entry(machine).or_default().push(mac);
        }
        if is_pattern {
            self.of_patterns.push(mac);
        }
        self.cards.insert(mac, card);
        before != Some(place)
    }

    /// Forgets what was known of `mac`: the place that it had.
    pub fn remove(&mut self, mac: Mac) -> Option<usize> {
        let card = self.cards.remove(&mac)?;
        if let Some(key) = card.machine
            && let Some(cards) = self.machines.get_mut(&key)
        {
            cards.retain(|other| *other != mac);
            if cards.is_empty() {
                self.machines.remove(&key);
            }
        }
        if card.is_pattern {
            self.of_patterns.retain(|other| *other != mac);
        }
        Some(card.place)
    }

    /// A machine with a rule of its own goes before one of the many that fit a pattern.
    fn make_room(&mut self, is_pattern: bool) -> bool {
        let last = self.of_patterns.last().copied().filter(|_| !is_pattern);
        last.is_some_and(|last| self.remove(last).is_some())
    }

    fn of(&self, machine: Key) -> &[Mac] {
        self.machines.get(&machine).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: usize) -> Mac {
        let [.., a, b, c, d] = number.to_be_bytes();
        Mac::new([2, 0, a, b, c, d]).unwrap()
    }

    fn says(uuid: u8) -> Identity {
        let uuid = format!("4c4c4544-0051-3410-8051-b5c04f3759{uuid:02x}");
        Identity { uuid: uuid.parse().ok(), serial: None }
    }

    #[test]
    fn made_up_cards_of_one_machine_keep_neither_it_nor_its_first_card_out() {
        let mut learned = Learned::default();
        for number in 1..10_000 {
            assert!(learned.insert(mac(number), 3, &says(1), false));
            assert!(learned.cards(mac(number)).contains(&mac(number)));
            assert_eq!(learned.cards(mac(number)).first(), Some(&mac(1)));
        }
        assert_eq!(learned.iter().count(), MOST_OF_ONE);
        assert_eq!(learned.cards_at(3).len(), MOST_OF_ONE);
        assert_eq!(learned.place(mac(9_000)), None);
    }

    #[test]
    fn each_machine_of_a_pattern_has_its_own_cards() {
        let mut learned = Learned::default();
        for number in 0..100 {
            learned.insert(mac(number), 0, &says(u8::try_from(number % 2).unwrap()), true);
        }
        assert_eq!(learned.iter().count(), 2 * MOST_OF_ONE);
        assert_eq!(learned.cards(mac(0)).first(), Some(&mac(0)));
        assert!(!learned.cards(mac(0)).contains(&mac(1)));
        // Without a number it is a machine by itself.
        assert!(learned.insert(mac(200), 0, &Identity::default(), true));
        assert!(learned.cards(mac(200)).is_empty());
    }

    #[test]
    fn a_machine_with_a_rule_of_its_own_has_room_where_a_pattern_took_all() {
        let mut learned = Learned::default();
        for number in 0..MOST + 10 {
            learned.insert(mac(number), 0, &Identity::default(), true);
        }
        assert_eq!(learned.iter().count(), MOST);
        assert!(learned.insert(mac(MOST + 20), 1, &says(1), false));
        assert_eq!(learned.place(mac(MOST + 20)), Some(1));
        assert_eq!(learned.place(mac(MOST - 1)), None, "the last that came has left");
        assert!(!learned.insert(mac(MOST + 30), 0, &Identity::default(), true));
        assert_eq!(learned.iter().count(), MOST);
    }

    #[test]
    fn a_card_that_becomes_another_machines_leaves_the_first_one() {
        let mut learned = Learned::default();
        assert!(learned.insert(mac(1), 0, &says(1), true));
        assert!(!learned.insert(mac(1), 0, &says(2), true), "the same machine's, by the rule");
        assert!(learned.insert(mac(1), 1, &says(2), false));
        assert!(learned.cards_at(0).is_empty() && learned.machines.len() == 1);
        assert_eq!(learned.remove(mac(1)), Some(1));
        assert!(learned.machines.is_empty() && learned.of_patterns.is_empty());
    }
}
