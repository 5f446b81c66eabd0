//! Safe mode: nothing is installed, and the defaults serve in the place of the card's
//! settings. The way into a box that its settings lock, or make a nuisance.
//!
//! Whether the button was held at power-on is asked before the servers are started for the
//! first time: settings that give addresses where they must not shall not have even the
//! second that it takes to tell. A helper looks, so pins that hang in the kernel cost two
//! seconds; the panel looks, too, and can still ask for safe mode when we do not know.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use log::{error, warn};

use super::helper::{self, Helper};
use crate::config::{Panel, PanelKind};
use crate::panel::early;
use crate::world::SAFE_MODE;

/// A second for a button that is held, and as long again for a helper that is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the helper says of a button that is held.
const HELD: &str = "held";

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The card's settings serve.
    Off,
    /// `serve` is ending, to be started with the defaults.
    Entering,
    /// The defaults serve.
    On,
}

/// The button's first second.
#[derive(Debug, Default)]
pub struct Question {
    asked: Option<(Helper, Instant)>,
}

impl Question {
    /// Begins to look at the button, if there may be one.
    pub fn ask(panel: Panel, now: Instant) -> Question {
        if !matches!(panel.kind, PanelKind::Auto | PanelKind::Gpio) {
            return Question::default();
        }
        let look = move || match early::held_at_power_on(&panel) {
            true => HELD.to_owned(),
            false => String::new(),
        };
        match helper::start(look) {
            Ok(helper) => Question { asked: Some((helper, now + PATIENCE)) },
            Err(error) => {
                warn!("the button cannot be looked at before the servers start: {error}");
                Question::default()
            }
        }
    }

    /// Whether nobody may act on the card's settings yet.
    pub fn is_open(&self) -> bool {
        self.asked.is_some()
    }

    /// Takes the answer. A button that is held leaves the mark of safe mode, as the panel
    /// does.
    pub fn advance(&mut self, now: Instant) {
        let Some((helper, until)) = &mut self.asked else { return };
        match helper.result() {
            None if now < *until => return,
            None => warn!("the button could not be read; starting without waiting for it"),
            Some(answer) if answer == HELD => {
                if let Err(error) = fs::write(SAFE_MODE, "") {
                    error!("{SAFE_MODE}: cannot be written: {error}");
                }
            }
            Some(_) => {}
        }
        self.asked = None;
    }

    /// What to wait on.
    pub fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.asked.as_ref().map(|(helper, _)| helper.as_fd())
    }
}
