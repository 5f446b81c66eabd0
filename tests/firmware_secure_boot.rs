//! Real firmware with Secure Boot on: shim, Debian's GRUB, and what GRUB is told to start.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{Board, DISK_RUNS, Parts, TOLD_TO_BOOT_ITS_DISK, secure};
use net::lan::SERVER;
use net::stick::{KERNEL, NODE_1, STRANGER, VERSION};
use net::{Appliance, Lan, isolated};
use pxeberry::boot::plan::Plan;
use pxeberry::boot::{Endpoint, grub};

const SHIM_FOR_ALL: &str = "boot.uefi_loader = \"shim\"";

#[test]
fn x64_boots_a_strangers_disk_through_signed_loaders() {
    isolated(|lan| boots_a_strangers_disk(&lan, Board::EfiX64, 7, "x64"));
}

#[test]
fn arm64_boots_a_strangers_disk_through_signed_loaders() {
    isolated(|lan| boots_a_strangers_disk(&lan, Board::EfiArm64, 11, "aa64"));
}

fn boots_a_strangers_disk(lan: &Lan, board: Board, arch: u8, cpu: &str) {
    let appliance = Appliance::new("server", &format!("{}\n{SHIM_FOR_ALL}", secure::loaders()));
    appliance.sample_stick();
    let _server = appliance.serves();
    let pc = Parts::new(board, STRANGER).secure().starts(lan);
    pc.console.wait_for(TOLD_TO_BOOT_ITS_DISK);
    pc.console.wait_for(DISK_RUNS);
    let talk = pc.talk();
    assert_eq!(talk.asked(), secure::questions(arch, cpu, SERVER));
    let (address, shim) = (talk.address(), format!("shim{cpu}.efi"));
    let answers = ["OFFER", "ACK"].map(|kind| format!("{kind} {address} {shim}"));
    assert_eq!(talk.told_by(SERVER), answers);
}

#[test]
fn http_boot_brings_shim_and_grub_by_url() {
    isolated(|lan| {
        let appliance = Appliance::new("server", &format!("{}\n{SHIM_FOR_ALL}", secure::loaders()));
        appliance.sample_stick();
        let _server = appliance.serves();
        let pc = Parts::new(Board::EfiX64, STRANGER).secure().only_http().starts(&lan);
        pc.console.wait_for(TOLD_TO_BOOT_ITS_DISK);
        pc.console.wait_for(DISK_RUNS);
        let questions = [
            "DISCOVER by firmware 16",
            "REQUEST to 10.10.10.1 by firmware 16",
            "HEAD /boot/shimx64.efi",
            "GET /boot/shimx64.efi",
            "GET /boot/revocations_sku.efi",
            "GET /boot/revocations_sbat.efi",
            "GET /boot/shim_certificate_0.efi",
            "GET /boot//grubx64.efi",
            "HEAD /grub/x86_64-efi/command.lst",
            "HEAD /grub/x86_64-efi/fs.lst",
            "HEAD /grub/x86_64-efi/crypto.lst",
            "HEAD /grub/x86_64-efi/terminal.lst",
            "HEAD /grub/grub.cfg",
            "GET /grub/grub.cfg",
        ];
        assert_eq!(pc.talk().asked(), questions);
    });
}

#[test]
fn a_kernel_whose_signature_is_not_right_is_refused_and_asked_for_again() {
    isolated(|lan| {
        let appliance = Appliance::new("server", &format!("{}\n{SHIM_FOR_ALL}", secure::loaders()));
        let stick = appliance.sample_stick();
        let mut kernel = secure::of_the_pc(KERNEL);
        let middle = kernel.len() / 2;
        kernel[middle] ^= 1;
        stick.write(&format!("images/coreos/{VERSION}/{KERNEL}"), kernel);
        let _server = appliance.serves();
        let pc = Parts::new(Board::EfiX64, NODE_1).secure().starts(&lan);
        pc.console.wait_for("bad shim signature");
        pc.console.wait_for_nth("Secure Boot refuses the kernel; trying again", 2);
        let kernel = |by: &str| format!("{by}{KERNEL}");
        let talk = pc.talk();
        let files = &talk.asked()[secure::questions(7, "x64", SERVER).len()..];
        let [by_http, by_tftp] = [kernel("GET /boot/"), kernel("TFTP /")];
        assert_eq!(files, [&*by_http, &by_tftp, &by_http, &by_tftp]);
    });
}

#[test]
fn a_machine_that_was_asked_to_wait_comes_back_for_its_configuration() {
    isolated(|lan| {
        let appliance = Appliance::new("server", &format!("{}\n{SHIM_FOR_ALL}", secure::loaders()));
        let stick = appliance.sample_stick();
        // What it is given while the sticks are read, at the place where it asks first.
        let endpoint = Endpoint { address: SERVER, port: 8080, syslog: false };
        let wait = grub::config(STRANGER.parse().ok(), &Plan::Wait, endpoint);
        stick.write("tftp/grub/grub.cfg", wait);
        let _server = appliance.serves();
        let pc = Parts::new(Board::EfiX64, STRANGER).secure().starts(&lan);
        pc.console.wait_for("pxeberry: starting, one moment");
        pc.console.wait_for(TOLD_TO_BOOT_ITS_DISK);
        pc.console.wait_for(DISK_RUNS);
        let again = "TFTP /grub/grub.cfg-01-52-54-00-00-00-99";
        assert_eq!(pc.talk().asked().last(), Some(&again));
    });
}
