//! Two machines with different network cards, an exFAT stick, the card as it was flashed.

use super::lab::{
    Appliance, Card, FileSystem, Lan, Nic, Pc, PcParts, Result, StickContent, Workshop,
};
use super::{APPLIANCE_START, STAGE, alone, installs_itself};

const NODE_1: &str = "52:54:00:00:00:01";
const NODE_2: &str = "52:54:00:00:00:02";

#[test]
fn two_machines_install_themselves_through_ipxe_and_each_gets_its_own_configuration() -> Result<()>
{
    let _alone = alone();
    let workshop = Workshop::open("two-machines")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-1", NODE_1), ("node-2", NODE_2)])?
        .image(FileSystem::ExFat)?;
    let appliance = Appliance::start(&workshop, &lan, &Card::new(&workshop)?, Some(&stick))?;
    appliance.console.wait_for("1 stick read: 1 image, 2 machines", APPLIANCE_START)?;
    appliance.console.wait_for("giving addresses from", APPLIANCE_START)?;

    let power_on = |name, mac, nic| {
        let disk = workshop.empty_disk(&format!("{name}.img"))?;
        Pc::start(&workshop, &lan, &PcParts { name, mac, nic, disk, boot_order: "cn" })
    };
    let first = power_on("node-1", NODE_1, Nic::Virtio)?;
    let second = power_on("node-2", NODE_2, Nic::E1000)?;
    for pc in [&first, &second] {
        pc.console.wait_for("pxeberry: installing CoreOS", STAGE)?;
    }
    installs_itself(&first, "node-1")?;
    installs_itself(&second, "node-2")?;

    for name in ["node-1", "node-2"] {
        let told =
            format!("{name} ({}): installed", if name == "node-1" { NODE_1 } else { NODE_2 });
        assert_eq!(appliance.console.lines_with(&told).len(), 1, "{}", appliance.console.tail());
    }
    Ok(())
}
