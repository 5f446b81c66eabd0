//! Real firmware on the LAN: QEMU in software emulation, with its network card on the bridge.
//!
//! Nothing here knows what the firmware should do. It is powered on, its serial console is
//! read, and everything that it says on the wire is kept.

mod bad_cable;
mod console;
pub mod disk;
pub mod kernel;
pub mod secure;
mod talk;

pub use bad_cable::Losses;
pub use talk::Talk;

use std::cell::Cell;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::lan::{self, Lan};
use super::log::Log;
use super::stick::STRANGER;
use super::tools;
use bad_cable::BadCable;
use console::Plain;
use talk::Wiretap;

/// Firmware takes 10 to 20 seconds to its script; this is for a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Where DHCP sends the iPXE of [`STRANGER`].
pub const STRANGERS_SCRIPT: &str = "http://10.10.10.1:8080/boot/52-54-00-00-00-99.ipxe";

/// What a stranger's iPXE says when it has read its script.
pub const TOLD_TO_BOOT_ITS_DISK: &str =
    "pxeberry: booting your own disk (the stick does not name this machine)";

/// What the disk of every computer here says on the serial console when it runs.
pub const DISK_RUNS: &str = "the disk runs";

/// A computer's main board, with its firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// SeaBIOS; the network boots by QEMU's iPXE, in the card's option ROM.
    Bios,
    /// EDK2 for x64 (OVMF), with its own PXE and HTTP boot: the card has no ROM.
    EfiX64,
    /// EDK2 for 64-bit ARM (AAVMF), the same.
    EfiArm64,
    /// U-Boot on 64-bit ARM, which tries its disk before the network.
    UBoot,
}

