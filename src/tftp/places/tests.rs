use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::super::request::{Asked, parse};
use super::*;

const SMALL: Limits = Limits { clients: 8, clients_of_address: 6, places: 3, places_of_address: 2 };

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rang(&self) -> bool {
        self.0.swap(0, Ordering::Relaxed) > 0
    }
}

fn peer(address: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, address), port)
}

fn request(name: &str) -> Request {
    match parse(format!("\0\u{1}{name}\0octet\0").as_bytes()) {
        Some(Asked::Read(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// A client that asks, is opened, and has not acknowledged anything.
fn begins(places: &mut Places<u8>, who: SocketAddrV4, now: Instant) -> Entry {
    let entry = places.knock(who, &request("a"), now);
    if entry == Entry::Begins {
        places.begin(who, "a".to_owned(), 7, now);
        assert_eq!(places.open(who), Some(7));
    }
    entry
}

#[test]
fn who_has_acknowledged_nothing_takes_no_place() {
    let now = Instant::now();
    let mut places = Places::new(SMALL);
    for port in 1..=6 {
        assert_eq!(begins(&mut places, peer(1, port), now), Entry::Begins);
    }
    assert_eq!(begins(&mut places, peer(1, 7), now), Entry::Full, "of one address");
    assert_eq!(places.held, 0);
    assert_eq!(begins(&mut places, peer(2, 1), now), Entry::Begins);
    assert!(places.go_on(peer(2, 1), now, Waker::noop()));
    assert_eq!(begins(&mut places, peer(3, 1), now), Entry::Begins);
    assert_eq!(begins(&mut places, peer(4, 1), now), Entry::Full, "in all");
    places.leave(peer(1, 1));
    assert_eq!(begins(&mut places, peer(4, 1), now), Entry::Begins);
}

#[test]
fn newcomers_wait_in_their_order_for_a_place() {
    let now = Instant::now();
    let mut places = Places::new(SMALL);
    let bells = [(); 3].map(|()| Arc::new(Bell::default()));
    let wakers = bells.each_ref().map(|bell| Waker::from(Arc::clone(bell)));
    let all = [peer(1, 1), peer(1, 2), peer(2, 1), peer(1, 3), peer(3, 1), peer(3, 2)];
    for who in all {
        begins(&mut places, who, now);
    }
    for who in &all[..3] {
        assert!(places.go_on(*who, now, Waker::noop()));
    }
    for (who, waker) in all[3..].iter().zip(&wakers) {
        assert!(!places.go_on(*who, now, waker), "{who} waits");
    }
    // Who came first has its address's share already, and stands behind.
    places.has_all(peer(2, 1));
    assert!(!bells[0].rang() && bells[1].rang() && !bells[2].rang());
    assert!(places.go_on(peer(3, 1), now, &wakers[1]));
    places.leave(peer(1, 1));
    // The second of 3 before the third of 1.
    assert!(!bells[0].rang() && bells[2].rang());
    assert!(places.go_on(peer(3, 2), now, &wakers[2]));
    places.has_all(peer(3, 1));
    assert!(bells[0].rang());
    assert!(places.go_on(peer(1, 3), now, &wakers[0]));
    assert_eq!(places.held, 3);
}

#[test]
fn a_quiet_transfer_lends_its_place_and_gets_another_when_it_wakes() {
    let start = Instant::now();
    let later = start + QUIET;
    let mut places = Places::new(SMALL);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for who in [peer(1, 1), peer(2, 1), peer(3, 1), peer(4, 1)] {
        begins(&mut places, who, start);
    }
    for who in [peer(1, 1), peer(2, 1), peer(3, 1)] {
        assert!(places.go_on(who, start, Waker::noop()));
    }
    assert!(!places.go_on(peer(4, 1), start, &waker));
    assert!(places.go_on(peer(1, 1), later, Waker::noop()));
    assert!(places.tick(start), "nobody is quiet yet");
    assert!(!bell.rang());
    places.tick(later);
    assert!(bell.rang());
    assert!(places.go_on(peer(4, 1), later, &waker));
    assert!(!places.tick(later), "nobody waits any more");
    // One of 2 and 3 has lost its place, and takes that of the other.
    assert!(places.go_on(peer(2, 1), later, Waker::noop()));
    assert_eq!(places.held, 3);
    assert!(!places.go_on(peer(3, 1), later, &waker));
}

#[test]
fn a_request_that_is_repeated_changes_nothing_and_another_has_its_turn() {
    let now = Instant::now();
    let mut places = Places::new(SMALL);
    begins(&mut places, peer(1, 1), now);
    assert_eq!(places.knock(peer(1, 1), &request("a"), now), Entry::Known);
    assert_eq!(places.leave(peer(1, 1)), None);
    begins(&mut places, peer(1, 1), now);
    assert_eq!(places.knock(peer(1, 1), &request("b"), now), Entry::Known);
    assert_eq!(places.leave(peer(1, 1)), Some(request("b")));
    begins(&mut places, peer(1, 1), now);
    places.go_on(peer(1, 1), now, Waker::noop());
    assert_eq!(places.knock(peer(1, 1), &request("a"), now), Entry::Known);
    assert_eq!(places.leave(peer(1, 1)), Some(request("a")), "it has begun anew");
}

#[test]
fn what_the_library_never_opened_is_forgotten() {
    let start = Instant::now();
    let later = start + LOST;
    let mut places = Places::new(SMALL);
    places.begin(peer(1, 1), "a".to_owned(), 7, start);
    assert_eq!(places.knock(peer(1, 1), &request("a"), start), Entry::Known);
    assert_eq!(places.knock(peer(1, 1), &request("a"), later), Entry::Begins);
    for address in 1..=8 {
        places.begin(peer(address, 1), "a".to_owned(), 7, start);
    }
    assert_eq!(places.knock(peer(9, 1), &request("a"), start), Entry::Full);
    assert_eq!(places.knock(peer(9, 1), &request("a"), later), Entry::Begins);
}

#[test]
fn places_that_become_free_at_once_do_not_stay_empty() {
    let now = Instant::now();
    let mut places = Places::new(SMALL);
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    let all = [1, 2, 3, 4, 5].map(|address| peer(address, 1));
    for who in all {
        begins(&mut places, who, now);
    }
    for who in &all[..3] {
        assert!(places.go_on(*who, now, Waker::noop()));
    }
    for (who, bell) in all[3..].iter().zip(&bells) {
        assert!(!places.go_on(*who, now, &Waker::from(Arc::clone(bell))));
    }
    places.has_all(all[0]);
    places.has_all(all[1]);
    assert!(bells[0].rang() && !bells[1].rang(), "both woke the first");
    assert!(places.tick(now));
    assert!(bells[0].rang() && bells[1].rang());
}

#[test]
fn what_was_lost_of_an_address_does_not_count_against_it() {
    let start = Instant::now();
    let mut places = Places::new(SMALL);
    for port in 1..=6 {
        places.begin(peer(1, port), "a".to_owned(), 7, start);
    }
    assert_eq!(places.knock(peer(1, 7), &request("a"), start), Entry::Full);
    assert_eq!(places.knock(peer(1, 7), &request("a"), start + LOST), Entry::Begins);
}

#[test]
fn who_is_looked_for_is_waited_for_and_then_opened_at_once_or_forgotten() {
    let start = Instant::now();
    let later = start + LOOKED_FOR_IN_VAIN - Duration::from_millis(1);
    let much_later = later + LOST;
    let mut places = Places::new(SMALL);
    let number = places.begin_to_look(peer(1, 1), "a".to_owned(), start);
    assert_eq!(places.knock(peer(1, 1), &request("a"), later), Entry::Known);
    assert_eq!(places.open(peer(1, 1)), None, "nothing is handed over yet");
    assert!(places.found(peer(1, 1), number, 7, later));
    places.give_up(peer(1, 1), number);
    assert_eq!(places.knock(peer(1, 1), &request("a"), later), Entry::Known, "it was found");
    assert_eq!(places.knock(peer(1, 1), &request("a"), much_later), Entry::Begins);
    let number = places.begin_to_look(peer(1, 1), "a".to_owned(), much_later);
    assert!(places.found(peer(1, 1), number, 8, much_later));
    assert_eq!(places.open(peer(1, 1)), Some(8));
    assert_eq!(places.open(peer(1, 1)), None);
}

#[test]
fn who_is_looked_for_on_a_stick_that_hangs_keeps_nobody_out() {
    let start = Instant::now();
    let later = start + LOOKED_FOR_IN_VAIN;
    let mut places = Places::new(SMALL);
    let numbers: Vec<u64> = (1..=8)
        .map(|address| places.begin_to_look(peer(address, 1), "a".to_owned(), start))
        .collect();
    assert_eq!(places.knock(peer(9, 1), &request("b"), start), Entry::Full);
    assert_eq!(places.knock(peer(9, 1), &request("b"), later), Entry::Begins);
    assert_eq!(places.knock(peer(1, 1), &request("b"), later), Entry::Begins);
    let number = places.begin_to_look(peer(1, 1), "b".to_owned(), later);
    // The stick wakes up.
    for (address, number) in (1..=8).zip(numbers) {
        assert!(!places.found(peer(address, 1), number, 7, later));
        places.give_up(peer(address, 1), number);
    }
    assert!(places.found(peer(1, 1), number, 8, later), "it waits for something else");
}

#[test]
fn who_has_gone_is_no_crowd() {
    let start = Instant::now();
    let mut places = Places::new(SMALL);
    begins(&mut places, peer(1, 1), start);
    begins(&mut places, peer(2, 1), start);
    assert_eq!(places.lively(start), 2);
    assert!(places.go_on(peer(1, 1), start + QUIET, Waker::noop()));
    assert_eq!(places.lively(start + QUIET), 1);
}
