//! LEDs that nobody drives: a panel that falls leaves them as they were, which is a lie.
//!
//! The processor's pins keep their levels when a program dies, and a panel that falls again
//! and again is started after ever longer pauses. So a helper sets them at once: red, without
//! a change, which is no state's pattern; dark, when the box goes down and no panel follows.
//! Pins that hang in the kernel hang the helper, not PID 1.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use log::warn;

use super::helper::{self, Helper};
use crate::config::{Panel, PanelKind};
use crate::panel::fallen;
use crate::panel::pattern::Leds;

/// Setting three pins takes milliseconds; the next panel waits no longer for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The helper that sets the LEDs, while it works.
#[derive(Debug, Default)]
pub struct Nobody {
    /// Where the card says that the LEDs are, whatever else serves later.
    panel: Option<Panel>,
    wanted: Option<Leds>,
    at_work: Option<(Helper, Instant)>,
}

impl Nobody {
    /// For LEDs of this kind and on these pins.
    pub fn of(panel: Panel) -> Nobody {
        let has_pins = matches!(panel.kind, PanelKind::Auto | PanelKind::Gpio);
        Nobody { panel: has_pins.then_some(panel), ..Nobody::default() }
    }

    /// The panel has fallen, and another one will follow.
    pub fn drives(&mut self) {
        self.wanted = Some(Leds::NOBODY);
    }

    /// There will be no panel any more.
    pub fn leaves_them_dark(&mut self) {
        self.wanted = Some(Leds::OFF);
    }

    /// Sets the LEDs as is wanted, one helper after the other: two at once could end in any
    /// order.
    pub fn advance(&mut self, now: Instant) {
        let done =
            |(helper, until): &mut (Helper, Instant)| now >= *until || helper.result().is_some();
        self.at_work.take_if(done);
        if self.at_work.is_none()
            && let (Some(leds), Some(panel)) = (self.wanted.take(), self.panel)
        {
            let set = move || {
                fallen::show(&panel, leds);
                String::new()
            };
            match helper::start(set) {
                Ok(helper) => self.at_work = Some((helper, now + PATIENCE)),
                Err(error) => warn!("the LEDs stand still until the panel runs again: {error}"),
            }
        }
    }

    /// Whether the pins are still being set. A panel that starts now would get a level under
    /// its own.
    pub fn is_busy(&self) -> bool {
        self.at_work.is_some()
    }

    /// What to wait on.
    pub fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.at_work.as_ref().map(|(helper, _)| helper.as_fd())
    }
}
