//! What a person sees who has nothing but three LEDs and a button, from power-on to power-off.

use std::time::Duration;

use pxeberry::panel::pattern::{Leds, State};

use super::lab::pins::Pins;
use super::lab::{
    Appliance, Card, FileSystem, Lan, Nic, Pc, PcParts, Result, StickContent, Workshop,
};
use super::{APPLIANCE_START, STAGE, alone};

const BY_HAND: &str = "52:54:00:00:00:03";

const SETTINGS: &str = "mode = \"server\"\n[boot]\nbios_loader = \"pxelinux\"\n";

/// A machine that nobody has armed, which loads a system all the same: not "installing".
const NEVER: &str = "[[machine]]\nmac = \"52:54:00:00:00:03\"\ninstall = \"never\"\n";
const OWN_CONFIG: &str = "DEFAULT by-hand\nPROMPT 0\nLABEL by-hand\n\
    KERNEL coreos_production_pxe.vmlinuz\nINITRD coreos_production_pxe_image.cpio.gz\n\
    APPEND console=ttyS0 quiet\n";

/// From a press to all LEDs lit.
const ACKNOWLEDGED: Duration = Duration::from_millis(100);

/// A short press.
const PRESS: Duration = Duration::from_millis(200);

/// So long the button is held to switch off; the panel counts five seconds.
const HOLD: Duration = Duration::from_millis(5500);

#[test]
fn the_leds_tell_a_boxs_day_from_power_on_to_safe_to_unplug() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("leds")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-3", BY_HAND)])?
        .with_file("machines.toml", NEVER)?
        .with_file("tftp/pxelinux.cfg/01-52-54-00-00-00-03", OWN_CONFIG)?
        .image(FileSystem::Fat32)?;
    let card = Card::with_settings(&workshop, SETTINGS)?;
    let mut appliance = Appliance::start(&workshop, &lan, &card, None)?;
    let no_stick = appliance.pins.wait_for(State::NoStick, APPLIANCE_START)?;
    // The board's own LED alone tells it too.
    appliance.pins.wait_for_own(State::NoStick, no_stick, STAGE)?;
    let chosen = "LEDs on GPIO 9, 10, 11 and button on GPIO 5, through rppal";
    assert_eq!(appliance.console.lines_with(chosen).len(), 1, "{}", appliance.console.tail());

    appliance.plug(&stick)?;
    appliance.pins.wait_for(State::Scanning, STAGE)?;
    appliance.console.wait_for("1 stick read: 1 image, 1 machine", STAGE)?;
    let ready = appliance.pins.wait_for(State::Ready, STAGE)?;
    appliance.pins.wait_for_own(State::Ready, ready, STAGE)?;

    let disk = workshop.empty_disk("node-3.img")?;
    let parts = PcParts { name: "node-3", mac: BY_HAND, nic: Nic::Virtio, disk, boot_order: "cn" };
    let pc = Pc::start(&workshop, &lan, &parts)?;
    appliance.pins.wait_for(State::Serving, STAGE)?;
    appliance.console.wait_for("takes coreos_production_pxe.vmlinuz", STAGE)?;
    // Somebody pulls its plug; that machines get everything is shown elsewhere.
    drop(pc);
    appliance.pins.wait_for(State::Ready, STAGE)?;

    a_press_is_acknowledged_and_reads_the_stick_again(&appliance)?;
    holding_the_button_switches_off(&appliance)
}

fn a_press_is_acknowledged_and_reads_the_stick_again(appliance: &Appliance) -> Result<()> {
    // A busy host can stop the emulator for longer than the panel takes: the best counts.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let read = "1 stick read: 1 image, 1 machine";
        let before = appliance.console.lines_with(read).len();
        best = best.min(press(&appliance.pins)?);
        appliance.console.wait_for("button: POST /rescan accepted", STAGE)?;
        // The servers may have said so before the panel has their answer.
        if appliance.console.lines_with(read).len() == before {
            appliance.console.wait_for(read, STAGE)?;
        }
    }
    println!("a press is acknowledged after {} ms", best.as_millis());
    assert!(best <= ACKNOWLEDGED, "acknowledged after {best:?}, not {ACKNOWLEDGED:?}");
    Ok(())
}

fn press(pins: &Pins) -> Result<Duration> {
    let pressed = pins.press()?;
    let lit = pins.wait_for_levels(Leds::ALL, pressed, STAGE)?;
    std::thread::sleep(PRESS.saturating_sub(pressed.elapsed()));
    pins.release()?;
    Ok(lit - pressed)
}

fn holding_the_button_switches_off(appliance: &Appliance) -> Result<()> {
    appliance.pins.press()?;
    std::thread::sleep(HOLD);
    appliance.pins.release()?;
    appliance.pins.wait_for(State::ShuttingDown, STAGE)?;
    let closed = appliance.console.wait_for("everything is on the card", STAGE)?.at;
    let safe = appliance.pins.wait_for_last(State::SafeToUnplug, STAGE)?;
    assert!(safe >= closed, "\"safe to unplug\" {:?} before it was", closed - safe);
    appliance.console.wait_for("pxeberry: powering off", STAGE)?;
    appliance.pins.wait_for_steady(Leds::OFF, Duration::from_secs(1), STAGE)?;
    assert!(!appliance.pins.own_is_lit(), "the board's own LED is still lit");
    Ok(())
}
