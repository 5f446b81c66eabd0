//! One machine whose firmware always tries the network first, a FAT32 stick, PXELINUX.

use super::lab::{
    Appliance, Card, FileSystem, Lan, Nic, Pc, PcParts, Result, StickContent, Workshop,
};
use super::{APPLIANCE_START, STAGE, alone, installs_itself};

const NODE_1: &str = "52:54:00:00:00:01";

const SETTINGS: &str = "mode = \"server\"\r\n[boot]\r\nbios_loader = \"pxelinux\"\r\n";

#[test]
fn a_machine_that_boots_from_the_network_first_is_installed_once_through_pxelinux() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("pxelinux")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-1", NODE_1)])?.image(FileSystem::Fat32)?;
    let card = Card::with_settings(&workshop, SETTINGS)?;
    let appliance = Appliance::start(&workshop, &lan, &card, Some(&stick))?;
    appliance.console.wait_for("1 stick read: 1 image, 1 machine", APPLIANCE_START)?;

    let disk = workshop.empty_disk("node-1.img")?;
    let parts = PcParts { name: "node-1", mac: NODE_1, nic: Nic::Virtio, disk, boot_order: "nc" };
    let pc = Pc::start(&workshop, &lan, &parts)?;
    pc.console.wait_for("PXELINUX", STAGE)?;
    pc.console.wait_for("pxeberry: installing CoreOS", STAGE)?;
    // The reboot asks the network again, and is sent to the disk.
    installs_itself(&pc, "node-1")?;
    let sent_to_disk = pc.console.lines_with("pxeberry: booting your own disk (it is installed)");
    let in_memory = pc.console.lines_with("stand-in: CoreOS stand-in 1185.3.0: started");
    assert_eq!((sent_to_disk.len(), in_memory.len()), (1, 1), "{}", pc.console.tail());
    Ok(())
}
