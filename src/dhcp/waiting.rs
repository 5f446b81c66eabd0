//! Requests that wait while an address is looked for on the LAN. Pure.
//!
//! RFC 2131 §3.1 wants an address looked for before it is offered. ARP finds also those who
//! ignore pings (RFC 5227); the client waits for the answer meanwhile.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::wire::Request;
use crate::net::Mac;
use crate::net::arp::Heard;

/// Who is there answers within a few milliseconds, a sleeping laptop within a tenth of a
/// second. iPXE, the least patient client, asks again after one second.
pub const LOOK: Duration = Duration::from_millis(200);

/// A room that is switched on at once. Who finds no place asks again.
const MOST_WAITING: usize = 512;

/// Places for machines that are known, when strangers have taken all others.
const MOST_KNOWN: usize = 512;

/// Everybody who waits, one request a machine.
#[derive(Debug, Default)]
pub struct Waiting(HashMap<Mac, Place>);

#[derive(Debug)]
struct Place {
    request: Request,
    address: Ipv4Addr,
    until: Instant,
    taken_by: Option<[u8; 6]>,
}

/// The end of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody is at the address.
    Free(Request),
    /// Somebody is.
    Taken {
        /// The request that wanted it.
        request: Request,
        /// The address.
        address: Ipv4Addr,
        /// The card that it is at.
        by: [u8; 6],
    },
}

impl Waiting {
    /// Whether the machine waits already; then its newest request is the one that will be
    /// answered.
    pub fn takes(&mut self, request: &Request) -> bool {
        let Some(place) = self.0.get_mut(&request.mac) else {
            return false;
        };
        place.request = request.clone();
        true
    }

    /// Keeps a request until it is known whether `address` is free; false if there is no
    /// place. `known`: strangers must not keep it out.
    pub fn keep(
        &mut self,
        request: &Request,
        address: Ipv4Addr,
        known: bool,
        now: Instant,
    ) -> bool {
        let places = if known { MOST_WAITING + MOST_KNOWN } else { MOST_WAITING };
        if self.0.len() >= places {
            return false;
        }
        let place = Place { request: request.clone(), address, until: now + LOOK, taken_by: None };
        self.0.insert(request.mac, place);
        true
    }

    /// The machine wants something else now.
    pub fn forget(&mut self, mac: Mac) {
        self.0.remove(&mac);
    }

    /// Somebody is at an address. The machine itself does not count: one that was switched
    /// off and on may still use it.
    pub fn hear(&mut self, heard: Heard) {
        for place in self.0.values_mut() {
            let other = place.request.mac.octets() != heard.hardware;
            if place.address == heard.address && other {
                place.taken_by = Some(heard.hardware);
            }
        }
    }

    /// Whose wait is over.
    pub fn due(&mut self, now: Instant) -> Vec<Outcome> {
        let over = |place: &Place| place.until <= now || place.taken_by.is_some();
        let due: Vec<Place> =
            self.0.extract_if(|_, place| over(place)).map(|(_, place)| place).collect();
        due.into_iter().map(Place::outcome).collect()
    }

    /// When the next wait is over.
    pub fn next(&self) -> Option<Instant> {
        self.0.values().map(|place| place.until).min()
    }
}

impl Place {
    fn outcome(self) -> Outcome {
        match self.taken_by {
            Some(by) => Outcome::Taken { request: self.request, address: self.address, by },
            None => Outcome::Free(self.request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{self, tests::packet};
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);

    fn request(last: u16) -> Request {
        let [high, low] = last.to_be_bytes();
        wire::parse(&packet(1, [0x52, 0x54, 0, 0, high, low], &[])).unwrap()
    }

    #[test]
    fn an_address_that_nobody_answers_for_is_free_when_the_time_is_over() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        assert!(waiting.keep(&request(1), ADDRESS, false, now));
        assert_eq!(waiting.next(), Some(now + LOOK));
        assert_eq!(waiting.due(now + LOOK - Duration::from_millis(1)), []);
        assert_eq!(waiting.due(now + LOOK), [Outcome::Free(request(1))]);
        assert_eq!(waiting.due(now + LOOK), [], "once");
    }

    #[test]
    fn an_answer_ends_the_wait_at_once_unless_it_is_the_machines_own() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.keep(&request(1), ADDRESS, false, now);
        waiting.hear(Heard { address: ADDRESS, hardware: request(1).mac.octets() });
        waiting.hear(Heard { address: Ipv4Addr::LOCALHOST, hardware: [2; 6] });
        assert_eq!(waiting.due(now), []);
        waiting.hear(Heard { address: ADDRESS, hardware: [2; 6] });
        let taken = Outcome::Taken { request: request(1), address: ADDRESS, by: [2; 6] };
        assert_eq!(waiting.due(now), [taken]);
    }

    #[test]
    fn the_newest_request_of_a_machine_is_the_one_that_is_answered() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        assert!(!waiting.takes(&request(1)));
        waiting.keep(&request(1), ADDRESS, false, now);
        let newer = Request { xid: 9, ..request(1) };
        assert!(waiting.takes(&newer));
        assert_eq!(waiting.due(now + LOOK), [Outcome::Free(newer)]);
    }

    #[test]
    fn there_is_room_for_a_room_and_no_more() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let kept = (0..1000).filter(|n| waiting.keep(&request(*n), ADDRESS, false, now)).count();
        assert_eq!(kept, MOST_WAITING);
        assert!(waiting.keep(&request(2000), ADDRESS, true, now), "a known machine");
        assert!(!waiting.keep(&request(2001), ADDRESS, false, now));
    }
}
