//! The server works on its own interface and on no other one of the box.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::io::ErrorKind;
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::time::Duration;

use net::lan::{SERVER, octets};
use net::namespace::Namespace;
use net::packet::Port;
use net::{Appliance, Ask, Firmware, Kind, isolated, tools};

const OTHER_MAC: &str = "52:54:00:00:00:66";

/// A computer on a second network card of the box, which routes to all its addresses.
fn other_network() -> Namespace {
    let other = Namespace::new();
    let id = other.id();
    let card = ["peer", "name", "eth0", "address", OTHER_MAC, "netns", &id];
    tools::run("ip", &[&["link", "add", "other0", "type", "veth"], &card[..]].concat());
    tools::run("ip", &["address", "add", "192.168.7.1/24", "dev", "other0"]);
    tools::run("ip", &["link", "set", "other0", "up"]);
    other.run("ip", &["address", "add", "192.168.7.2/24", "dev", "eth0"]).good();
    other.run("ip", &["link", "set", "eth0", "up"]).good();
    other.run("ip", &["route", "add", "default", "via", "192.168.7.1"]).good();
    other
}

#[test]
fn nobody_is_served_on_another_interface() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let other = other_network();
        let ours = lan.machine("52:54:00:00:00:41");
        ours.boots(Firmware::Bios);
        for port in [8080, 80] {
            for address in [SERVER, "192.168.7.1".parse().unwrap()] {
                let to = SocketAddrV4::new(address, port).into();
                let patience = Duration::from_secs(2);
                let refused = other.inside(|| TcpStream::connect_timeout(&to, patience));
                let kind = refused.map(drop).unwrap_err().kind();
                assert_eq!(kind, ErrorKind::ConnectionRefused, "{to}");
            }
        }
        let port = Port::open(&other, "eth0");
        let discover = Ask::new(Kind::Discover, octets(OTHER_MAC)).broadcast(true);
        port.send(&discover.with(&Firmware::Bios.options()));
        other.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect((SERVER, 69)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            socket.send(b"\0\x01pxelinux.0\0octet\0").unwrap();
            let kind = socket.recv(&mut [0; 600]).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::ConnectionRefused, "an answer by TFTP");
        });
        assert_eq!(port.heard().len(), 0, "an answer by DHCP");
        // Its own LAN is served as before.
        assert_eq!(ours.get("/current/version.txt"), b"COREOS_VERSION=1185.3.0\n");
    });
}
