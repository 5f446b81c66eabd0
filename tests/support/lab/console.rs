//! A serial console: read on a thread of its own, cleaned, kept, and waited on.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::{Failure, Result};
use super::process::Serial;

/// A failure shows this many of the last lines.
const LAST_LINES: usize = 20;

/// A serial console.
pub struct Console {
    name: String,
    shared: Arc<Shared>,
    input: ChildStdin,
    complaints: PathBuf,
}

/// A line that was waited for.
#[derive(Debug, Clone)]
pub struct Line {
    /// The whole line, without its end.
    pub text: String,
    /// When its first byte came.
    pub at: Instant,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    text: Vec<u8>,
    /// Where each piece of `text` begins, and when it came.
    arrivals: Vec<(usize, Instant)>,
    /// What was waited for lies before this.
    seen: usize,
    ended: bool,
}

impl Console {
    /// Reads the line of the machine `name` and copies it to the file `log`.
    pub fn new(name: &str, serial: Serial, log: &Path, complaints: &Path) -> Result<Console> {
        let shared = Arc::new(Shared::default());
        let log = File::create(log).map_err(Failure::at(log.display()))?;
        let reader = Arc::clone(&shared);
        thread::spawn(move || read(serial.output, &reader, log));
        let (name, complaints) = (name.to_owned(), complaints.to_owned());
        Ok(Console { name, shared, input: serial.input, complaints })
    }

    /// Waits until a line that holds `text` is complete. It looks at what came after the
    /// last line that was waited for, so the same text can be waited for twice.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<Line> {
        self.wait(text, limit, &|state, found| {
            let end = position(state.text.get(found..)?, b"\n")?;
            Some(found + end)
        })
    }

    /// Waits for `text` where no end of line follows: a prompt.
    pub fn wait_for_prompt(&self, text: &str, limit: Duration) -> Result<Line> {
        self.wait(text, limit, &|_, found| Some(found + text.len()))
    }

    /// Types a line.
    pub fn type_line(&mut self, text: &str) -> Result<()> {
        let typed = self.input.write_all(format!("{text}\n").as_bytes());
        typed.and_then(|()| self.input.flush()).map_err(Failure::at(&self.name))
    }

    /// All complete lines so far that hold `text`.
    pub fn lines_with(&self, text: &str) -> Vec<Line> {
        let state = self.state();
        let mut lines = Vec::new();
        let mut start = 0;
        for line in state.text.split_inclusive(|byte| *byte == b'\n') {
            if line.ends_with(b"\n") && position(line, text.as_bytes()).is_some() {
                lines.push(state.line_at(start));
            }
            start += line.len();
        }
        lines
    }

    /// The last lines, for a failure.
    pub fn tail(&self) -> String {
        let state = self.state();
        let text = String::from_utf8_lossy(&state.text).into_owned();
        let complaints = fs::read_to_string(&self.complaints).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let first = lines.len().saturating_sub(LAST_LINES);
        let shown = lines.iter().skip(first).map(|line| format!("  | {line}\n"));
        let ended = if state.ended { "  (it has ended)\n" } else { "" };
        let complained = complaints.lines().rev().take(3).map(|line| format!("  qemu: {line}\n"));
        format!(
            "the console of {}:\n{}{ended}{}",
            self.name,
            shown.collect::<String>(),
            complained.collect::<String>()
        )
    }

    fn wait(
        &self,
        text: &str,
        limit: Duration,
        end_of: &dyn Fn(&State, usize) -> Option<usize>,
    ) -> Result<Line> {
        let deadline = Instant::now() + limit;
        let mut state = self.state();
        loop {
            let found = state.find(text.as_bytes());
            if let Some((found, end)) = found.and_then(|at| Some((at, end_of(&state, at)?))) {
                state.seen = end;
                return Ok(state.line_at(found));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                drop(state);
                return Err(self.missed(text, limit));
            }
            let woken = self.shared.news.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn missed(&self, text: &str, limit: Duration) -> Failure {
        let seconds = limit.as_secs();
        Failure::new(format!("{}: no line \"{text}\" in {seconds} s; {}", self.name, self.tail()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, text: &[u8]) -> Option<usize> {
        Some(self.seen + position(self.text.get(self.seen..)?, text)?)
    }

    /// The line around a byte, as far as it has come.
    fn line_at(&self, inside: usize) -> Line {
        let (before, after) = self.text.split_at(inside.min(self.text.len()));
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = inside + position(after, b"\n").unwrap_or(after.len());
        let text = self.text.get(start..end).unwrap_or_default();
        let arrival = self.arrivals.iter().rev().find(|(begin, _)| *begin <= start);
        Line {
            text: String::from_utf8_lossy(text).into_owned(),
            at: arrival.map_or_else(Instant::now, |(_, at)| *at),
        }
    }
}

fn read(mut output: ChildStdout, shared: &Shared, mut log: File) {
    let mut cleaner = Cleaner::default();
    let mut buffer = [0; 4096];
    loop {
        let count = output.read(&mut buffer).unwrap_or(0);
        let piece = buffer.get(..count).unwrap_or_default();
        // The scenario does not depend on its own log.
        let _ = log.write_all(piece);
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = state.text.len();
        state.arrivals.push((begin, Instant::now()));
        state.text.extend(piece.iter().filter_map(|byte| cleaner.clean(*byte)));
        state.ended = count == 0;
        drop(state);
        shared.news.notify_all();
        if count == 0 {
            return;
        }
    }
}

/// Takes out what only moves the cursor or sets colours.
#[derive(Default)]
enum Cleaner {
    #[default]
    Text,
    Escape,
    Control,
}

impl Cleaner {
    fn clean(&mut self, byte: u8) -> Option<u8> {
        let (next, kept) = match (&self, byte) {
            (Cleaner::Text, 0x1b) => (Cleaner::Escape, None),
            (Cleaner::Text, b'\r' | 0) => (Cleaner::Text, None),
            (Cleaner::Text, _) => (Cleaner::Text, Some(byte)),
            (Cleaner::Escape, b'[') => (Cleaner::Control, None),
            (Cleaner::Escape, _) | (Cleaner::Control, 0x40..=0x7e) => (Cleaner::Text, None),
            (Cleaner::Control, _) => (Cleaner::Control, None),
        };
        *self = next;
        kept
    }
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
