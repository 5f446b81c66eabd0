use super::super::site::tests::{Nobody, One, site};
use super::*;

const POOL: &str = "10.10.10.100-10.10.10.250";
const ONE: &str = "10.10.10.100-10.10.10.100";
const TWO: &str = "10.10.10.100-10.10.10.101";

fn mac(last: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
}

const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 10, last)
}

fn until(last: u8, expires: Seconds) -> Binding {
    Binding { address: ip(last), expires }
}

#[test]
fn a_machine_gets_the_same_address_again_even_with_no_memory_of_it() {
    let first = Leases::new().choose(mac(1), None, &site(POOL, &Nobody), 0);
    let second = Leases::new().choose(mac(1), None, &site(POOL, &Nobody), 9);
    assert!(first.is_some());
    assert_eq!(first, second);
}

#[test]
fn every_address_is_given_once_and_then_the_pool_is_full() {
    let (mut leases, site) = (Leases::new(), site("10.10.10.100-10.10.10.109", &Nobody));
    let mut given: Vec<Ipv4Addr> = (1..=10)
        .map(|n| {
            let address = leases.choose(mac(n), None, &site, 0).unwrap();
            leases.bind(mac(n), Binding { address, expires: 100 });
            address
        })
        .collect();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 10);
    assert_eq!(leases.choose(mac(11), None, &site, 50), None);
    assert!(leases.choose(mac(11), None, &site, 100).is_some(), "leases ended");
}

#[test]
fn an_offered_address_is_kept_for_its_machine_while_there_are_others() {
    let (mut leases, site) = (Leases::new(), site(TWO, &Nobody));
    leases.offer(mac(1), ip(100), OFFER_HOLD);
    assert_eq!(leases.choose(mac(2), Some(ip(100)), &site, 0), Some(ip(101)));
    assert_eq!(leases.choose(mac(2), Some(ip(100)), &site, OFFER_HOLD), Some(ip(100)));
}

#[test]
fn who_takes_no_offer_keeps_nobody_out() {
    let (mut leases, site) = (Leases::new(), site(TWO, &Nobody));
    leases.offer(mac(1), ip(100), 10);
    leases.offer(mac(2), ip(101), 11);
    assert_eq!(leases.choose(mac(3), None, &site, 0), Some(ip(100)), "the oldest offer");
    leases.offer(mac(3), ip(100), 12);
    assert!(!leases.is_at(mac(1), ip(100), 0));
    // The first one was only slow: it gets what it was offered, if nobody took it.
    assert!(leases.takeable(ip(100), mac(1), &site, 0));
    leases.bind(mac(3), until(100, 90));
    assert!(!leases.takeable(ip(100), mac(1), &site, 0));
}

#[test]
fn what_a_client_may_use_without_a_word_goes_to_a_named_machine_only() {
    let named = One(mac(1), ip(20));
    let (mut leases, site) = (Leases::new(), site(ONE, &named));
    leases.offer_silently(mac(2), ip(100), SILENT_OFFER_HOLD);
    assert_eq!(leases.choose(mac(3), None, &site, 0), None);
    assert!(!leases.takeable(ip(100), mac(3), &site, 0));
    leases.decline(mac(9), ip(20), 10);
    assert_eq!(leases.choose(mac(1), None, &site, 0), Some(ip(100)));
}

#[test]
fn what_a_named_machine_or_one_with_a_lease_was_offered_stays_its_own() {
    let named = One(mac(1), ip(20));
    let (mut leases, site) = (Leases::new(), site(TWO, &named));
    leases.offer(mac(1), ip(100), 10);
    leases.bind(mac(2), until(101, 5));
    leases.offer(mac(2), ip(101), 11);
    assert_eq!(leases.choose(mac(3), None, &site, 6), None);
}

#[test]
fn an_expired_machine_loses_its_address_only_to_another_that_needs_it() {
    let (mut leases, site) = (Leases::new(), site(ONE, &Nobody));
    leases.bind(mac(1), until(100, 10));
    assert_eq!(leases.choose(mac(1), None, &site, 11), Some(ip(100)));
    assert_eq!(leases.bind(mac(2), until(100, 99)), [mac(1)], "what is kept of it must go");
    assert_eq!(leases.binding(mac(1)), None);
    assert_eq!(leases.holder(ip(100), 50), Some(mac(2)));
}

