//! An address is looked for on the LAN before it is offered (RFC 2131 §3.1).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use net::{Appliance, Ask, Kind, Machine, isolated};

const SQUATTER: &str = "52:54:00:00:00:66";
const MAC: &str = "52:54:00:00:00:41";

/// Two addresses, one of which somebody has taken.
const TWO: &str = "server.pool = \"10.10.10.100-10.10.10.101\"";

/// What the machine is offered when it wishes for an address.
fn offered(machine: &Machine, wish: Ipv4Addr) -> Ipv4Addr {
    let discover = Ask::new(Kind::Discover, machine.mac).option(50, &wish.octets());
    machine.port.ask(&discover).expect("no OFFER").yiaddr
}

const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 10, last)
}

#[test]
fn an_address_that_somebody_just_took_is_not_offered_and_he_is_named() {
    isolated(|lan| {
        let [squatter, machine] = [SQUATTER, MAC].map(|mac| lan.machine(mac));
        squatter.use_address(ip(100));
        let server = Appliance::new("server", TWO).starts();
        assert_eq!(offered(&machine, ip(100)), ip(101));
        let line = server.log.wait_for("without having it from here");
        assert!(line.contains(SQUATTER) && line.contains("10.10.10.100"), "{line}");
    });
}

#[test]
fn an_address_that_is_kept_for_a_machine_is_looked_for_too_and_the_machine_is_served() {
    isolated(|lan| {
        let [squatter, machine] = [SQUATTER, net::stick::NODE_1].map(|mac| lan.machine(mac));
        squatter.use_address(ip(20));
        let appliance = Appliance::new("server", TWO);
        let toml = format!("[[machine]]\nmac = \"{}\"\nip = \"10.10.10.20\"\n", net::stick::NODE_1);
        appliance.sample_stick().write("machines.toml", toml);
        let server = appliance.serves();
        let given = machine.leases(&[]).yiaddr;
        assert!([ip(100), ip(101)].contains(&given), "{given}");
        let line = server.log.wait_for("which is kept for");
        assert!(line.contains(SQUATTER), "{line}");
    });
}

#[test]
fn a_machine_that_still_uses_its_own_address_is_no_stranger_to_it() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        machine.use_address(ip(100));
        let _server = Appliance::new("server", TWO).starts();
        assert_eq!(offered(&machine, ip(100)), ip(100));
    });
}

#[test]
fn who_has_a_lease_is_answered_at_once_and_a_newcomer_after_a_moment() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        let _server = Appliance::server().starts();
        let offered_after = || {
            let started = Instant::now();
            machine.leases(&[]);
            started.elapsed()
        };
        let first = offered_after();
        let second = offered_after();
        // Both are one server's times, side by side: the difference is the look at the LAN.
        assert!(first >= Duration::from_millis(200), "{first:?}");
        assert!(second < first, "{second:?}");
    });
}

#[test]
fn a_client_that_asks_again_meanwhile_gets_one_answer_to_its_newest_question() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        let _server = Appliance::server().starts();
        let [first, second] = [(); 2].map(|()| Ask::new(Kind::Discover, machine.mac));
        machine.port.send(&first);
        let answer = machine.port.ask(&second).expect("no OFFER");
        assert_eq!(answer.kind, Some(Kind::Offer));
        assert!(machine.port.heard().is_empty(), "the older question was answered as well");
    });
}

#[test]
fn nobody_is_looked_for_where_the_config_says_so() {
    isolated(|lan| {
        let [squatter, machine] = [SQUATTER, MAC].map(|mac| lan.machine(mac));
        squatter.use_address(ip(100));
        let _server = Appliance::new("server", &format!("{TWO}\nserver.probe = false")).starts();
        assert_eq!(offered(&machine, ip(100)), ip(100));
    });
}
