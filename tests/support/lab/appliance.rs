//! The appliance: the finished image on an emulated Raspberry Pi 3B.
//!
//! QEMU does not run the Pi's firmware; `image/lib/boot-files` takes out of the image what
//! that would start, and nothing else is used. Each appliance has its own copy of the card.

use std::fs;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::bystander;
use super::console::{Console, Line};
use super::failure::{Failure, Result};
use super::lan::{Lan, Port};
use super::pins::{OWN_LED_PIN, Pins};
use super::process::{OtherEnd, Process, character_device};
use super::qmp::Qmp;
use super::screen::{self, Screen};
use super::stick::quoted;
use super::usb_nic;
use super::workshop::{Workshop, image_file, repository, run};

/// Where the card's boot partition starts.
const BOOT_PARTITION: u32 = 4 * 1024 * 1024;

/// An address of Raspberry Pi's own range, so that Linux calls the adapter eth0.
const MAC: [u8; 6] = [0xb8, 0x27, 0xeb, 0, 0, 1];

/// An SD card.
pub struct Card {
    path: PathBuf,
}

impl Card {
    /// A card as it comes out of `image/build`.
    pub fn new(workshop: &Workshop) -> Result<Card> {
        let path = workshop.file("card.img");
        let image = image_file("pxeberry.img")?;
        run(Command::new("cp").arg("--sparse=always").arg(image).arg(&path))?;
        Ok(Card { path })
    }

    /// A card whose `pxeberry.toml` a person has written.
    pub fn with_settings(workshop: &Workshop, settings: &str) -> Result<Card> {
        let card = Card::new(workshop)?;
        let file = workshop.file("pxeberry.toml");
        fs::write(&file, settings).map_err(Failure::at(file.display()))?;
        let partition = format!("{}@@{BOOT_PARTITION}", card.path.display());
        run(Command::new("mcopy").args(["-o", "-i", &partition]).arg(file).arg("::pxeberry.toml"))?;
        Ok(card)
    }
}

/// How the Pi is emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulation {
    /// One thread for its four cores, as those that wait for work spin and slow down the one
    /// that boots; and the fast network adapter of [`usb_nic`], whose driver the card loads
    /// late.
    Quick,
    /// A clock that counts instructions; and QEMU's slow `usb-net`, whose driver is loaded
    /// early, as those of the Pis' own adapters are.
    Faithful,
}

/// A running appliance.
pub struct Appliance {
    /// Its serial console.
    pub console: Console,
    /// Where it is plugged into the LAN.
    pub port: Port,
    /// Its LEDs and its button.
    pub pins: Pins,
    qmp: Qmp,
    sticks: usize,
    _process: Process,
}

impl Appliance {
    /// Powers an appliance with this card on, with a stick in it or without.
    pub fn start(
        workshop: &Workshop,
        lan: &Lan,
        card: &Card,
        stick: Option<&Path>,
    ) -> Result<Appliance> {
        Appliance::start_as(workshop, lan, card, stick, Emulation::Quick)
    }

    /// The same, emulated in this way.
    pub fn start_as(
        workshop: &Workshop,
        lan: &Lan,
        card: &Card,
        stick: Option<&Path>,
        emulation: Emulation,
    ) -> Result<Appliance> {
        let boot = BootFiles::of(card, &workshop.file("boot"))?;
        Appliance::power_on(workshop, lan, card, &boot, stick, emulation)
    }

    /// Powers on an appliance with a screen.
    pub fn start_with_screen(workshop: &Workshop, lan: &Lan, card: &Card) -> Result<Appliance> {
        let boot = BootFiles::of(card, &workshop.file("boot"))?;
        screen::plug_in(&boot.dtb)?;
        Appliance::power_on(workshop, lan, card, &boot, None, Emulation::Quick)
    }

    /// What its screen shows now; the picture is kept in the file.
    pub fn screen(&mut self, picture: &Path) -> Result<Screen> {
        self.qmp.execute("screendump", json!({ "filename": picture.display().to_string() }))?;
        Screen::read(picture)
    }

    /// Powers on an appliance with a hand inside that does what is typed on the console: see
    /// `tests/support/bystander/hands`.
    pub fn start_with_hands(
        workshop: &Workshop,
        lan: &Lan,
        card: &Card,
        stick: Option<&Path>,
        emulation: Emulation,
    ) -> Result<Appliance> {
        let mut boot = BootFiles::of(card, &workshop.file("boot"))?;
        let initramfs = bystander::behind(workshop, Some(boot.initramfs.as_ref()), "hands", &[])?;
        boot.initramfs = initramfs.display().to_string();
        boot.cmdline = format!("{} {}", boot.cmdline, bystander::START);
        Appliance::power_on(workshop, lan, card, &boot, stick, emulation)
    }

