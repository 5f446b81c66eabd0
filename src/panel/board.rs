//! What the LEDs and the button are wired to, and which of the ways to reach them is used.
//!
//! A board that cannot be opened is never a reason not to run: then there are no LEDs.

use std::fmt;
use std::io;

use super::cdev::{self, Lines};
use super::model::{Model, different};
use super::pattern::{Leds, State};
use super::rpi::{self, Registers};
use super::terminal::Terminal;
use crate::config::{Panel, PanelKind};

/// For tests and for boards that we do not know: the label of the GPIO chip to use, as
/// `gpiodetect` prints it.
const CHIP_VARIABLE: &str = "PXEBERRY_GPIO_CHIP";

/// Three LEDs and a button.
pub trait Board {
    /// Sets the LEDs. `state` is what they say, for a board that can also write.
    fn set(&mut self, leds: Leds, state: State);

    /// Whether the button is down just now. Never waits.
    fn button_pressed(&mut self) -> bool;
}

/// Why a board cannot be used.
#[derive(Debug)]
pub enum BoardError {
    /// rppal cannot open the registers.
    Registers(rppal::gpio::Error),
    /// No GPIO chip has one of these labels.
    NoChip(String),
    /// The kernel does not give us the lines of the chip.
    Lines(gpiocdev::Error),
    /// Input or output is not a terminal.
    NotATerminal,
    /// The terminal cannot be set up.
    Terminal(io::Error),
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoardError::Registers(error) => write!(f, "no GPIO registers ({error})"),
            BoardError::NoChip(labels) => write!(f, "no GPIO chip labelled {labels}"),
            BoardError::Lines(error) => write!(f, "the GPIO chip refuses the pins ({error})"),
            BoardError::NotATerminal => f.write_str("input and output are not a terminal"),
            BoardError::Terminal(error) => write!(f, "the terminal cannot be set up ({error})"),
        }
    }
}

impl std::error::Error for BoardError {}

/// Opens what the config asks for, on the board that is one of `models`, and says in one line
/// what it got and why.
pub fn open(panel: &Panel, models: &[Model]) -> Box<dyn Board> {
    match panel.kind {
        PanelKind::Auto | PanelKind::Gpio => match std::env::var(CHIP_VARIABLE) {
            Ok(label) => gpio_chip(panel, &label),
            Err(_) => gpio(panel, models),
        },
        PanelKind::Terminal => terminal(),
        PanelKind::None => {
            log::info!("panel: no LEDs and no button, as [panel] kind = \"none\" says");
            Box::new(Nothing)
        }
    }
}

/// The button alone, to be asked whether it is down, before there is a panel. The same way
/// as [`open`] takes; none where there is none.
pub fn button(panel: &Panel, models: &[Model]) -> Option<Box<dyn Fn() -> bool>> {
    if let Ok(pressed) = rpi::button_alone(panel) {
        return Some(Box::new(pressed));
    }
    let pressed = cdev::button_alone(panel, &different(models, |model| &model.gpio_chip))?;
    Some(Box::new(pressed))
}

fn gpio(panel: &Panel, models: &[Model]) -> Box<dyn Board> {
    let pins = Pins(panel);
    let why = match Registers::open(panel) {
        Ok(board) => {
            log::info!("panel: {pins}, through rppal, as this is a board that it can drive");
            return Box::new(board);
        }
        Err(error) => error,
    };
    match Lines::open(panel, &different(models, |model| &model.gpio_chip)) {
        Ok(board) => {
            let chip = board.name();
            log::info!("panel: {pins}, through the kernel's {chip}, as rppal has {why}");
            Box::new(board)
        }
        Err(error) => {
            let own = "the board's own LED, if it has one, shows the state";
            log::warn!("panel: no LEDs and no button, as there are {why}, {error}; {own}");
            Box::new(Nothing)
        }
    }
}

fn gpio_chip(panel: &Panel, label: &str) -> Box<dyn Board> {
    let pins = Pins(panel);
    match Lines::open(panel, &[label]) {
        Ok(board) => {
            let chip = board.name();
            log::info!("panel: {pins}, through the kernel's {chip}, as {CHIP_VARIABLE} says");
            Box::new(board)
        }
        Err(error) => {
            log::warn!("panel: no LEDs and no button: {error}; correct {CHIP_VARIABLE}");
            Box::new(Nothing)
        }
    }
}

fn terminal() -> Box<dyn Board> {
    match Terminal::open() {
        Ok(board) => {
            log::info!("panel: in this terminal, as [panel] kind = \"terminal\" says");
            Box::new(board)
        }
        Err(error) => {
            log::warn!("panel: no LEDs and no button: {error}; set [panel] kind to another");
            Box::new(Nothing)
        }
    }
}

struct Pins<'a>(&'a Panel);

impl fmt::Display for Pins<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Panel { red, amber, green, button, .. } = self.0;
        write!(f, "LEDs on GPIO {red}, {amber}, {green} and button on GPIO {button}")
    }
}

/// Nothing to see, nothing to press.
#[derive(Debug)]
struct Nothing;

impl Board for Nothing {
    fn set(&mut self, _leds: Leds, _state: State) {}

    fn button_pressed(&mut self) -> bool {
        false
    }
}
