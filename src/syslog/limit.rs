//! How many lines are heard. Pure. An installer writes thousands in a few seconds, when its
//! kernel starts; a timeline keeps the last few dozen.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::net::Mac;

/// Of one machine at once, and then in a second.
const OF_ONE: Rate = Rate { at_once: 256, each_second: 32 };

/// Of all machines.
const OF_ALL: Rate = Rate { at_once: 4_096, each_second: 512 };

/// Machines that are remembered: as many as have timelines.
const MOST_MACHINES: usize = 2_048;

#[derive(Debug, Clone, Copy)]
struct Rate {
    at_once: u32,
    each_second: u32,
}

/// Lines that may come.
#[derive(Debug, Clone, Copy)]
struct Share {
    left: u32,
    filled: Instant,
}

impl Share {
    fn takes(&mut self, rate: Rate, now: Instant) -> bool {
        let each = Duration::from_secs(1) / rate.each_second;
        let due = now.saturating_duration_since(self.filled).as_millis() / each.as_millis().max(1);
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        if due > 0 {
            self.left = self.left.saturating_add(due).min(rate.at_once);
            self.filled = now;
        }
        let may = self.left > 0;
        self.left -= u32::from(may);
        may
    }
}

/// Who has been heard how often.
#[derive(Debug)]
pub struct Limits {
    all: Share,
    of: HashMap<Mac, Share>,
}

impl Limits {
    /// Nobody was heard.
    pub fn new(now: Instant) -> Limits {
        Limits { all: Share { left: OF_ALL.at_once, filled: now }, of: HashMap::new() }
    }

    /// Whether a line of this machine is heard.
    pub fn admit(&mut self, mac: Mac, now: Instant) -> bool {
        if self.of.len() >= MOST_MACHINES && !self.of.contains_key(&mac) {
            // Whoever was quiet has his whole share again, remembered or not.
            let full = Duration::from_secs((OF_ONE.at_once / OF_ONE.each_second).into());
            self.of.retain(|_, share| now < share.filled + full);
            if self.of.len() >= MOST_MACHINES {
                return false;
            }
        }
        let new = Share { left: OF_ONE.at_once, filled: now };
        let own = self.of.entry(mac).or_insert(new).takes(OF_ONE, now);
        own && self.all.takes(OF_ALL, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u32) -> Mac {
        let [_, a, b, c] = number.to_be_bytes();
        Mac::new([2, 0, 0, a, b, c]).unwrap()
    }

    #[test]
    fn a_machine_that_floods_is_heard_a_little_and_others_as_before() {
        let start = Instant::now();
        let mut limits = Limits::new(start);
        let heard = (0..100_000).filter(|_| limits.admit(mac(1), start)).count();
        assert_eq!(heard, OF_ONE.at_once as usize);
        assert!(limits.admit(mac(2), start));
        let later = start + Duration::from_secs(1);
        let heard = (0..100_000).filter(|_| limits.admit(mac(1), later)).count();
        assert_eq!(heard, OF_ONE.each_second as usize);
    }

    #[test]
    fn all_machines_together_are_bounded_in_lines_and_in_memory() {
        let start = Instant::now();
        let mut limits = Limits::new(start);
        let all = (0..10_000).flat_map(|number| [number, number]);
        let heard = all.filter(|number| limits.admit(mac(*number), start)).count();
        assert_eq!(heard, OF_ALL.at_once as usize);
        assert_eq!(limits.of.len(), MOST_MACHINES);
        assert!(limits.admit(mac(20_000), start + Duration::from_secs(60)));
        assert_eq!(limits.of.len(), 1);
    }
}
