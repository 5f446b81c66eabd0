//! Machines of another network, behind a router with a real relay agent (ISC dhcrelay).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;

use net::lan::octets;
use net::namespace::Namespace;
use net::packet::Port;
use net::{Appliance, Ask, Firmware, Heard, Kind, Lan, Machine, Server, isolated, tools};

const ROUTER: &str = "52:54:00:00:00:fe";
const MAC: &str = "52:54:00:00:00:41";

/// The network behind the router.
const RELAYED: &str = "relay = [{ address = \"10.20.0.1/24\", dns = [\"10.20.0.9\"] }]";

/// The router's own address on the appliance's LAN.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 254);

/// A router with a relay agent, and a machine behind it.
struct Elsewhere {
    _router: Machine,
    _relay: Server,
    machine: Namespace,
    port: Port,
}

impl Elsewhere {
    /// `more`: further arguments of the relay agent.
    fn new(lan: &Lan, more: &[&str]) -> Elsewhere {
        let router = lan.machine(ROUTER);
        router.use_address(GATEWAY);
        let machine = Namespace::new();
        let id = machine.id();
        let cable = ["link", "add", "eth1", "type", "veth", "peer", "name", "eth0"];
        router.run("ip", &[&cable[..], &["address", MAC, "netns", &id]].concat()).good();
        router.run("ip", &["address", "add", "10.20.0.1/24", "dev", "eth1"]).good();
        router.run("ip", &["link", "set", "eth1", "up"]).good();
        router.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]).good();
        machine.run("ip", &["link", "set", "eth0", "up"]).good();
        let carrier = "until [ \"$(cat /sys/class/net/eth0/carrier)\" = 1 ]; do sleep 0.005; done";
        machine.run("sh", &["-c", carrier]).good();
        let relay = relay(&router, more);
        let port = Port::open(&machine, "eth0");
        Elsewhere { _router: router, _relay: relay, machine, port }
    }

    fn ask(&self, kind: Kind) -> Ask {
        Ask::new(kind, octets(MAC)).with(&Firmware::Bios.options()).broadcast(true)
    }

    /// DISCOVER to ACK, through the relay.
    fn leases(&self) -> Heard {
        let offer = self.port.ask(&self.ask(Kind::Discover)).expect("no OFFER");
        let request = self.ask(Kind::Request).option(50, &offer.yiaddr.octets());
        let server = offer.option(54).unwrap();
        let ack = self.port.ask(&request.option(54, server)).expect("no ACK");
        assert_eq!((ack.kind, ack.yiaddr), (Some(Kind::Ack), offer.yiaddr));
        ack
    }
}

fn relay(router: &Machine, more: &[&str]) -> Server {
    tools::need("dhcrelay");
    let words = ["dhcrelay", "-4", "-d", "--no-pid", "-id", "eth1", "-iu", "eth0"];
    let words = [&words[..], more, &["10.10.10.1"]].concat();
    let relay = Server::spawn(&mut router.namespace.command(&words));
    relay.log.wait_for("Sending on   Socket/fallback");
    relay
}

/// The appliance lays it itself; on a workstation its owner does.
fn lay_the_way_back() {
    tools::run("ip", &["route", "add", "10.20.0.0/24", "via", "10.10.10.254"]);
}

#[test]
fn a_machine_behind_a_relay_gets_an_address_and_its_boot_data_and_loads_it() {
    isolated(|lan| {
        let appliance = Appliance::new("server", RELAYED);
        appliance.sample_stick();
        let server = appliance.serves();
        let elsewhere = Elsewhere::new(&lan, &[]);
        lay_the_way_back();
        let ack = elsewhere.leases();
        assert!(ack.yiaddr.to_string().starts_with("10.20.0."), "{}", ack.yiaddr);
        assert_eq!(ack.option(3), Some(&[10, 20, 0, 1][..]), "out through the relay");
        assert_eq!(ack.option(6), Some(&[10, 20, 0, 9][..]));
        assert_eq!((ack.siaddr, ack.file.as_str()), (net::lan::SERVER, "undionly.kpxe"));
        server.log.wait_for(&format!("{MAC} is {}", ack.yiaddr));
        // It fetches its script from its address, across the router.
        let address = format!("{}/24", ack.yiaddr);
        elsewhere.machine.run("ip", &["address", "add", &address, "dev", "eth0"]).good();
        elsewhere.machine.run("ip", &["route", "add", "default", "via", "10.20.0.1"]).good();
        let url = "http://10.10.10.1:8080/boot/52-54-00-00-00-41.ipxe";
        let script = elsewhere.machine.run("curl", &["-sS", url]).good().text();
        assert!(script.starts_with("#!ipxe") && script.contains("your own disk"), "{script}");
    });
}

#[test]
fn an_appliance_finds_the_way_to_the_relay_through_the_router_of_its_own_network() {
    isolated(|lan| {
        tools::run("ip", &["address", "flush", "dev", net::lan::INTERFACE]);
        let more = format!("server.router = \"{GATEWAY}\"\n{RELAYED}");
        let appliance = Appliance::new("server", &more);
        let server = Server::spawn(appliance.command().arg("--set-address"));
        server.log.wait_for("giving addresses from");
        let elsewhere = Elsewhere::new(&lan, &[]);
        assert!(elsewhere.leases().yiaddr.to_string().starts_with("10.20.0."));
    });
}

#[test]
fn what_the_relay_says_of_itself_comes_back_and_the_client_never_sees_it() {
    isolated(|lan| {
        let _server = Appliance::new("server", RELAYED).starts();
        // -a: adds option 82, takes it out of the answer, and drops one that lost it.
        let elsewhere = Elsewhere::new(&lan, &["-a", "-D"]);
        lay_the_way_back();
        assert_eq!(elsewhere.leases().option(82), None);
    });
}

#[test]
fn a_network_that_the_config_does_not_name_gets_nothing() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let elsewhere = Elsewhere::new(&lan, &[]);
        lay_the_way_back();
        elsewhere.port.send(&elsewhere.ask(Kind::Discover));
        let near = lan.machine("52:54:00:00:00:42");
        near.leases(&[]);
        assert!(elsewhere.port.heard().is_empty());
    });
}

#[test]
fn a_machine_that_moves_to_the_other_network_is_refused_its_old_address_at_once() {
    isolated(|lan| {
        let _server = Appliance::new("server", RELAYED).starts();
        let near = lan.machine("52:54:00:00:00:42");
        let old = near.leases(&[]).yiaddr;
        let elsewhere = Elsewhere::new(&lan, &[]);
        lay_the_way_back();
        let request = elsewhere.ask(Kind::Request).option(50, &old.octets());
        let nak = elsewhere.port.ask(&request).expect("no NAK");
        assert_eq!(nak.kind, Some(Kind::Nak));
        assert_eq!(nak.frame_to, [0xff; 6], "it has no address to be reached at");
    });
}
