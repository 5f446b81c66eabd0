//! `mode = "auto"` behind a switch port that drops everything for its first seconds, with
//! the link up: there, nobody answers whoever is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::time::{Duration, Instant};

use net::lan::{BOX_CARD, SwitchPort};
use net::rival::{RIVAL, dnsmasq};
use net::{Appliance, Ask, Kind, Machine, Server, Transcript, isolated, tools};

const MACHINE: &str = "52:54:00:00:00:41";

/// Starts the box on the card behind the blocked port, and waits until it has heard nobody.
fn box_that_hears_nobody() -> Server {
    let appliance = Appliance::new("auto", "");
    let text = fs::read_to_string(appliance.config()).unwrap();
    appliance.configure(&text.replace("srv0", BOX_CARD));
    let server = appliance.starts();
    server.log.wait_for("no other DHCP server answers");
    server
}

fn discover(machine: &Machine) {
    machine.port.send(&Ask::new(Kind::Discover, machine.mac));
}

#[test]
fn a_box_that_heard_nobody_through_a_blocked_port_gives_no_address_beside_another_server() {
    isolated(|lan| {
        let port = SwitchPort::blocked(&lan);
        let transcript = Transcript::begin();
        let [gateway, machine] = [RIVAL, MACHINE].map(|mac| lan.machine(mac));
        let _router = dnsmasq(&gateway, &[]);
        let server = box_that_hears_nobody();
        port.forwards();
        // The first packet that comes through is a machine's question.
        discover(&machine);
        let line = server.log.wait_for("another DHCP server is here");
        assert!(line.contains(&format!("10.10.10.200 ({RIVAL})")), "{line}");
        discover(&machine);
        transcript.wait_for(MACHINE, "< OFFER", 2);
        let from_us = transcript.lines().join("\n").matches("from 10.10.10.1 ").count();
        assert_eq!(from_us, 0, "an answer beside the other server");
    });
}

#[test]
fn alone_behind_a_port_that_was_blocked_it_looks_once_more_before_the_first_address() {
    isolated(|lan| {
        let port = SwitchPort::blocked(&lan);
        let transcript = Transcript::begin();
        let machine = lan.machine(MACHINE);
        let server = box_that_hears_nobody();
        server.log.wait_for("nobody is heard yet");
        port.forwards();
        tools::need("busybox");
        // Three questions, three seconds apart, as most installers ask.
        let words = ["busybox", "udhcpc", "-f", "-q", "-i", "eth0", "-s", "/bin/true"];
        let asked = Instant::now();
        let _client = Server::spawn(&mut machine.namespace.command(&words));
        let offer = transcript.wait_for(MACHINE, "< OFFER 10.10.10.", 1);
        println!("the first machine has its offer after {:.1} s: {offer}", seconds(asked));
        // A search of four seconds: its first question is answered, not only its third.
        assert!(asked.elapsed() >= Duration::from_secs(4), "{:.1} s", seconds(asked));
        assert!(asked.elapsed() < Duration::from_secs(6), "{:.1} s", seconds(asked));
        // The second machine is answered at once.
        let second = lan.machine("52:54:00:00:00:42");
        let asked = Instant::now();
        assert_eq!(second.leases(&[]).kind, Some(Kind::Ack));
        assert!(asked.elapsed() < Duration::from_secs(2), "{:.1} s", seconds(asked));
    });
}

#[test]
fn a_machine_that_asks_while_the_box_still_listens_is_answered_four_seconds_later() {
    isolated(|lan| {
        let machine = lan.machine(MACHINE);
        let transcript = Transcript::begin();
        let server = Appliance::new("auto", "").starts();
        transcript.wait_for_search();
        let asked = Instant::now();
        discover(&machine);
        server.log.wait_for("giving addresses from");
        assert!(asked.elapsed() >= Duration::from_secs(4), "{:.1} s", seconds(asked));
        assert!(asked.elapsed() < Duration::from_secs(6), "{:.1} s", seconds(asked));
        assert_eq!(server.log.count("nobody is heard yet"), 0);
        // It need not ask again.
        let offered = transcript.offered(MACHINE, 1);
        let told = format!(
            "> DISCOVER broadcast\n< OFFER {offered} unicast from 10.10.10.1 lease=12.0h\n"
        );
        assert_eq!(transcript.of(MACHINE), told);
    });
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
