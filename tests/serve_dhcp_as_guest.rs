//! The box as a guest: where another server gives the addresses, it takes one itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::process::Command;
use std::time::{Duration, Instant};

use net::client::udhcpc;
use net::lan::INTERFACE;
use net::rival::{RIVAL, RIVAL_TERMS, dnsmasq, dnsmasq_with_range};
use net::{Appliance, Lan, Machine, Server, Transcript, isolated, tools};

/// Starts the server as PID 1 of the appliance does: the interface has no address yet.
fn guest() -> Server {
    tools::run("ip", &["address", "flush", "dev", INTERFACE]);
    let server = Server::spawn(Appliance::new("auto", "").command().arg("--set-address"));
    server.log.wait_for("serving on ");
    server
}

/// Addresses of the appliance's interface.
fn own_addresses() -> String {
    let shown = Command::new("ip").args(["-4", "-brief", "address", "show", INTERFACE]).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    shown.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
}

fn pulls_the_cable_out_and_in(server: &Server) {
    tools::run("ip", &["link", "set", INTERFACE, "down"]);
    server.log.wait_for("no link; plug a cable into the LAN");
    let end = Instant::now() + net::PATIENCE;
    while !own_addresses().is_empty() {
        assert!(Instant::now() < end, "without a link it has {}", own_addresses());
        // The line comes before the change, and the kernel makes no event of it here.
        std::thread::sleep(Duration::from_millis(5));
    }
    tools::run("ip", &["link", "set", INTERFACE, "up"]);
}

/// What the box says to get an address, and what it is told.
fn conversation(address: &str) -> String {
    format!(
        "> DISCOVER broadcast\n\
         < OFFER {address} broadcast {RIVAL_TERMS}\n\
         > REQUEST broadcast wants={address} server=10.10.10.200\n\
         < ACK {address} broadcast {RIVAL_TERMS}\n"
    )
}

fn router(lan: &Lan) -> (Machine, Server) {
    let machine = lan.machine(RIVAL);
    let server = dnsmasq(&machine, &["--no-ping"]);
    (machine, server)
}

const MACHINE: &str = "52:54:00:00:00:41";

/// What it logs when it has its address.
const GUEST: &str = "beside the DHCP server that gives the addresses";

#[test]
fn a_guest_takes_an_address_and_after_a_pulled_cable_again() {
    isolated(|lan| {
        let (_machine, _router) = router(&lan);
        let transcript = Transcript::begin();
        let server = guest();
        server.log.wait_for(GUEST);
        let own = lan.hardware();
        let address = transcript.offered(&own, 1);
        assert_eq!(transcript.of(&own), conversation(&address));
        assert_eq!(own_addresses(), format!("{address}/24"));
        pulls_the_cable_out_and_in(&server);
        server.log.wait_for_nth(GUEST, 2);
        assert_eq!(transcript.of(&own), conversation(&address).repeat(2));
        assert_eq!(own_addresses(), format!("{address}/24"));
    });
}

#[test]
fn a_guest_that_is_moved_to_a_lan_without_a_server_becomes_the_server() {
    isolated(|lan| {
        let (machine, router) = router(&lan);
        let server = guest();
        server.log.wait_for(GUEST);
        drop((machine, router));
        pulls_the_cable_out_and_in(&server);
        let transcript = Transcript::begin();
        let machine = lan.machine(MACHINE);
        let client = udhcpc(&machine, &["-q"]);
        client.log.wait_for("event bound 10.10.10.");
        assert_eq!(own_addresses(), "10.10.10.1/24");
        let address = transcript.offered(MACHINE, 1);
        assert_eq!(
            transcript.of(MACHINE),
            format!(
                "> DISCOVER broadcast\n\
                 < OFFER {address} unicast from 10.10.10.1 lease=12.0h\n\
                 > REQUEST broadcast wants={address} server=10.10.10.1\n\
                 < ACK {address} unicast from 10.10.10.1 lease=12.0h\n"
            )
        );
    });
}

/// The soonest that the box asks to keep its address: ten seconds.
const SOON: &str = "--dhcp-option-force=option:T1,10";

/// What the box asks at half of its lease, or sooner if it is told to.
fn asks_to_stay(address: &str) -> String {
    format!("> REQUEST broadcast has={address}")
}

#[test]
fn a_guest_asks_for_more_time_when_it_is_told_to_and_keeps_its_address() {
    isolated(|lan| {
        let machine = lan.machine(RIVAL);
        let _router = dnsmasq(&machine, &["--no-ping", SOON]);
        let transcript = Transcript::begin();
        let server = guest();
        server.log.wait_for(GUEST);
        let own = lan.hardware();
        let address = transcript.offered(&own, 1);
        transcript.wait_for(&own, &asks_to_stay(&address), 1);
        transcript.wait_for(&own, &format!("< ACK {address}"), 2);
        assert_eq!(own_addresses(), format!("{address}/24"));
        assert_eq!(server.log.count("has the address"), 1, "it was set anew");
    });
}

#[test]
fn a_guest_whose_address_is_taken_back_leaves_it_and_takes_another() {
    isolated(|lan| {
        let machine = lan.machine(RIVAL);
        let router = dnsmasq(&machine, &["--no-ping", SOON]);
        let transcript = Transcript::begin();
        let server = guest();
        server.log.wait_for(GUEST);
        let own = lan.hardware();
        let address = transcript.offered(&own, 1);
        // The router was given other addresses to give.
        drop(router);
        std::fs::remove_file("/run/dnsmasq.leases").unwrap();
        let other = "--dhcp-range=10.10.10.60,10.10.10.69";
        let _router = dnsmasq_with_range(&machine, other, &["--no-ping", SOON]);
        server.log.wait_for("was taken back by the other DHCP server");
        server.log.wait_for("has the address 10.10.10.6");
        let line = transcript.wait_for(&own, "< OFFER 10.10.10.6", 1);
        assert!(own_addresses().starts_with("10.10.10.6"), "{line}");
        assert_ne!(own_addresses(), format!("{address}/24"));
    });
}

#[test]
fn the_address_of_the_box_is_not_taken_from_who_has_it_and_he_is_named() {
    isolated(|lan| {
        let squatter = lan.machine("52:54:00:00:00:66");
        tools::run("ip", &["address", "flush", "dev", INTERFACE]);
        squatter.use_address(net::lan::SERVER);
        let appliance = Appliance::new("server", "");
        let server = Server::spawn(appliance.command().arg("--set-address"));
        let line = server.log.wait_for("has 10.10.10.1; no addresses are given");
        assert!(line.contains("52:54:00:00:00:66") && line.contains("server.address"), "{line}");
        assert_eq!(own_addresses(), "");
        let machine = lan.machine(MACHINE);
        machine.port.send(&net::Ask::new(net::Kind::Discover, machine.mac));
        assert!(machine.port.hear(Duration::from_millis(500), |_| true).is_none());
        assert_eq!(server.log.count("giving addresses"), 0);
    });
}
