//! `mode = "auto"`: a DHCP server where there is none, and a proxy beside another one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use net::client::udhcpc;
use net::rival::{RIVAL, RIVAL_TERMS, dnsmasq};
use net::{Appliance, Ask, Firmware, Heard, Kind, Machine, Server, Transcript, isolated, tools};

/// The address of the box under test on the tests' LAN.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);

/// The machine that asks.
const MACHINE: &str = "52:54:00:00:00:41";

#[test]
fn alone_on_the_lan_it_gives_addresses() {
    isolated(|lan| {
        let machine = lan.machine(MACHINE);
        let transcript = Transcript::begin();
        let server = Appliance::new("auto", "").starts();
        // Until it knows that it is alone, it says nothing.
        transcript.wait_for_search();
        machine.port.send(&Ask::new(Kind::Discover, machine.mac));
        let offer = machine.port.hear(net::PATIENCE, |_| true).expect("no OFFER");
        assert_eq!(offer.kind, Some(Kind::Offer));
        server.log.wait_for("no other DHCP server answers: giving addresses from");
        assert_eq!(machine.leases(&[]).kind, Some(Kind::Ack));
    });
}

#[test]
fn beside_another_server_it_never_answers_and_names_it() {
    isolated(|lan| {
        let [router, machine] = [RIVAL, MACHINE].map(|mac| lan.machine(mac));
        let rival = dnsmasq(&router, &["--no-ping"]);
        let transcript = Transcript::begin();
        let server = Appliance::new("auto", "").starts();
        let line = server.log.wait_for("another DHCP server is here");
        assert!(line.contains(&format!("10.10.10.200 ({RIVAL})")), "{line}");
        assert!(line.contains("this box gives no addresses"), "{line}");
        // The machine is served by the other one, from DISCOVER to ACK.
        let client = udhcpc(&machine, &["-q"]);
        client.log.wait_for("event bound 10.10.10.2");
        let address = transcript.offered(MACHINE, 1);
        // It must not refuse a stranger's old address either.
        let stranger = Ask::new(Kind::Request, machine.mac).option(50, &[10, 10, 10, 130]);
        machine.port.send(&stranger);
        transcript.wait_for(MACHINE, "< NAK", 1);
        assert_eq!(
            transcript.of(MACHINE),
            format!(
                "> DISCOVER broadcast\n\
                 < OFFER {address} unicast {RIVAL_TERMS}\n\
                 > REQUEST broadcast wants={address} server=10.10.10.200\n\
                 < ACK {address} unicast {RIVAL_TERMS}\n\
                 > REQUEST broadcast wants=10.10.10.130\n\
                 < NAK broadcast from 10.10.10.200\n"
            )
        );
        drop(rival);
    });
}

/// Starts the server as PID 1 of the appliance does: the interface has no address yet.
fn with_own_address(appliance: &Appliance) -> Server {
    tools::run("ip", &["address", "flush", "dev", net::lan::INTERFACE]);
    let server = Server::spawn(appliance.command().arg("--set-address"));
    server.log.wait_for("serving on ");
    server
}

/// Addresses of the appliance's interface, as `ip` lists them.
fn own_addresses() -> String {
    tools::finish(Command::new("ip").args(["-4", "-brief", "address", "show", "srv0"])).text()
}

#[test]
fn the_box_takes_its_address_when_it_knows_that_it_is_alone_and_all_servers_answer_there() {
    isolated(|lan| {
        let machine = lan.machine(MACHINE);
        let appliance = Appliance::new("auto", "");
        let stick = appliance.sample_stick();
        let transcript = Transcript::begin();
        let server = with_own_address(&appliance);
        transcript.wait_for_search();
        assert!(!own_addresses().contains("10.10.10.1/24"), "{}", own_addresses());
        machine.port.send(&Ask::new(Kind::Discover, machine.mac));
        server.log.wait_for("giving addresses from");
        assert!(own_addresses().contains("10.10.10.1/24"), "{}", own_addresses());
        machine.boots(Firmware::Bios);
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("APPEND hd0"));
        let name = net::stick::KERNEL;
        assert!(machine.get(&format!("/1185.3.0/{name}")) == stick.image_file(name));
    });
}

