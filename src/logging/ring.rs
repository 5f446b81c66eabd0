//! The last lines of the log, for those who ask for them. Pure.

use std::collections::VecDeque;
use std::time::Instant;

use log::Level;

/// Some hours of a quiet box, or a room's boot.
const MOST_LINES: usize = 1_024;

/// Together; a line is about a hundred.
const MOST_BYTES: usize = 128 * 1024;

/// Bytes of one line: the kernel cuts its records at 1,024, and nobody reads more.
const LONGEST: usize = 900;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Lines in their order, from 1.
    pub number: u64,
    /// When it was said.
    pub at: Instant,
    /// How much it matters.
    pub level: Level,
    /// The line, without its level.
    pub text: String,
}

impl Line {
    /// Seconds since it was said: this box has no clock.
    pub fn ago(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.at).as_secs()
    }
}

/// The last lines.
#[derive(Debug, Default)]
pub struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
    last: u64,
}

impl Ring {
    /// Empty.
    pub const fn new() -> Ring {
        Ring { lines: VecDeque::new(), bytes: 0, last: 0 }
    }

    /// One more line.
    pub fn push(&mut self, level: Level, text: &str, at: Instant) {
        self.last += 1;
        let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned();
        self.bytes += text.len();
        self.lines.push_back(Line { number: self.last, at, level, text });
        while (self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
    }

    /// The lines behind number `after`, as far as they are still here, and the number to ask
    /// with next.
    pub fn after(&self, after: u64) -> (Vec<Line>, u64) {
        // Another life of this program counted further: all that there is.
        let after = if after > self.last { 0 } else { after };
        let lines = self.lines.iter().filter(|line| line.number > after).cloned();
        (lines.collect(), self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_again_gets_what_is_new_and_knows_what_was_lost() {
        let now = Instant::now();
        let mut ring = Ring::new();
        assert_eq!(ring.after(0), (Vec::new(), 0));
        ring.push(Level::Info, "a", now);
        ring.push(Level::Warn, "b", now);
        let (lines, next) = ring.after(0);
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((ring.after(next).0.len(), next), (0, 2));
        assert_eq!(ring.after(1).0[0].level, Level::Warn);
        assert_eq!(ring.after(77).0.len(), 2, "the program was started anew");
        for _ in 0..MOST_LINES {
            ring.push(Level::Info, "c", now);
        }
        assert_eq!(ring.after(0).0[0].number, 3);
    }

    #[test]
    fn neither_many_lines_nor_long_ones_fill_the_memory() {
        let mut ring = Ring::new();
        for _ in 0..3_000 {
            ring.push(Level::Info, &"ö".repeat(10_000), Instant::now());
        }
        let bytes: usize = ring.lines.iter().map(|line| line.text.len()).sum();
        assert!(bytes == ring.bytes && bytes <= MOST_BYTES, "{bytes}");
        for _ in 0..3_000 {
            ring.push(Level::Info, "", Instant::now());
        }
        assert_eq!(ring.lines.len(), MOST_LINES);
    }
}
