//! The last packets of an attempt that failed, as a person's own tools read them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::process::Command;

use net::stick::{NODE_1, Stick};
use net::tools::{finish, need};
use net::{Appliance, Firmware, isolated};

/// What tcpdump makes of a machine's packets, a line each, without the time.
fn read(mac: &str) -> Vec<String> {
    need("tcpdump");
    fs::write("/run/capture.pcap", flight::pcap(mac).unwrap()).unwrap();
    let ran = finish(Command::new("tcpdump").args(["-n", "-tt", "-vv", "-r", "/run/capture.pcap"]));
    let text = ran.good().text();
    assert!(!text.contains("bad udp cksum") && !text.contains("bad cksum"), "{text}");
    assert!(!text.contains("truncated") && !text.contains("[|"), "{text}");
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn tcpdump_reads_the_packets_of_an_attempt_that_failed() {
    isolated(|lan| {
        Stick::empty("/run/loaders".as_ref()).write("snponly.efi", vec![7; 40_000]);
        let appliance = Appliance::new("server", "boot.loaders = \"/run/loaders\"");
        appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        assert!(flight::pcap(NODE_1).is_none());
        for _ in 0..2 {
            machine.boots(Firmware::EfiX64);
            machine.tftp("snponly.efi").unwrap();
        }
        server.log.wait_for("started anew without running it");
        // What follows is another attempt, and no part of the one that failed.
        machine.boots(Firmware::IpxeEfiX64);
        let lines = read(NODE_1);
        let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
        for (words, times) in [
            ("BOOTP/DHCP, Request from 52:54:00:00:00:01", 3),
            ("BOOTP/DHCP, Reply", 2),
            ("Message (53), length 1: Discover", 2),
            ("Message (53), length 1: Offer", 1),
            ("Message (53), length 1: Request", 1),
            ("Message (53), length 1: ACK", 1),
            ("RRQ \"snponly.efi\" octet", 1),
        ] {
            let words = words.replace("Message (53)", "DHCP-Message (53)");
            assert_eq!(count(&words), times, "{words}: {lines:#?}");
        }
        server.dies();
        let _server = appliance.serves();
        assert_eq!(read(NODE_1), lines, "they are kept over a crash");
    });
}

#[test]
fn nothing_of_http_is_in_it() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::IpxeEfiX64);
        machine.get("/boot/52-54-00-00-00-01.ipxe");
        let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
        let token = script.lines().find_map(|line| line.strip_prefix("token='")).unwrap();
        let token = token.trim_end_matches('\'');
        machine.get("/cloud-configs/52:54:00:00:00:01.yml");
        machine.get(&format!("/v1/event?token={token}&event=failed"));
        flight::wait_for(NODE_1, "reports that installing failed");
        let record = fs::read(flight::RECORD).unwrap();
        let holds = |text: &str| record.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds("reports that installing failed") && !holds(token));
        assert!(flight::pcap(NODE_1).is_some());
    });
}