#[test]
fn beside_another_server_it_names_the_boot_file_and_never_an_address() {
    isolated(|lan| {
        let [router, machine] = [RIVAL, MACHINE].map(|mac| lan.machine(mac));
        let _rival = dnsmasq(&router, &["--no-ping"]);
        let server = Appliance::new("auto", "").starts();
        server.log.wait_for("beside the DHCP server that gives the addresses");
        let transcript = Transcript::begin();
        let ask = |kind| Ask::new(kind, machine.mac).with(&Firmware::EfiX64.options());
        machine.port.send(&ask(Kind::Discover));
        let heard = |heard: &Heard| heard.frame_from != router.mac;
        let ours = machine.port.hear(net::PATIENCE, heard).expect("no proxy OFFER");
        assert_eq!(ours.kind, Some(Kind::Offer));
        assert!(ours.yiaddr.is_unspecified(), "{ours:?}");
        assert_eq!((ours.file.as_str(), ours.siaddr), ("snponly.efi", SERVER));
        assert_eq!(ours.option(54), Some(&SERVER.octets()[..]));
        assert_eq!(ours.option(60), Some(&b"PXEClient"[..]));
        for code in [1, 3, 6, 51, 58, 59] {
            assert_eq!(ours.option(code), None, "option {code}");
        }
        // The rest of the conversation is between the machine and the other server.
        let address = transcript.wait_for(MACHINE, "< OFFER 10.10.10.2", 1);
        let address: Ipv4Addr = address.split(' ').nth(3).unwrap().parse().unwrap();
        let request = ask(Kind::Request).option(50, &address.octets());
        machine.port.send(&request.option(54, &[10, 10, 10, 200]));
        transcript.wait_for(MACHINE, "< ACK", 1);
        // Both answer the same question; who is first is chance.
        let told = transcript.of(MACHINE);
        let mut lines: Vec<&str> = told.lines().collect();
        lines[1..3].sort_unstable();
        let its = format!("{address} unicast {RIVAL_TERMS}");
        assert_eq!(
            lines,
            [
                "> PXE DISCOVER broadcast",
                &format!("< OFFER {its}"),
                "< OFFER broadcast from 10.10.10.1 file=snponly.efi",
                &format!("> PXE REQUEST broadcast wants={address} server=10.10.10.200"),
                &format!("< ACK {its}"),
            ]
        );
    });
}

#[test]
fn an_appliance_takes_its_own_address_from_the_other_server() {
    isolated(|lan| {
        let router = lan.machine(RIVAL);
        let rival = dnsmasq(&router, &["--no-ping"]);
        let server = Server::spawn(Appliance::new("auto", "").command().arg("--set-address"));
        let line = server.log.wait_for("has the address");
        assert!(line.contains("10.10.10.21") || line.contains("10.10.10.220"), "{line}");
        rival.log.wait_for("DHCPACK(eth0)");
        server.log.wait_for("beside the DHCP server that gives the addresses");
    });
}

#[test]
fn a_named_machine_with_an_address_of_the_other_server_is_installed_by_this_one() {
    isolated(|lan| {
        let [router, machine, stranger] =
            [RIVAL, net::stick::NODE_1, net::stick::STRANGER].map(|mac| lan.machine(mac));
        let _rival = dnsmasq(&router, &["--no-ping"]);
        let appliance = Appliance::new("auto", "boot.bios_loader = \"pxelinux\"");
        let stick = appliance.sample_stick();
        let server = appliance.starts();
        server.log.wait_for("beside the DHCP server that gives the addresses");
        machine.use_address("10.10.10.215".parse().unwrap());
        stranger.use_address("10.10.10.216".parse().unwrap());
        machine.port.send(
            &Ask::new(Kind::Discover, machine.mac).with(&Firmware::Bios.options()).broadcast(true),
        );
        let ours = |heard: &Heard| heard.file == "pxelinux.0";
        machine.port.hear(net::PATIENCE, ours).expect("no proxy OFFER");
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("KERNEL"));
        assert!(stranger.tftp_text("pxelinux.cfg/default").contains("APPEND hd0"));
        assert_eq!(appliance.machine(net::stick::NODE_1), ("installing".into(), 1));
        let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
        let config = format!("/cloud-configs/{}.yml", net::stick::NODE_1);
        let own = stick.read("cloud-configs/52-54-00-00-00-01.yml");
        assert_eq!(machine.get(&config), own);
        assert_eq!(stranger.curl(&config).0, 403);
        let token = script.split("token='").nth(1).unwrap().split('\'').next().unwrap();
        machine.get(&format!("/v1/event?token={token}&event=installed"));
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("APPEND hd0"));
    });
}

