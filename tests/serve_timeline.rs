//! The flight recorder: each machine's story, from its firmware's first question to its
//! report, and that it is there after the servers fell.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::net::{SocketAddr, UdpSocket};

use net::lan::{Lan, Machine, SERVER};
use net::stick::{IMAGE, INITRD, KERNEL, NODE_1, NODE_2, Stick};
use net::{Appliance, Ask, Firmware, Kind, Server, isolated};
use pxeberry::fleet::timeline::{Source, Weight};

const IMAGE_BYTES: usize = 32 * 1024 * 1024;

/// A box with its own loader and a large image, serving, and the machine that its stick names.
fn node_1(lan: &Lan) -> (Appliance, Server, Machine) {
    Stick::empty("/run/loaders".as_ref()).write("snponly.efi", vec![7; 40_000]);
    let appliance = Appliance::new("server", "boot.loaders = \"/run/loaders\"");
    let stick = appliance.sample_stick();
    stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), vec![1; IMAGE_BYTES]);
    let server = appliance.serves();
    (appliance, server, lan.machine(NODE_1))
}

/// From power on until its report.
fn installs(machine: &Machine) {
    machine.boots(Firmware::EfiX64);
    machine.tftp("snponly.efi").unwrap();
    machine.boots(Firmware::IpxeEfiX64);
    let agent =
        ["-sSf", "-A", "iPXE/1.21.1+", "http://10.10.10.1:8080/boot/52-54-00-00-00-01.ipxe"];
    machine.run("curl", &agent).good();
    machine.get("/v1/hello?mac=52-54-00-00-00-01&memory=0008-------&chip=82540em");
    machine.get(&format!("/boot/{KERNEL}"));
    machine.get(&format!("/boot/{INITRD}"));
    machine.leases(&[]);
    let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
    machine.get("/cloud-configs/52:54:00:00:00:01.yml");
    machine.get(&format!("/1185.3.0/{IMAGE}"));
    let token = script.lines().find_map(|line| line.strip_prefix("token='")).unwrap();
    let token = token.trim_end_matches('\'');
    machine.get(&format!("/v1/event?token={token}&event=installed"));
    flight::wait_for(NODE_1, "was sent images/coreos/1185.3.0/coreos_production_image");
}

#[test]
fn a_boot_and_its_installation_read_as_one_story() {
    isolated(|lan| {
        let (_appliance, _server, machine) = node_1(&lan);
        installs(&machine);
        let mut story = flight::story(NODE_1);
        // A transfer is over when its connection says so, a moment before or behind the next.
        story.sort();
        let size = |name: &str| {
            let path = format!("/run/box/media/sda1/images/coreos/1185.3.0/{name}");
            fs::metadata(path).unwrap().len()
        };
        let address = machine.address();
        let (kernel, initrd) = (size(KERNEL), size(INITRD));
        let mut expected = vec![
            format!(
                "dhcp: asks for a network boot (Efi64 firmware, PXEClient:Arch:00007:UNDI:003016, architecture 7): is offered {address}, to load snponly.efi"
            ),
            format!("dhcp: has taken {address}, to load snponly.efi"),
            "tftp: asks for its loader".to_owned(),
            "tftp: was sent snponly.efi whole, 40000 bytes".to_owned(),
            format!(
                "dhcp: asks for a network boot (Efi64 iPXE, PXEClient:Arch:00007:UNDI:003010, architecture 7): is offered {address}, to load http://10.10.10.1:8080/boot/52-54-00-00-00-01.ipxe"
            ),
            "script: runs its loader".to_owned(),
            format!(
                "dhcp: has taken {address}, to load http://10.10.10.1:8080/boot/52-54-00-00-00-01.ipxe"
            ),
            "life: installing, attempt 1".to_owned(),
            "script: was given its iPXE script: installing coreos/1185.3.0".to_owned(),
            "http: takes its kernel".to_owned(),
            format!("http: was sent images/coreos/1185.3.0/{KERNEL} whole, {kernel} bytes"),
            "http: takes its initial RAM disk".to_owned(),
            format!("http: was sent images/coreos/1185.3.0/{INITRD} whole, {initrd} bytes"),
            format!("dhcp: its system has {address}"),
            "config: was given install.sh".to_owned(),
            "config: was given its configuration of cloud-configs/".to_owned(),
            "http: was sent cloud-configs/52-54-00-00-00-01.yml whole, SIZE bytes".to_owned(),
            "http: takes the image for its disk".to_owned(),
            format!("http: was sent images/coreos/1185.3.0/{IMAGE} whole, {IMAGE_BYTES} bytes"),
            "life: has its whole image".to_owned(),
            "report: reports that it is installed".to_owned(),
            "life: installed, it boots its own disk now".to_owned(),
        ];
        let config = "/run/box/media/sda1/cloud-configs/52-54-00-00-00-01.yml";
        let config = fs::metadata(config).unwrap().len().to_string();
        expected.iter_mut().for_each(|line| *line = line.replace("SIZE", &config));
        expected.sort();
        assert_eq!(story, expected);
        let facts = serde_json::to_value(flight::facts(NODE_1)).unwrap();
        let expected = serde_json::json!({
            "firmware": "UEFI, UNDI 3.16", "arch": "x64", "secure_boot": false,
            "memory_mib": 2048, "nic": "82540em", "loader": "iPXE 1.21.1+",
        });
        assert_eq!(facts, expected);
    });
}

