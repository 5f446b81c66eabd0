//! How often one client may ask, and how often all newcomers together. Pure.
//!
//! Who is known, by a lease or by name, is served whatever strangers do; only its own
//! number of questions is limited.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::net::Mac;

/// A machine that goes through firmware, iPXE, installer and system asks a dozen times
/// within a minute, each with its own retries.
const OF_ONE: Rate = Rate { burst: 40, each: Duration::from_millis(250) };

/// DISCOVERs of strangers. A Pi 3 decides one in less than a tenth of this interval; what
/// is above it is an attack, or a network that needs a larger machine.
const OF_NEWCOMERS: Rate = Rate { burst: 5_000, each: Duration::from_micros(200) };

/// Clients whose questions are counted, in each of two generations: the older one is
/// forgotten when the newer is full, and who is forgotten begins anew.
const MOST_CLIENTS: usize = 4_096;

/// The counters of one interface.
#[derive(Debug)]
pub struct Limits {
    newcomers: Bucket,
    clients: HashMap<Mac, Bucket>,
    former: HashMap<Mac, Bucket>,
}

/// Whether a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Welcome,
    /// This client asks too often.
    TooOften,
    /// Too many clients that nobody knows ask at once.
    TooMany,
}

impl Limits {
    /// With everything allowed that is ever allowed at once.
    pub fn new(now: Instant) -> Limits {
        Limits { newcomers: Bucket::full(now), clients: HashMap::new(), former: HashMap::new() }
    }

    /// Counts one question. `newcomer`: a DISCOVER of a machine that is not known.
    pub fn admit(&mut self, mac: Mac, newcomer: bool, now: Instant) -> Admission {
        if !self.bucket(mac, now).take(OF_ONE, now) {
            return Admission::TooOften;
        }
        if newcomer && !self.newcomers.take(OF_NEWCOMERS, now) {
            return Admission::TooMany;
        }
        Admission::Welcome
    }

    fn bucket(&mut self, mac: Mac, now: Instant) -> &mut Bucket {
        if self.clients.len() >= MOST_CLIENTS && !self.clients.contains_key(&mac) {
            self.former = std::mem::take(&mut self.clients);
        }
        let former = self.former.remove(&mac);
        self.clients.entry(mac).or_insert_with(|| former.unwrap_or_else(|| Bucket::full(now)))
    }
}

/// So many at once, then one in each interval.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    each: Duration,
}

/// A token bucket, as the moment at which it will be full again.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Bucket {
        Bucket { full_at: now }
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + rate.each;
        let allowed = full_at <= now + rate.each * rate.burst;
        if allowed {
            self.full_at = full_at;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u32) -> Mac {
        let [_, a, b, c] = number.to_be_bytes();
        Mac::new([2, 0, 0, a, b, c]).unwrap()
    }

    fn welcome(limits: &mut Limits, number: u32, newcomer: bool, now: Instant) -> bool {
        limits.admit(mac(number), newcomer, now) == Admission::Welcome
    }

    #[test]
    fn one_client_may_ask_in_a_burst_and_then_now_and_again() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let at_once = (0..1000).filter(|_| welcome(&mut limits, 1, false, now)).count();
        assert_eq!(at_once, 40);
        assert_eq!(limits.admit(mac(1), false, now), Admission::TooOften);
        assert!(welcome(&mut limits, 2, false, now), "others are not concerned");
        let later = now + OF_ONE.each;
        assert!(welcome(&mut limits, 1, false, later));
        assert!(!welcome(&mut limits, 1, false, later));
        let much_later = now + Duration::from_secs(3600);
        let again = (0..1000).filter(|_| welcome(&mut limits, 1, false, much_later)).count();
        assert_eq!(again, 40, "a long pause saves nothing up");
    }

    #[test]
    fn a_flood_of_newcomers_keeps_no_known_machine_out() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let strangers = (0..100_000).filter(|n| welcome(&mut limits, *n, true, now)).count();
        assert_eq!(strangers, 5_000);
        assert_eq!(limits.admit(mac(200_000), true, now), Admission::TooMany);
        assert!(welcome(&mut limits, 200_001, false, now));
    }

    #[test]
    fn counting_takes_bounded_memory_and_a_constant_asker_is_not_forgotten() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let mut answered = 0;
        for n in 0..50_000 {
            welcome(&mut limits, n, false, now);
            answered += usize::from(welcome(&mut limits, 1 << 20, false, now));
        }
        assert!(limits.clients.len() + limits.former.len() <= 2 * MOST_CLIENTS);
        assert_eq!(answered, 40);
    }
}
