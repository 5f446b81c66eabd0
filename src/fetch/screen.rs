//! Progress on a terminal, or as plain lines.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use super::download::Watch;
use super::progress::Progress;

/// Shows one download after the other, on standard error.
pub struct Screen {
    terminal: bool,
    name: String,
    started: Instant,
    progress: Option<Progress>,
    drawn: Option<Instant>,
}

/// A terminal shows a bar that moves.
const REDRAW: Duration = Duration::from_millis(100);

/// A log gets a line now and then.
const LINE: Duration = Duration::from_secs(10);

impl Screen {
    /// For the terminal, if there is one.
    pub fn on_stderr() -> Screen {
        Screen {
            terminal: stderr().is_terminal(),
            name: String::new(),
            started: Instant::now(),
            progress: None,
            drawn: None,
        }
    }

    /// A download begins.
    pub fn begin(&mut self, name: &str) {
        name.rsplit('/').next().unwrap_or_default().clone_into(&mut self.name);
        self.progress = None;
        self.drawn = None;
    }

    /// It has ended; the next line is somebody else's.
    pub fn end(&mut self) {
        self.draw(Instant::now());
        if self.terminal && self.drawn.is_some() {
            eprintln!();
        }
        self.progress = None;
        self.drawn = None;
    }

    fn draw(&mut self, now: Instant) {
        let Some(progress) = &self.progress else {
            return;
        };
        let since = now - self.started;
        if self.terminal {
            // Cleared to its end: the line before may have been longer.
            eprint!("\r{}\x1b[K", progress.bar(since));
            let _ = stderr().flush();
        } else {
            eprintln!("{}", progress.line(since));
        }
        self.drawn = Some(now);
    }
}

impl Watch for Screen {
    fn at(&mut self, done: u64, total: Option<u64>) {
        let now = Instant::now();
        let Some(progress) = &mut self.progress else {
            // Shown when something has come.
            self.started = now;
            self.progress = Some(Progress::new(&self.name, done, total));
            return;
        };
        progress.note(now - self.started, done);
        let pause = if self.terminal { REDRAW } else { LINE };
        if self.drawn.is_none_or(|drawn| now >= drawn + pause) {
            self.draw(now);
        }
    }

    fn say(&mut self, text: &str) {
        self.end();
        eprintln!("{text}");
    }
}
