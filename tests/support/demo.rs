//! The demo: an emulated Raspberry Pi with the finished image installs an emulated PC.
//!
//! `image/demo` builds what this needs and runs it. It prints one line per stage, read from
//! the machines' own consoles; a stage that does not come ends it with what they said last.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[path = "lab/mod.rs"]
#[allow(dead_code, reason = "the demo does not use all that the tests need")]
mod lab;

use lab::console::Console;
use lab::{Appliance, Card, FileSystem, Lan, Nic, Pc, PcParts, StickContent, Workshop};

/// The PC that is installed; `tests/support/pc/sample-stick` names it.
const NAME: &str = "node-1";
const MAC: &str = "52:54:00:00:00:01";

/// For whoever wants to know more.
const LOGS: &str = "what the machines said: target/lab/demo/appliance.log, node-1.log";

/// The slowest stage takes 30 s on two cores of 2015; a busy machine needs more.
const STAGE: Duration = Duration::from_secs(240);

fn main() -> ExitCode {
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nthe demo failed: {failure}\n{LOGS}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> lab::Result<()> {
    let workshop = Workshop::open("demo")?;
    let stick = StickContent::sample(&workshop, &[(NAME, MAC)])?.image(FileSystem::Fat32)?;
    let card = Card::new(&workshop)?;
    let disk = workshop.empty_disk("node-1.img")?;
    let lan = Lan::new(&workshop);

    let story = Story { begin: Instant::now(), colour: std::io::stdout().is_terminal() };
    story.tell(Instant::now(), Who::Appliance, "power on: an emulated Raspberry Pi 3B");
    let appliance = Appliance::start(&workshop, &lan, &card, Some(&stick))?;
    for (sign, words) in APPLIANCE {
        story.wait_and_tell(&appliance.console, None, Who::Appliance, sign, words)?;
    }

    let power_on = Instant::now();
    story.tell(power_on, Who::Pc, "power on: an emulated PC with an empty disk");
    let parts = PcParts { name: NAME, mac: MAC, nic: Nic::Virtio, disk, boot_order: "cn" };
    let pc = Pc::start(&workshop, &lan, &parts)?;
    for (sign, words) in PC {
        story.wait_and_tell(&pc.console, Some(&appliance.console), Who::Pc, sign, words)?;
    }
    story.end(power_on);
    Ok(())
}

/// What the appliance prints at each stage, and what that means to somebody who watches.
/// `{}` stands for what follows the sign on its line.
const APPLIANCE: [(&str, &str); 5] = [
    ("pxeberry: pxeberry 0.", "Linux is up, pxeberry starts as PID 1"),
    ("pxeberry: serving on ", "serves on {}"),
    ("stick \"", "finds the USB stick \"{}"),
    ("stick read: ", "has read it: {}"),
    ("giving addresses from ", "no other DHCP server here: gives addresses from {}"),
];

/// The same for the PC.
const PC: [(&str, &str); 13] = [
    ("iPXE (http", "its firmware's iPXE asks the network what to boot"),
    ("pxeberry: installing ", "is told to install {}"),
    ("coreos_production_pxe.vmlinuz...", "has the installer's kernel"),
    ("coreos_production_pxe_image.cpio.gz...", "has the installer's in-memory system"),
    ("stand-in: fetching user-data from ", "the in-memory system runs; it fetches {}"),
    ("stand-in: running user-data script", "runs that script"),
    ("pxeberry: fetching the configuration of ", "fetches the configuration of {}"),
    ("Downloading, writing and verifying ", "downloads, writes and verifies the disk image"),
    ("Good signature from ", "good signature from {}"),
    ("Success! CoreOS ", "done: CoreOS {}"),
    ("stand-in: rebooting", "reboots"),
    ("installed system: I am ", "runs from its own disk: \"I am {}\""),
    ("installed system: address ", "has the address {}"),
];

/// Whose line it is.
#[derive(Clone, Copy)]
enum Who {
    Appliance,
    Pc,
}

/// Prints stages with the time since the start.
struct Story {
    begin: Instant,
    colour: bool,
}

impl Story {
    fn wait_and_tell(
        &self,
        console: &Console,
        other: Option<&Console>,
        who: Who,
        sign: &str,
        words: &str,
    ) -> lab::Result<()> {
        // The appliance finds its stick and starts its servers at the same time.
        let early = match who {
            Who::Appliance => console.lines_with(sign).into_iter().next(),
            Who::Pc => None,
        };
        let line = early.map_or_else(|| console.wait_for(sign, STAGE), Ok).map_err(|failure| {
            let other = other.map(Console::tail).unwrap_or_default();
            let stage = words.replace("{}", "…");
            lab::Failure::new(format!("the stage \"{stage}\" did not come\n{failure}{other}"))
        })?;
        let rest = line.text.split_once(sign).map_or("", |(_, rest)| rest.trim());
        self.tell(line.at, who, &words.replace("{}", rest));
        Ok(())
    }

    fn tell(&self, at: Instant, who: Who, words: &str) {
        let seconds = at.saturating_duration_since(self.begin).as_secs_f32();
        let (name, colour) = match who {
            Who::Appliance => ("appliance", "\x1b[35m"),
            Who::Pc => (NAME, "\x1b[36m"),
        };
        let (on, off) = if self.colour { (colour, "\x1b[0m") } else { ("", "") };
        println!("{seconds:6.1} s  {on}{name:<9}{off}  {words}");
        let _ = std::io::stdout().flush();
    }

    fn end(&self, power_on: Instant) {
        let (on, off) = if self.colour { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") };
        let seconds = power_on.elapsed().as_secs();
        println!("\n{on}{NAME} installed and booted from disk in {seconds} s{off}");
        println!("{LOGS}");
    }
}
