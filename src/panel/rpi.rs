//! LEDs and button through the GPIO registers, by `rppal`: Raspberry Pi up to 4.
//!
//! Levels are read, not interrupts: that survives missed edges and works in the emulator.
//! With Debian's kernel it needs `iomem=relaxed` on the kernel's command line.

use rppal::gpio::{Gpio, InputPin, Level, OutputPin};

use super::board::{Board, BoardError};
use super::pattern::{Leds, State};
use crate::config::Panel;

/// The pins, ours until dropped; then the LEDs are dark.
#[derive(Debug)]
pub struct Registers {
    red: OutputPin,
    amber: OutputPin,
    green: OutputPin,
    button: InputPin,
}

impl Registers {
    /// Fails where rppal does not know the board or may not map its registers.
    pub fn open(panel: &Panel) -> Result<Registers, BoardError> {
        let gpio = Gpio::new().map_err(BoardError::Registers)?;
        let pin = |number| gpio.get(number).map_err(BoardError::Registers);
        let button = button(&gpio, panel)?;
        Ok(Registers {
            red: pin(panel.red)?.into_output_low(),
            amber: pin(panel.amber)?.into_output_low(),
            green: pin(panel.green)?.into_output_low(),
            button,
        })
    }

    fn write(&mut self, leds: Leds) {
        self.red.write(Level::from(leds.red));
        self.amber.write(Level::from(leds.amber));
        self.green.write(Level::from(leds.green));
    }
}

/// Sets the LEDs and leaves them so, also after this process has ended. Fails as
/// [`Registers::open`] does.
pub fn leave(panel: &Panel, leds: Leds) -> Result<(), BoardError> {
    let gpio = Gpio::new().map_err(BoardError::Registers)?;
    let pins = [(panel.red, leds.red), (panel.amber, leds.amber), (panel.green, leds.green)];
    for (number, lit) in pins {
        let pin = gpio.get(number).map_err(BoardError::Registers)?;
        let mut pin = if lit { pin.into_output_high() } else { pin.into_output_low() };
        pin.set_reset_on_drop(false);
    }
    Ok(())
}

/// The button alone: whether it is down. Fails as [`Registers::open`] does.
pub fn button_alone(panel: &Panel) -> Result<impl Fn() -> bool + use<>, BoardError> {
    let gpio = Gpio::new().map_err(BoardError::Registers)?;
    let button = button(&gpio, panel)?;
    Ok(move || button.is_low())
}

fn button(gpio: &Gpio, panel: &Panel) -> Result<InputPin, BoardError> {
    let pin = gpio.get(panel.button).map_err(BoardError::Registers)?;
    let mut button = pin.into_input_pullup();
    // Keep the pull-up between two panels: a floating input would be a phantom press.
    button.set_reset_on_drop(false);
    Ok(button)
}

impl Board for Registers {
    fn set(&mut self, leds: Leds, _state: State) {
        self.write(leds);
    }

    /// To ground: low is pressed.
    fn button_pressed(&mut self) -> bool {
        self.button.is_low()
    }
}

impl Drop for Registers {
    /// rppal gives a pin back its earlier mode; if that was "output", it would stay lit.
    fn drop(&mut self) {
        self.write(Leds::OFF);
    }
}
