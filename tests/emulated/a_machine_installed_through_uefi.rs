//! A PC with UEFI, which boots from the network first: its firmware, our iPXE, the kernel and
//! the installer, all of it from the finished image. The disk that is installed here has no
//! loader for UEFI, so the last thing to see is that the PC is sent to it.

use super::lab::{
    Appliance, Card, FileSystem, Lan, Nic, Pc, PcParts, Result, StickContent, Workshop,
};
use super::{APPLIANCE_START, STAGE, alone};

const NODE_1: &str = "52:54:00:00:00:01";

#[test]
#[ignore = "takes two minutes, and the same with a BIOS is always run: tests/run --all"]
fn a_machine_with_uefi_is_installed_from_the_finished_image_and_then_sent_to_its_disk() -> Result<()>
{
    let _alone = alone();
    let workshop = Workshop::open("uefi")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-1", NODE_1)])?.image(FileSystem::Fat32)?;
    let appliance = Appliance::start(&workshop, &lan, &Card::new(&workshop)?, Some(&stick))?;
    appliance.console.wait_for("1 stick read: 1 image, 1 machine", APPLIANCE_START)?;
    appliance.console.wait_for("giving addresses from", APPLIANCE_START)?;

    let disk = workshop.empty_disk("node-1.img")?;
    let parts = PcParts { name: "node-1", mac: NODE_1, nic: Nic::Virtio, disk, boot_order: "nc" };
    let pc = Pc::start_with_uefi(&workshop, &lan, &parts)?;
    for line in [
        "Start PXE over IPv4",
        "pxeberry: installing CoreOS",
        "stand-in: CoreOS stand-in 1185.3.0: started",
        "Success! CoreOS 1185.3.0 is installed",
        "Start PXE over IPv4",
        "pxeberry: booting your own disk (it is installed)",
    ] {
        pc.console.wait_for(line, STAGE)?;
    }
    Ok(())
}
