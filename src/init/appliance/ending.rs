//! How the box goes down: the servers first, then the card, then the LEDs.

use std::time::{Duration, Instant};

use log::info;

use super::super::power::{self, End};
use super::Appliance;

#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) how: End,
    stage: Stage,
    /// The stage is over by then, whatever happens.
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// `serve` closes its database; the panel shows that.
    Servers,
    /// Everything is on the card; the panel shows that, where there is time.
    Panel,
}

impl Appliance {
    pub(super) fn go_down(&mut self, how: End, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        info!("{how}: stopping serve");
        self.start.watchdog.pet();
        self.serve.stop(now);
        self.panel.go_down();
        self.prompts.stop();
        if !self.panel.is_running() {
            // It fell, and would have been started again.
            self.nobody.leaves_them_dark();
        }
        let until = now + power::CHILDREN_STOP + power::CHILDREN_DIE;
        self.ending = Some(Ending { how, stage: Stage::Servers, until });
    }

    pub(super) fn has_ended(&mut self, ending: Ending, now: Instant) -> bool {
        self.serve.advance(&[], now);
        self.panel.advance(&[], now);
        let over = now >= ending.until;
        match ending.stage {
            Stage::Servers if over || !self.serve.is_running() => {
                self.close_card();
                let until = now + self.dismiss_panel(ending.how, now);
                self.ending = Some(Ending { stage: Stage::Panel, until, ..ending });
                false
            }
            Stage::Servers => false,
            Stage::Panel => over || !(self.panel.is_running() || self.nobody.is_busy()),
        }
    }

    /// Nobody reads the LEDs of a box that starts again at once; of one that stays off, the
    /// panel says that it is safe to unplug, and ends then. Returns how long it may take.
    fn dismiss_panel(&mut self, how: End, now: Instant) -> Duration {
        match how {
            End::Restart => {
                self.panel.stop(now);
                power::CHILDREN_DIE
            }
            End::PowerOff | End::Halt => power::GOODBYE,
        }
    }

    fn close_card(&mut self) {
        self.start.clock.save();
        // The watchdog is still on: a card that hangs here ends in a reset.
        rustix::fs::sync();
        self.disks.detach_all();
        self.start.watchdog.stop();
        info!("everything is on the card; it is safe to pull the plug");
    }
}
