//! A box that is switched on with its button held, and whose servers and whose panel hang
//! later: neither stops the other, the LEDs say what holds, and PID 1 starts them anew.
//! Before that, a stick that is changed in its place.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pxeberry::panel::pattern::{Leds, State};

use super::lab::appliance::Emulation;
use super::lab::dhcp::Asker;
use super::lab::workshop::run;
use super::lab::{Appliance, Card, Failure, FileSystem, Lan, Result, StickContent, Workshop};
use super::{APPLIANCE_START, STAGE, alone};

/// Not the defaults.
/// What is typed on the console is for the hand inside.
const SETTINGS: &str = "mode = \"server\"\n[control]\nprompt = false\n";

/// From the moment that the servers stop to the fault on the LEDs.
const FAULT_SHOWN: Duration = Duration::from_secs(2);

/// From the moment that the panel hangs to red LEDs: three seconds without a heartbeat, of
/// which there is one a second.
const HANG_SHOWN: Duration = Duration::from_secs(4);

/// From its fall to red LEDs.
const FALL_SHOWN: Duration = Duration::from_millis(200);

/// How long PID 1 waits after the second fall in half a minute, the third and the fourth.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(400), Duration::from_millis(800), Duration::from_millis(1600)];

/// What the emulator may lose to a busy host in that time, and the line that tells when they
/// stopped on its way to us.
const LOST: Duration = Duration::from_millis(400);

/// What the panel may hold in memory.
const MEMORY_KIB: u64 = 4 * 1024;

/// The stick's only partition, by `tests/support/pc/make-stick`.
const PARTITION: u32 = 1024 * 1024;

#[test]
fn a_hung_server_and_a_hung_panel_are_told_apart_and_started_anew() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("hung")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-1", "52:54:00:00:00:01")])?
        .image(FileSystem::Fat32)?;
    let card = Card::with_settings(&workshop, SETTINGS)?;
    let quick = Emulation::Quick;
    let mut appliance = Appliance::start_with_hands(&workshop, &lan, &card, Some(&stick), quick)?;
    the_button_was_held_at_power_on(&appliance)?;
    appliance.pins.wait_for(State::Ready, STAGE)?;

    a_press_finds_what_was_added_to_the_stick(&workshop, &mut appliance, &stick)?;
    the_servers_hang(&mut appliance)?;
    the_panel_is_small(&mut appliance)?;
    the_panel_hangs(&mut appliance, &lan)?;
    the_panel_falls_again_and_again(&mut appliance)
}

fn the_button_was_held_at_power_on(appliance: &Appliance) -> Result<()> {
    let pressed = appliance.pins.press()?;
    appliance.pins.wait_for_levels(Leds::ALL, pressed, APPLIANCE_START)?;
    appliance.pins.release()?;
    appliance.console.wait_for("safe mode: going on with the default settings", APPLIANCE_START)?;
    appliance.console.wait_for("safe mode: nothing is installed", STAGE)?;
    // By default, a box looks for others first.
    appliance.console.wait_for("no other DHCP server answers: giving addresses", STAGE)?;
    // The card's settings have not served for a moment.
    assert_eq!(starts(appliance, "serve"), 1);
    assert!(appliance.console.lines_with("mode = \"server\": giving addresses").is_empty());
    Ok(())
}

fn a_press_finds_what_was_added_to_the_stick(
    workshop: &Workshop,
    appliance: &mut Appliance,
    stick: &Path,
) -> Result<()> {
    let file = workshop.file("52-54-00-00-00-02.yml");
    fs::write(&file, "#cloud-config\nhostname: node-2\n").map_err(Failure::at(file.display()))?;
    let partition = format!("{}@@{PARTITION}", stick.display());
    run(Command::new("mcopy").args(["-i", &partition]).arg(&file).arg("::cloud-configs/"))?;
    // A stick in its place that gets new content has its own computer; Linux looks at what
    // it has in memory.
    tell(appliance, "forget", "hands: forgotten")?;
    let pressed = appliance.pins.press()?;
    std::thread::sleep(Duration::from_millis(200).saturating_sub(pressed.elapsed()));
    appliance.pins.release()?;
    appliance.console.wait_for("1 stick read: 1 image, 2 machines", STAGE)?;
    Ok(())
}

