//! UEFI HTTP boot: the loader comes by URL, and nothing by TFTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;

use net::firmware::{
    Board, Parts, Pc, STRANGERS_SCRIPT, TOLD_TO_BOOT_ITS_DISK, loaders_of_the_image,
};
use net::lan::SERVER;
use net::rival::{RIVAL, ROUTER, dnsmasq};
use net::stick::STRANGER;
use net::{Appliance, Lan, isolated};

#[test]
fn uefi_on_x64_gets_its_address_and_the_url_of_our_ipxe() {
    isolated(|lan| alone(&lan, Board::EfiX64, [16, 7], "snponly.efi"));
}

#[test]
fn uefi_on_arm64_gets_its_address_and_the_url_of_our_ipxe() {
    isolated(|lan| alone(&lan, Board::EfiArm64, [19, 11], "ipxe-arm64.efi"));
}

fn alone(lan: &Lan, board: Board, archs: [u8; 2], loader: &str) {
    let appliance = Appliance::new("server", &loaders_of_the_image());
    appliance.sample_stick();
    let _server = appliance.serves();
    let pc = boots(lan, board);
    let talk = pc.talk();
    assert_eq!(talk.asked(), questions(archs, loader, SERVER));
    let address = talk.address();
    let url = format!("http://10.10.10.1:8080/boot/{loader}");
    let answers =
        [("OFFER", &*url), ("ACK", &url), ("OFFER", STRANGERS_SCRIPT), ("ACK", STRANGERS_SCRIPT)];
    let answers = answers.map(|(kind, file)| format!("{kind} {address} {file}"));
    assert_eq!(talk.told_by(SERVER), answers);
}

#[test]
fn beside_another_dhcp_server_uefi_gets_the_url_from_us_and_its_address_from_there() {
    isolated(|lan| {
        let router = lan.machine(RIVAL);
        let _rival = dnsmasq(&router, &["--no-ping"]);
        let appliance = Appliance::new("proxy", &loaders_of_the_image());
        appliance.sample_stick();
        let server = appliance.starts();
        server.log.wait_for(" read: ");
        server.log.wait_for("beside the DHCP server that gives the addresses");
        let pc = boots(&lan, Board::EfiX64);
        let talk = pc.talk();
        assert_eq!(talk.asked(), questions([16, 7], "snponly.efi", ROUTER));
        let files = ["http://10.10.10.1:8080/boot/snponly.efi", STRANGERS_SCRIPT];
        assert_eq!(talk.told_by(SERVER), files.map(|file| format!("OFFER 0.0.0.0 {file}")));
    });
}

/// A stranger's computer, from power on until it is told to boot its disk.
fn boots(lan: &Lan, board: Board) -> Pc {
    let pc = Parts::new(board, STRANGER).only_http().starts(lan);
    pc.console.wait_for(TOLD_TO_BOOT_ITS_DISK);
    pc
}

/// What EDK2 and then our iPXE ask while `server` gives the addresses.
fn questions([firmware, ipxe]: [u8; 2], loader: &str, server: Ipv4Addr) -> Vec<String> {
    vec![
        format!("DISCOVER by firmware {firmware}"),
        format!("REQUEST to {server} by firmware {firmware}"),
        format!("HEAD /boot/{loader}"),
        format!("GET /boot/{loader}"),
        "GET /boot/autoexec.ipxe".to_owned(),
        format!("DISCOVER by iPXE {ipxe}"),
        format!("REQUEST to {server} by iPXE {ipxe}"),
        "GET /boot/52-54-00-00-00-99.ipxe".to_owned(),
    ]
}
