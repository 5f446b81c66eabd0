//! The box by its name: real resolvers find it, and nobody else is disturbed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use net::api::get;
use net::avahi::Avahi;
use net::lan::{INTERFACE, SERVER};
use net::namespace::Namespace;
use net::rival::{RIVAL, dnsmasq};
use net::{Appliance, Lan, Machine, Server, isolated, tools};
use rustix::process::Signal;

const PERSON: &str = "52:54:00:00:00:51";
const OTHER: &str = "52:54:00:00:00:52";

/// What it logs when its name is its own.
const CALLED: &str = "mdns: this box is called pxeberry.local";

/// Where all multicast DNS goes.
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);

/// `pxeberry.local`, A, IN.
const QUESTION: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x08pxeberry\x05local\0\0\x01\0\x01";

fn person(lan: &Lan) -> Machine {
    let machine = lan.machine(PERSON);
    machine.use_address("10.10.10.50".parse().unwrap());
    machine
}

#[test]
fn the_page_is_found_by_name_and_among_services_until_the_box_goes_down() {
    isolated(|lan| {
        let person = person(&lan);
        let avahi = Avahi::on(&person, "person");
        let pages = avahi.browses();
        let server = Appliance::server().serves_without_stick();
        server.log.wait_for(CALLED);
        assert_eq!(avahi.address_of("pxeberry.local").as_deref(), Some("10.10.10.1"));
        let found = pages.log.wait_for("=;eth0;IPv4;pxeberry;");
        assert!(found.ends_with(";pxeberry.local;10.10.10.1;80;\"path=/\""), "{found}");
        assert_eq!(get("/v1/status")["interface"]["hostname"], "pxeberry.local");
        let page = String::from_utf8(person.get("/")).unwrap();
        assert!(page.contains("<b>Name</b> pxeberry.local"), "{page}");
        server.signal(Signal::TERM);
        pages.log.wait_for("-;eth0;IPv4;pxeberry;");
        assert!(server.ends().1.success());
        assert_eq!(avahi.address_of("pxeberry.local"), None);
    });
}

#[test]
fn zeroconf_finds_name_address_port_and_path() {
    const SCRIPT: &str = "\
from zeroconf import IPVersion, Zeroconf
zeroconf = Zeroconf(ip_version=IPVersion.V4Only)
page = zeroconf.get_service_info('_http._tcp.local.', 'pxeberry._http._tcp.local.', 10000)
print(page.server, page.parsed_addresses(), page.port, page.properties)
zeroconf.close()
";
    isolated(|lan| {
        let person = person(&lan);
        let server = Appliance::server().serves_without_stick();
        server.log.wait_for(CALLED);
        // It joins the group by the way to everywhere.
        person.run("ip", &["route", "add", "default", "dev", "eth0"]).good();
        let said = person.run("python3", &["-c", SCRIPT]).good().text();
        assert_eq!(said, "pxeberry.local. ['10.10.10.1'] 80 {b'path': b'/'}\n");
    });
}

#[test]
fn the_name_follows_the_box_to_the_address_that_another_server_gives() {
    isolated(|lan| {
        let person = person(&lan);
        let avahi = Avahi::on(&person, "person");
        tools::run("ip", &["address", "flush", "dev", INTERFACE]);
        let server = Server::spawn(Appliance::new("auto", "").command().arg("--set-address"));
        server.log.wait_for("giving addresses from");
        server.log.wait_for(CALLED);
        assert_eq!(avahi.address_of("pxeberry.local").as_deref(), Some("10.10.10.1"));
        let router = lan.machine(RIVAL);
        let _router = dnsmasq(&router, &["--no-ping"]);
        // The box looks again, and is a guest.
        tools::run("ip", &["link", "set", INTERFACE, "down"]);
        server.log.wait_for("no link; plug a cable into the LAN");
        server.log.wait_for("mdns: this box has no name on its LAN now");
        assert_eq!(get("/v1/status")["interface"]["hostname"], serde_json::Value::Null);
        tools::run("ip", &["link", "set", INTERFACE, "up"]);
        server.log.wait_for("beside the DHCP server that gives the addresses");
        server.log.wait_for_nth(CALLED, 2);
        let address = get("/v1/status")["interface"]["address"].as_str().unwrap().to_owned();
        let address = address.strip_suffix("/24").unwrap();
        assert!(address.starts_with("10.10.10.2"), "{address}");
        assert_eq!(avahi.address_of("pxeberry.local").as_deref(), Some(address));
    });
}

