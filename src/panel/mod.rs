//! LEDs and button: the face of a box that has no screen.
//!
//! A process of its own, which outlives a crash of the servers and then says so. The loop
//! reads the button and writes the LEDs every 20 ms and waits for nothing else: the servers
//! are asked by threads (`link`), and everything that decides is pure (`face` and below).
//! It refuses to be a reason for anything else to fail: without LEDs it runs without LEDs.

pub mod board;
pub mod button;
mod cdev;
pub mod client;
pub mod display;
pub mod early;
pub mod face;
pub mod fallen;
pub mod health;
mod link;
pub mod model;
mod onboard;
pub mod pattern;
mod power;
mod rpi;
mod signals;
mod startup;
pub mod table;
mod terminal;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

pub use pattern::State;

use crate::config::{Config, PanelKind};
use crate::heartbeat::{self, Heart};
use board::Board;
use face::{Effect, Face, Input, Output};
use link::{Link, Wish};
use model::Model;
use onboard::OwnLed;
use pattern::Leds;
use signals::{Signals, Told};

/// Half of the shortest debounce, and far below what a person sees as a delay.
const TICK: Duration = Duration::from_millis(20);

/// Which board this is.
const MODEL: &str = "/proc/device-tree/model";

/// A button that is down when a box of this age starts its panel has been held since
/// power-on; later, it is the panel that was restarted.
const JUST_SWITCHED_ON: Duration = Duration::from_secs(30);

/// Runs the panel until SIGTERM, or until it has shown that the box is safe to unplug; then
/// the LEDs are dark.
pub fn run(config: &Config) -> ExitCode {
    let started = Signals::block().and_then(|signals| Ok((signals, Link::start(&config.control)?)));
    let (signals, link) = match started {
        Ok(started) => started,
        Err(error) => {
            log::error!("panel: cannot start its threads: {error}; is the memory full?");
            return ExitCode::FAILURE;
        }
    };
    let uptime = uptime();
    let models = model::candidates(&fs::read_to_string(MODEL).unwrap_or_default());
    let mut panel = Panel {
        face: Face::new(uptime, uptime < JUST_SWITCHED_ON, Duration::ZERO),
        board: board::open(&config.panel, &models),
        own_led: own_led(config.panel.kind, &models),
        link,
        last: None,
        heart: Heart::from_supervisor(),
        beat_due: Duration::ZERO,
    };
    let end = panel.run(&signals);
    log::info!("panel: ended {end}, LEDs dark");
    ExitCode::SUCCESS
}

struct Panel {
    face: Face,
    board: Box<dyn Board>,
    own_led: Option<OwnLed>,
    link: Link,
    last: Option<(Leds, State)>,
    heart: Option<Heart>,
    beat_due: Duration,
}

impl Panel {
    /// Says how it ended.
    fn run(&mut self, signals: &Signals) -> &'static str {
        let start = Instant::now();
        let mut due = Duration::ZERO;
        let mut forget_due = startup::FORGET_EVERY;
        let end = loop {
            let now = start.elapsed();
            self.tick(now);
            self.beat(now);
            if now >= forget_due {
                forget_due = now.saturating_add(startup::FORGET_EVERY);
                startup::forget();
            }
            if self.face.has_said_goodbye(now) {
                break "after \"safe to unplug\"";
            }
            // After a stall the ticks go on from here; those that were missed are gone.
            due = (due + TICK).max(now);
            match signals.wait(due.saturating_sub(start.elapsed())) {
                Some(Told::End) => break "by a signal",
                Some(Told::GoingDown) => self.face.go_down(start.elapsed()),
                None => {}
            }
        };
        self.dark(start.elapsed());
        end
    }

    /// Pins that hang in the kernel hang the beats too, and PID 1 starts a panel anew.
    fn beat(&mut self, now: Duration) {
        if now < self.beat_due {
            return;
        }
        self.beat_due = now.saturating_add(heartbeat::INTERVAL);
        if let Some(heart) = &mut self.heart {
            heart.beat();
        }
    }

    fn tick(&mut self, now: Duration) {
        let input = Input {
            pressed: self.board.button_pressed(),
            answer: self.link.answer(),
            disks_closed: self.face.shutting_down() && power::disks_closed(),
        };
        let output = self.face.step(input, now);
        self.show(output, now);
        match output.effect {
            Some(Effect::Rescan) => self.link.carry(Wish::Rescan),
            Some(Effect::SafeMode) => {
                power::note_safe_mode();
                self.link.carry(Wish::SafeMode);
            }
            Some(Effect::PowerOff) => self.power_off(),
            None => {}
        }
    }

    fn show(&mut self, output: Output, now: Duration) {
        let Output { leds, shown, .. } = output;
        if self.last.is_none_or(|(_, state)| state != shown) {
            log::info!("panel: shows {}", shown.name());
        }
        if self.last != Some((leds, shown)) {
            self.board.set(leds, shown);
            self.last = Some((leds, shown));
        }
        if let Some(own_led) = &mut self.own_led {
            own_led.set(leds.any(), now);
        }
    }

    fn power_off(&mut self) {
        log::info!("panel: button held: asking PID 1 to switch off");
        if let Err(error) = power::ask_init() {
            log::error!("panel: {error}");
            self.face.power_off_refused();
        }
    }

    fn dark(&mut self, now: Duration) {
        let shown = self.last.map_or(State::Booting, |(_, state)| state);
        self.board.set(Leds::OFF, shown);
        if let Some(own_led) = &mut self.own_led {
            own_led.set(false, now);
        }
    }
}

/// A panel that is drawn, or not wanted, is no reason to take the machine's own LED.
fn own_led(kind: PanelKind, models: &[Model]) -> Option<OwnLed> {
    let wanted = matches!(kind, PanelKind::Auto | PanelKind::Gpio);
    let names = model::different(models, |model| &model.act_led);
    wanted.then(|| OwnLed::new(Path::new(onboard::LEDS), &names))
}

/// The age of the machine; where the kernel does not say, it is old.
fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split(' ').next().and_then(|seconds| seconds.parse().ok());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_wiring_page_names_the_pins_that_the_defaults_use() {
        const HEADER: [(u8, u8); 4] = [(10, 19), (9, 21), (11, 23), (5, 29)];
        let page = include_str!("../../board/wiring.md");
        let panel = crate::config::parse("").unwrap().panel;
        let parts = [
            (panel.red, "long leg of the red LED"),
            (panel.amber, "long leg of the amber LED"),
            (panel.green, "long leg of the green LED"),
            (panel.button, "one side of the button"),
        ];
        for (gpio, part) in parts {
            let (_, pin) = HEADER.iter().find(|(number, _)| *number == gpio).unwrap();
            let start = format!("| {pin} | GPIO{gpio} | ");
            let row = page.lines().find(|line| line.starts_with(&start));
            assert!(row.is_some_and(|row| row.contains(part)), "{start}{part}");
        }
    }
}
