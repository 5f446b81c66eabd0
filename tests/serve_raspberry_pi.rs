//! A Raspberry Pi as client: it calls itself a BIOS PC, and asks for files by its serial
//! number. No emulator has its ROM: what it sends is made after its makers' documents.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::lan::SERVER;
use net::{Appliance, Ask, Heard, Kind, Machine, Stick, isolated};

const PI_3: &str = "b8:27:eb:2a:3b:4c";
const PI_4: &str = "dc:a6:32:2a:3b:4c";

/// The last eight digits of its serial number: the folder that it asks in.
const SERIAL: &str = "9d5e7f10";

/// What both send besides their UUID.
fn options(uuid: &[u8]) -> Vec<(u8, Vec<u8>)> {
    vec![
        (55, vec![43, 60, 67, 128, 129, 130, 131, 132, 133, 134, 135, 66]),
        (93, vec![0, 0]),
        (94, vec![1, 2, 1]),
        (97, [&[0], uuid].concat()),
        (60, b"PXEClient:Arch:00000:UNDI:002001".to_vec()),
    ]
}

fn pi_4() -> Vec<(u8, Vec<u8>)> {
    options(b"RPi4\x15\x31\xc0\0\x32\x2a\x3b\x4c\x9d\x5e\x7f\x10")
}

/// A stick with boot files for one Pi in its own folder, and for all others beside it.
fn stick(appliance: &Appliance) -> Stick {
    let stick = appliance.sample_stick();
    stick.write(&format!("tftp/{SERIAL}/start4.elf"), "this Pi's firmware");
    stick.write("tftp/dc-a6-32-2a-3b-4c/config.txt", "by its address");
    stick.write("tftp/config.txt", "for every Pi");
    stick.write("tftp/bootcode.bin", vec![7; 52_000]);
    stick
}

#[track_caller]
fn is_for_a_pi(offer: &Heard) {
    assert_eq!((offer.siaddr, offer.file.as_str()), (SERVER, ""), "it has its own names");
    assert_eq!(offer.option(60), Some(&b"PXEClient"[..]));
    let menu = offer.option(43).unwrap();
    assert!(menu.windows(17).any(|part| part == b"Raspberry Pi Boot"), "{menu:?}");
}

/// Names that are not there: the code of the refusal, which must come at once.
#[track_caller]
fn is_missing(machine: &Machine, names: &[&str]) {
    for name in names {
        assert_eq!(machine.tftp(name).unwrap_err().code, 1, "{name}");
    }
}

#[test]
fn a_pi_4_finds_its_files_by_its_serial_number_or_its_address_or_beside_them() {
    isolated(|lan| {
        let appliance = Appliance::server();
        stick(&appliance);
        let _server = appliance.serves();
        let machine = lan.machine(PI_4);
        let ask = Ask::new(Kind::Discover, machine.mac).with(&pi_4());
        is_for_a_pi(&machine.port.ask(&ask).expect("no OFFER"));
        machine.use_address(machine.leases(&pi_4()).yiaddr);
        assert_eq!(machine.tftp_text(&format!("{SERIAL}/start4.elf")), "this Pi's firmware");
        is_missing(&machine, &[&format!("{SERIAL}/start.elf"), &format!("{SERIAL}/config.txt")]);
        assert_eq!(machine.tftp_text("dc-a6-32-2a-3b-4c/config.txt"), "by its address");
        assert_eq!(machine.tftp_text("config.txt"), "for every Pi");
        is_missing(&machine, &["recover4.elf", "recovery.elf", "start4.elf", "fixup4.dat"]);
    });
}

#[test]
fn a_pi_3_uses_the_offered_address_without_requesting_it_and_nobody_else_gets_it() {
    isolated(|lan| {
        let one = "server.pool = \"10.10.10.100-10.10.10.100\"";
        let appliance = Appliance::new("server", one);
        let stick = stick(&appliance);
        let _server = appliance.serves();
        let [pi, other] = [PI_3, "52:54:00:00:00:99"].map(|mac| lan.machine(mac));
        let ask = Ask::new(Kind::Discover, pi.mac).with(&options(&[0x44; 16]));
        let offer = pi.port.ask(&ask).expect("no OFFER");
        is_for_a_pi(&offer);
        pi.use_address(offer.yiaddr);
        // 512-byte blocks and no options; what is not there is no news.
        assert!(pi.tftp("bootcode.bin").unwrap() == stick.read("tftp/bootcode.bin"));
        is_missing(&pi, &["bootsig.bin", "44444444/start.elf"]);
        other.port.send(&Ask::new(Kind::Discover, other.mac));
        let silence = std::time::Duration::from_millis(700);
        assert!(other.port.hear(silence, |_| true).is_none(), "the Pi's address was offered");
    });
}

#[test]
fn beside_another_server_a_pi_is_told_where_to_boot_and_given_no_address() {
    isolated(|lan| {
        let server = Appliance::new("proxy", "").starts();
        server.log.wait_for("beside the DHCP server that gives the addresses");
        let machine = lan.machine(PI_4);
        let ask = Ask::new(Kind::Discover, machine.mac).with(&pi_4());
        let offer = machine.port.ask(&ask).expect("no OFFER");
        is_for_a_pi(&offer);
        assert!(offer.yiaddr.is_unspecified());
    });
}
