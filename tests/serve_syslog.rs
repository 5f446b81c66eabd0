//! Installers' log lines come into their machines' timelines, and nobody fills log or timeline.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/net/mod.rs"]
mod net;

use std::net::{SocketAddr, UdpSocket};

use net::lan::{Machine, SERVER};
use net::stick::{NODE_1, NODE_2};
use net::{Appliance, Firmware, isolated};
use pxeberry::fleet::timeline::{Source, Weight};

fn says(machine: &Machine, port: u16, lines: impl Iterator<Item = String> + Send) {
    machine.namespace.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for line in lines {
            // A queue that is full is the sender's to see.
            let _ = socket.send_to(line.as_bytes(), SocketAddr::from((SERVER, port)));
        }
    });
}

#[test]
fn an_installers_lines_are_in_its_timeline_and_nobody_elses() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let stranger = lan.machine("52:54:00:00:00:77");
        stranger.use_address("10.10.10.50".parse().unwrap());
        says(&stranger, 514, std::iter::once("<13>I am nobody".to_owned()));
        let lines = [
            "<30>Nov 25 20:11:02 main-menu[250]: INFO: Menu item 'partman' selected",
            "<163>1 2026-11-25T20:11:03Z node-1 subiquity - - - the disk is gone",
            "<6>Nov 25 20:11:03 kernel: secureboot: Secure boot enabled",
            "<13>Nov 25 20:11:04 log-output: the password is hunter2",
            "<13>Nov 25 20:11:05 log-output: the end",
        ];
        says(&machine, 514, lines.into_iter().map(str::to_owned));
        flight::wait_for(NODE_1, "the end");
        let expected = [
            "main-menu[250]: INFO: Menu item 'partman' selected",
            "subiquity: the disk is gone",
            "kernel: secureboot: Secure boot enabled",
            "log-output: the end",
        ];
        assert_eq!(flight::of(NODE_1, Source::Syslog), expected);
        let lost = flight::wait_for(NODE_1, "the disk is gone");
        assert_eq!(lost.weight, Weight::Error);
        assert_eq!(flight::facts(NODE_1).secure_boot, Some(true));
        assert!(!flight::all().iter().any(|(.., entry)| entry.words.contains("nobody")));
    });
}

#[test]
fn a_flood_of_lines_pushes_out_no_other_entry_and_no_other_machines() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let (machine, other) = (lan.machine(NODE_1), lan.machine(NODE_2));
        machine.boots(Firmware::Bios);
        other.boots(Firmware::Bios);
        let before = [NODE_1, NODE_2].map(flight::story);
        says(&machine, 514, (0..20_000).map(|number| format!("<14>line {number}")));
        flight::wait_for(NODE_1, "line ");
        says(&other, 514, std::iter::once("<14>is heard".to_owned()));
        // The second of the flood must pass before anybody is heard again.
        let heard = || {
            says(&other, 514, std::iter::once("<14>is heard".to_owned()));
            flight::story(NODE_2).iter().any(|line| line.contains("is heard"))
        };
        let end = std::time::Instant::now() + net::PATIENCE;
        while !heard() {
            assert!(std::time::Instant::now() < end, "the other one is not heard any more");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let after = [NODE_1, NODE_2].map(flight::story);
        for (before, after) in before.iter().zip(&after) {
            assert!(after.starts_with(before), "{after:#?}");
        }
        assert!(flight::of(NODE_1, Source::Syslog).len() <= 48);
        assert_eq!(server.log.count("line "), 0, "they are not for the console");
    });
}

/// What a machine is told that installs Debian.
fn told(machine: &Machine) -> String {
    machine.boots(Firmware::IpxeBios);
    String::from_utf8(machine.get("/boot/52-54-00-00-00-01.ipxe")).unwrap()
}

fn with_debian(appliance: &Appliance) {
    let stick = appliance.sample_stick();
    stick.write("images/debian/13/linux", "kernel");
    stick.write("images/debian/13/initrd.gz", "initrd");
    stick.write("preseed/52-54-00-00-00-01.cfg", "d-i x string y\n");
    let machine = format!("[[machine]]\nmac = \"{NODE_1}\"\nimage = \"debian\"\n");
    stick.write("machines.toml", machine);
}

#[test]
fn an_installer_is_told_where_its_lines_are_heard_and_only_if_they_are() {
    isolated(|lan| {
        let machine = lan.machine(NODE_1);
        for (setting, is_told) in [("", true), ("server.syslog = false", false)] {
            let appliance = Appliance::new("server", setting);
            with_debian(&appliance);
            let _server = appliance.serves();
            let told = told(&machine);
            assert!(told.contains("installing Debian"), "{told}");
            assert_eq!(told.contains(" log_host=10.10.10.1 "), is_told, "{setting}: {told}");
        }
        // Another program has the port.
        let _taken = UdpSocket::bind((SERVER, 514)).unwrap();
        let appliance = Appliance::server();
        let _server = appliance.serves();
        let told = told(&machine);
        assert!(told.contains("installing Debian") && !told.contains("log_host"), "{told}");
    });
}

#[test]
fn the_port_is_closed_where_it_is_not_wanted() {
    isolated(|lan| {
        let appliance = Appliance::new("server", "server.syslog = false");
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        machine.namespace.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(SocketAddr::from((SERVER, 514))).unwrap();
            socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
            socket.send(b"<13>hello").unwrap();
            let refused = socket.recv(&mut [0; 64]).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        });
    });
}

#[test]
fn a_workstation_with_a_syslog_of_its_own_serves_without_ours() {
    isolated(|_lan| {
        let _taken = UdpSocket::bind((SERVER, 514)).unwrap();
        let appliance = Appliance::server();
        let server = appliance.serves_without_stick();
        let line = server.log.wait_for("syslog: port 514");
        assert!(line.contains("another program has it already"), "{line}");
    });
}

#[test]
fn a_peer_that_makes_thousands_of_lines_gets_a_few_and_a_number() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        says(&machine, 69, (0..2_000).map(|_| "\0\u{2}x\0octet\0".to_owned()));
        // Of another peer, so that nothing is held back of it.
        let line = server.log.wait_for(&format!("more lines of {}", machine.address()));
        let count: usize = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
        let said = server.log.count("may not write");
        assert!(said <= 50 && count > 0, "{said} lines, then {line}");
        println!("measured: 2000 packets: {said} lines, then {line:?}");
    });
}
