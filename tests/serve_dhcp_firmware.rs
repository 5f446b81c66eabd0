//! What firmware is told to load, and how the answer reaches it: crafted packets, because
//! every byte counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::lan::SERVER;
use net::packet::UUID;
use net::{Appliance, Ask, Firmware, Heard, Kind, isolated};

const MAC: &str = "52:54:00:00:00:41";

/// "Boot the file of this offer" (PXE 2.1 table 2-1).
const DIRECT: &[u8] = b"\x06\x01\x08\x0a\x04\0PXE\xff";

fn discover(mac: [u8; 6], firmware: Firmware) -> Ask {
    Ask::new(Kind::Discover, mac).with(&firmware.options()).broadcast(firmware.wants_broadcast())
}

/// What every answer to firmware holds.
#[track_caller]
fn is_complete(offer: &Heard) {
    assert_eq!(offer.siaddr, SERVER, "siaddr: EDK2, shim, GRUB");
    assert_eq!(offer.option(54), Some(&SERVER.octets()[..]), "EDK2 drops an OFFER without 54");
    assert_eq!(offer.option(51), Some(&43_200_u32.to_be_bytes()[..]));
    assert_eq!(offer.option(1), Some(&[255, 255, 255, 0][..]));
    assert_eq!(offer.option(67), None, "the name stands in the header");
    assert!((300..=548).contains(&offer.length), "{} bytes", offer.length);
}

#[test]
fn each_firmware_is_offered_the_loader_that_it_can_run() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        for (firmware, file) in [
            (Firmware::Bios, "undionly.kpxe"),
            (Firmware::EfiX64, "snponly.efi"),
            (Firmware::EfiArm64, "ipxe-arm64.efi"),
        ] {
            let offer = machine.port.ask(&discover(machine.mac, firmware)).expect("no OFFER");
            assert_eq!(offer.kind, Some(Kind::Offer), "{firmware:?}");
            assert_eq!(offer.file, file, "{firmware:?}");
            is_complete(&offer);
            assert_eq!(offer.option(60), Some(&b"PXEClient"[..]), "{firmware:?}");
            assert_eq!(offer.option(43), Some(DIRECT), "60 without 43 sends EDK2 to port 4011");
            assert_eq!(offer.option(97), Some(&UUID[..]), "{firmware:?}");
        }
    });
}

#[test]
fn the_acknowledgement_says_the_same_as_the_offer() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        let ack = machine.leases(&Firmware::EfiX64.options());
        assert_eq!(ack.file, "snponly.efi");
        is_complete(&ack);
        assert_eq!(ack.option(60), Some(&b"PXEClient"[..]));
        assert_eq!(ack.option(43), Some(DIRECT));
        assert_eq!(ack.option(97), Some(&UUID[..]));
    });
}

#[test]
fn pxelinux_is_offered_to_a_bios_where_the_config_says_so_and_uefi_keeps_its_loader() {
    isolated(|lan| {
        let _server = Appliance::new("server", "boot.bios_loader = \"pxelinux\"").starts();
        let machine = lan.machine(MAC);
        // An iPXE in a BIOS ROM loads PXELINUX as well.
        for firmware in [Firmware::Bios, Firmware::IpxeBios] {
            let offer = machine.port.ask(&discover(machine.mac, firmware)).expect("no OFFER");
            assert_eq!(offer.file, "pxelinux.0", "{firmware:?}");
            assert_eq!(offer.option(43), Some(DIRECT));
        }
        let offer = machine.port.ask(&discover(machine.mac, Firmware::EfiX64)).expect("no OFFER");
        assert_eq!(offer.file, "snponly.efi");
    });
}

