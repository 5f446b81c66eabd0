//! Real firmware whose addresses come from another DHCP server, in the cases that are not in
//! the matrix: a way to the disk, and what a machine needs that ignored an offer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{
    Board, DISK_RUNS, Parts, Pc, STRANGERS_SCRIPT, TOLD_TO_BOOT_ITS_DISK, loaders_of_the_image,
    questions_of_uefi,
};
use net::lan::SERVER;
use net::rival::{RIVAL, ROUTER, dnsmasq};
use net::stick::STRANGER;
use net::{Appliance, Ask, Firmware, Kind, Lan, isolated};

/// A stranger's computer, from power on until its console says `last`; something happens
/// `before`.
fn boots(lan: &Lan, board: Board, settings: &str, last: &str, before: impl Fn()) -> Pc {
    let router = lan.machine(RIVAL);
    let _rival = dnsmasq(&router, &["--no-ping"]);
    let appliance = Appliance::new("proxy", &format!("{}\n{settings}", loaders_of_the_image()));
    appliance.sample_stick();
    let server = appliance.starts();
    server.log.wait_for(" read: ");
    server.log.wait_for("beside the DHCP server that gives the addresses");
    before();
    let pc = Parts::new(board, STRANGER).starts(lan);
    pc.console.wait_for(last);
    pc
}

#[test]
fn pxelinux_asks_the_server_that_it_came_from_and_boots_the_disk() {
    isolated(|lan| {
        let settings = "boot.bios_loader = \"pxelinux\"";
        let pc = boots(&lan, Board::Bios, settings, DISK_RUNS, || {});
        let questions = [
            "DISCOVER by iPXE 0",
            "REQUEST to 10.10.10.200 by iPXE 0",
            "TFTP pxelinux.0",
            "TFTP ldlinux.c32",
            "TFTP pxelinux.cfg/01-52-54-00-00-00-99",
            "TFTP chain.c32",
            "TFTP libcom32.c32",
            "TFTP libutil.c32",
        ];
        assert_eq!(pc.talk().asked(), questions);
        assert_eq!(pc.talk().told_by(SERVER), ["OFFER 0.0.0.0 pxelinux.0"]);
    });
}

#[test]
fn uefi_on_x64_that_is_offered_no_file_asks_for_it_on_port_4011() {
    isolated(|lan| uefi_on_asking(&lan, Board::EfiX64, (7, "snponly.efi"), Firmware::EfiX64));
}

#[test]
fn uefi_on_arm64_that_is_offered_no_file_asks_for_it_on_port_4011() {
    let arm64 = Board::EfiArm64;
    isolated(|lan| uefi_on_asking(&lan, arm64, (11, "ipxe-arm64.efi"), Firmware::EfiArm64));
}

/// The machine ignored an offer before, so that it is offered its file in the other way.
fn uefi_on_asking(lan: &Lan, board: Board, (arch, loader): (u8, &str), crafted: Firmware) {
    let ignores_an_offer = || {
        let machine = lan.machine(STRANGER);
        let discover = Ask::new(Kind::Discover, machine.mac).with(&crafted.options());
        machine.port.send(&discover.broadcast(true));
        machine.port.hear(net::PATIENCE, |heard| heard.ip_from == SERVER).expect("no offer");
    };
    let pc = boots(lan, board, "", TOLD_TO_BOOT_ITS_DISK, ignores_an_offer);
    let mut questions = questions_of_uefi(arch, loader, ROUTER, STRANGER);
    questions.insert(2, format!("REQUEST by firmware {arch} on port 4011"));
    assert_eq!(pc.talk().asked(), questions);
    let file = format!("ACK 0.0.0.0 {loader} on port 4011");
    let script = format!("OFFER 0.0.0.0 {STRANGERS_SCRIPT}");
    assert_eq!(pc.talk().told_by(SERVER), ["OFFER 0.0.0.0", &file, &script]);
}
