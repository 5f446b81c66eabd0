//! How often somebody may try a password. Pure.
//!
//! Five wrong ones of an address are free, then it waits, each time twice as long. Those of
//! all addresses together only make each try slower: nobody on the LAN can lock the owner
//! out, he waits in the same line.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// A person mistypes.
const FREE: u32 = 5;

/// The wait after the last free one, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// An address is forgiven when it has been quiet for so long.
const FORGIVEN: Duration = Duration::from_secs(15 * 60);

/// More addresses than a LAN has; the one that is quiet longest is forgotten first.
const MOST_ADDRESSES: usize = 256;

/// In line at once: each takes a second or two.
const MOST_WAITING: usize = 32;

/// So many wrong tries of all addresses, and each one after them takes longer.
const FREE_OF_ALL: u32 = 20;
const SLOW: Duration = Duration::from_secs(1);

/// One of them is forgotten in this time.
const FADES: Duration = Duration::from_secs(10);

/// All that is known of wrong passwords.
#[derive(Debug, Default)]
pub struct Tries {
    of: HashMap<Ipv4Addr, Address>,
    waiting: usize,
    wrong: u32,
    faded: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Address {
    wrong: u32,
    /// When it was here last.
    last: Instant,
    /// One of it is in line.
    waits: bool,
}

impl Tries {
    /// Somebody wants to try. Err: after how long he may. Ok: he is in line, until [`ended`].
    ///
    /// [`ended`]: Tries::ended
    pub fn begin(&mut self, address: Ipv4Addr, now: Instant) -> Result<(), Duration> {
        let forgiven = |of: &Address| !of.waits && now.duration_since(of.last) >= FORGIVEN;
        self.of.retain(|_, of| !forgiven(of));
        let known = self.of.get(&address).copied();
        let of = known.unwrap_or(Address { wrong: 0, last: now, waits: false });
        let free_at = of.last + wait(of.wrong);
        if free_at > now {
            return Err(free_at - now);
        }
        // Half of the places are for who has not been wrong yet: the owner may be among them.
        let most = if of.wrong == 0 { MOST_WAITING } else { MOST_WAITING / 2 };
        if of.waits || self.waiting >= most {
            return Err(SLOW);
        }
        if known.is_none() && self.of.len() >= MOST_ADDRESSES {
            let quiet = self.of.iter().filter(|(_, of)| !of.waits).min_by_key(|(_, of)| of.last);
            if let Some(quiet) = quiet.map(|(address, _)| *address) {
                self.of.remove(&quiet);
            }
        }
        self.of.insert(address, Address { waits: true, ..of });
        self.waiting += 1;
        Ok(())
    }

    /// His turn is over.
    pub fn ended(&mut self, address: Ipv4Addr, right: bool, now: Instant) {
        self.waiting = self.waiting.saturating_sub(1);
        let of = self.of.remove(&address);
        if right {
            return;
        }
        let wrong = of.map_or(0, |of| of.wrong).saturating_add(1);
        self.of.insert(address, Address { wrong, last: now, waits: false });
        self.fade(now);
        self.wrong = self.wrong.saturating_add(1);
    }

    /// How long the next try of anybody takes in addition.
    pub fn pause(&mut self, now: Instant) -> Duration {
        self.fade(now);
        if self.wrong > FREE_OF_ALL { SLOW } else { Duration::ZERO }
    }

    fn fade(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.faded.unwrap_or(now));
        let steps = u32::try_from(since.as_secs() / FADES.as_secs()).unwrap_or(u32::MAX);
        self.wrong = self.wrong.saturating_sub(steps);
        if steps > 0 || self.faded.is_none() {
            self.faded = Some(now);
        }
    }
}

fn wait(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => (FIRST_WAIT * 2_u32.pow(more.min(16))).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 2);

    fn stranger(number: u16) -> Ipv4Addr {
        let [high, low] = number.to_be_bytes();
        Ipv4Addr::new(10, 9, high, low)
    }

    fn wrong(tries: &mut Tries, address: Ipv4Addr, now: Instant) {
        tries.begin(address, now).unwrap();
        tries.ended(address, false, now);
    }

    #[test]
    fn five_wrong_tries_slow_down_and_a_right_one_is_forgiven() {
        let now = Instant::now();
        let mut tries = Tries::default();
        for _ in 0..FREE {
            wrong(&mut tries, OWNER, now);
        }
        assert_eq!(tries.begin(OWNER, now), Err(FIRST_WAIT));
        let later = now + FIRST_WAIT;
        wrong(&mut tries, OWNER, later);
        assert_eq!(tries.begin(OWNER, later), Err(2 * FIRST_WAIT), "twice as long");
        let later = later + 2 * FIRST_WAIT;
        tries.begin(OWNER, later).unwrap();
        tries.ended(OWNER, true, later);
        wrong(&mut tries, OWNER, later);
        assert_eq!(tries.begin(OWNER, later), Ok(()), "all is forgiven");
    }

    #[test]
    fn the_wait_has_an_end_and_quiet_is_forgiven() {
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
        let now = Instant::now();
        let mut tries = Tries::default();
        for _ in 0..FREE {
            wrong(&mut tries, OWNER, now);
        }
        let later = now + FORGIVEN;
        for _ in 0..FREE {
            wrong(&mut tries, OWNER, later);
        }
    }

    #[test]
    fn many_strangers_slow_the_owner_down_and_do_not_lock_him_out() {
        let now = Instant::now();
        let mut tries = Tries::default();
        for number in 0..1_000 {
            wrong(&mut tries, stranger(number), now);
        }
        assert!(tries.of.len() <= MOST_ADDRESSES);
        assert_eq!(tries.begin(OWNER, now), Ok(()));
        assert_eq!(tries.pause(now), SLOW);
        tries.ended(OWNER, true, now);
        assert_eq!(tries.pause(now + 1_000 * FADES), Duration::ZERO);
    }

    #[test]
    fn an_address_stands_in_line_once_and_the_line_has_an_end() {
        let now = Instant::now();
        let mut tries = Tries::default();
        tries.begin(OWNER, now).unwrap();
        assert!(tries.begin(OWNER, now).is_err());
        for number in 1..MOST_WAITING {
            tries.begin(stranger(u16::try_from(number).unwrap()), now).unwrap();
        }
        assert!(tries.begin(stranger(1_000), now).is_err());
        tries.ended(stranger(1), false, now);
        assert_eq!(tries.begin(stranger(1_000), now), Ok(()));
    }
}