#[test]
fn ipxe_is_given_its_script_and_never_ipxe_again() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        for firmware in [Firmware::IpxeBios, Firmware::IpxeEfiX64] {
            let offer = machine.port.ask(&discover(machine.mac, firmware)).expect("no OFFER");
            assert_eq!(offer.file, "http://10.10.10.1:8080/boot/52-54-00-00-00-41.ipxe");
            is_complete(&offer);
            assert_eq!(offer.option(60), None, "{firmware:?}");
            assert_eq!(offer.option(43), None, "{firmware:?}");
            assert_eq!(offer.option(175), Some(&[0xb0, 1, 1][..]), "do not wait for a proxy");
        }
    });
}

#[test]
fn uefi_http_boot_is_given_a_url() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        let offer = machine.port.ask(&discover(machine.mac, Firmware::HttpX64)).expect("no OFFER");
        assert_eq!(offer.file, "http://10.10.10.1:8080/boot/snponly.efi");
        assert_eq!(offer.option(60), Some(&b"HTTPClient"[..]));
        assert_eq!(offer.option(43), None);
        is_complete(&offer);
    });
}

#[test]
fn who_does_not_boot_from_the_network_is_given_an_address_and_no_boot_data() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        let id = [0xff, 1, 2, 3, 4, 0, 2, 5, 6, 7, 8];
        let ack = machine.leases(&[(61, id.to_vec()), (55, vec![1, 3, 6, 43, 60, 66, 67])]);
        assert_eq!(ack.file, "");
        assert!(ack.siaddr.is_unspecified());
        for code in [43, 60, 66, 67, 97, 175] {
            assert_eq!(ack.option(code), None, "option {code}");
        }
        assert_eq!(ack.option(61), Some(&id[..]), "RFC 6842");
    });
}

#[test]
fn an_answer_is_broadcast_to_who_asks_for_that_and_sent_to_the_card_of_who_does_not() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        let ask = |wish| Ask::new(Kind::Discover, machine.mac).broadcast(wish);
        let loud = machine.port.ask(&ask(true)).expect("no OFFER");
        assert_eq!(loud.frame_to, [0xff; 6]);
        assert_eq!(loud.ip_to.octets(), [255; 4]);
        assert_eq!(loud.flags, 0x8000);
        let quiet = machine.port.ask(&ask(false)).expect("no OFFER");
        assert_eq!(quiet.frame_to, machine.mac);
        assert_eq!(quiet.ip_to, quiet.yiaddr);
        assert_eq!(quiet.flags, 0);
        for offer in [loud, quiet] {
            assert_eq!(offer.ip_from, SERVER);
            assert_eq!(net::lan::octets(&lan.hardware()), offer.frame_from);
        }
    });
}

#[test]
fn one_machine_keeps_its_address_from_firmware_to_installed_system() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        let id = |id: &[u8]| vec![(61, id.to_vec())];
        let rom = machine.leases(&[Firmware::Bios.options(), id(&UUID)].concat()).yiaddr;
        let card = [&[1][..], &machine.mac].concat();
        let ipxe = machine.leases(&[Firmware::IpxeBios.options(), id(&card)].concat()).yiaddr;
        let in_memory = machine.leases(&id(&card)).yiaddr;
        let installed = machine.leases(&id(&[0xff, 9, 9, 9, 9, 0, 2, 1])).yiaddr;
        assert_eq!([ipxe, in_memory, installed], [rom; 3]);
    });
}

#[test]
fn only_who_has_an_address_can_look_for_a_boot_server_and_everybody_else_gets_one() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(MAC);
        let item = (43, vec![71, 4, 0, 0, 0, 0, 255]);
        let options = [Firmware::Bios.options(), vec![item]].concat();
        let ack = machine.leases(&options);
        machine.use_address(ack.yiaddr);
        let ask = Ask::new(Kind::Inform, machine.mac).from(ack.yiaddr).with(&options);
        let answer = machine.port.ask(&ask).expect("no answer for the boot server's item");
        assert_eq!((answer.kind, answer.file.as_str()), (Some(Kind::Ack), "undionly.kpxe"));
        let vendor = answer.option(43).unwrap();
        assert!(vendor.windows(6).any(|part| part == [71, 4, 0, 0, 0, 0]), "{vendor:?}");
    });
}
