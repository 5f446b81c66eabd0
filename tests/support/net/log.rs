//! The lines that a program says, and waiting for one of them.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Lines so far, and whether the program has closed its output.
#[derive(Clone)]
pub struct Log {
    shared: Arc<(Mutex<State>, Condvar)>,
    patience: Duration,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    closed: bool,
}

impl Log {
    /// Collects from `source` until it ends.
    pub fn collect(source: impl Read + Send + 'static) -> Log {
        let log = Log { shared: Arc::default(), patience: PATIENCE };
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { break };
                writer.change(|state| state.lines.push(line));
            }
            writer.change(|state| state.closed = true);
        });
        log
    }

    /// The same, for a program that takes longer.
    pub fn patient(mut self, patience: Duration) -> Log {
        self.patience = patience;
        self
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.0.lock().unwrap());
        self.shared.1.notify_all();
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().lines.clone()
    }

    /// Waits for a line that holds `text`, among those that are there too.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_nth(text, 1)
    }

    /// Waits for the `nth` line (counted from 1) that holds `text`.
    #[track_caller]
    pub fn wait_for_nth(&self, text: &str, nth: usize) -> String {
        let found = self.wait(|state| {
            state.lines.iter().filter(|line| line.contains(text)).nth(nth - 1).cloned()
        });
        found.unwrap_or_else(|| {
            panic!("no line {nth} with {text:?}; it said:\n{}", self.lines().join("\n"))
        })
    }

    /// Waits until the program has closed its output; all it said.
    #[track_caller]
    pub fn wait_for_end(&self) -> Vec<String> {
        let end = self.wait(|state| state.closed.then(|| state.lines.clone()));
        end.unwrap_or_else(|| panic!("it still runs; it said:\n{}", self.lines().join("\n")))
    }

    /// How many lines hold `text` so far.
    pub fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let end = Instant::now() + self.patience;
        let mut state = self.shared.0.lock().unwrap();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            if state.closed {
                return None;
            }
            let left = end.checked_duration_since(Instant::now())?;
            state = self.shared.1.wait_timeout(state, left).unwrap().0;
        }
    }
}