#[test]
fn the_story_goes_on_after_the_servers_were_killed_at_any_place_of_it() {
    isolated(|lan| {
        let (appliance, server, machine) = node_1(&lan);
        machine.boots(Firmware::EfiX64);
        machine.tftp("snponly.efi").unwrap();
        flight::wait_for(NODE_1, "was sent snponly.efi whole");
        let (before, facts) = (flight::story(NODE_1), flight::facts(NODE_1));
        let packets = flight::pcap(NODE_1);
        assert!(before.len() >= 4 && facts.arch.is_some() && packets.is_some());
        server.dies();
        let server = appliance.serves();
        assert_eq!(flight::story(NODE_1), before);
        assert_eq!((flight::facts(NODE_1), flight::pcap(NODE_1)), (facts, packets));
        installs(&machine);
        let after = flight::story(NODE_1);
        assert!(after.iter().any(|line| line.contains("is offered") && line.ends_with("×2")));
        assert!(after.iter().any(|line| line.contains("reports that it is installed")));
        // A kill in the middle of a download is no end of the story, either.
        let mut download = machine.connect(8080);
        download.request("GET", &format!("/1185.3.0/{IMAGE}"), &[]);
        server.dies();
        let _server = appliance.serves();
        assert!(flight::story(NODE_1).len() >= after.len());
    });
}

#[test]
fn a_record_that_is_damaged_or_a_lie_is_harmless() {
    isolated(|lan| {
        let (appliance, server, machine) = node_1(&lan);
        machine.boots(Firmware::EfiX64);
        let whole = fs::read(flight::RECORD).unwrap();
        let rows = flight::all().len();
        server.dies();
        let noise = |seed: u32| (0..400_000_u32).map(move |at| ((at * 31 + seed) >> 3) as u8);
        let torn: Vec<u8> = whole.iter().map(|byte| byte ^ 0x55).collect();
        for content in [noise(1).collect(), noise(7).collect(), torn, vec![0xff; 5_000_000]] {
            fs::write(flight::RECORD, &content).unwrap();
            let server = appliance.serves();
            assert_eq!(flight::all().len(), 0, "nothing of it is believed");
            assert!(fs::metadata(flight::RECORD).unwrap().len() < 100_000, "it is written anew");
            machine.boots(Firmware::EfiX64);
            assert_eq!(flight::all().len(), 2);
            server.dies();
        }
        // One row of many is damaged: the others are read.
        let mut damaged = whole;
        damaged[20] ^= 1;
        fs::write(flight::RECORD, damaged).unwrap();
        let _server = appliance.serves();
        assert_eq!(flight::all().len(), rows - 1);
    });
}

#[test]
fn strangers_that_only_ask_are_not_written_down() {
    isolated(|lan| {
        let (_appliance, server, machine) = node_1(&lan);
        let stranger = lan.machine("52:54:00:00:00:77");
        for number in 0..100_u8 {
            let mac = [2, 0, 0, 0, 1, number];
            let ask = Ask::new(Kind::Discover, mac).with(&Firmware::EfiX64.options());
            stranger.port.send(&ask);
        }
        stranger.boots(Firmware::EfiX64);
        machine.boots(Firmware::EfiX64);
        server.log.wait_for(&format!("{NODE_1}) is "));
        let mut known: Vec<String> = flight::all().iter().map(|row| row.1.to_string()).collect();
        known.sort();
        known.dedup();
        assert_eq!(known, [NODE_1, "52:54:00:00:00:77"], "who has an address, and no other");
    });
}

