//! PCs: SeaBIOS with the network card's own iPXE, everything on the serial console.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::console::Console;
use super::failure::{Failure, Result};
use super::lan::Lan;
use super::process::Process;
use super::qmp::Qmp;
use super::stick::quoted;
use super::workshop::Workshop;

/// A network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nic {
    /// virtio-net
    Virtio,
    /// Intel's e1000
    E1000,
}

/// What a PC is made of.
pub struct PcParts<'a> {
    /// What it is called here.
    pub name: &'a str,
    /// The address of its network card.
    pub mac: &'a str,
    /// The model of its network card.
    pub nic: Nic,
    /// Its disk.
    pub disk: PathBuf,
    /// What its firmware tries, in this order: `c` the disk, `n` the network.
    pub boot_order: &'a str,
}

/// A running PC.
pub struct Pc {
    /// Its serial console.
    pub console: Console,
    qmp: Qmp,
    _process: Process,
}

impl Pc {
    /// Powers it on.
    pub fn start(workshop: &Workshop, lan: &Lan, parts: &PcParts) -> Result<Pc> {
        // Without a screen, firmware and loaders write to the serial port.
        let mut command = machine("pc,graphics=off", 256);
        command.args(["-vga", "none", "-boot"]).arg(format!("order={}", parts.boot_order));
        Pc::complete(command, "", workshop, lan, parts)
    }

    /// The same with UEFI (OVMF), whose own PXE boots it: the card brings nothing.
    pub fn start_with_uefi(workshop: &Workshop, lan: &Lan, parts: &PcParts) -> Result<Pc> {
        let mut command = machine("q35", 512);
        // As plain ROM it keeps its variables in memory. Newer ones have no network without
        // a source of random numbers.
        command.args(["-bios", "/usr/share/ovmf/OVMF.fd", "-device", "virtio-rng-pci"]);
        Pc::complete(command, ",romfile=", workshop, lan, parts)
    }

    fn complete(
        mut command: Command,
        rom: &str,
        workshop: &Workshop,
        lan: &Lan,
        parts: &PcParts,
    ) -> Result<Pc> {
        let (_, netdev) = lan.port()?;
        let model = match parts.nic {
            Nic::Virtio => "virtio-net-pci",
            Nic::E1000 => "e1000",
        };
        // UEFI reads these numbers, SeaBIOS both them and the letters.
        let place = |device| parts.boot_order.find(device).map_or(9, |place| place + 1);
        let (disk, network) = (place('c'), place('n'));
        command
            .arg("-netdev")
            .arg(format!("{netdev},id=lan"))
            .arg("-device")
            .arg(format!("{model},netdev=lan,mac={},bootindex={network}{rom}", parts.mac))
            .arg("-drive")
            .arg(format!("format=raw,if=none,id=disk,cache=unsafe,file={}", quoted(&parts.disk)))
            .arg("-device")
            .arg(format!("virtio-blk-pci,drive=disk,bootindex={disk}"));
        let complaints = workshop.file(&format!("{}.qemu.log", parts.name));
        let (mut qmp, qmp_end) = Qmp::add_to(&mut command)?;
        let (process, serial) = Process::start(&mut command, &complaints)?;
        drop(qmp_end);
        let log = workshop.file(&format!("{}.log", parts.name));
        let console = Console::new(parts.name, serial, &log, process.complaints())?;
        qmp.greet().map_err(|failure| Failure::new(format!("{failure}; {}", console.tail())))?;
        Ok(Pc { console, qmp, _process: process })
    }

    /// Presses its reset button.
    pub fn reset(&mut self) -> Result<()> {
        self.qmp.execute("system_reset", json!({}))
    }
}

fn machine(kind: &str, memory: u32) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-M", kind, "-accel", "tcg", "-cpu", "qemu64", "-m", &memory.to_string()])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-serial", "stdio", "-monitor", "none"]);
    command
}
