//! What people see of a running server, and what they can tell it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use net::appliance::PROGRAM;
use net::stick::{NODE_1, NODE_2};
use net::{Appliance, Firmware, PATIENCE, Server, isolated, tools};
use pxeberry::panel::pattern::table;

#[test]
fn status_says_in_lines_what_it_does_and_whom_it_knows() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let address = machine.boots(Firmware::Bios).yiaddr;
        machine.tftp_text("pxelinux.cfg/default");
        let text = appliance.tell(&["status"]).good().text();
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in [
            "network srv0 10.10.10.1/24 (link)".to_owned(),
            "image coreos/1185.3.0".to_owned(),
            format!("machine {NODE_1} node-1 installing {address} installing coreos/1185.3.0"),
            format!("machine {NODE_2} - armed - installing coreos/1185.3.0"),
        ] {
            assert!(lines.contains(&line), "{line:?}: {text}");
        }
    });
}

#[test]
fn the_page_shows_the_same_and_nothing_from_a_stick_becomes_markup() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/<script>alert(1)</script>.yml", "#cloud-config\na: b\n");
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let page = String::from_utf8(machine.get("/")).unwrap();
        assert!(page.contains("node-1") && page.contains(NODE_1), "{page}");
        assert!(page.contains("<small>Next boot: installing coreos/1185.3.0</small>"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
        assert_eq!(page.matches("<script").count(), 1, "the page's own: {page}");
    });
}

#[test]
fn the_page_says_what_the_leds_show_now() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let shows = |state: &str| {
            let row = format!("<tr class=now><td>{state}<td>");
            let end = Instant::now() + PATIENCE;
            let page = loop {
                let page = String::from_utf8(machine.get("/")).unwrap();
                if page.contains(&row) {
                    break page;
                }
                assert!(Instant::now() < end, "{row}: {page}");
                // That a state has lasted long enough makes no event.
                std::thread::sleep(Duration::from_millis(50));
            };
            let entry = table().iter().find(|entry| entry.state.name() == state).unwrap();
            let words = format!(">LEDs: {}, {}. ", entry.leds.names(), entry.pattern);
            assert!(page.contains(&words), "{words}: {page}");
        };
        machine.boots(Firmware::Bios);
        shows("ready");
        stick.write("machines.toml", "[[machine]]\nmak = \"52:54:00:00:00:01\"\n");
        appliance.tell(&["rescan"]).good();
        server.log.wait_for("content is refused");
        shows("stick-error");
    });
}

#[test]
fn rescan_reads_the_sticks_again() {
    isolated(|_| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        stick.image("1235.9.0");
        appliance.tell(&["rescan"]).good();
        server.log.wait_for("1 stick read: 2 images, 2 machines");
        let text = appliance.tell(&["status"]).good().text();
        assert!(text.contains("coreos/1235.9.0"), "{text}");
    });
}

#[test]
fn only_its_owner_can_talk_to_the_control_socket() {
    isolated(|_| {
        let appliance = Appliance::server();
        let _server = appliance.starts();
        appliance.tell(&["status"]).good();
        let mode = fs::metadata("/run/box/control.sock").unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    });
}

#[test]
fn three_capabilities_are_enough_to_serve() {
    isolated(|lan| {
        tools::need("setpriv");
        let appliance = Appliance::server();
        appliance.sample_stick();
        let rights = "--bounding-set=-all,+net_bind_service,+net_raw,+net_admin";
        let server = Server::spawn(
            Command::new("setpriv")
                .args([rights, "--inh-caps=-all", "--", PROGRAM, "serve", "--config"])
                .arg(appliance.config()),
        );
        server.log.wait_for("1 stick read");
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("KERNEL"));
        assert_eq!(machine.get("/current/version.txt"), b"COREOS_VERSION=1185.3.0\n");
    });
}
