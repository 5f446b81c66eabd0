//! A card whose settings lock its owner out, and the button as the way in.

use pxeberry::panel::pattern::Leds;

use super::lab::{Appliance, Card, Lan, Result, Workshop};
use super::{APPLIANCE_START, STAGE, alone};

#[test]
fn a_button_held_at_power_on_opens_a_box_whose_settings_lock_it() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("held")?;
    let lan = Lan::new(&workshop);
    let card = Card::with_settings(&workshop, "interface = \"eth7\"\n")?;
    let appliance = Appliance::start(&workshop, &lan, &card, None)?;
    let pressed = appliance.pins.press()?;
    appliance.pins.wait_for_levels(Leds::ALL, pressed, APPLIANCE_START)?;
    appliance.pins.release()?;
    appliance.console.wait_for("safe mode: going on with the default settings", STAGE)?;
    appliance.console.wait_for("safe mode: nothing is installed", STAGE)?;
    appliance.console.wait_for("serving on eth0", STAGE)?;
    assert_eq!(appliance.console.lines_with("pxeberry: serve started").len(), 1);
    Ok(())
}
