//! Addresses that machines.toml keeps for its machines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;

use net::stick::{NODE_1, STRANGER};
use net::{Appliance, Ask, Firmware, Kind, Machine, isolated};

/// machines.toml with this address for node-1.
fn named_with(address: &str) -> String {
    format!("[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\nip = \"{address}\"\n")
}

/// What a machine is offered that would like this address.
fn wishes(machine: &Machine, address: Ipv4Addr) -> Ipv4Addr {
    let discover = Ask::new(Kind::Discover, machine.mac).option(50, &address.octets());
    machine.port.ask(&discover).expect("no OFFER").yiaddr
}

#[test]
fn a_machine_always_has_the_address_that_the_stick_names_and_nobody_else_gets_it() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        // One in the pool's middle is as good as one outside of it.
        for address in ["10.10.10.150", "10.10.10.20"] {
            stick.write("machines.toml", named_with(address));
            let server = appliance.serves();
            let [node, stranger] = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
            let address: Ipv4Addr = address.parse().unwrap();
            assert_ne!(wishes(&stranger, address), address, "given to a stranger");
            assert_eq!(node.boots(Firmware::Bios).yiaddr, address);
            assert_eq!(node.leases(&[]).yiaddr, address);
            server.dies();
        }
    });
}

#[test]
fn a_kept_address_that_somebody_else_still_has_is_waited_for_and_the_machine_boots_meanwhile() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        let [node, early] = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
        let address = early.leases(&[]).yiaddr;
        stick.write("machines.toml", named_with(&address.to_string()));
        server.hangup();
        server.log.wait_for_nth("1 stick read", 2);
        let meanwhile = node.boots(Firmware::Bios).yiaddr;
        assert_ne!(meanwhile, address, "two machines with one address");
        // Its former holder asks for more time, is refused, and takes another one.
        let nak =
            early.port.ask(&Ask::new(Kind::Request, early.mac).from(address)).expect("silence");
        assert_eq!(nak.kind, Some(Kind::Nak));
        assert_ne!(early.leases(&[]).yiaddr, address);
        assert_eq!(node.boots(Firmware::Bios).yiaddr, address);
    });
}

#[test]
fn a_kept_address_that_cannot_be_here_is_said_and_another_one_is_given() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let node = lan.machine(NODE_1);
        // Another network, our own address, the network's and everybody's.
        for address in ["192.168.1.20", "10.10.10.1", "10.10.10.0", "10.10.10.255"] {
            stick.write("machines.toml", named_with(address));
            let server = appliance.serves();
            let line = server.log.wait_for(&format!("ip {address}"));
            assert!(line.starts_with("pxeberry: warning: machines.toml: node-1: "), "{line}");
            assert!(line.contains("10.10.10.1/24"), "{line}");
            let given = node.leases(&[]).yiaddr;
            assert!((100..=250).contains(&given.octets()[3]), "{address}: {given}");
            server.dies();
        }
    });
}
