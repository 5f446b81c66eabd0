//! A real DHCP client: udhcpc of busybox, in most installers. Its whole conversation with
//! the server is what is asserted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::client::udhcpc;
use net::client_lan::{self, CLIENT, cannot_reach_the_server, four_steps, renewal, three_steps};
use net::log::Log;
use net::{Appliance, isolated};
use rustix::process::Signal;

/// The address in udhcpc's `event bound 10.10.10.100 …`.
fn bound(log: &Log) -> String {
    log.wait_for("event bound").split(' ').nth(2).unwrap().to_owned()
}

#[test]
fn udhcpc_gets_an_address_and_nothing_to_boot() {
    isolated(|lan| {
        let (server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = udhcpc(&machine, &["-q"]);
        let line = client.log.wait_for("event bound");
        let address = transcript.offered(CLIENT, 1);
        assert_eq!(transcript.of(CLIENT), four_steps(&address));
        assert_eq!(machine.configured(), format!("{address}/24"));
        assert!(line.contains("server=10.10.10.1 lease=43200"), "{line}");
        assert!(line.ends_with("router=10.10.10.1 dns=10.10.10.1 boot="), "{line}");
        server.log.wait_for(&format!("{CLIENT} is {address}"));
    });
}

#[test]
fn udhcpc_gets_the_same_address_from_a_server_that_was_killed_and_started_again() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.starts();
        let machine = lan.machine(CLIENT);
        let first = bound(&udhcpc(&machine, &["-q"]).log);
        server.dies();
        let _server = appliance.starts();
        // Another machine asks first and would like the same address.
        let neighbour = lan.machine("52:54:00:00:00:42");
        let rival = udhcpc(&neighbour, &["-q", "-r", &first]);
        assert_ne!(bound(&rival.log), first, "the lease was forgotten");
        assert_eq!(bound(&udhcpc(&machine, &["-q"]).log), first);
    });
}

#[test]
fn udhcpc_renews_its_lease_from_its_own_address() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = udhcpc(&machine, &[]);
        let address = bound(&client.log);
        client.signal(Signal::USR1);
        client.log.wait_for(&format!("event renew {address} server=10.10.10.1"));
        let expected = four_steps(&address) + &renewal(&address, "unicast");
        // An answer within microseconds is lost in the socket that it asked from, which it is
        // just closing. Then it asks everybody.
        let seen = transcript.of(CLIENT);
        let once_more = expected.clone() + &renewal(&address, "broadcast");
        assert!(seen == expected || seen == once_more, "{seen}");
    });
}

#[test]
fn udhcpc_that_cannot_reach_the_server_alone_asks_everybody_and_keeps_its_address() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = udhcpc(&machine, &[]);
        let address = bound(&client.log);
        cannot_reach_the_server(&machine);
        client.signal(Signal::USR1);
        client.log.wait_for(&format!("event renew {address} server=10.10.10.1"));
        let expected = four_steps(&address) + &renewal(&address, "broadcast");
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn udhcpc_gives_its_address_back_and_gets_it_again() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = udhcpc(&machine, &[]);
        let address = bound(&client.log);
        client.signal(Signal::USR2);
        transcript.wait_for(CLIENT, "> RELEASE", 1);
        drop(client);
        let again = udhcpc(&machine, &["-q"]);
        assert_eq!(bound(&again.log), address);
        let released = format!("> RELEASE unicast has={address} server=10.10.10.1\n");
        let expected = four_steps(&address) + &released + &four_steps(&address);
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn the_last_address_goes_to_another_machine_when_udhcpc_has_given_it_back() {
    isolated(|lan| {
        let pool = "server.pool = \"10.10.10.100-10.10.10.100\"";
        let _server = Appliance::new("server", pool).starts();
        let machines = [CLIENT, "52:54:00:00:00:42"].map(|mac| lan.machine(mac));
        let first = udhcpc(&machines[0], &["-R"]);
        assert_eq!(bound(&first.log), "10.10.10.100");
        first.signal(Signal::TERM);
        first.ends();
        let second = udhcpc(&machines[1], &["-q"]);
        assert_eq!(bound(&second.log), "10.10.10.100");
    });
}

#[test]
fn udhcpc_declines_an_address_that_somebody_uses_and_gets_another_one() {
    isolated(|lan| {
        let (server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let address = bound(&udhcpc(&machine, &["-q"]).log);
        machine.run("ip", &["address", "flush", "dev", "eth0"]).good();
        let _squatter = client_lan::squatter(&lan, &address);
        // -a: looks first; -A: tries again after a second.
        let client = udhcpc(&machine, &["-q", "-a", "-A", "1"]);
        let other = bound(&client.log);
        assert_ne!(other, address);
        let declined = format!("> DECLINE broadcast wants={address} server=10.10.10.1\n");
        let expected = four_steps(&address) + &four_steps(&address) + &declined;
        assert_eq!(
            transcript.of(CLIENT),
            expected + "> DISCOVER broadcast\n" + &three_steps(&other)
        );
        server.log.wait_for(&format!("{CLIENT}: somebody else uses {address}"));
        assert_eq!(machine.configured(), format!("{other}/24"));
    });
}