fn the_servers_hang(appliance: &mut Appliance) -> Result<()> {
    appliance.pins.wait_for(State::Ready, STAGE)?;
    let stopped = tell(appliance, "STOP serve", "hands: serve is stopped")?;
    let shown = appliance.pins.wait_for(State::NotAnswering, STAGE)? - stopped;
    println!("servers that hang are on the LEDs after {:.1} s", shown.as_secs_f32());
    appliance.console.wait_for("serve has not shown a sign of life for 10 s: killed", STAGE)?;
    appliance.console.wait_for("1 stick read: 1 image, 2 machines", STAGE)?;
    appliance.pins.wait_for(State::Ready, STAGE)?;
    assert_eq!(starts(appliance, "panel"), 1, "the panel was started again, too");
    assert!(shown <= FAULT_SHOWN + LOST, "on the LEDs after {shown:?}, not {FAULT_SHOWN:?}");
    Ok(())
}

fn the_panel_hangs(appliance: &mut Appliance, lan: &Lan) -> Result<()> {
    let servers = starts(appliance, "serve");
    let stopped = tell(appliance, "STOP panel", "hands: panel is stopped")?;
    let (_, port) = lan.own_port()?;
    Asker::start(port)?.first_offer(STAGE)?;
    let shown = appliance.pins.wait_for_levels(Leds::NOBODY, stopped, STAGE)? - stopped;
    println!("LEDs that nobody drives are red {:.1} s after the panel hung", shown.as_secs_f32());
    appliance.console.wait_for("panel has not shown a sign of life for 3 s: killed", STAGE)?;
    appliance.console.wait_for("pxeberry: panel started", STAGE)?;
    appliance.pins.wait_for(State::Ready, STAGE)?;
    assert_eq!(starts(appliance, "serve"), servers, "the servers were started again, too");
    assert!(shown <= HANG_SHOWN + LOST, "red after {shown:?}, not {HANG_SHOWN:?}");
    Ok(())
}

/// Each time it is started again a little later, and its LEDs do not lie in between.
fn the_panel_falls_again_and_again(appliance: &mut Appliance) -> Result<()> {
    for pause in PAUSES {
        let asked = Instant::now();
        let killed = tell(appliance, "KILL panel", "hands: panel is killed")?;
        let red = appliance.pins.wait_for_levels(Leds::NOBODY, asked, STAGE)?;
        // The word of the hand may come after what it did.
        let shown = red.saturating_duration_since(killed);
        println!("LEDs that nobody drives are red {} ms after the panel fell", shown.as_millis());
        // Until the next panel starts they stay so; its first state is another colour.
        appliance.pins.wait_for_steady(Leds::NOBODY, pause.saturating_sub(LOST), STAGE)?;
        assert!(appliance.pins.own_is_lit(), "the board's own LED is dark");
        appliance.console.wait_for("pxeberry: panel started", STAGE)?;
        appliance.pins.wait_for(State::Ready, STAGE)?;
        assert!(shown <= FALL_SHOWN + LOST, "red after {shown:?}, not {FALL_SHOWN:?}");
    }
    Ok(())
}

fn the_panel_is_small(appliance: &mut Appliance) -> Result<()> {
    appliance.console.type_line("weigh panel")?;
    let line = appliance.console.wait_for("hands: panel holds ", STAGE)?.text;
    let rest = line.split_once("holds ").map_or("", |(_, rest)| rest);
    println!("the panel holds {rest}");
    let memory: Option<u64> = rest.split(' ').next().and_then(|number| number.parse().ok());
    let memory = memory.ok_or_else(|| Failure::new(format!("no number in: {line}")))?;
    assert!(memory <= MEMORY_KIB, "the panel holds {memory} KiB, not {MEMORY_KIB} KiB");
    Ok(())
}

/// Has the hand inside do something; returns when it had done it.
fn tell(appliance: &mut Appliance, order: &str, done: &str) -> Result<Instant> {
    appliance.console.type_line(order)?;
    Ok(appliance.console.wait_for(done, STAGE)?.at)
}

fn starts(appliance: &Appliance, role: &str) -> usize {
    appliance.console.lines_with(&format!("pxeberry: {role} started")).len()
}
