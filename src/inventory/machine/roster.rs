//! Which network card belongs to which machine: what the stick says, and what was learned
//! since from what machines said of themselves. Pure.
//!
//! The list never changes once the sticks are read. A card is learned, goes to another machine
//! or to nobody, by what was said last; nothing that the stick names by MAC is ever learned
//! otherwise: a card cannot talk its way into another machine's place.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{PoisonError, RwLock};

use super::Machine;
use super::identity::{Identity, Rule};
use super::learned::Learned;
use super::rules::Rules;
use crate::net::Mac;

/// The machines that the sticks name.
#[derive(Debug, Default)]
pub struct Roster {
    list: Vec<Machine>,
    by_mac: BTreeMap<Mac, usize>,
    by_address: HashMap<Ipv4Addr, usize>,
    rules: Rules,
    learned: RwLock<Learned>,
    /// Cards that a configuration alone makes known. What their machines say of themselves
    /// counts for more: a rule may mean them.
    by_config: BTreeMap<Mac, usize>,
    /// `[defaults]`, if there is one.
    defaults: Option<Box<Machine>>,
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
        if let Some(rule) = &machine.rule
            && !self.rules.insert(rule, place)
        {
            return Err(format!("match {}", rule.words()));
        }
        self.list.push(machine);
        Ok(())
    }

    /// Sets what a machine has of which nothing else is said.
    pub fn set_defaults(&mut self, settings: Machine) {
        self.defaults = Some(Box::new(settings));
    }

    /// A machine of which only this card is known: what is said for every machine holds for
    /// it, too.
    pub fn stranger(&self, mac: Mac) -> Machine {
        let settings = self.defaults.as_deref().cloned().unwrap_or_default();
        Machine { macs: vec![mac], ..settings }
    }

    /// Adds a machine that a configuration under the MAC of its card makes known. That one it
    /// gets, whatever the defaults name.
    pub fn add_by_config(&mut self, mac: Mac) {
        if !self.names(mac) && !self.by_config.contains_key(&mac) {
            self.by_config.insert(mac, self.list.len());
            self.list.push(Machine { config: None, ..self.stranger(mac) });
        }
    }

    /// Whether nothing but a configuration under this card's MAC makes its machine known.
    pub fn is_by_config(&self, mac: Mac) -> bool {
        let own = self.by_config.get(&mac);
        own.is_some() && own.copied() == self.place(mac)
    }

    /// Adds what another stick names.
    pub fn join(&mut self, other: Roster) -> Result<(), String> {
        // Which of them should hold for a machine that neither names?
        match (&self.defaults, other.defaults) {
            (Some(own), Some(theirs)) if *own != theirs => {
                return Err("[defaults] with other settings".to_owned());
            }
            (None, Some(theirs)) => self.defaults = Some(theirs),
            _ => {}
        }
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
        let mut places = self.by_config.clone();
        places.extend(&self.by_mac);
        places.extend(self.learned().iter());
        places.into_iter().filter_map(|(mac, place)| Some((mac, self.list.get(place)?)))
    }

    /// Every card of the machine that has `mac`.
    pub fn cards(&self, mac: Mac) -> Option<Vec<Mac>> {
        let place = self.place(mac)?;
        let machine = self.list.get(place)?;
        let learned = self.learned();
        // A pattern stands for many machines: cards of one tell the same of themselves.
        let pattern = machine.rule.as_ref().is_some_and(Rule::is_pattern);
        let others = if pattern { learned.cards(mac) } else { learned.cards_at(place) };
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

    /// Notes what the machine with `mac` said of itself last; true if the card is another
    /// machine's by that than before, or nobody's any more.
    pub fn learn(&self, mac: Mac, identity: &Identity) -> bool {
        if self.rules.is_empty() || self.names(mac) {
            return false;
        }
        let fitting = self.rules.fitting(identity);
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        match fitting {
            Some((place, rule)) => learned.insert(mac, place, identity, rule.is_pattern()),
            None => learned.remove(mac).is_some(),
        }
    }

    /// Whether the serial number of the machine with `mac` could tell who it is. `told` is
    /// what it said of itself up to now.
    pub fn wants_serial(&self, mac: Mac, told: &Identity) -> bool {
        if told.serial.is_some() || self.names(mac) {
            return false;
        }
        let known = self.rules.fitting(told);
        let rank = known.map_or(u8::MAX, |(_, rule)| rule.rank());
        self.rules.any_serial_before(rank)
    }

    /// Whether the machine with `mac` could be another one than it is taken for: a rule may
    /// mean it by something that it has not told yet, or told when there was no room for it.
    /// Who introduces itself tells all.
    pub fn may_be_another(&self, mac: Mac, told: &Identity) -> bool {
        if self.names(mac) {
            return false;
        }
        let silent = told.uuid.is_none() && told.serial.is_none();
        let meant = self.rules.fitting(told).map(|(place, _)| place);
        self.wants_serial(mac, told)
            || silent && self.rules.any_on_uuid()
            || meant != self.learned().place(mac)
    }

    /// What the machine with `mac` said that a rule knows it by, and under what its life is
    /// kept when the card is another machine's.
    pub fn known_as(&self, mac: Mac) -> Option<(Identity, Mac)> {
        let identity = self.learned().identity(mac)?.clone();
        let by_serial = self.get(mac)?.rule.as_ref()?.serial.is_some();
        let key = identity.key(by_serial)?;
        Some((identity, key))
    }

    /// Whether any machine is known by what it says of itself.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Its place in [`Roster::list`].
    pub fn place(&self, mac: Mac) -> Option<usize> {
        let named = self.by_mac.get(&mac).copied();
        named.or_else(|| self.learned().place(mac)).or_else(|| self.by_config.get(&mac).copied())
    }

    fn first_learned(&self, place: usize) -> Option<Mac> {
        self.learned().cards_at(place).first().copied()
    }

    fn learned(&self) -> std::sync::RwLockReadGuard<'_, Learned> {
        self.learned.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const UUID: &str = "4c4c4544-0051-3410-8051-b5c04f375931";

    fn mac(last: u8) -> Mac {
        Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
    }

    fn roster(text: &str) -> Roster {
        parse("machines.toml", text).unwrap()
    }

    fn says(uuid: &str, serial: &str) -> Identity {
        let serial = Some(serial.to_owned()).filter(|serial| !serial.is_empty());
        Identity { uuid: uuid.parse().ok(), serial: serial.map(Some) }
    }

    fn name(roster: &Roster, last: u8) -> Option<&str> {
        roster.get(mac(last)).and_then(|machine| machine.name.as_deref())
    }

    #[test]
    fn a_machine_is_known_by_what_it_says_and_all_its_cards_are_one_machine() {
        let text = format!(
            "[[machine]]\nname = \"a\"\nmatch = {{ uuid = \"{UUID}\" }}\nip = \"10.10.10.20\"\n"
        );
        let roster = roster(&text);
        let kept = Ipv4Addr::new(10, 10, 10, 20);
        assert_eq!(roster.holder(kept), Some(Err(())), "kept before it came");
        assert!(roster.get(mac(1)).is_none());
        assert!(roster.learn(mac(1), &says(UUID, "")));
        assert!(!roster.learn(mac(1), &says(UUID, "")), "no news");
        assert!(roster.learn(mac(2), &says(UUID, "")));
        assert_eq!((name(&roster, 1), name(&roster, 2)), (Some("a"), Some("a")));
        assert_eq!(roster.cards(mac(2)), Some(vec![mac(1), mac(2)]));
        assert_eq!((roster.address(mac(1)), roster.address(mac(2))), (Some(kept), None));
        assert_eq!(roster.iter().count(), 2);
    }

    #[test]
    fn a_card_is_a_machines_only_as_long_as_its_firmware_says_so() {
        let text = format!("[[machine]]\nname = \"a\"\nmatch = {{ uuid = \"{UUID}\" }}\n");
        let roster = roster(&text);
        let other = says("4c4c4544-0051-3410-8051-b5c04f375932", "");
        assert!(roster.learn(mac(1), &says(UUID, "")));
        assert!(roster.learn(mac(1), &other), "that is news");
        assert_eq!((name(&roster, 1), roster.iter().count()), (None, 0));
        assert!(!roster.learn(mac(1), &other), "and it is news once");
    }

    #[test]
    fn a_card_that_the_stick_names_cannot_become_another_machine() {
        let text = format!(
            "[[machine]]\nname = \"a\"\nmac = \"52:54:00:00:00:01\"\n\
             [[machine]]\nname = \"b\"\nmatch = {{ uuid = \"{UUID}\" }}\n"
        );
        let roster = roster(&text);
        assert!(!roster.learn(mac(1), &says(UUID, "")));
        assert_eq!(name(&roster, 1), Some("a"));
    }

    #[test]
    fn machines_that_fit_one_pattern_are_many() {
        let roster = roster("[[machine]]\nmatch = { serial = \"VMware-42*\" }\n");
        let other = "4c4c4544-0051-3410-8051-b5c04f375932";
        for (last, uuid) in [(1, UUID), (2, other), (3, UUID)] {
            assert!(roster.learn(mac(last), &says(uuid, "VMware-42 1a 2b")));
        }
        assert_eq!(roster.cards(mac(1)), Some(vec![mac(1), mac(3)]));
        assert_eq!(roster.cards(mac(2)), Some(vec![mac(2)]));
    }

    #[test]
    fn the_serial_number_is_asked_for_only_where_it_could_tell_something() {
        let text = format!(
            "[[machine]]\nname = \"a\"\nmatch = {{ uuid = \"{UUID}\" }}\n\
             [[machine]]\nname = \"b\"\nmatch = {{ serial = \"5Q4Q7Y1\" }}\n\
             [[machine]]\nmatch = {{ uuid = \"0000*\" }}\n\
             [[machine]]\nname = \"c\"\nmac = \"52:54:00:00:00:09\"\n"
        );
        let roster = roster(&text);
        let of_the_pattern = "00000544-0051-3410-8051-b5c04f375932";
        for (last, said, wants) in [
            (1, says("", ""), true),
            (1, says(UUID, ""), false),
            (1, says(of_the_pattern, ""), true),
            (1, says(of_the_pattern, "5Q4Q7Y1"), false),
            (1, Identity { uuid: None, serial: Some(None) }, false),
            (9, says("", ""), false),
        ] {
            assert_eq!(roster.wants_serial(mac(last), &said), wants, "{said:?}");
        }
        // Whoever fits a pattern first, and a whole number then, is that one machine.
        assert!(roster.learn(mac(1), &says(of_the_pattern, "")));
        assert!(roster.learn(mac(1), &says(of_the_pattern, "5q4q7y1")));
        assert_eq!(name(&roster, 1), Some("b"));
        assert!(!self::roster("[[machine]]\nmac = \"52:54:00:00:00:09\"\n").has_rules());
    }

    #[test]
    fn made_up_cards_of_a_known_machine_are_few_and_its_own_is_among_them() {
        let text = format!("[[machine]]\nname = \"a\"\nmatch = {{ uuid = \"{UUID}\" }}\n");
        let roster = roster(&text);
        for number in 0..10_000_u32 {
            let [a, b, c, d] = number.to_be_bytes();
            roster.learn(Mac::new([2, 0, a, b, c, d]).unwrap(), &says(UUID, ""));
        }
        assert!(roster.learn(mac(1), &says(UUID, "")));
        assert_eq!(name(&roster, 1), Some("a"));
        let cards = roster.cards(mac(1)).unwrap();
        assert_eq!((cards.len(), roster.iter().count()), (16, 16));
        assert_eq!(cards.first(), Some(&Mac::new([2, 0, 0, 0, 0, 0]).unwrap()));
    }

    #[test]
    fn a_rule_for_one_machine_goes_before_a_pattern_wherever_it_stands() {
        let text = format!(
            "[[machine]]\nmatch = {{ serial = \"ab*\" }}\n\
             [[machine]]\nname = \"s\"\nmatch = {{ serial = \"AB1\" }}\n\
             [[machine]]\nname = \"u\"\nmatch = {{ uuid = \"{UUID}\" }}\n"
        );
        let roster = roster(&text);
        let as_old_firmware_tells_it = "44454c4c-5100-1034-8051-b5c04f375931";
        for (last, told, expected) in [
            (1, says(as_old_firmware_tells_it, "ab1"), Some("u")),
            (2, says("", " aB1 "), Some("s")),
            (3, says("", "ab2"), None),
        ] {
            assert!(roster.learn(mac(last), &told));
            assert_eq!(name(&roster, last), expected, "{told:?}");
        }
    }
}
