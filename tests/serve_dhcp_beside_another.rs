//! `mode = "auto"`: a DHCP server where there is none, and silence beside another one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;

use net::{Appliance, Ask, Kind, Machine, Server, isolated, tools};

const RIVAL: &str = "52:54:00:00:00:77";

/// Starts dnsmasq on a machine of the LAN, as the router that was there first.
fn dnsmasq(machine: &Machine) -> Server {
    tools::need("dnsmasq");
    machine.use_address("10.10.10.200".parse().unwrap());
    fs::write("/run/dnsmasq.conf", "").unwrap();
    let words = [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/run/dnsmasq.conf",
        "--log-facility=-",
        "--port=0",
        "--user=root",
        "--no-ping",
        "--interface=eth0",
        "--dhcp-authoritative",
        "--dhcp-leasefile=/run/dnsmasq.leases",
        "--dhcp-range=10.10.10.210,10.10.10.220",
    ];
    let server = Server::spawn(&mut machine.namespace.command(&words));
    server.log.wait_for("IP range");
    server
}

#[test]
fn alone_on_the_lan_it_gives_addresses() {
    isolated(|lan| {
        let machine = lan.machine("52:54:00:00:00:41");
        let server = Appliance::new("auto", "").starts();
        // Until it knows that it is alone, it says nothing.
        machine.port.send(&Ask::new(Kind::Discover, machine.mac));
        server.log.wait_for("no other DHCP server answers: giving addresses from");
        assert_eq!(machine.port.heard().len(), 0, "answered before it knew");
        assert_eq!(machine.leases(&[]).kind, Some(Kind::Ack));
    });
}

#[test]
fn beside_another_server_it_never_answers_and_names_it() {
    isolated(|lan| {
        let [router, machine] = [RIVAL, "52:54:00:00:00:41"].map(|mac| lan.machine(mac));
        let rival = dnsmasq(&router);
        let server = Appliance::new("auto", "").starts();
        let line = server.log.wait_for("another DHCP server is here");
        assert!(line.contains(&format!("10.10.10.200 ({RIVAL})")), "{line}");
        assert!(line.contains("This box gives no addresses"), "{line}");
        // The machine is served by the other one, from DISCOVER to ACK.
        let request = |kind| Ask::new(kind, machine.mac);
        let offer = machine.port.ask(&request(Kind::Discover)).expect("no OFFER");
        let ack = machine.port.ask(
            &request(Kind::Request)
                .option(50, &offer.yiaddr.octets())
                .option(54, &[10, 10, 10, 200]),
        );
        let ack = ack.expect("no ACK");
        rival.log.wait_for("DHCPACK(eth0)");
        // It must not refuse a stranger's old address either.
        machine.port.send(&request(Kind::Request).option(50, &[10, 10, 10, 130]));
        let nak = machine.port.hear(net::PATIENCE, |heard| heard.kind == Some(Kind::Nak));
        let answers = [&[offer, ack, nak.expect("no NAK from dnsmasq")], &machine.port.heard()[..]];
        for answer in answers.concat() {
            assert_eq!(answer.frame_from, router.mac, "{answer:?}");
        }
    });
}

#[test]
fn mode_proxy_gives_no_addresses() {
    isolated(|lan| {
        let machine = lan.machine("52:54:00:00:00:41");
        let server = Appliance::new("proxy", "").starts();
        server.log.wait_for("giving no addresses");
        machine.port.send(&Ask::new(Kind::Discover, machine.mac));
        let silence = std::time::Duration::from_millis(500);
        assert!(machine.port.hear(silence, |_| true).is_none());
    });
}