#[test]
fn files_in_parts_and_files_of_an_iso_are_one_entry_each() {
    isolated(|lan| {
        let (_appliance, _server, machine) = node_1(&lan);
        machine.boots(Firmware::EfiX64);
        let mut connection = machine.connect(8080);
        let target = format!("/1185.3.0/{IMAGE}");
        for part in 0..200 {
            let range = format!("Range: bytes={}-{}", part * 100, part * 100 + 99);
            assert_eq!(connection.ask("GET", &target, &[&range]).status, 206);
        }
        drop(connection);
        flight::wait_for(NODE_1, "the last one bytes 19900-19999");
        let parts = |entry: &str| entry.contains("takes parts of");
        let story = flight::story(NODE_1);
        let of_parts: Vec<&String> = story.iter().filter(|line| parts(line)).collect();
        assert_eq!(of_parts.len(), 1, "{story:#?}");
        assert!(of_parts[0].ends_with("×200"), "{of_parts:?}");
    });
}

#[test]
fn a_download_that_breaks_off_is_told_with_the_byte_and_by_whom() {
    isolated(|lan| {
        let (_appliance, _server, machine) = node_1(&lan);
        machine.boots(Firmware::EfiX64);
        let mut connection = machine.connect(8080);
        connection.request("GET", &format!("/1185.3.0/{IMAGE}"), &[]);
        connection.answer(true);
        drop(connection);
        let entry = flight::wait_for(NODE_1, "broke off images/coreos/1185.3.0/");
        assert_eq!((entry.source, entry.weight), (Source::Http, Weight::Warning));
        assert!(entry.words.ends_with(&format!(" of {IMAGE_BYTES}")), "{}", entry.words);
        // By TFTP: two blocks, then silence; and somebody who only looks.
        machine.namespace.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
            socket.send_to(b"\0\x01snponly.efi\0octet\0", SocketAddr::from((SERVER, 69))).unwrap();
            let mut block = [0; 600];
            for _ in 0..2 {
                let (_, peer) = socket.recv_from(&mut block).unwrap();
                socket.send_to(&[0, 4, block[2], block[3]], peer).unwrap();
            }
        });
        let entry = flight::wait_for(NODE_1, "broke off snponly.efi at byte ");
        assert!(entry.words.ends_with(" of 40000"), "{}", entry.words);
        machine.tftp_first_answer(b"\0\x01snponly.efi\0octet\0tsize\x000\0");
        flight::wait_for(NODE_1, "looked at snponly.efi, 40000 bytes, and took none");
    });
}

#[test]
fn who_asks_for_anothers_configuration_stands_in_its_timeline() {
    isolated(|lan| {
        let (_appliance, _server, machine) = node_1(&lan);
        let other = lan.machine(NODE_2);
        machine.boots(Firmware::EfiX64);
        other.boots(Firmware::EfiX64);
        assert_eq!(other.curl("/cloud-configs/52:54:00:00:00:01.yml").0, 403);
        let words = flight::of(NODE_1, Source::Config);
        assert_eq!(words.len(), 1);
        assert!(words[0].contains("somebody else asked for its configuration"), "{words:?}");
        assert!(words[0].contains(NODE_2), "{words:?}");
    });
}

#[test]
fn a_refusal_a_conflict_and_another_server_are_in_the_timeline() {
    isolated(|lan| {
        let (_appliance, server, machine) = node_1(&lan);
        let ask = |kind, more: &[(u8, Vec<u8>)]| {
            let options = [&Firmware::EfiX64.options()[..], more].concat();
            Ask::new(kind, machine.mac).with(&options)
        };
        let wanted = |address: [u8; 4]| (50, address.to_vec());
        let refused = machine.port.ask(&ask(Kind::Request, &[wanted([10, 10, 10, 9])])).unwrap();
        assert_eq!(refused.kind, Some(Kind::Nak));
        flight::wait_for(NODE_1, "asked for 10.10.10.9, which is not its own, and was refused");
        machine.boots(Firmware::EfiX64);
        let own = machine.address().octets();
        let server_id = (54, SERVER.octets().to_vec());
        machine.port.send(&ask(Kind::Decline, &[wanted(own), server_id]));
        server.log.wait_for("somebody else uses");
        flight::wait_for(NODE_1, "(DECLINE)");
        let other = (54, vec![10, 10, 10, 3]);
        machine.port.send(&ask(Kind::Request, &[wanted([10, 10, 10, 77]), other]));
        flight::wait_for(NODE_1, "takes the address that another DHCP server offers: 10.10.10.3");
        server.log.wait_for("takes the address that the DHCP server 10.10.10.3 offers");
    });
}
