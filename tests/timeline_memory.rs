//! What the flight recorder takes of the memory when everybody has much to say.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail so")]

use std::fs;
use std::net::Ipv4Addr;

use pxeberry::config;
use pxeberry::dhcp::lease::Binding;
use pxeberry::fleet::timeline::{Source, Weight};
use pxeberry::net::Mac;
use pxeberry::world::World;

const MACHINES: u16 = 2_048;

/// More than there is room for.
const ENTRIES: u16 = 12;

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn two_thousand_machines_with_full_timelines_take_eight_mebibytes_at_most() {
    let world = World::new(config::parse("").unwrap(), "lo".to_owned(), None);
    let mac = |number: u16| {
        let [high, low] = number.to_be_bytes();
        Mac::new([2, 0, 0, 1, high, low]).unwrap()
    };
    let until = world.now() + 1_000;
    for number in 0..MACHINES {
        let address = Ipv4Addr::from(0x0a0a_0000 + u32::from(number));
        let binding = Binding { address, expires: until };
        world.with_fleet(|fleet| fleet.leases.bind(mac(number), binding));
    }
    let before = resident_kib();
    let long = "w".repeat(300);
    let ends = [(Ipv4Addr::new(10, 10, 10, 1), 67), (Ipv4Addr::BROADCAST, 68)];
    for entry in 0..ENTRIES {
        for number in 0..MACHINES {
            let words = format!("{entry} {number} {long}");
            world.happened_to(mac(number), Source::Http, Weight::Info, &words);
            world.packet(mac(number), ends, &[7; 700]);
        }
    }
    for number in 0..MACHINES {
        world.learn(mac(number), |facts| facts.learn_hello(Some(1), &long));
    }
    let held: usize = (0..MACHINES).map(|number| world.timeline(mac(number)).len()).sum();
    let packets = (0..MACHINES).filter(|number| world.capture(mac(*number)).is_some()).count();
    let more = resident_kib().saturating_sub(before);
    println!("measured: {held} entries, packets of {packets} machines: {more} KiB more resident");
    assert!(held >= 10_000 && packets > 500, "{held} {packets}");
    assert!(more <= 8 * 1024, "{more} KiB");
}
