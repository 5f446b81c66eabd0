//! Requests that must be refused, ignored or answered with care (RFC 2131 §4.3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;
use std::time::Duration;

use net::{Appliance, Ask, Firmware, Kind, isolated};

/// Three addresses: a room that is larger than its pool.
const SMALL: &str = "server.pool = \"10.10.10.100-10.10.10.102\"";

/// How long silence is listened to.
const SILENCE: Duration = Duration::from_millis(500);

const MACS: [&str; 4] =
    ["52:54:00:00:00:41", "52:54:00:00:00:42", "52:54:00:00:00:43", "52:54:00:00:00:44"];

#[test]
fn when_the_pool_is_used_up_one_line_says_so_and_who_has_an_address_keeps_it() {
    isolated(|lan| {
        let server = Appliance::new("server", SMALL).starts();
        let [one, two, three, late] = MACS.map(|mac| lan.machine(mac));
        let mut given = [&one, &two, &three].map(|machine| machine.leases(&[]).yiaddr);
        let first = given[0];
        given.sort();
        assert_eq!(given, [100, 101, 102].map(|last| Ipv4Addr::new(10, 10, 10, last)));
        // A client asks on and on.
        for _ in 0..5 {
            late.port.send(&Ask::new(Kind::Discover, late.mac));
        }
        let line = server.log.wait_for("no address is left");
        assert!(line.contains(MACS[3]), "{line}");
        assert!(line.contains("10.10.10.100-10.10.10.102; make server.pool larger"), "{line}");
        assert_eq!(one.leases(&Firmware::Bios.options()).yiaddr, first);
        assert_eq!(late.port.heard().len(), 0, "the latecomer was answered");
        assert_eq!(server.log.count("no address is left"), 1, "said again and again");
    });
}

#[test]
fn an_address_that_comes_free_goes_to_the_machine_that_had_none() {
    isolated(|lan| {
        let _server = Appliance::new("server", SMALL).starts();
        let [one, two, three, late] = MACS.map(|mac| lan.machine(mac));
        let given = [&one, &two, &three].map(|machine| machine.leases(&[]).yiaddr);
        let release = Ask::new(Kind::Release, two.mac).from(given[1]).option(54, &[10, 10, 10, 1]);
        two.port.send(&release);
        assert_eq!(late.leases(&[]).yiaddr, given[1]);
    });
}

#[test]
fn an_address_of_another_network_or_machine_is_refused_aloud() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let [one, two, ..] = MACS.map(|mac| lan.machine(mac));
        let taken = one.leases(&[]).yiaddr;
        for address in [Ipv4Addr::new(192, 168, 1, 7), taken, Ipv4Addr::new(10, 10, 10, 1)] {
            let nak = two.port.ask(&Ask::new(Kind::Request, two.mac).option(50, &address.octets()));
            let nak = nak.unwrap_or_else(|| panic!("{address}: silence"));
            assert_eq!(nak.kind, Some(Kind::Nak), "{address}");
            assert!(nak.yiaddr.is_unspecified() && nak.siaddr.is_unspecified());
            assert_eq!(nak.option(54), Some(&[10, 10, 10, 1][..]));
            assert_eq!(nak.frame_to, [0xff; 6], "a NAK is always broadcast");
        }
    });
}

#[test]
fn a_request_that_is_meant_for_another_server_is_met_with_silence() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MACS[0]);
        let request = Ask::new(Kind::Request, machine.mac).option(50, &[10, 10, 10, 120]);
        machine.port.send(&request.option(54, &[10, 10, 10, 2]));
        assert!(machine.port.hear(SILENCE, |_| true).is_none());
    });
}

#[test]
fn who_has_an_address_by_other_means_is_told_the_rest_without_a_lease() {
    isolated(|lan| {
        let more = "server.dns = [\"10.10.10.1\"]\nserver.router = \"10.10.10.254\"";
        let _server = Appliance::new("server", more).starts();
        let machine = lan.machine(MACS[0]);
        let own = Ipv4Addr::new(10, 10, 10, 77);
        machine.use_address(own);
        let ack = machine.port.ask(&Ask::new(Kind::Inform, machine.mac).from(own)).expect("no ACK");
        assert_eq!(ack.kind, Some(Kind::Ack));
        assert!(ack.yiaddr.is_unspecified());
        assert_eq!(ack.option(51), None);
        assert_eq!(ack.option(3), Some(&[10, 10, 10, 254][..]));
        assert_eq!(ack.option(6), Some(&[10, 10, 10, 1][..]));
        assert_eq!((ack.frame_to, ack.ip_to), (machine.mac, own));
    });
}

#[test]
fn an_address_that_somebody_else_uses_is_not_offered_again() {
    isolated(|lan| {
        let server = Appliance::server().starts();
        let machine = lan.machine(MACS[0]);
        let bad = machine.leases(&[]).yiaddr;
        let decline = Ask::new(Kind::Decline, machine.mac).option(50, &bad.octets());
        machine.port.send(&decline.option(54, &[10, 10, 10, 1]));
        server.log.wait_for(&format!("somebody else uses {bad}"));
        assert_ne!(machine.leases(&[]).yiaddr, bad);
    });
}

#[test]
fn a_stranger_cannot_decline_another_machines_address() {
    isolated(|lan| {
        let server = Appliance::server().starts();
        let [one, two, ..] = MACS.map(|mac| lan.machine(mac));
        let address = one.leases(&[]).yiaddr;
        two.port.send(&Ask::new(Kind::Decline, two.mac).option(50, &address.octets()));
        assert_eq!(one.leases(&[]).yiaddr, address);
        assert_eq!(server.log.count("somebody else uses"), 0);
    });
}

#[test]
fn packets_that_are_no_dhcp_are_ignored_and_serving_goes_on() {
    isolated(|lan| {
        let mut server = Appliance::server().starts();
        let machine = lan.machine(MACS[0]);
        let good = Ask::new(Kind::Discover, machine.mac).frame();
        let dhcp = 14 + 20 + 8;
        let mut evil = vec![good[..dhcp].to_vec(), good[..dhcp + 239].to_vec()];
        for (at, value) in [(2, 255), (2, 0), (0, 2), (236, 0), (241, 255), (28, 0xff), (3, 255)] {
            let mut packet = good.clone();
            packet[dhcp + at] = value;
            evil.push(packet);
        }
        for packet in evil {
            machine.port.send_frame(&packet);
        }
        assert_eq!(machine.leases(&[]).kind, Some(Kind::Ack));
        assert!(server.runs());
    });
}
