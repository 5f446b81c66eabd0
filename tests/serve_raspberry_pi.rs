//! A Raspberry Pi as client: it calls itself a BIOS PC, and asks for files by its serial
//! number. No emulator has its ROM: what it sends is made after its makers' documents.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::time::{Duration, Instant};

use net::lan::SERVER;
use net::{Appliance, Ask, Heard, Kind, Machine, Stick, isolated};

const PI_3: &str = "b8:27:eb:2a:3b:4c";
const PI_4: &str = "dc:a6:32:2a:3b:4c";
const PI_5: &str = "2c:cf:67:2a:3b:4c";

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

fn pi_5() -> Vec<(u8, Vec<u8>)> {
    options(b"RPi5\x17\x41\xd0\0\x67\x2a\x3b\x4c\x9d\x5e\x7f\x10")
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
    let menu = b"\x06\x01\x08\x0a\x04\0PXE\x09\x14\0\0\x11Raspberry Pi Boot\xff";
    assert_eq!(offer.option(43), Some(&menu[..]), "its ROM compares every byte");
    assert_eq!(offer.option(175), None, "that is for iPXE");
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
        let silence = Duration::from_millis(700);
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

#[test]
fn a_pi_5_finds_its_kernel_by_its_serial_number_and_asks_in_vain_for_what_a_pi_4_needs() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = stick(&appliance);
        stick.write(&format!("tftp/{SERIAL}/config.txt"), "for this Pi");
        stick.write(&format!("tftp/{SERIAL}/kernel_2712.img"), vec![9; 3_000_000]);
        let _server = appliance.serves();
        let machine = lan.machine(PI_5);
        let ask = Ask::new(Kind::Discover, machine.mac).with(&pi_5());
        is_for_a_pi(&machine.port.ask(&ask).expect("no OFFER"));
        machine.use_address(machine.leases(&pi_5()).yiaddr);
        let own = |name: &str| format!("{SERIAL}/{name}");
        assert_eq!(machine.tftp_text(&own("config.txt")), "for this Pi");
        assert_eq!(machine.tftp(&own("kernel_2712.img")).unwrap().len(), 3_000_000);
        is_missing(
            &machine,
            &[&own("start.elf"), &own("bcm2712-rpi-5-b.dtb"), &own("cmdline.txt")],
        );
    });
}

/// What a Pi 4 asks for while it finds nothing but its firmware (rpi-eeprom issue 74).
const ASKED_IN_VAIN: [&str; 16] = [
    "9d5e7f10/start.elf",
    "9d5e7f10/config.txt",
    "recover4.elf",
    "recovery.elf",
    "start4.elf",
    "start.elf",
    "fixup4.dat",
    "fixup.dat",
    "dt-blob.bin",
    "kernel8.img",
    "kernel7l.img",
    "armstub8-gic.bin",
    "bcm2711-rpi-4-b.dtb",
    "overlays/overlay_map.dtb",
    "cmdline.txt",
    "bootcfg.txt",
];

#[test]
fn a_pi_waits_for_no_file_that_is_not_there() {
    isolated(|lan| {
        let appliance = Appliance::server();
        stick(&appliance);
        let server = appliance.serves();
        let machine = lan.machine(PI_4);
        machine.use_address(machine.leases(&pi_4()).yiaddr);
        // A busy host can stop anybody for a moment: the best of three counts.
        let took = (0..3).map(|_| {
            let begin = Instant::now();
            is_missing(&machine, &ASKED_IN_VAIN);
            begin.elapsed()
        });
        let took = took.min().unwrap();
        println!("measured: {} refusals in {} ms", ASKED_IN_VAIN.len(), took.as_millis());
        // Silence would cost thirty seconds for each of them, one repetition 400 ms.
        assert!(took < Duration::from_millis(400), "{took:?}");
        assert_eq!(server.log.count("not there"), 0, "that is no news");
    });
}

#[test]
fn a_pi_4_gets_the_options_that_it_asked_for_and_may_end_a_transfer_early() {
    isolated(|lan| {
        let appliance = Appliance::server();
        stick(&appliance);
        let server = appliance.serves();
        let machine = lan.machine(PI_4);
        machine.use_address(machine.leases(&pi_4()).yiaddr);
        for blocks in ["1024", "1468"] {
            let wish = format!("\0octet\0tsize\x000\0blksize\0{blocks}\0");
            let request = [b"\0\x01", SERIAL.as_bytes(), b"/start4.elf", wish.as_bytes()].concat();
            let granted = format!("\0\x06blksize\0{blocks}\0tsize\018\0");
            // It looks at the size, and ends that with an ERROR.
            let answer = machine.tftp_first_answer(&request);
            assert_eq!(String::from_utf8_lossy(&answer), granted);
        }
        assert_eq!(machine.tftp_text(&format!("{SERIAL}/start4.elf")), "this Pi's firmware");
        assert_eq!(server.log.count("warning: "), 0, "{:#?}", server.log.lines());
    });
}
