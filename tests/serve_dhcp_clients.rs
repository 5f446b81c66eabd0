//! Real DHCP clients: busybox's udhcpc and ISC's dhclient.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use net::log::Log;
use net::{Appliance, Machine, Server, isolated, tools};
use rustix::process::Signal;

/// Configures the interface as udhcpc's own sample script does, and says what happened.
const UDHCPC_SCRIPT: &str = "#!/bin/sh
case $1 in bound | renew) ip address replace \"$ip/$mask\" dev \"$interface\" ;; esac
echo \"event $1 $ip server=$serverid lease=$lease boot=$boot_file\" >&2
";

fn udhcpc(machine: &Machine, more: &[&str]) -> Server {
    tools::need("busybox");
    let script = "/run/udhcpc.sh";
    fs::write(script, UDHCPC_SCRIPT).unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["busybox", "udhcpc", "-f", "-i", "eth0", "-s", script];
    Server::spawn(&mut machine.namespace.command(&[&words[..], more].concat()))
}

/// The address in udhcpc's `event bound 10.10.10.100 …`.
fn address(line: &str) -> String {
    line.split(' ').nth(2).unwrap().to_owned()
}

fn bound(log: &Log) -> String {
    address(&log.wait_for("event bound"))
}

#[test]
fn udhcpc_gets_an_address_and_nothing_to_boot() {
    isolated(|lan| {
        let server = Appliance::server().starts();
        let machine = lan.machine("52:54:00:00:00:41");
        let client = udhcpc(&machine, &["-q"]);
        let line = client.log.wait_for("event bound");
        assert!(address(&line).starts_with("10.10.10."), "{line}");
        assert!(line.contains("server=10.10.10.1 lease=43200"), "{line}");
        assert!(line.ends_with("boot="), "no installer for an operating system: {line}");
        server.log.wait_for("52:54:00:00:00:41 is 10.10.10.");
    });
}

#[test]
fn udhcpc_gets_the_same_address_from_a_server_that_was_killed_and_started_again() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.starts();
        let machine = lan.machine("52:54:00:00:00:41");
        let first = bound(&udhcpc(&machine, &["-q"]).log);
        server.dies();
        let server = appliance.starts();
        // Another machine asks first and would like the same address.
        let neighbour = lan.machine("52:54:00:00:00:42");
        let rival = udhcpc(&neighbour, &["-q", "-r", &first]);
        assert_ne!(bound(&rival.log), first, "the lease was forgotten");
        let again = bound(&udhcpc(&machine, &["-q"]).log);
        assert_eq!(again, first);
        drop(server);
    });
}

#[test]
fn udhcpc_renews_its_lease_from_its_own_address() {
    isolated(|lan| {
        let server = Appliance::server().starts();
        let machine = lan.machine("52:54:00:00:00:41");
        let client = udhcpc(&machine, &[]);
        let address = bound(&client.log);
        server.log.wait_for(&format!("is {address}"));
        client.signal(Signal::USR1);
        let line = client.log.wait_for("event renew");
        assert!(line.contains(&format!("event renew {address} server=10.10.10.1")), "{line}");
    });
}

#[test]
fn udhcpc_gives_its_address_back_and_another_machine_may_have_it() {
    isolated(|lan| {
        let _server =
            Appliance::new("server", "server.pool = \"10.10.10.100-10.10.10.100\"").starts();
        let machines = ["52:54:00:00:00:41", "52:54:00:00:00:42"].map(|mac| lan.machine(mac));
        let first = udhcpc(&machines[0], &["-R"]);
        assert_eq!(bound(&first.log), "10.10.10.100");
        first.signal(Signal::TERM);
        first.ends();
        let second = udhcpc(&machines[1], &["-q"]);
        assert_eq!(bound(&second.log), "10.10.10.100");
    });
}

#[test]
fn dhclient_gets_an_address_and_asks_for_the_same_one_when_it_starts_again() {
    isolated(|lan| {
        let server = Appliance::server().starts();
        let machine = lan.machine("52:54:00:00:00:41");
        fs::write("/run/dhclient.conf", "").unwrap();
        let run = || {
            tools::need("dhclient");
            let files = ["-cf", "/run/dhclient.conf", "-lf", "/run/leases", "-pf", "/run/pid"];
            let words = ["dhclient", "-d", "-v", "-sf", "/bin/true"];
            let words = [&words[..], &files, &["eth0"]].concat();
            let client = Server::spawn(&mut machine.namespace.command(&words));
            client.log.wait_for("bound to ");
            client.signal(Signal::TERM);
            client.ends().0.join("\n")
        };
        let first = run();
        assert!(first.contains("DHCPDISCOVER"), "{first}");
        let address = first.split("DHCPACK of ").nth(1).unwrap().split(' ').next().unwrap();
        // It remembers, and asks for its address without looking for a server.
        let again = run();
        assert!(!again.contains("DHCPDISCOVER"), "{again}");
        assert!(again.contains(&format!("DHCPACK of {address} from 10.10.10.1")), "{again}");
        assert_eq!(server.log.count(&format!("52:54:00:00:00:41 is {address}")), 2);
    });
}
