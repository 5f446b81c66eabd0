//! The pins of the emulated Pi's header, from outside: LEDs to look at, a button to press.
//!
//! By QEMU's test interface (qtest), which reads and writes the GPIO registers of the BCM2837
//! as its programs do. The emulator tells of no change of a pin, so a thread looks often.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pxeberry::panel::pattern::{Leds, State, table};

use super::failure::{Failure, Result};
use super::process::{OtherEnd, character_device};
use super::rhythm::{self, Found, Run};

/// GPSET0, GPCLR0 and GPLEV0: a bit for each GPIO.
const SET: u32 = 0x3f20_001c;
const CLEAR: u32 = 0x3f20_0028;
const LEVELS: u32 = 0x3f20_0034;

const RED: u32 = 1 << 9;
const AMBER: u32 = 1 << 10;
const GREEN: u32 = 1 << 11;
const BUTTON: u32 = 1 << 5;

/// The board's own LED, where [`OWN_LED_PIN`] puts it.
const OWN_LED: u32 = 1 << OWN_LED_PIN;

/// A real Pi 3 has its own LED on a chip that the firmware drives, which is not emulated. In
/// the emulated one it is on this pin, which the header does not have.
pub const OWN_LED_PIN: u32 = 29;

/// A quarter of the panel's own tick.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The header.
pub struct Pins {
    line: Arc<Mutex<Line>>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    history: Mutex<History>,
    news: Condvar,
}

#[derive(Default)]
struct History {
    /// What was lit since when.
    runs: Vec<Run>,
    /// What was waited for lies before this run.
    cursor: usize,
    /// Since when the board's own LED was lit or not.
    own: Vec<(bool, Instant)>,
    ended: bool,
}

impl Pins {
    /// Adds the interface to the command that will start the emulator. The button is up:
    /// the emulated Pi has no pull-up resistors, and would show one that is held.
    pub fn add_to(command: &mut Command) -> Result<(Pins, OtherEnd)> {
        let (ours, theirs) = character_device(command, "qtest")?;
        command.args(["-qtest", "chardev:qtest", "-qtest-log", "none"]);
        let answers = BufReader::new(ours.try_clone().map_err(Failure::at("pins"))?);
        let mut line = Line { requests: ours, answers };
        // The emulator answers when it runs.
        line.send(&format!("writel {SET:#x} {BUTTON:#x}"))?;
        let line = Arc::new(Mutex::new(line));
        Ok((Pins { line, seen: Arc::default() }, theirs))
    }

    /// Starts to look. The emulator must run.
    pub fn watch(&self) -> Result<()> {
        locked(&self.line).receive()?;
        let (line, seen) = (Arc::clone(&self.line), Arc::clone(&self.seen));
        thread::spawn(move || watch(&line, &seen));
        Ok(())
    }

    /// Presses the button: the pin is pulled to ground. Returns when.
    pub fn press(&self) -> Result<Instant> {
        self.write(CLEAR)
    }

    /// Lets the button go.
    pub fn release(&self) -> Result<Instant> {
        self.write(SET)
    }

    /// Waits until the LEDs have shown the whole rhythm of `state`, in the colours of
    /// `state`, and returns when that began. It looks at what came after the last rhythm
    /// that was waited for, so the same one can be waited for twice.
    pub fn wait_for(&self, state: State, limit: Duration) -> Result<Instant> {
        self.wait(state.name(), limit, |runs| rhythm::find(runs, state))
    }

    /// The same for a rhythm that is shown once and followed by darkness for good.
    pub fn wait_for_last(&self, state: State, limit: Duration) -> Result<Instant> {
        self.wait(state.name(), limit, |runs| rhythm::find_last(runs, state))
    }

