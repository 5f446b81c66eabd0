//! A card whose `pxeberry.toml` has a wrong key, and no stick.

use super::lab::{Appliance, Card, Lan, Nic, Pc, PcParts, Result, Workshop};
use super::{APPLIANCE_START, STAGE, alone, runs_from_disk};

#[test]
fn without_a_stick_and_with_a_wrong_key_machines_still_boot_their_disks() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("no-stick")?;
    let lan = Lan::new(&workshop);
    let card =
        Card::with_settings(&workshop, "mode = \"server\"\n\n[boot]\nbios_loder = \"pxelinux\"\n")?;
    let mut appliance = Appliance::start(&workshop, &lan, &card, None)?;
    let complaint = appliance.console.wait_for("bios_loder", APPLIANCE_START)?.text;
    assert!(
        complaint.contains("pxeberry.toml") && complaint.contains("bios_loader"),
        "{complaint}"
    );
    assert_eq!(appliance.console.lines_with("bios_loder").len(), 1);
    // The defaults: not "server" at once, but after a look at the LAN.
    appliance
        .console
        .wait_for("no other DHCP server answers: giving addresses", APPLIANCE_START)?;

    // Whoever sits at the box may ask.
    appliance.console.type_line("status")?;
    appliance.console.wait_for("giving addresses from 10.10.10.100", STAGE)?;

    let disk = workshop.bootable_disk("disk.img")?;
    let parts =
        PcParts { name: "pc", mac: "52:54:00:00:00:01", nic: Nic::Virtio, disk, boot_order: "nc" };
    let pc = Pc::start(&workshop, &lan, &parts)?;
    pc.console.wait_for("pxeberry: booting your own disk (there is no stick)", STAGE)?;
    runs_from_disk(&pc, "I have no user_data, version 1185.3.0")
}
