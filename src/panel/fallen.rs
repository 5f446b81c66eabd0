//! The LEDs after the panel: set once, by whoever is left, and then let alone.
//!
//! Through rppal only. Lines of the kernel's GPIO chip are taken back when their process
//! ends, and are dark then.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::onboard::{self, OwnLed};
use super::pattern::Leds;
use super::{MODEL, model, rpi};
use crate::config::Panel;

/// Leaves the LEDs like this, and the board's own one lit if any of them is. Where there are
/// none, there is nothing to set right.
pub fn show(panel: &Panel, leds: Leds) {
    let models = model::candidates(&fs::read_to_string(MODEL).unwrap_or_default());
    if let Err(error) = rpi::leave(panel, leds) {
        log::debug!("panel: no LEDs to set: {error}");
    }
    let names = model::different(&models, |model| &model.act_led);
    OwnLed::new(Path::new(onboard::LEDS), &names).set(leds.any(), Duration::ZERO);
}
