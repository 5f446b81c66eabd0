//! Who is connected, and who has to go when there is no place left. Pure.
//!
//! Shed first is who has not said what he wants, the longest silent one first: that is all
//! that somebody costs us who opens connections and says nothing. Then a download that has
//! not moved for a while. Nobody who is being answered goes for somebody who might ask.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// A download that has taken nothing for so long may be shed. TCP's own longest wait before
/// it sends again is shorter where one packet in a hundred is lost.
const STALLED: Duration = Duration::from_secs(10);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub places: usize,
    /// Of one address.
    pub of_address: usize,
}

/// A connection's number; never used twice.
pub type Id = u64;

/// Everybody who is connected.
#[derive(Debug)]
pub struct Guests<B> {
    limits: Limits,
    last: Id,
    guests: HashMap<Id, Guest<B>>,
    of: HashMap<Ipv4Addr, usize>,
    /// Those who say nothing and have not been told to go, the longest silent one first.
    silent: BTreeSet<(Instant, Id)>,
}

#[derive(Debug)]
struct Guest<B> {
    address: Ipv4Addr,
    asks: bool,
    since: Instant,
    /// None: it was rung, and he is on his way out.
    bell: Option<B>,
}

/// What becomes of somebody who wants to come in.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<B> {
    /// He is in.
    Welcome(Id),
    /// There is a place as soon as whoever has this bell has left.
    After(B),
    /// His address has enough connections, and all are being answered.
    Refused,
    /// There is no place, and nobody who may be shed.
    Wait,
}

impl<B> Guests<B> {
    /// Nobody is here.
    pub fn new(limits: Limits) -> Guests<B> {
        Guests {
            limits,
            last: 0,
            guests: HashMap::new(),
            of: HashMap::new(),
            silent: BTreeSet::new(),
        }
    }

    /// Somebody is at the door. `bell` makes what his connection hears when it has to go.
    pub fn admit(&mut self, address: Ipv4Addr, now: Instant, bell: impl FnOnce() -> B) -> Entry<B> {
        let own = self.of.get(&address).copied().unwrap_or(0);
        if own >= self.limits.of_address {
            let silent = self.silent_longest_of(address);
            return self.ring(silent).map_or(Entry::Refused, Entry::After);
        }
        if self.guests.len() >= self.limits.places {
            let silent = self.silent_longest().or_else(|| self.stalled_longest(now));
            return self.ring(silent).map_or(Entry::Wait, Entry::After);
        }
        self.last += 1;
        let guest = Guest { address, asks: false, since: now, bell: Some(bell()) };
        self.guests.insert(self.last, guest);
        self.silent.insert((now, self.last));
        *self.of.entry(address).or_default() += 1;
        Entry::Welcome(self.last)
    }

    /// Descriptors have run out: the bell of whoever has been silent longest.
    pub fn shed(&mut self) -> Option<B> {
        let silent = self.silent_longest();
        self.ring(silent)
    }

    /// He has said what he wants, or has been answered.
    pub fn asks(&mut self, id: Id, asks: bool, now: Instant) {
        if let Some(guest) = self.guests.get_mut(&id) {
            self.silent.remove(&(guest.since, id));
            guest.asks = asks;
            guest.since = now;
            if !asks && guest.bell.is_some() {
                self.silent.insert((now, id));
            }
        }
    }

