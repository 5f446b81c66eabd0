//! Who is connected, and who has to go when there is no place left. Pure.
//!
//! Shed first is who has not said what he wants, the longest silent one first: that is all
//! that somebody costs us who opens connections and says nothing. Then a download that has
//! not moved for a while. Nobody who is being answered goes for somebody who might ask.

use std::collections::HashMap;
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
}

#[derive(Debug)]
struct Guest<B> {
    address: Ipv4Addr,
    asks: bool,
    since: Instant,
    bell: B,
}

/// What becomes of somebody who wants to come in.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<B> {
    /// He is in; whoever has the bell goes for him.
    Welcome(Id, Option<B>),
    /// His address has enough connections, and all are being answered.
    Refused,
    /// There is no place, and nobody who may be shed.
    Wait,
}

impl<B> Guests<B> {
    /// Nobody is here.
    pub fn new(limits: Limits) -> Guests<B> {
        Guests { limits, last: 0, guests: HashMap::new() }
    }

    /// Somebody is at the door. `bell` is what his connection hears when it has to go.
    pub fn admit(&mut self, address: Ipv4Addr, now: Instant, bell: B) -> Entry<B> {
        let own = self.guests.values().filter(|guest| guest.address == address).count();
        let shed = if own >= self.limits.of_address {
            match self.silent_longest(|guest| guest.address == address) {
                None => return Entry::Refused,
                shed => shed,
            }
        } else if self.guests.len() >= self.limits.places {
            match self.silent_longest(|_| true).or_else(|| self.stalled_longest(now)) {
                None => return Entry::Wait,
                shed => shed,
            }
        } else {
            None
        };
        let bell_of_shed = shed.and_then(|id| self.guests.remove(&id)).map(|guest| guest.bell);
        self.last += 1;
        self.guests.insert(self.last, Guest { address, asks: false, since: now, bell });
        Entry::Welcome(self.last, bell_of_shed)
    }

    /// Descriptors have run out: the bell of whoever has been silent longest.
    pub fn shed(&mut self) -> Option<B> {
        let id = self.silent_longest(|_| true)?;
        self.guests.remove(&id).map(|guest| guest.bell)
    }

    /// He has said what he wants, or has been answered.
    pub fn asks(&mut self, id: Id, asks: bool, now: Instant) {
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.asks = asks;
            guest.since = now;
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
        self.guests.remove(&id);
    }

    fn silent_longest(&self, may: impl Fn(&Guest<B>) -> bool) -> Option<Id> {
        let silent = self.guests.iter().filter(|(_, guest)| !guest.asks && may(guest));
        silent.min_by_key(|(id, guest)| (guest.since, **id)).map(|(id, _)| *id)
    }

    fn stalled_longest(&self, now: Instant) -> Option<Id> {
        let stalled = self.guests.iter().filter(|(_, guest)| now >= guest.since + STALLED);
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

    fn welcome(id: Id, shed: Option<u8>) -> Entry<u8> {
        Entry::Welcome(id, shed)
    }

    #[test]
    fn when_all_places_are_taken_the_longest_silent_one_goes() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut guests = Guests::new(SMALL);
        for last in 1..=4 {
            guests.admit(address(last), at(last.into()), last);
        }
        guests.asks(1, true, at(5));
        assert_eq!(guests.admit(address(5), at(6), 5), welcome(5, Some(2)));
        // 3 asks and is answered: it is silent for less long than 4.
        guests.asks(3, true, at(7));
        guests.asks(3, false, at(8));
        assert_eq!(guests.admit(address(6), at(9), 6), welcome(6, Some(4)));
    }

    #[test]
    fn who_is_being_answered_goes_only_if_he_takes_nothing() {
        let start = Instant::now();
        let mut guests = Guests::new(SMALL);
        for last in 1..=4_u8 {
            guests.admit(address(last), start, last);
            guests.asks(last.into(), true, start);
        }
        let later = start + STALLED - Duration::from_millis(1);
        assert_eq!(guests.admit(address(5), later, 5), Entry::Wait);
        for id in [1, 2, 4] {
            guests.moved(id, later);
        }
        assert_eq!(guests.admit(address(5), start + STALLED, 5), welcome(5, Some(3)));
        assert_eq!(guests.shed(), Some(5), "out of descriptors: it has said nothing yet");
        assert_eq!(guests.shed(), None);
    }

    #[test]
    fn one_address_sheds_only_its_own() {
        let start = Instant::now();
        let mut guests = Guests::new(SMALL);
        for bell in 1..=3 {
            guests.admit(address(9), start, bell);
        }
        assert_eq!(guests.guests.len(), 2);
        assert_eq!(guests.admit(address(9), start, 4), welcome(4, Some(2)));
        guests.asks(3, true, start);
        guests.asks(4, true, start);
        assert_eq!(guests.admit(address(9), start, 5), Entry::Refused);
        guests.leave(3);
        assert_eq!(guests.admit(address(9), start, 5), welcome(5, None));
    }
}
