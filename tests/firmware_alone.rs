//! Real firmware whose boot order has the network first, and a system on its disk: from power
//! on to the kernel that the disk holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{
    Board, Parts, Pc, STRANGERS_SCRIPT, TOLD_TO_BOOT_ITS_DISK, disk, kernel, loaders_of_the_image,
    questions_of_uefi,
};
use net::lan::SERVER;
use net::stick::STRANGER;
use net::{Appliance, Lan, isolated};

/// A stranger's computer, from power on to its own kernel, because it was told so.
fn boots_its_disk(lan: &Lan, board: Board) -> Pc {
    let appliance = Appliance::new("server", &loaders_of_the_image());
    appliance.sample_stick();
    let _server = appliance.serves();
    let memory = kernel::memory(board);
    let pc = Parts::new(board, STRANGER).with_a_system().memory(memory).starts(lan);
    pc.reaches("told to boot its disk", TOLD_TO_BOOT_ITS_DISK);
    pc.reaches("the disk's kernel", disk::system_says(board));
    pc
}

#[test]
fn the_ipxe_of_a_bios_network_card_gets_its_script_and_boots_the_disk() {
    isolated(|lan| {
        let pc = boots_its_disk(&lan, Board::Bios);
        let talk = pc.talk();
        let questions = [
            "DISCOVER by iPXE 0",
            "REQUEST to 10.10.10.1 by iPXE 0",
            "GET /boot/52-54-00-00-00-99.ipxe",
        ];
        assert_eq!(talk.asked(), questions);
        let address = talk.address();
        let answers = ["OFFER", "ACK"].map(|kind| format!("{kind} {address} {STRANGERS_SCRIPT}"));
        assert_eq!(talk.told_by(SERVER), answers);
    });
}

#[test]
fn uefi_on_x64_loads_our_ipxe_that_gets_its_script_and_boots_the_disk() {
    isolated(|lan| uefi(&lan, Board::EfiX64, 7, "snponly.efi"));
}

#[test]
fn uefi_on_arm64_loads_our_ipxe_that_gets_its_script_and_boots_the_disk() {
    isolated(|lan| uefi(&lan, Board::EfiArm64, 11, "ipxe-arm64.efi"));
}

fn uefi(lan: &Lan, board: Board, arch: u8, loader: &str) {
    let pc = boots_its_disk(lan, board);
    let talk = pc.talk();
    assert_eq!(talk.asked(), questions_of_uefi(arch, loader, SERVER, STRANGER));
    let address = talk.address();
    let answers = [
        ("OFFER", loader),
        ("ACK", loader),
        ("OFFER", STRANGERS_SCRIPT),
        ("ACK", STRANGERS_SCRIPT),
    ];
    let answers = answers.map(|(kind, file)| format!("{kind} {address} {file}"));
    assert_eq!(talk.told_by(SERVER), answers);
}
