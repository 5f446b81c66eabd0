//! An ext4 stick that is pulled while a machine is being installed by hand; beside it, a
//! machine that the stick does not name.

use std::time::{Duration, Instant};

use super::lab::{
    Appliance, Card, Failure, FileSystem, Lan, Nic, Pc, PcParts, Result, StickContent, Workshop,
};
use super::{APPLIANCE_START, STAGE, alone, runs_from_disk};

const BY_HAND: &str = "52:54:00:00:00:03";
const STRANGER: &str = "52:54:00:00:00:99";

const SETTINGS: &str = "mode = \"server\"\n[boot]\nbios_loader = \"pxelinux\"\n";

/// A person's own boot configuration: no cloud-config-url, so the system waits at a prompt.
const OWN_CONFIG: &str = "DEFAULT by-hand\nPROMPT 0\nLABEL by-hand\n\
    KERNEL coreos_production_pxe.vmlinuz\nINITRD coreos_production_pxe_image.cpio.gz\n\
    APPEND console=ttyS0 quiet\n";

/// What a person types.
const FETCH_CONFIG: &str =
    "wget -q -O c.yml http://10.10.10.1:8080/cloud-configs/52:54:00:00:00:03.yml; cat c.yml";
const INSTALL: &str =
    "coreos-install -d /dev/vda -c c.yml -b http://10.10.10.1:8080; echo ended: $?";
const ASK_MEMORY: &str = "wget -q -O - http://10.10.10.1:8080/ | grep -o 'holds [0-9]* KiB'";

/// Of 10.8 MB: well in the middle of the disk's image.
const PART_OF_THE_IMAGE: u64 = 3_000_000;

/// So soon a stick that is plugged again is served.
const REPLUGGED: Duration = Duration::from_secs(5);

/// What `serve` may hold in memory after an installation.
const MEMORY_KIB: u64 = 48 * 1024;

#[test]
fn a_pulled_stick_ends_a_transfer_and_nothing_else_while_strangers_boot_their_disks() -> Result<()>
{
    let _alone = alone();
    let workshop = Workshop::open("by-hand")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-3", BY_HAND)])?
        .with_file("tftp/pxelinux.cfg/01-52-54-00-00-00-03", OWN_CONFIG)?
        .image(FileSystem::Ext4)?;
    let card = Card::with_settings(&workshop, SETTINGS)?;
    let mut appliance = Appliance::start(&workshop, &lan, &card, Some(&stick))?;
    appliance.console.wait_for("1 stick read: 1 image, 1 machine", APPLIANCE_START)?;

    a_stranger_boots_its_disk(&workshop, &lan)?;

    let disk = workshop.empty_disk("node-3.img")?;
    let parts = PcParts { name: "node-3", mac: BY_HAND, nic: Nic::Virtio, disk, boot_order: "cn" };
    let mut pc = Pc::start(&workshop, &lan, &parts)?;
    pc.console.wait_for("stand-in: no cloud-config-url: waiting at the prompt", STAGE)?;
    pc.console.wait_for_prompt("stand-in# ", STAGE)?;
    pc.console.type_line(FETCH_CONFIG)?;
    pc.console.wait_for("hostname: node-3", STAGE)?;

    pc.console.type_line(INSTALL)?;
    pc.console.wait_for("Downloading, writing and verifying", STAGE)?;
    lan.wait_for_bytes(appliance.port, PART_OF_THE_IMAGE, STAGE)?;
    appliance.pull("stick0")?;
    pc.console.wait_for("coreos-install: error: downloading", STAGE)?;
    pc.console.wait_for("ended: 1", STAGE)?;

    appliance.console.wait_for("no stick is there", STAGE)?;
    let plugged = Instant::now();
    appliance.plug(&stick)?;
    let read = appliance.console.wait_for("1 stick read: 1 image, 1 machine", STAGE)?;
    let took = read.at - plugged;
    println!("a stick is served {:.1} s after it was plugged in again", took.as_secs_f32());

    pc.console.type_line(INSTALL)?;
    pc.console.wait_for("Success! CoreOS 1185.3.0 is installed", STAGE)?;
    pc.console.wait_for("ended: 0", STAGE)?;
    let memory = ask_memory(&mut pc)?;
    println!("serve holds {memory} KiB of memory after an installation");
    pc.console.type_line("reboot")?;
    runs_from_disk(&pc, "I am node-3 (from user_data, version 1185.3.0)")?;

    let starts = appliance.console.lines_with("pxeberry: serve started");
    assert_eq!(starts.len(), 1, "serve was started again: {}", appliance.console.tail());
    assert!(took <= REPLUGGED, "served {took:?} after it was plugged in, not {REPLUGGED:?}");
    assert!(memory <= MEMORY_KIB, "serve holds {memory} KiB, not {MEMORY_KIB} KiB");
    Ok(())
}

fn a_stranger_boots_its_disk(workshop: &Workshop, lan: &Lan) -> Result<()> {
    let disk = workshop.bootable_disk("stranger.img")?;
    let parts =
        PcParts { name: "stranger", mac: STRANGER, nic: Nic::E1000, disk, boot_order: "nc" };
    let pc = Pc::start(workshop, lan, &parts)?;
    pc.console.wait_for("booting your own disk (the stick does not name this machine)", STAGE)?;
    runs_from_disk(&pc, "I have no user_data, version 1185.3.0")
}

fn ask_memory(pc: &mut Pc) -> Result<u64> {
    pc.console.type_line(ASK_MEMORY)?;
    // The typed line itself comes back first.
    pc.console.wait_for("grep -o", STAGE)?;
    let line = pc.console.wait_for("holds ", STAGE)?.text;
    // The prompt may stand before it.
    let answer = line.split_once("holds ").and_then(|(_, answer)| answer.split(' ').next());
    let number = answer.and_then(|number| number.parse().ok());
    number.ok_or_else(|| Failure::new(format!("no number in: {line}")))
}