    /// He has taken some of his answer.
    pub fn moved(&mut self, id: Id, now: Instant) {
        if let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.asks) {
            guest.since = now;
        }
    }

    /// He has gone.
    pub fn leave(&mut self, id: Id) {
        let Some(guest) = self.guests.remove(&id) else {
            return;
        };
        self.silent.remove(&(guest.since, id));
        if let Some(count) = self.of.get_mut(&guest.address) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&guest.address);
            }
        }
    }

    fn ring(&mut self, id: Option<Id>) -> Option<B> {
        let id = id?;
        let guest = self.guests.get_mut(&id)?;
        self.silent.remove(&(guest.since, id));
        guest.bell.take()
    }

    fn silent_longest(&self) -> Option<Id> {
        self.silent.first().map(|(_, id)| *id)
    }

    fn silent_longest_of(&self, address: Ipv4Addr) -> Option<Id> {
        let is_his = |id: &Id| self.guests.get(id).is_some_and(|guest| guest.address == address);
        self.silent.iter().map(|(_, id)| *id).find(is_his)
    }

    fn stalled_longest(&self, now: Instant) -> Option<Id> {
        let staying = self.guests.iter().filter(|(_, guest)| guest.bell.is_some());
        let stalled = staying.filter(|(_, guest)| now >= guest.since + STALLED);
        stalled.min_by_key(|(id, guest)| (guest.since, **id)).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Limits = Limits { places: 4, of_address: 2 };

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, 10, last)
    }

    /// Admits as the edge does: who has to go goes first. Who came in, and who went.
    fn admit(guests: &mut Guests<Id>, address: Ipv4Addr, now: Instant) -> (Entry<Id>, Option<Id>) {
        let next = guests.last + 1;
        let entry = guests.admit(address, now, || next);
        let Entry::After(gone) = entry else {
            return (entry, None);
        };
        assert_ne!(guests.admit(address, now, || next), Entry::Welcome(next), "before he has left");
        guests.leave(gone);
        (guests.admit(address, now, || next), Some(gone))
    }

    #[test]
    fn when_all_places_are_taken_the_longest_silent_one_goes() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut guests = Guests::new(SMALL);
        for last in 1..=4 {
            let entry = admit(&mut guests, address(last), at(last.into()));
            assert_eq!(entry, (Entry::Welcome(last.into()), None));
        }
        guests.asks(1, true, at(5));
        let entry = guests.admit(address(5), at(6), || 5);
        assert_eq!(entry, Entry::After(2));
        assert_eq!(guests.admit(address(6), at(6), || 5), Entry::After(3), "2 goes already");
        guests.leave(2);
        guests.leave(3);
        for last in [5, 6] {
            assert_eq!(guests.admit(address(last), at(6), || 0), Entry::Welcome(last.into()));
        }
        // 4 asks and is answered: it is silent for less long than 5.
        guests.asks(4, true, at(7));
        guests.asks(4, false, at(8));
        assert_eq!(guests.admit(address(7), at(9), || 7), Entry::After(0));
    }

    #[test]
    fn who_is_being_answered_goes_only_if_he_takes_nothing() {
        let start = Instant::now();
        let mut guests = Guests::new(SMALL);
        for last in 1..=4_u8 {
            admit(&mut guests, address(last), start);
            guests.asks(last.into(), true, start);
        }
        let later = start + STALLED - Duration::from_millis(1);
        assert_eq!(admit(&mut guests, address(5), later), (Entry::Wait, None));
        for id in [1, 2, 4] {
            guests.moved(id, later);
        }
        let entry = admit(&mut guests, address(5), start + STALLED);
        assert_eq!(entry, (Entry::Welcome(5), Some(3)));
        assert_eq!(guests.shed(), Some(5), "out of descriptors: it has said nothing yet");
        assert_eq!(guests.shed(), None);
    }

    #[test]
    fn one_address_sheds_only_its_own() {
        let start = Instant::now();
        let mut guests = Guests::new(SMALL);
        for last in [8, 9, 9] {
            admit(&mut guests, address(last), start);
        }
        assert_eq!(admit(&mut guests, address(9), start), (Entry::Welcome(4), Some(2)));
        guests.asks(3, true, start);
        guests.asks(4, true, start);
        assert_eq!(admit(&mut guests, address(9), start), (Entry::Refused, None));
        guests.leave(3);
        assert_eq!(admit(&mut guests, address(9), start), (Entry::Welcome(5), None));
    }
}
