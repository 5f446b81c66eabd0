//! What is not ready yet is "ask again" (503), never "there is none" (404): most installers
//! take a 404 as final.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::time::{Duration, Instant};

use net::stick::{IMAGE, NODE_1, Stick};
use net::{Appliance, Firmware, Server, isolated, tools};
use rustix::mount::UnmountFlags;

/// A request is held this long for a stick, as the server promises.
const HELD: Duration = Duration::from_millis(3_900);

fn paths() -> [String; 6] {
    [
        format!("/1185.3.0/{IMAGE}"),
        format!("/1185.3.0/{IMAGE}.sig"),
        "/current/version.txt".to_owned(),
        format!("/cloud-configs/{NODE_1}.yml"),
        "/cloud-configs/install.sh".to_owned(),
        "/boot/coreos_production_pxe.vmlinuz".to_owned(),
    ]
}

#[test]
fn without_a_stick_every_file_is_to_be_asked_for_again_after_a_few_seconds_of_waiting() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.starts();
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let started = Instant::now();
        // All at once: each is held for as long.
        let mut waiting: Vec<_> = paths().map(|path| (machine.connect(8080), path)).into();
        for (connection, path) in &mut waiting {
            connection.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        }
        for (connection, path) in &mut waiting {
            let answer = connection.answer(false).expect("no answer");
            assert_eq!(answer.status, 503, "{path}");
            let again = answer.header("Retry-After").and_then(|text| text.parse::<u32>().ok());
            assert!(again.is_some_and(|seconds| seconds > 0), "{}", answer.head);
        }
        assert!(started.elapsed() >= HELD, "{:?}", started.elapsed());
        // The state for people is there at once.
        assert_eq!(machine.curl("/").0, 200);
    });
}

#[test]
fn a_request_that_is_held_is_answered_as_soon_as_the_stick_is_there() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.starts();
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let mut waiting: Vec<_> = paths().map(|path| (machine.connect(8080), path)).into();
        for (connection, path) in &mut waiting {
            connection.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        }
        let started = Instant::now();
        appliance.sample_stick();
        server.hangup();
        for (connection, path) in &mut waiting {
            assert_eq!(connection.answer(false).expect("no answer").status, 200, "{path}");
        }
        assert!(started.elapsed() < HELD, "{:?}", started.elapsed());
    });
}

#[test]
fn a_stick_that_is_refused_at_first_is_not_ready_until_it_is_mended() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let good = stick.read("machines.toml");
        stick.write("machines.toml", "[[machine]]\nmac = 5\n");
        let server = appliance.starts();
        server.log.wait_for("machines.toml:2: ");
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let text = machine.tftp_text("pxelinux.cfg/default");
        assert!(text.contains("APPEND hd0") && !text.contains("KERNEL"), "{text}");
        assert_eq!(machine.curl(&format!("/1185.3.0/{IMAGE}")).0, 503);
        stick.write("machines.toml", good);
        server.hangup();
        server.log.wait_for("1 stick read");
        assert_eq!(machine.curl(&format!("/1185.3.0/{IMAGE}")).0, 200);
    });
}

#[test]
fn a_broken_machines_toml_is_refused_with_its_line_while_the_last_good_content_serves_on() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        stick.write("machines.toml", "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimmage = \"x\"\n");
        server.hangup();
        let line = server.log.wait_for("machines.toml:3: ");
        assert!(line.contains("error: ") && line.contains("unknown field `immage`"), "{line}");
        server.log.wait_for("what was there before serves on");
        assert_eq!(server.log.count("error: "), 1, "one mistake, one error line");
        let text = machine.tftp_text("pxelinux.cfg/default");
        assert!(text.contains("KERNEL"), "{text}");
        assert_eq!(machine.curl(&format!("/1185.3.0/{IMAGE}")).0, 200);
    });
}

#[test]
fn an_empty_stick_serves_nothing_and_says_so() {
    isolated(|lan| {
        let appliance = Appliance::server();
        Stick::empty(&appliance.media().join("sda1"));
        let server = appliance.serves();
        server.log.wait_for("1 stick read: 0 images, 0 machines");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("APPEND hd0"));
        assert_eq!(machine.curl(&format!("/1185.3.0/{IMAGE}")).0, 404);
    });
}

#[test]
fn a_folder_that_waits_for_its_stick_sends_no_machine_to_its_disk() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let folder = Stick::empty(&appliance.media().join("sda1")).folder().to_owned();
        let server = Server::spawn(appliance.command().arg("--mounted-sticks"));
        server.log.wait_for("no stick is there");
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let early = machine.tftp_text("pxelinux.cfg/default");
        assert!(!early.contains("APPEND hd0") && !early.contains("KERNEL"), "{early}");
        tools::run("mount", &["-t", "tmpfs", "stick", folder.to_str().unwrap()]);
        appliance.sample_stick();
        server.hangup();
        server.log.wait_for("1 stick read: 1 image, 2 machines");
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("KERNEL"));
        rustix::mount::unmount(&folder, UnmountFlags::DETACH).unwrap();
        server.hangup();
        server.log.wait_for("no stick is there");
    });
}

#[test]
fn a_sighup_in_the_first_moments_does_not_end_the_server() {
    isolated(|_| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        for _ in 0..5 {
            let server = appliance.launches();
            // Earlier there is no handler that could be late.
            server.log.wait_for("serving on ");
            server.hangup();
            server.log.wait_for("1 stick read");
            server.log.wait_for("giving addresses from");
            server.signal(rustix::process::Signal::TERM);
            let (lines, status) = server.ends();
            assert!(status.success(), "{status}: {lines:#?}");
        }
    });
}
