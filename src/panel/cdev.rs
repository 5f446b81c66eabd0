//! LEDs and button through the kernel's GPIO character device: Raspberry Pi 5, other
//! boards, and `gpio-sim` in tests. The chip is found by its label.
//!
//! The kernel takes the lines back when the process ends, so no LED stays lit after a crash.

use std::path::PathBuf;

use gpiocdev::Request;
use gpiocdev::chip::{Chip, chips};
use gpiocdev::line::{Bias, Value, Values};

use super::board::{Board, BoardError};
use super::pattern::{Leds, State};
use crate::config::Panel;

/// Shown by `gpioinfo` beside our lines.
const CONSUMER: &str = "pxeberry";

/// The lines of one chip.
#[derive(Debug)]
pub struct Lines {
    name: String,
    pins: Panel,
    leds: Request,
    button: Option<Request>,
    leds_failed: bool,
    button_failed: bool,
}

impl Lines {
    /// Takes the lines from the first chip that has one of `labels`. LEDs without a button
    /// are better than neither, so a button that is taken only makes a warning.
    pub fn open(panel: &Panel, labels: &[&str]) -> Result<Lines, BoardError> {
        let (path, name) = find(labels).ok_or_else(|| BoardError::NoChip(labels.join(" or ")))?;
        let leds = leds(&path, panel).map_err(BoardError::Lines)?;
        let button = button(&path, panel.button)
            .inspect_err(|error| log::warn!("panel: no button on GPIO {}: {error}", panel.button));
        Ok(Lines {
            name,
            pins: *panel,
            leds,
            button: button.ok(),
            leds_failed: false,
            button_failed: false,
        })
    }

    /// `gpiochip0 (pinctrl-bcm2711)`
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Board for Lines {
    fn set(&mut self, leds: Leds, _state: State) {
        let mut values = Values::default();
        values.set(self.pins.red.into(), leds.red.into());
        values.set(self.pins.amber.into(), leds.amber.into());
        values.set(self.pins.green.into(), leds.green.into());
        let result = self.leds.set_values(&values);
        noted(result, &mut self.leds_failed, "set the LEDs", &self.name);
    }

    /// To ground: low is pressed.
    fn button_pressed(&mut self) -> bool {
        let Some(result) = self.button.as_ref().map(Request::lone_value) else { return false };
        let value = noted(result, &mut self.button_failed, "read the button", &self.name);
        value == Some(Value::Inactive)
    }
}

/// The button alone: whether it is down. None where there is no such chip, or it is taken.
pub fn button_alone(panel: &Panel, labels: &[&str]) -> Option<impl Fn() -> bool + use<>> {
    let (chip, _) = find(labels)?;
    let request = button(&chip, panel.button).ok()?;
    Some(move || matches!(request.lone_value(), Ok(Value::Inactive)))
}

/// Tells of a failure once, until it works again: fifty lines a second would drown the log.
fn noted<T>(result: gpiocdev::Result<T>, failed: &mut bool, what: &str, chip: &str) -> Option<T> {
    if let Err(error) = &result
        && !*failed
    {
        log::error!("panel: {chip}: cannot {what}: {error}");
    }
    *failed = result.is_err();
    result.ok()
}

fn find(labels: &[&str]) -> Option<(PathBuf, String)> {
    let named = |path: PathBuf| {
        let info = Chip::from_path(&path).and_then(|chip| chip.info()).ok()?;
        Some((path, info.name, info.label))
    };
    let mut chips = chips().ok()?.into_iter().filter_map(named);
    let (path, name, label) = chips.find(|(_, _, label)| labels.contains(&label.as_str()))?;
    Some((path, format!("{name} ({label})")))
}

fn leds(chip: &PathBuf, panel: &Panel) -> gpiocdev::Result<Request> {
    Request::builder()
        .on_chip(chip)
        .with_consumer(CONSUMER)
        .with_lines(&[panel.red.into(), panel.amber.into(), panel.green.into()])
        .as_output(Value::Inactive)
        .request()
}

fn button(chip: &PathBuf, pin: u8) -> gpiocdev::Result<Request> {
    let with_bias = |bias: Option<Bias>| {
        Request::builder()
            .on_chip(chip)
            .with_consumer(CONSUMER)
            .with_line(pin.into())
            .as_input()
            .with_bias(bias)
            .request()
    };
    // Some chips have no pull-ups of their own; then the wiring must bring one.
    with_bias(Some(Bias::PullUp)).or_else(|_| with_bias(None))
}
