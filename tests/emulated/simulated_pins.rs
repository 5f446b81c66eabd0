//! The way to LEDs and button that a Raspberry Pi 5 takes, the kernel's GPIO character
//! device: the image's program on the image's kernel, with a chip that Linux simulates.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pxeberry::panel::pattern::{Leds, State};

use super::alone;
use super::lab::console::Console;
use super::lab::process::Process;
use super::lab::rhythm::{self, Found, Run};
use super::lab::workshop::{image_file, run};
use super::lab::{Card, Failure, Result, Workshop, appliance, bystander};

/// No pattern stands still for five seconds; the machine needs two to start.
const CHANGE: Duration = Duration::from_secs(60);

/// The panel counts five seconds.
const HOLD: Duration = Duration::from_millis(5500);

#[test]
fn the_kernels_gpio_chip_drives_leds_and_button_where_rppal_cannot() -> Result<()> {
    let _alone = alone();
    let mut machine = Machine::start(&Workshop::open("simulated-pins")?)?;
    // A machine without a network: nothing is wrong with its servers, as none can run.
    machine.wait_for(|runs| rhythm::find(runs, State::NoLink))?;
    let chosen = "(pinctrl-bcm2711), as rppal has no GPIO registers";
    assert_eq!(machine.console.lines_with(chosen).len(), 1, "{}", machine.console.tail());

    machine.console.type_line("press")?;
    machine.wait_for(first_with(Leds::ALL))?;
    machine.console.type_line("release")?;
    machine.wait_for(|runs| rhythm::find(runs, State::NoLink))?;

    machine.console.type_line("press")?;
    std::thread::sleep(HOLD);
    machine.console.type_line("release")?;
    machine.wait_for(|runs| rhythm::find(runs, State::ShuttingDown))?;
    let asked = "panel: button held: asking PID 1 to switch off";
    assert_eq!(machine.console.lines_with(asked).len(), 1, "{}", machine.console.tail());
    machine.wait_for(|runs| rhythm::find_last(runs, State::SafeToUnplug))
}

#[test]
fn no_led_of_the_kernels_gpio_chip_stays_lit_when_the_panel_is_killed() -> Result<()> {
    let _alone = alone();
    let mut machine = Machine::start(&Workshop::open("simulated-pins-killed")?)?;
    machine.wait_for(first_with(Leds { amber: true, ..Leds::OFF }))?;
    machine.console.type_line("press")?;
    machine.wait_for(first_with(Leds::ALL))?;
    machine.console.type_line("kill")?;
    machine.wait_for(first_with(Leds::OFF))
}

fn first_with(leds: Leds) -> impl Fn(&[Run]) -> Option<Found> {
    move |runs| {
        let run = runs.iter().position(|run| run.leds == leds)?;
        Some(Found { run, next: run + 1 })
    }
}

/// A machine of no particular make.
struct Machine {
    console: Console,
    /// When its clock began, by ours.
    began: Instant,
    runs: Vec<Run>,
    cursor: usize,
    _process: Process,
}

impl Machine {
    fn start(workshop: &Workshop) -> Result<Machine> {
        let boot = appliance::BootFiles::of(&Card::new(workshop)?, &workshop.file("boot"))?;
        let configfs = module(workshop, "fs/configfs/configfs")?;
        let gpio_sim = module(workshop, "drivers/gpio/gpio-sim")?;
        let files = [
            ("pxeberry", image_file("pxeberry")?),
            ("configfs.ko", configfs),
            ("gpio-sim.ko", gpio_sim),
        ];
        let files = files.each_ref().map(|(name, path)| (*name, path.as_path()));
        let initramfs = bystander::behind(workshop, None, "simulated-pins", &files)?;
        let mut command = Command::new("qemu-system-aarch64");
        command
            .args(["-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg", "-m", "256"])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"])
            .args(["-serial", "stdio", "-kernel", &boot.kernel, "-initrd"])
            .arg(initramfs)
            .args(["-append", &format!("console=ttyAMA0 loglevel=1 {}", bystander::START)]);
        let complaints = workshop.file("machine.qemu.log");
        let (process, serial) = Process::start(&mut command, &complaints)?;
        let log = workshop.file("machine.log");
        let console = Console::new("machine", serial, &log, process.complaints())?;
        let (began, runs) = (Instant::now(), Vec::new());
        Ok(Machine { console, began, runs, cursor: 0, _process: process })
    }

    /// Waits until the LEDs have done what `find` looks for, after what was waited for
    /// before.
    fn wait_for(&mut self, find: impl Fn(&[Run]) -> Option<Found>) -> Result<()> {
        loop {
            let open = self.runs.get(self.cursor..).unwrap_or_default();
            if let Some(found) = find(open) {
                self.cursor += found.next;
                return Ok(());
            }
            let told = rhythm::told(open);
            let change = self.console.wait_for("leds ", CHANGE).map_err(|failure| {
                Failure::new(format!("{failure}the LEDs since what was seen last: {told}"))
            })?;
            self.runs.push(self.run(&change.text)?);
        }
    }

    /// `leds 0 1 0 at 12.34`
    fn run(&self, line: &str) -> Result<Run> {
        let odd = || Failure::new(format!("not a change of the LEDs: {line:?}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["leds", red, amber, green, "at", seconds] = words.as_slice() else {
            return Err(odd());
        };
        let seconds: f64 = seconds.parse().map_err(|_| odd())?;
        let leds = Leds { red: *red == "1", amber: *amber == "1", green: *green == "1" };
        Ok(Run { leds, since: self.began + Duration::from_secs_f64(seconds) })
    }
}

/// A module of the image's kernel that the image itself does not have.
fn module(workshop: &Workshop, name: &str) -> Result<PathBuf> {
    let modules = image_file("root")?.join("usr/lib/modules");
    let mut kernels = fs::read_dir(&modules).map_err(Failure::at(modules.display()))?;
    let kernel = kernels.next().and_then(std::result::Result::ok).map(|entry| entry.path());
    let kernel = kernel.ok_or_else(|| Failure::new(format!("{}: empty", modules.display())))?;
    let packed = kernel.join(format!("kernel/{name}.ko.xz"));
    let module = workshop.file(&name.replace('/', "-"));
    run(Command::new("sh").args(["-c", "xz -dc \"$0\" >\"$1\""]).arg(packed).arg(&module))?;
    Ok(module)
}