    /// Waits until the board's own LED has shown the rhythm of `state` after `since`.
    pub fn wait_for_own(&self, state: State, since: Instant, limit: Duration) -> Result<()> {
        let leds = table().iter().find(|entry| entry.state == state).map(|entry| entry.leds);
        let lit = |lit| leds.filter(|_| lit).unwrap_or(Leds::OFF);
        let deadline = Instant::now() + limit;
        let mut history = locked(&self.seen.history);
        loop {
            let own = history.own.iter().filter(|(_, began)| *began >= since);
            let runs: Vec<Run> =
                own.map(|(on, since)| Run { leds: lit(*on), since: *since }).collect();
            if rhythm::find(&runs, state).is_some() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || history.ended {
                let told = rhythm::told(&runs);
                return Err(Failure::new(format!("the own LED: not {}: {told}", state.name())));
            }
            let woken = self.seen.news.wait_timeout(history, left);
            history = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until these LEDs are lit, all at once, after `since`, and returns when.
    pub fn wait_for_levels(&self, leds: Leds, since: Instant, limit: Duration) -> Result<Instant> {
        let what = format!("{{{}}}", leds.names());
        self.wait(&what, limit, |runs| {
            let first = runs.iter().position(|run| run.leds == leds && run.since >= since);
            first.map(|first| Found { run: first, next: first })
        })
    }

    /// For how long nothing has changed, and what is lit.
    pub fn unchanged(&self) -> Option<(Duration, Leds)> {
        let history = locked(&self.seen.history);
        history.runs.last().map(|run| (run.since.elapsed(), run.leds))
    }

    /// Whether the board's own LED is lit.
    pub fn own_is_lit(&self) -> bool {
        locked(&self.seen.history).own.last().is_some_and(|(lit, _)| *lit)
    }

    /// Waits until the LEDs have been like this, without a change, for so long.
    pub fn wait_for_steady(&self, leds: Leds, at_least: Duration, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !self.unchanged().is_some_and(|(time, lit)| lit == leds && time >= at_least) {
            if Instant::now() >= deadline {
                let what = format!("steadily {{{}}}", leds.names());
                return Err(self.missed(&what, limit));
            }
            // That nothing changes makes no event.
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn write(&self, register: u32) -> Result<Instant> {
        let mut line = locked(&self.line);
        line.ask(&format!("writel {register:#x} {BUTTON:#x}"))?;
        Ok(Instant::now())
    }

    fn wait(
        &self,
        what: &str,
        limit: Duration,
        find: impl Fn(&[Run]) -> Option<Found>,
    ) -> Result<Instant> {
        let deadline = Instant::now() + limit;
        let mut history = locked(&self.seen.history);
        loop {
            let open = history.runs.get(history.cursor..).unwrap_or_default();
            if let Some(found) = find(open)
                && let Some(run) = open.get(found.run).copied()
            {
                history.cursor += found.next;
                return Ok(run.since);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || history.ended {
                drop(history);
                return Err(self.missed(what, limit));
            }
            let woken = self.seen.news.wait_timeout(history, left);
            history = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn missed(&self, what: &str, limit: Duration) -> Failure {
        let seconds = limit.as_secs();
        Failure::new(format!("pins: not {what} in {seconds} s; the LEDs: {}", self.tail()))
    }

    /// The last runs, for a failure: `amber 500 ms, dark 480 ms, …`.
    fn tail(&self) -> String {
        const LAST: usize = 40;
        let history = locked(&self.seen.history);
        let first = history.runs.len().saturating_sub(LAST);
        let runs = history.runs.get(first..).unwrap_or_default();
        rhythm::told(runs)
    }
}

/// Looks until the emulator has ended.
fn watch(line: &Mutex<Line>, seen: &Seen) {
    while let Ok((leds, own)) = look(line, seen) {
        let mut history = locked(&seen.history);
        if history.runs.last().is_none_or(|run| run.leds != leds) {
            history.runs.push(Run { leds, since: Instant::now() });
            seen.news.notify_all();
        }
        if history.own.last().is_none_or(|(lit, _)| *lit != own) {
            history.own.push((own, Instant::now()));
            seen.news.notify_all();
        }
        drop(history);
        thread::sleep(LOOK_EVERY);
    }
    locked(&seen.history).ended = true;
    seen.news.notify_all();
}

/// The panel sets one LED after the other: what differs from before is looked at once more.
fn look(line: &Mutex<Line>, seen: &Seen) -> Result<(Leds, bool)> {
    let before = locked(&seen.history).runs.last().map(|run| run.leds);
    let now = locked(line).leds()?;
    if before == Some(now.0) {
        return Ok(now);
    }
    thread::sleep(LOOK_EVERY / 5);
    locked(line).leds()
}

/// The test interface: a request a line, an answer a line.
struct Line {
    requests: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Line {
    /// Those of the header, and the board's own.
    fn leds(&mut self) -> Result<(Leds, bool)> {
        let answer = self.ask(&format!("readl {LEVELS:#x}"))?;
        let number = answer.trim().strip_prefix("OK 0x").map(|hex| u32::from_str_radix(hex, 16));
        let Some(Ok(levels)) = number else {
            return Err(Failure::new(format!("pins: no number: {answer:?}")));
        };
        let lit = |bit| levels & bit != 0;
        let leds = Leds { red: lit(RED), amber: lit(AMBER), green: lit(GREEN) };
        Ok((leds, lit(OWN_LED)))
    }

    fn ask(&mut self, request: &str) -> Result<String> {
        self.send(request)?;
        self.receive()
    }

    fn send(&mut self, request: &str) -> Result<()> {
        self.requests.write_all(format!("{request}\n").as_bytes()).map_err(Failure::at("pins"))
    }

    fn receive(&mut self) -> Result<String> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(Failure::at("pins"))?;
        if answer.starts_with("OK") {
            return Ok(answer);
        }
        Err(Failure::new(format!("pins: the emulator says {:?}", answer.trim())))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