impl Board {
    fn emulator(self) -> (&'static str, &'static [&'static str]) {
        match self {
            // Without a screen, SeaBIOS and iPXE write to the serial port.
            Board::Bios => {
                ("qemu-system-x86_64", &["-M", "pc,graphics=off", "-cpu", "qemu64", "-m", "64"])
            }
            Board::EfiX64 => ("qemu-system-x86_64", &["-M", "q35", "-cpu", "qemu64", "-m", "128"]),
            Board::EfiArm64 | Board::UBoot => {
                ("qemu-system-aarch64", &["-M", "virt", "-cpu", "cortex-a57", "-m", "128"])
            }
        }
    }

    /// The file that is not QEMU's own, and its package. As plain ROM it keeps its variables
    /// in memory, so every start is the first one.
    fn rom(self) -> Option<(&'static str, &'static str)> {
        match self {
            Board::Bios => None,
            Board::EfiX64 => Some(("/usr/share/ovmf/OVMF.fd", "ovmf")),
            Board::EfiArm64 => {
                Some(("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "qemu-efi-aarch64"))
            }
            Board::UBoot => Some(("/usr/lib/u-boot/qemu_arm64/u-boot.bin", "u-boot-qemu")),
        }
    }
}

/// The card that nearly every virtual machine has.
pub const VIRTIO: &str = "virtio-net-pci";

/// An older one, of Intel's.
pub const E1000: &str = "e1000";

/// A computer that is switched off.
pub struct Parts {
    board: Board,
    mac: String,
    model: &'static str,
    other_card: Option<String>,
    only_http: bool,
    typed: Option<String>,
    draws: bool,
    secure: bool,
    memory: Option<u32>,
    disk: Disk,
    losses: Option<Losses>,
    uuid: Option<String>,
}

/// What is on a computer's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    /// It has none.
    Missing,
    /// A system whose whole work is one line on the console.
    Line,
    /// Debian's kernel, and what starts it.
    System,
    /// Nothing yet; so many MiB.
    Empty(u64),
}

impl Parts {
    /// With a network card and a disk, in this boot order.
    pub fn new(board: Board, mac: &str) -> Parts {
        Parts {
            board,
            mac: mac.to_owned(),
            model: VIRTIO,
            other_card: None,
            only_http: false,
            typed: None,
            draws: false,
            secure: false,
            memory: None,
            disk: Disk::Line,
            losses: None,
            uuid: None,
        }
    }

    /// Its network card is of another make, by QEMU's name.
    pub fn model(mut self, model: &'static str) -> Parts {
        self.model = model;
        self
    }

    /// Another card of the same make is in the slot before; it does not boot from it.
    pub fn behind_another_card(mut self, mac: &str) -> Parts {
        self.other_card = Some(mac.to_owned());
        self
    }

    /// Its disk was taken out.
    pub fn without_disk(mut self) -> Parts {
        self.disk = Disk::Missing;
        self
    }

    /// A new disk.
    pub fn with_an_empty_disk(mut self, mib: u64) -> Parts {
        self.disk = Disk::Empty(mib);
        self
    }

    /// A real system is on its disk.
    pub fn with_a_system(mut self) -> Parts {
        self.disk = Disk::System;
        self
    }

    /// Its cable is bad.
    pub fn losing(mut self, losses: Losses) -> Parts {
        self.losses = Some(losses);
        self
    }

    /// What its board calls itself.
    pub fn uuid(mut self, uuid: &str) -> Parts {
        self.uuid = Some(uuid.to_owned());
        self
    }

    /// Enough memory for a kernel.
    pub fn memory(mut self, mib: u32) -> Parts {
        self.memory = Some(mib);
        self
    }

    /// Its setup allows HTTP boot, and no PXE.
    pub fn only_http(mut self) -> Parts {
        self.only_http = true;
        self
    }

    /// Somebody stops U-Boot at its serial console and gives it one line. It reads nothing
    /// more in time: while it waits for the network, it throws away what is typed.
    pub fn told(mut self, line: &str) -> Parts {
        // The first key stops it; the blanks are there to be lost with it.
        self.typed = Some(format!("\r    {line}\r"));
        self
    }

    /// It draws a screen on its serial console, as a program for a terminal does: what is
    /// drawn at a place of its own is a line.
    pub fn drawing(mut self) -> Parts {
        self.draws = true;
        self
    }

    /// Secure Boot is on, with Microsoft's keys as in a shop; its disk holds a signed system.
    pub fn secure(mut self) -> Parts {
        self.secure = true;
        self
    }

    /// Power on.
    #[track_caller]
    pub fn starts(self, lan: &Lan) -> Pc {
        let tap = lan.tap();
        let wire = Wiretap::open(&tap, lan::octets(&self.mac));
        let (mut command, cable) = self.command(lan, &tap);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        keyboard.write_all(self.typed.unwrap_or_default().as_bytes()).unwrap();
        let serial = Plain::new(child.stdout.take().unwrap(), self.draws);
        let complaints = Log::collect(child.stderr.take().unwrap());
        let console = Log::collect(serial).patient(PATIENCE);
        let disk = disk::of(&tap);
        Pc { child, console, complaints, wire, stage: Cell::new("power on"), cable, disk }
    }

    fn command(&self, lan: &Lan, tap: &str) -> (Command, Option<BadCable>) {
        let (program, board) = self.board.emulator();
        tools::need(program);
        let mut command = Command::new(program);
        command
            .args(["-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-serial", "stdio", "-monitor", "none"])
            .args(board);
        if let Some(mib) = self.memory {
            command.args(["-m", &mib.to_string()]);
        }
        // Programs for UEFI that draw look for a screen first.
        if self.draws && self.board == Board::EfiX64 {
            command.args(["-device", "VGA"]);
        }
        if let Some(uuid) = &self.uuid {
            command.args(["-uuid", uuid]);
        }
        if let Some(mac) = &self.other_card {
            let card = format!("{},netdev=other,mac={mac}", self.model);
            command.args(["-netdev", &format!("{},id=other", plugged_in(&lan.tap()))]);
            command.args(["-device", &self.without_rom(card)]);
        }
        let cable = self.losses.map(|losses| BadCable::to(tap, losses));
        let netdev = cable.as_ref().map_or_else(|| plugged_in(tap), BadCable::netdev);
        let card = format!("{},netdev=lan,mac={},bootindex=0", self.model, self.mac);
        command.args(["-netdev", &format!("{netdev},id=lan")]);
        command.args(["-device", &self.without_rom(card)]);
        command.args(self.firmware(tap));
        if let Some(disk) = self.drive(tap) {
            command
                .args(["-drive", &format!("if=none,id=disk,format=raw,{disk}")])
                .args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
        } else {
            // SeaBIOS would stop for good.
            command.args(["-boot", "reboot-timeout=1000"]);
        }
        (command, cable)
    }

    /// A card boots by the firmware's own means, if that has any.
    fn without_rom(&self, card: String) -> String {
        if self.board.rom().is_some() { card + ",romfile=" } else { card }
    }

    fn firmware(&self, name: &str) -> Vec<String> {
        let mut words = Vec::new();
        if let Some((file, package)) = self.board.rom() {
            if self.secure {
                words.extend(secure::firmware(self.board, name));
            } else {
                tools::need_loader(file, package);
                words.extend(["-bios", file].map(str::to_owned));
            }
            // Newer EDK2 has no network without a source of random numbers.
            words.extend(["-device", "virtio-rng-pci"].map(str::to_owned));
        }
        if self.only_http {
            for version in [4, 6] {
                let switch = format!("name=opt/org.tianocore/IPv{version}PXESupport,string=n");
                words.extend(["-fw_cfg".to_owned(), switch]);
            }
        }
        words
    }

    fn drive(&self, name: &str) -> Option<String> {
        match self.disk {
            Disk::Missing => None,
            Disk::Line if self.secure => Some(secure::disk(self.board, name)),
            Disk::Line => Some(disk::make(self.board, name)),
            Disk::System => Some(disk::system(self.board, name)),
            Disk::Empty(mib) => Some(disk::empty(mib, name)),
        }
    }
}

/// QEMU's end of a cable that loses nothing.
fn plugged_in(tap: &str) -> String {
    format!("tap,ifname={tap},script=no,downscript=no")
}

/// A running computer. Switched off when dropped; if the test fails, it shows its console
/// and what was said on its cable.
pub struct Pc {
    child: Child,
    /// Its serial console.
    pub console: Log,
    complaints: Log,
    wire: Wiretap,
    stage: Cell<&'static str>,
    cable: Option<BadCable>,
    /// The file that plays its disk.
    pub disk: PathBuf,
}

impl Pc {
    /// Waits until the console says `text`, which shows that this stage is reached: the line.
    #[track_caller]
    pub fn reaches(&self, stage: &'static str, text: &str) -> String {
        let line = self.console.wait_for(text);
        self.stage.set(stage);
        line
    }

    /// Frames that its bad cable has lost so far.
    pub fn lost(&self) -> usize {
        self.cable.as_ref().map_or(0, BadCable::lost)
    }

    /// All that was said on its cable so far.
    pub fn talk(&self) -> Talk {
        self.wire.talk()
    }
}

impl Drop for Pc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the console said:\n{}", self.console.lines().join("\n"));
            eprintln!("--- the emulator said:\n{}", self.complaints.lines().join("\n"));
            eprintln!("--- on the cable was said:\n{}---", self.talk());
            eprintln!("--- the last stage that was reached: {}", self.stage.get());
        }
    }
}

/// What EDK2 and then our iPXE ask, from power on to the script of the machine with `mac`,
/// while `server` gives the addresses. EDK2 opens its file twice: at first only to see its
/// length.
pub fn questions_of_uefi(arch: u8, loader: &str, server: Ipv4Addr, mac: &str) -> Vec<String> {
    vec![
        format!("DISCOVER by firmware {arch}"),
        format!("REQUEST to {server} by firmware {arch}"),
        format!("TFTP {loader}"),
        format!("TFTP {loader}"),
        "TFTP autoexec.ipxe".to_owned(),
        format!("DISCOVER by iPXE {arch}"),
        format!("REQUEST to {server} by iPXE {arch}"),
        question_for_script(mac),
    ]
}

/// What iPXE asks then.
pub fn question_for_script(mac: &str) -> String {
    format!("GET /boot/{}.ipxe", mac.replace(':', "-"))
}

/// The line of pxeberry.toml that serves the loaders of the card image, which are newer than
/// those of Debian 12; that has none for ARM at all.
#[track_caller]
pub fn loaders_of_the_image() -> String {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/image/root").join("usr/lib/ipxe");
    assert!(folder.exists(), "{} is missing: run image/build", folder.display());
    format!("boot.loaders = {folder:?}")
}