#[test]
fn a_newcomer_gets_the_address_of_a_machine_that_has_gone_only_when_there_is_no_other() {
    let (mut leases, site) = (Leases::new(), site(TWO, &Nobody));
    let first = leases.choose(mac(2), None, &site, 0).unwrap();
    leases.bind(mac(1), Binding { address: first, expires: 10 });
    let other = leases.choose(mac(2), None, &site, 11).unwrap();
    assert_ne!(other, first);
    leases.bind(mac(3), Binding { address: other, expires: 99 });
    assert_eq!(leases.choose(mac(2), None, &site, 11), Some(first));
}

#[test]
fn a_reserved_address_goes_to_nobody_else_and_may_lie_outside_the_pool() {
    let inside = One(mac(1), ip(100));
    let leases = Leases::new();
    assert_eq!(leases.choose(mac(2), Some(ip(100)), &site(TWO, &inside), 0), Some(ip(101)));
    assert_eq!(leases.choose(mac(1), None, &site(TWO, &inside), 0), Some(ip(100)));
    let outside = One(mac(1), ip(20));
    assert_eq!(leases.choose(mac(1), None, &site(TWO, &outside), 0), Some(ip(20)));
}

#[test]
fn while_another_still_has_its_reserved_address_a_machine_gets_a_different_one() {
    let reserved = One(mac(1), ip(100));
    let (mut leases, site) = (Leases::new(), site(TWO, &reserved));
    leases.bind(mac(2), until(100, 10));
    assert_eq!(leases.choose(mac(1), None, &site, 9), Some(ip(101)));
    assert!(!leases.usable(ip(100), mac(2), &site, 9), "its holder cannot renew it");
    assert_eq!(leases.choose(mac(1), None, &site, 10), Some(ip(100)));
}

#[test]
fn a_declined_address_is_left_alone_for_its_time() {
    let (mut leases, site) = (Leases::new(), site(TWO, &Nobody));
    leases.bind(mac(1), until(100, 1000));
    leases.decline(mac(1), ip(100), 500);
    assert_eq!(leases.choose(mac(1), Some(ip(100)), &site, 499), Some(ip(101)));
    assert!(leases.usable(ip(100), mac(1), &site, 500));
}

#[test]
fn made_up_clients_cannot_fill_the_memory() {
    let mut leases = Leases::new();
    for n in 0..20_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let mac = Mac::new([2, 0, 0, a, b, c]).unwrap();
        let address = Ipv4Addr::from(0x0a00_0000 + n);
        leases.offer(mac, address, u64::from(n));
        leases.decline(mac, address, u64::from(n));
        leases.offer(mac, address, u64::from(n));
    }
    assert_eq!(leases.offers.len(), MOST_OFFERS);
    assert_eq!((leases.offered.len(), leases.ends.len()), (MOST_OFFERS, MOST_OFFERS));
    assert_eq!(leases.declined.len(), MOST_DECLINED);
}

#[test]
fn when_the_table_is_full_a_newcomer_gets_nothing_and_nobody_loses_an_address() {
    let (mut leases, site) = (Leases::new(), site(POOL, &Nobody));
    for n in 0..u32::try_from(MOST_BINDINGS).unwrap() {
        let [_, a, b, c] = n.to_be_bytes();
        let mac = Mac::new([2, 0, 0, a, b, c]).unwrap();
        leases.bind(mac, Binding { address: Ipv4Addr::from(0x0b00_0000 + n), expires: 50 });
    }
    assert_eq!(leases.choose(mac(1), None, &site, 49), None);
    assert!(leases.choose(mac(1), None, &site, 50).is_some());
    assert_eq!(leases.bind(mac(1), until(100, 99)).len(), 1);
    assert_eq!(leases.bindings.len(), MOST_BINDINGS);
}