    fn power_on(
        workshop: &Workshop,
        lan: &Lan,
        card: &Card,
        boot: &BootFiles,
        stick: Option<&Path>,
        emulation: Emulation,
    ) -> Result<Appliance> {
        let mut command = Command::new("qemu-system-aarch64");
        move_own_led(&boot.dtb)?;
        board(&mut command, card, boot, emulation);
        let plug = Plug::new(&mut command, lan, emulation)?;
        if let Some(image) = stick {
            let drive = "raw,node-name=stick0,read-only=on,file.driver=file,file.filename=";
            command.arg("-blockdev").arg(format!("{drive}{}", quoted(image)));
            command.args(["-device", "usb-storage,drive=stick0,id=stick0,removable=on"]);
        }
        let (pins, pins_end) = Pins::add_to(&mut command)?;
        let (mut qmp, qmp_end) = Qmp::add_to(&mut command)?;
        let complaints = workshop.file("appliance.qemu.log");
        let (process, serial) = Process::start(&mut command, &complaints)?;
        drop((qmp_end, pins_end));
        let port = plug.in_use()?;
        let log = workshop.file("appliance.log");
        let console = Console::new("appliance", serial, &log, process.complaints())?;
        qmp.greet().map_err(|failure| Failure::new(format!("{failure}; {}", console.tail())))?;
        pins.watch()?;
        Ok(Appliance { console, port, pins, qmp, sticks: 1, _process: process })
    }

    /// Plugs a stick in and returns its name for [`Appliance::pull`]. The first one, there
    /// from the start, is `stick0`.
    pub fn plug(&mut self, image: &Path) -> Result<String> {
        let name = format!("stick{}", self.sticks);
        self.sticks += 1;
        self.qmp.execute(
            "blockdev-add",
            json!({
                "driver": "raw", "node-name": name, "read-only": true,
                "file": { "driver": "file", "filename": image.display().to_string() },
            }),
        )?;
        let device = json!({
            "driver": "usb-storage", "drive": name, "id": name, "removable": true,
        });
        self.qmp.execute("device_add", device)?;
        Ok(name)
    }

    /// Pulls a stick, whatever it is doing.
    pub fn pull(&mut self, name: &str) -> Result<()> {
        self.qmp.execute("device_del", json!({ "id": name }))
    }
}

/// Puts the board's own LED on a pin that can be looked at.
fn move_own_led(dtb: &str) -> Result<()> {
    let chip = run(Command::new("fdtget").args([dtb, "/soc/gpio@7e200000", "phandle"]))?;
    let pin = OWN_LED_PIN.to_string();
    let led = [dtb, "/leds/led-act", "gpios", chip.trim(), &pin, "0"];
    run(Command::new("fdtput").args(["-t", "i"]).args(led)).map(drop)
}

/// The board with its card.
fn board(command: &mut Command, card: &Card, boot: &BootFiles, emulation: Emulation) {
    if emulation == Emulation::Faithful {
        // A nanosecond an instruction, however busy the host is; a real Pi 3 is faster.
        command.args(["-icount", "shift=0"]);
    }
    command
        .args(["-M", "raspi3b", "-accel", "tcg,thread=single", "-no-reboot"])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"])
        // The console is on the second port, ttyS1.
        .args(["-serial", "null", "-serial", "stdio"])
        .args(["-kernel", &boot.kernel, "-initrd", &boot.initramfs, "-dtb", &boot.dtb])
        // Opening the watchdog of the emulated Pi resets it at once.
        .args(["-append", &format!("{} pxeberry.watchdog=off", boot.cmdline)])
        .arg("-drive")
        .arg(format!("if=sd,format=raw,cache=unsafe,file={}", quoted(&card.path)));
}

/// A network adapter that will be in use when QEMU runs.
enum Plug {
    Ncm { port: Port, cable: UnixDatagram, adapter: UnixStream, _other_end: OtherEnd },
    CdcEther(Port),
}

impl Plug {
    fn new(command: &mut Command, lan: &Lan, emulation: Emulation) -> Result<Plug> {
        if emulation == Emulation::Faithful {
            let (port, netdev) = lan.port()?;
            let mac = MAC.map(|byte| format!("{byte:02x}")).join(":");
            command.args(["-netdev", &format!("{netdev},id=lan")]);
            command.args(["-device", &format!("usb-net,netdev=lan,mac={mac}")]);
            return Ok(Plug::CdcEther(port));
        }
        let (port, cable) = lan.own_port()?;
        let (adapter, other_end) = character_device(command, "lan")?;
        command.args(["-device", "usb-redir,chardev=lan"]);
        Ok(Plug::Ncm { port, cable, adapter, _other_end: other_end })
    }

    fn in_use(self) -> Result<Port> {
        match self {
            Plug::CdcEther(port) => Ok(port),
            Plug::Ncm { port, cable, adapter, .. } => {
                usb_nic::start(adapter, cable, MAC)?;
                Ok(port)
            }
        }
    }
}

/// Seconds since the kernel started, as it prints them before each line.
pub fn guest_seconds(line: &Line) -> Result<f64> {
    let stamp = line.text.trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next());
    stamp
        .and_then(|stamp| stamp.trim().parse().ok())
        .ok_or_else(|| Failure::new(format!("no time stamp in the line: {}", line.text)))
}

/// What the Pi's firmware would start.
pub struct BootFiles {
    /// The kernel.
    pub kernel: String,
    initramfs: String,
    dtb: String,
    cmdline: String,
}

impl BootFiles {
    /// Takes them out of a card.
    pub fn of(card: &Card, folder: &Path) -> Result<BootFiles> {
        let mut tool = Command::new(repository().join("image/lib/boot-files"));
        let found = run(tool.arg(&card.path).arg("pi-3b").arg(folder))?;
        let value = |key: &str| {
            let line = found.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map(str::to_owned)
                .ok_or_else(|| Failure::new(format!("boot-files names no {key}: {found}")))
        };
        Ok(BootFiles {
            kernel: value("kernel")?,
            initramfs: value("initramfs")?,
            dtb: value("dtb")?,
            cmdline: value("cmdline")?,
        })
    }
}
