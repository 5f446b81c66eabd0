//! U-Boot alone with the appliance: by its own words and through its UEFI.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{Board, DISK_RUNS, Parts, Pc, loaders_of_the_image};
use net::lan::SERVER;
use net::{Appliance, Lan, isolated};

/// What U-Boot calls itself on every emulated machine, whatever QEMU's card says.
const U_BOOT: &str = "52:52:52:52:52:52";

/// From power on until the console says `last`.
fn boots(lan: &Lan, line: &str, last: &str) -> Pc {
    let appliance = Appliance::new("server", &loaders_of_the_image());
    appliance.sample_stick();
    let _server = appliance.serves();
    let pc = Parts::new(Board::UBoot, U_BOOT).told(line).starts(lan);
    pc.console.wait_for(last);
    pc
}

/// The network first, in the words of U-Boot's own `bootcmd_pxe`, then the disk.
const NETWORK_THEN_DISK: &str = "dhcp; if pxe get; then pxe boot; fi; run bootcmd_virtio0";

#[test]
fn u_boot_of_a_stranger_reads_its_pxelinux_cfg_and_goes_on_to_its_disk() {
    isolated(|lan| {
        let pc = boots(&lan, NETWORK_THEN_DISK, DISK_RUNS);
        // It knows nothing of COM32, and passes our label by.
        assert_eq!(pc.console.count("No kernel given, skipping local"), 1);
        let talk = pc.talk();
        let questions = [
            "DISCOVER by firmware 22",
            "REQUEST to 10.10.10.1 by firmware 22",
            "TFTP ipxe-arm64.efi",
            "TFTP pxelinux.cfg/01-52-52-52-52-52-52",
        ];
        assert_eq!(talk.asked(), questions);
        let address = talk.address();
        let answers = ["OFFER", "ACK"].map(|kind| format!("{kind} {address} ipxe-arm64.efi"));
        assert_eq!(talk.told_by(SERVER), answers);
    });
}

/// What it asks as the UEFI that it has inside. This U-Boot (2023.01) and this iPXE (1.21.1)
/// go no further: iPXE waits at its first line for ever.
#[test]
fn the_uefi_of_u_boot_is_given_our_ipxe_and_starts_it() {
    isolated(|lan| {
        let pc = boots(&lan, "run bootcmd_dhcp", "iPXE initialising devices");
        let talk = pc.talk();
        let questions = [
            "DISCOVER by firmware 22",
            "REQUEST to 10.10.10.1 by firmware 22",
            "TFTP boot.scr.uimg",
            "DISCOVER by firmware 11",
            "REQUEST to 10.10.10.1 by firmware 11",
            "TFTP ipxe-arm64.efi",
            "TFTP dtb/",
        ];
        assert_eq!(talk.asked(), questions);
        let address = talk.address();
        let answers = ["OFFER", "ACK"].map(|kind| format!("{kind} {address} ipxe-arm64.efi"));
        assert_eq!(talk.told_by(SERVER), [&answers[..], &answers].concat());
    });
}