#[test]
fn a_name_that_another_box_has_is_left_to_it_and_the_next_one_is_taken_and_said() {
    isolated(|lan| {
        let person = person(&lan);
        let avahi = Avahi::on(&person, "pxeberry");
        let hash = pxeberry::http::admin::hash_line(&b"correct horse battery\n"[..]).unwrap();
        let appliance = Appliance::new("server", &format!("admin.{hash}"));
        let server = appliance.serves_without_stick();
        server.log.wait_for("10.10.10.50 is called pxeberry.local already");
        server.log.wait_for("mdns: this box is called pxeberry-2.local");
        assert_eq!(avahi.address_of("pxeberry.local").as_deref(), Some("10.10.10.50"));
        assert_eq!(avahi.address_of("pxeberry-2.local").as_deref(), Some("10.10.10.1"));
        assert_eq!(get("/v1/status")["interface"]["hostname"], "pxeberry-2.local");
        // The admin's forms work under its name, and not under the other box's.
        for (host, expected) in [("pxeberry-2.local", "200"), ("pxeberry.local", "403")] {
            let host = format!("Host: {host}");
            let form = ["--data-urlencode", "password=correct horse battery"];
            let quiet = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", &host];
            let url = ["http://10.10.10.1/api/v1/session"];
            let ran = person.run("curl", &[&quiet[..], &form, &url].concat()).good();
            assert_eq!(ran.text(), expected, "{host}");
        }
    });
}

#[test]
fn who_comes_later_with_the_same_name_is_told_that_it_is_taken() {
    isolated(|lan| {
        let server = Appliance::server().serves_without_stick();
        server.log.wait_for(CALLED);
        let person = person(&lan);
        let avahi = Avahi::on(&person, "pxeberry");
        avahi.daemon.log.wait_for("Host name is pxeberry-2.local");
        assert_eq!(avahi.address_of("pxeberry.local").as_deref(), Some("10.10.10.1"));
        assert_eq!(server.log.count("mdns: "), 1, "{:#?}", server.log.lines());
    });
}

#[test]
fn without_mdns_or_with_another_name_it_is_as_its_owner_says() {
    isolated(|lan| {
        let person = person(&lan);
        let appliance = Appliance::new("server", "page.mdns = false");
        let server = appliance.serves_without_stick();
        assert_eq!(ports_of_mdns(), [""; 0]);
        assert_eq!(asks(&person.namespace, 0, QUESTION), None);
        server.signal(Signal::TERM);
        server.ends();
        let server = Appliance::new("server", "page.name = \"Boot-Room\"").serves_without_stick();
        server.log.wait_for("mdns: this box is called boot-room.local");
        // To the group's address alone: FB0000E0 is 224.0.0.251, 14E9 is 5353.
        assert_eq!(ports_of_mdns(), ["FB0000E0:14E9"]);
        assert_eq!(asks(&person.namespace, 0, QUESTION), None);
    });
}

#[test]
fn nobody_on_another_interface_is_answered_or_hears_of_the_name() {
    isolated(|lan| {
        let other = Namespace::new();
        let id = other.id();
        let card = ["peer", "name", "eth0", "address", OTHER, "netns", &id];
        tools::run("ip", &[&["link", "add", "other0", "type", "veth"], &card[..]].concat());
        tools::run("ip", &["address", "add", "192.168.7.1/24", "dev", "other0"]);
        tools::run("ip", &["link", "set", "other0", "up"]);
        other.run("ip", &["address", "add", "192.168.7.2/24", "dev", "eth0"]).good();
        other.run("ip", &["link", "set", "eth0", "up"]).good();
        let ear = other.inside(|| socket(5353));
        let person = person(&lan);
        let server = Appliance::server().serves_without_stick();
        server.log.wait_for(CALLED);
        for port in [5353, 0] {
            assert_eq!(asks(&other, port, QUESTION), None, "from port {port}");
            assert!(asks(&person.namespace, port, QUESTION).is_some(), "from port {port}");
        }
        // Nor did it announce itself there; what is heard is the question.
        ear.set_nonblocking(true).unwrap();
        let mut buffer = [0; 9000];
        while let Ok((length, _)) = ear.recv_from(&mut buffer) {
            assert_eq!(&buffer[..length], QUESTION);
        }
    });
}

/// Addresses that somebody listens at for multicast DNS, as the kernel writes them.
fn ports_of_mdns() -> Vec<String> {
    let sockets = ["udp", "udp6"].map(|kind| fs::read_to_string(format!("/proc/net/{kind}")));
    let sockets = sockets.map(Result::unwrap).concat();
    let places = sockets.lines().filter_map(|line| line.split_whitespace().nth(1));
    places.filter(|place| place.ends_with(":14E9")).map(str::to_owned).collect()
}

/// Puts a question to all, and waits for an answer with our address in it.
fn asks(from: &Namespace, port: u16, question: &[u8]) -> Option<Vec<u8>> {
    from.inside(|| {
        let socket = socket(port);
        socket.send_to(question, GROUP).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
        let mut buffer = [0; 9000];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).ok()?;
            let answers = buffer[2] & 0x80 != 0;
            if answers && peer.ip() == SERVER {
                let packet = buffer[..length].to_vec();
                assert!(packet.windows(4).any(|bytes| bytes == SERVER.octets()), "{packet:?}");
                return Some(packet);
            }
        }
    })
}

/// Of a resolver (port 5353) or of a program that knows no multicast DNS (any other).
fn socket(port: u16) -> UdpSocket {
    use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind_device(Some(b"eth0")).unwrap();
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into()).unwrap();
    let index = rustix::net::netdevice::name_to_index(&socket, "eth0").unwrap();
    socket.join_multicast_v4_n(GROUP.ip(), &InterfaceIndexOrAddress::Index(index)).unwrap();
    socket.into()
}
