//! One machine whose firmware always tries the network first, a FAT32 stick, PXELINUX: what
//! an operator lives with from the first switching-on to the next installation.

use super::lab::{
    self, Appliance, Card, FileSystem, Lan, Nic, Pc, PcParts, Result, StickContent, Workshop,
};
use super::office::{self, Admin};
use super::{APPLIANCE_START, STAGE, alone, installs_itself, net};

const NODE_1: &str = "52:54:00:00:00:01";

const SETTINGS: &str = "mode = \"server\"\r\n[boot]\r\nbios_loader = \"pxelinux\"\r\n";

#[test]
fn a_machine_that_boots_from_the_network_first_is_installed_once_and_again_when_it_is_armed() {
    let _alone = alone();
    net::isolated(|lan| scenario(&lan).unwrap());
}

fn scenario(lan: &net::Lan) -> Result<()> {
    let workshop = Workshop::open("pxelinux")?;
    let switch = Lan::new(&workshop);
    office::joins(lan, &switch)?;
    let stick = StickContent::sample(&workshop, &[("node-1", NODE_1)])?.image(FileSystem::Fat32)?;
    let card = Card::with_settings(&workshop, &(SETTINGS.to_owned() + &office::password()?))?;
    let appliance = Appliance::start(&workshop, &switch, &card, Some(&stick))?;
    appliance.console.wait_for("1 stick read: 1 image, 1 machine", APPLIANCE_START)?;

    let disk = workshop.empty_disk("node-1.img")?;
    let parts = PcParts { name: "node-1", mac: NODE_1, nic: Nic::Virtio, disk, boot_order: "nc" };
    let mut pc = Pc::start(&workshop, &switch, &parts)?;
    is_installed(&pc)?;

    let admin = Admin::signs_in(lan)?;
    assert_eq!(state(&admin)?, "installed");
    admin.does(&format!("machines/{NODE_1}/arm"))?;
    assert_eq!(state(&admin)?, "armed");
    pc.reset()?;
    is_installed(&pc)?;

    assert_eq!(state(&admin)?, "installed");
    for (words, lines) in [
        ("pxeberry: installing CoreOS", &pc.console),
        ("stand-in: CoreOS stand-in 1185.3.0: started", &pc.console),
        ("Success! CoreOS 1185.3.0 is installed", &pc.console),
        ("pxeberry: booting your own disk (it is installed)", &pc.console),
        ("installed, it boots its own disk now", &appliance.console),
        ("its own system has started", &appliance.console),
    ] {
        assert_eq!(lines.lines_with(words).len(), 2, "{words}: {}", lines.tail());
    }
    Ok(())
}

/// It boots from the network, installs itself and reports; the reboot asks the network again,
/// and is sent to the disk.
fn is_installed(pc: &Pc) -> Result<()> {
    pc.console.wait_for("PXELINUX", STAGE)?;
    pc.console.wait_for("pxeberry: installing CoreOS", STAGE)?;
    installs_itself(pc, "node-1")
}

/// Where the box says that the machine is in its life.
fn state(admin: &Admin) -> Result<String> {
    let told = admin.reads(&format!("machines/{NODE_1}"))?;
    let state = told.get("state").and_then(serde_json::Value::as_str);
    state.map(str::to_owned).ok_or_else(|| lab::Failure::new(told.to_string()))
}
