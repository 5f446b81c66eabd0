//! A real DHCP client: ISC dhclient, of many distributions. Its whole conversation with the
//! server is what is asserted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;

use net::client::dhclient;
use net::client_lan::{
    self, CLIENT, REFUSED, TERMS, cannot_reach_the_server, four_steps, renewal, three_steps,
};
use net::isolated;
use rustix::process::Signal;

/// The server's shortest lease is an hour; a client may ask for more time when it likes.
const RENEWS_SOON: &str = "supersede dhcp-renewal-time 2;";

/// And it asks everybody when the server does not answer.
const REBINDS_SOON: &str = "supersede dhcp-renewal-time 2;\nsupersede dhcp-rebinding-time 4;";

#[test]
fn dhclient_gets_an_address_with_router_and_name_server() {
    isolated(|lan| {
        let (server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = dhclient(&machine, "", &[]);
        let line = client.log.wait_for("event BOUND");
        let address = transcript.offered(CLIENT, 1);
        assert_eq!(transcript.of(CLIENT), four_steps(&address));
        assert_eq!(line, format!("event BOUND {address} router=10.10.10.1 dns=10.10.10.1"));
        assert_eq!(machine.configured(), format!("{address}/24"));
        server.log.wait_for(&format!("{CLIENT} is {address}"));
    });
}

#[test]
fn dhclient_asks_for_the_same_address_when_it_starts_again() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let first = dhclient(&machine, "", &[]);
        first.log.wait_for("bound to ");
        first.signal(Signal::TERM);
        first.ends();
        let again = dhclient(&machine, "", &[]);
        again.log.wait_for("event REBOOT");
        let address = transcript.offered(CLIENT, 1);
        let asks = format!("> REQUEST broadcast wants={address}\n< ACK {address} {TERMS}\n");
        assert_eq!(transcript.of(CLIENT), four_steps(&address) + &asks);
    });
}

#[test]
fn dhclient_renews_its_lease_from_its_own_address() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = dhclient(&machine, RENEWS_SOON, &[]);
        let line = client.log.wait_for("event RENEW");
        client.signal(Signal::KILL);
        let address = transcript.offered(CLIENT, 1);
        assert_eq!(line, format!("event RENEW {address} router=10.10.10.1 dns=10.10.10.1"));
        let expected = four_steps(&address) + &renewal(&address, "unicast");
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn dhclient_that_cannot_reach_the_server_alone_asks_everybody_and_keeps_its_address() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = dhclient(&machine, REBINDS_SOON, &[]);
        client.log.wait_for("event BOUND");
        cannot_reach_the_server(&machine);
        client.log.wait_for("event RENEW");
        client.signal(Signal::KILL);
        let address = transcript.offered(CLIENT, 1);
        let expected = four_steps(&address) + &renewal(&address, "broadcast");
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn dhclient_gives_its_address_back_and_gets_it_again() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        dhclient(&machine, "", &[]).log.wait_for("bound to ");
        let address = transcript.offered(CLIENT, 1);
        dhclient(&machine, "", &["-r"]).ends();
        dhclient(&machine, "", &[]).log.wait_for("event BOUND");
        let released = format!("> RELEASE unicast has={address} server=10.10.10.1\n");
        let again = format!("> DISCOVER broadcast wants={address}\n{}", three_steps(&address));
        let expected = four_steps(&address) + &released + &again;
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn dhclient_declines_an_address_that_somebody_uses_and_gets_another_one() {
    isolated(|lan| {
        let (server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        dhclient(&machine, "", &[]).log.wait_for("bound to ");
        let address = transcript.offered(CLIENT, 1);
        machine.run("ip", &["address", "flush", "dev", "eth0"]).good();
        let _squatter = client_lan::squatter(&lan, &address);
        fs::write("/run/look-first", "").unwrap();
        let client = dhclient(&machine, "", &[]);
        client.log.wait_for("event BOUND");
        let other = transcript.offered(CLIENT, 2);
        assert_ne!(other, address);
        let asks = format!("> REQUEST broadcast wants={address}\n< ACK {address} {TERMS}\n");
        let declined = format!("> DECLINE broadcast wants={address} server=10.10.10.1\n");
        let anew = format!("> DISCOVER broadcast wants={address}\n{}", three_steps(&other));
        let expected = four_steps(&address) + &asks + &declined + &anew;
        assert_eq!(transcript.of(CLIENT), expected);
        server.log.wait_for(&format!("{CLIENT}: somebody else uses {address}"));
    });
}

#[test]
fn dhclient_that_comes_from_another_network_is_refused_and_starts_anew_at_once() {
    isolated(|lan| {
        let other = client_lan::server_of_another_network();
        let machine = lan.machine(CLIENT);
        dhclient(&machine, "", &[]).log.wait_for("bound to 192.168.7.100");
        let _here = client_lan::moves_here(other);
        let transcript = net::Transcript::begin();
        dhclient(&machine, "", &[]).log.wait_for("event BOUND 10.10.10.");
        let address = transcript.offered(CLIENT, 1);
        assert_eq!(transcript.of(CLIENT), REFUSED.to_owned() + &four_steps(&address));
    });
}
