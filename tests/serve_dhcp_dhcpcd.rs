//! A real DHCP client: dhcpcd, of Raspberry Pi OS and others. Its whole conversation with the
//! server is what is asserted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::client::Dhcpcd;
use net::client_lan::{self, CLIENT, REFUSED, TERMS, four_steps, renewal};
use net::isolated;

/// Does not look whether somebody uses the address, which takes five seconds.
const TRUSTING: &[&str] = &["--noarp"];

#[test]
fn dhcpcd_gets_an_address_with_router_and_name_server() {
    isolated(|lan| {
        let (server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let client = Dhcpcd::on(&machine).starts(TRUSTING);
        let line = client.log.wait_for("event BOUND");
        let address = transcript.offered(CLIENT, 1);
        assert_eq!(transcript.of(CLIENT), four_steps(&address));
        assert_eq!(line, format!("event BOUND {address} router=10.10.10.1 dns=10.10.10.1"));
        assert_eq!(machine.configured(), format!("{address}/24"));
        server.log.wait_for(&format!("{CLIENT} is {address}"));
    });
}

#[test]
fn dhcpcd_renews_its_lease_from_its_own_address() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let dhcpcd = Dhcpcd::on(&machine);
        let client = dhcpcd.starts(TRUSTING);
        client.log.wait_for("event BOUND");
        dhcpcd.told("-N");
        client.log.wait_for("event RENEW");
        let address = transcript.offered(CLIENT, 1);
        let expected = four_steps(&address) + &renewal(&address, "unicast");
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn dhcpcd_asks_everybody_and_keeps_its_address() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let dhcpcd = Dhcpcd::on(&machine);
        let client = dhcpcd.starts(TRUSTING);
        client.log.wait_for("event BOUND");
        dhcpcd.told("-n");
        client.log.wait_for("event RENEW");
        let address = transcript.offered(CLIENT, 1);
        let expected = four_steps(&address) + &renewal(&address, "broadcast");
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn dhcpcd_gives_its_address_back_and_gets_it_again() {
    isolated(|lan| {
        let (_server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let dhcpcd = Dhcpcd::on(&machine);
        let client = dhcpcd.starts(TRUSTING);
        client.log.wait_for("event BOUND");
        dhcpcd.told("-k");
        client.ends();
        assert_eq!(machine.configured(), "");
        dhcpcd.starts(TRUSTING).log.wait_for("event BOUND");
        let address = transcript.offered(CLIENT, 1);
        let released = format!("> RELEASE unicast has={address} server=10.10.10.1\n");
        let expected = four_steps(&address) + &released + &four_steps(&address);
        assert_eq!(transcript.of(CLIENT), expected);
    });
}

#[test]
fn dhcpcd_declines_an_address_that_somebody_uses_and_gets_another_one() {
    isolated(|lan| {
        let (server, transcript) = client_lan::server();
        let machine = lan.machine(CLIENT);
        let dhcpcd = Dhcpcd::on(&machine);
        dhcpcd.starts(TRUSTING).log.wait_for("event BOUND");
        let address = transcript.offered(CLIENT, 1);
        machine.run("ip", &["address", "flush", "dev", "eth0"]).good();
        let _squatter = client_lan::squatter(&lan, &address);
        let _client = dhcpcd.starts(&[]);
        let other = transcript.offered(CLIENT, 2);
        transcript.wait_for(CLIENT, "< ACK", 3);
        assert_ne!(other, address);
        let asks = format!("> REQUEST broadcast wants={address}\n< ACK {address} {TERMS}\n");
        let declined = format!("> DECLINE broadcast wants={address}\n");
        let expected = four_steps(&address) + &asks + &declined + &four_steps(&other);
        assert_eq!(transcript.of(CLIENT), expected);
        server.log.wait_for(&format!("{CLIENT}: somebody else uses {address}"));
    });
}

#[test]
fn dhcpcd_that_comes_from_another_network_is_refused_and_starts_anew_at_once() {
    isolated(|lan| {
        let other = client_lan::server_of_another_network();
        let machine = lan.machine(CLIENT);
        let dhcpcd = Dhcpcd::on(&machine);
        dhcpcd.starts(TRUSTING).log.wait_for("event BOUND 192.168.7.100");
        let _here = client_lan::moves_here(other);
        let transcript = net::Transcript::begin();
        dhcpcd.starts(TRUSTING).log.wait_for("event BOUND 10.10.10.");
        let address = transcript.offered(CLIENT, 1);
        assert_eq!(transcript.of(CLIENT), REFUSED.to_owned() + &four_steps(&address));
    });
}
