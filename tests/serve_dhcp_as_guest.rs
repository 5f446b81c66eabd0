//! The box as a guest: where another server gives the addresses, it takes one itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::process::Command;
use std::time::{Duration, Instant};

use net::client::udhcpc;
use net::lan::INTERFACE;
use net::rival::{RIVAL, RIVAL_TERMS, dnsmasq};
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