/// What firmware gets that asks once more on port 4011, from the address it has.
fn asks_on_port_4011(machine: &Machine) -> Vec<u8> {
    let request = Ask::new(Kind::Request, machine.mac).from(machine.address());
    let frame = request.with(&Firmware::EfiX64.options()).frame();
    machine.namespace.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:68").unwrap();
        socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
        // The DHCP message is what stands behind Ethernet, IP and UDP.
        socket.send_to(&frame[14 + 20 + 8..], (SERVER, 4011)).unwrap();
        let mut answer = [0; 1500];
        let (length, from) = socket.recv_from(&mut answer).expect("silence on port 4011");
        assert_eq!(from, (SERVER, 4011).into());
        answer[..length].to_vec()
    })
}

#[test]
fn firmware_that_asks_on_port_4011_gets_its_boot_file_there() {
    isolated(|lan| {
        let [router, machine] = [RIVAL, MACHINE].map(|mac| lan.machine(mac));
        let _rival = dnsmasq(&router, &["--no-ping"]);
        let server = Appliance::new("auto", "").starts();
        server.log.wait_for("beside the DHCP server that gives the addresses");
        machine.use_address("10.10.10.215".parse().unwrap());
        let answer = asks_on_port_4011(&machine);
        assert_eq!((answer[0], &answer[16..20]), (2, &[0; 4][..]), "no address: it has one");
        assert_eq!(answer[20..24], SERVER.octets());
        assert!(answer[108..].starts_with(b"snponly.efi\0"));
        let options = &answer[240..];
        for option in [&b"\x35\x01\x05"[..], b"\x36\x04\x0a\x0a\x0a\x01", b"\x3c\x09PXEClient"] {
            assert!(options.windows(option.len()).any(|part| part == option), "{option:?}");
        }
    });
}

#[test]
fn from_the_moment_that_a_machine_talks_with_another_server_no_address_is_given() {
    isolated(|lan| {
        let [router, machine] = [RIVAL, MACHINE].map(|mac| lan.machine(mac));
        let transcript = Transcript::begin();
        let server = Appliance::new("auto", "").starts();
        transcript.wait_for_search();
        let request = |kind| Ask::new(kind, machine.mac);
        machine.port.send(&request(Kind::Discover));
        server.log.wait_for("giving addresses from");
        transcript.wait_for(MACHINE, "< OFFER 10.10.10.1", 1);
        let _rival = dnsmasq(&router, &["--no-ping"]);
        machine.port.send(&request(Kind::Discover));
        // Both offer something; the machine takes the other server's.
        transcript.wait_for(MACHINE, "< OFFER 10.10.10.1", 2);
        let offer = transcript.wait_for(MACHINE, "< OFFER 10.10.10.2", 1);
        let address: Ipv4Addr = offer.split(' ').nth(3).unwrap().parse().unwrap();
        machine.port.send(
            &request(Kind::Request).option(50, &address.octets()).option(54, &[10, 10, 10, 200]),
        );
        let seen = transcript.wait_for(MACHINE, "> REQUEST", 1);
        // Asked at once: it has not even looked for the other server yet.
        machine.port.send(&request(Kind::Discover));
        let line = server.log.wait_for("another DHCP server is here");
        assert!(line.contains(&format!("10.10.10.200 ({RIVAL})")), "{line}");
        server.log.wait_for("beside the DHCP server that gives the addresses");
        machine.port.send(&request(Kind::Discover));
        transcript.wait_for(MACHINE, "< OFFER 10.10.10.2", 3);
        let lines = transcript.lines();
        let since = lines.iter().position(|line| *line == seen).unwrap();
        let given = |line: &&String| line.contains("from 10.10.10.1 ");
        assert_eq!(lines[since..].iter().find(given), None, "{}", lines.join("\n"));
        assert!(lines[..since].iter().any(|line| given(&line)), "{}", lines.join("\n"));
    });
}

#[test]
fn mode_proxy_gives_no_addresses_even_when_it_is_alone() {
    isolated(|lan| {
        let machine = lan.machine(MACHINE);
        let server = Appliance::new("proxy", "").starts();
        server.log.wait_for("beside the DHCP server that gives the addresses");
        machine.port.send(&Ask::new(Kind::Discover, machine.mac));
        let silence = std::time::Duration::from_millis(500);
        assert!(machine.port.hear(silence, |_| true).is_none());
    });
}
