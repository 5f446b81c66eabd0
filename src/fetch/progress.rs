//! How far a download is, as text.

use std::collections::VecDeque;
use std::time::Duration;

/// One file's download; time is counted from its start.
#[derive(Debug)]
pub struct Progress {
    name: String,
    done: u64,
    total: Option<u64>,
    /// What was there at times of the last seconds.
    samples: VecDeque<(Duration, u64)>,
}

/// The rate is that of the last seconds: long enough to be calm, short enough to be true.
const WINDOW: Duration = Duration::from_secs(5);

/// Of the bar, in characters.
const BAR: usize = 12;

impl Progress {
    /// A download that starts, or goes on, with `done` bytes.
    pub fn new(name: &str, done: u64, total: Option<u64>) -> Progress {
        let samples = VecDeque::from([(Duration::ZERO, done)]);
        Progress { name: name.to_owned(), done, total, samples }
    }

    /// Notes how far it is.
    pub fn note(&mut self, now: Duration, done: u64) {
        self.done = done;
        // Ten a second are enough to draw from.
        let fresh = self.samples.back().is_none_or(|(at, _)| now >= *at + WINDOW / 50);
        if fresh {
            self.samples.push_back((now, done));
        }
        while self.samples.len() > 2
            && self.samples.front().is_some_and(|(at, _)| *at + WINDOW < now)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes a second, once that can be said.
    pub fn rate(&self, now: Duration) -> Option<u64> {
        let (since, then) = self.samples.front()?;
        let millis = now.checked_sub(*since)?.as_millis();
        if millis < 200 {
            return None;
        }
        u64::try_from(u128::from(self.done.checked_sub(*then)?) * 1000 / millis).ok()
    }

    /// One line for a terminal of 80 columns.
    pub fn bar(&self, now: Duration) -> String {
        let share = self.percent().map_or_else(String::new, |percent| {
            let filled = BAR * usize::try_from(percent).unwrap_or(0) / 100;
            format!("[{}{}] {percent:>3} %  ", "#".repeat(filled), "-".repeat(BAR - filled))
        });
        format!("{:<20}  {share}{}", shortened(&self.name, 20), self.figures(now))
    }

    /// One line for a file or a pipe.
    pub fn line(&self, now: Duration) -> String {
        let percent = self.percent().map_or_else(String::new, |percent| format!("{percent} %  "));
        format!("{}  {percent}{}", self.name, self.figures(now))
    }

    fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.done.saturating_mul(100) / total).min(100))
    }

    fn figures(&self, now: Duration) -> String {
        let mut text = size(self.done);
        if let Some(rate) = self.rate(now) {
            text += &format!("  {}/s", size(rate));
            let left = self.total.map(|total| total.saturating_sub(self.done));
            if let Some(seconds) = left.and_then(|left| left.checked_div(rate)) {
                text += &format!("  {} left", clock(seconds));
            }
        }
        text
    }
}

/// `812.4 MB`
pub fn size(bytes: u64) -> String {
    let mut unit = 1;
    for name in ["B", "kB", "MB", "GB"] {
        if bytes < unit * 1000 || name == "GB" {
            let tenths = bytes.saturating_mul(10) / unit;
            return if name == "B" {
                format!("{bytes} B")
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            };
        }
        unit *= 1000;
    }
    String::new()
}

/// `1:20`, `2:03:09`
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 99 {
        "days".to_owned()
    } else if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The ends of a name say most.
fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let half = (width - 1) / 2;
    let head: String = name.chars().take(width - 1 - half).collect();
    let tail: String = name.chars().skip(length - half).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bar_says_share_size_rate_and_what_remains() {
        let mut progress = Progress::new("image.bin.bz2", 0, Some(100_000_000));
        for second in 1..=10 {
            progress.note(SECOND * second, u64::from(second) * 2_500_000);
        }
        let expected = "image.bin.bz2         [###---------]  25 %  25.0 MB  2.5 MB/s  0:30 left";
        assert_eq!(progress.bar(SECOND * 10), expected);
        assert_eq!(progress.line(SECOND * 10), "image.bin.bz2  25 %  25.0 MB  2.5 MB/s  0:30 left");
    }

    #[test]
    fn a_resumed_download_does_not_count_what_was_there_as_fast() {
        let mut progress = Progress::new("x", 50_000_000, Some(100_000_000));
        progress.note(SECOND, 51_000_000);
        assert_eq!(progress.rate(SECOND), Some(1_000_000));
    }

    #[test]
    fn the_rate_forgets_what_is_long_ago() {
        let mut progress = Progress::new("x", 0, None);
        for second in 1..=20_u32 {
            let done = if second <= 10 { u64::from(second) * 9_000_000 } else { 90_000_000 };
            progress.note(SECOND * second, done);
        }
        assert_eq!(progress.rate(SECOND * 20), Some(0));
    }

    #[test]
    fn a_line_fits_a_terminal_whatever_the_figures() {
        let name = "fedora-coreos-42.20250705.3.0-live-rootfs.x86_64.img";
        for (done, total) in
            [(0, None), (0, Some(0)), (u64::MAX, Some(u64::MAX)), (u64::MAX, Some(1))]
        {
            let mut progress = Progress::new(name, 0, total);
            progress.note(SECOND, done);
            for now in [SECOND, SECOND * 400_000] {
                // The largest figures are nobody's; all others fit into 79.
                let most = if done > 1 << 50 { 100 } else { 79 };
                assert!(progress.bar(now).chars().count() <= most, "{}", progress.bar(now));
            }
        }
        let mut progress = Progress::new(name, 0, Some(4_000_000_000));
        progress.note(SECOND, 999_999);
        assert!(progress.bar(SECOND * 9).chars().count() <= 79, "{}", progress.bar(SECOND * 9));
    }
}
