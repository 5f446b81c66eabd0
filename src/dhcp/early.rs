//! Questions that came before we knew what to say: answered when we do. Pure.
//!
//! A search for other servers takes seconds, and some clients ask three times only (udhcpc,
//! in most installers: at 0, 3 and 6 s). A late OFFER is as good to them as a quick one, for
//! as long as they wait for it.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use super::wire::Request;

/// A search takes four seconds, and the first packet that is heard begins it anew once.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// More machines than this ask again.
const MOST: usize = 64;

/// The newest question of each machine.
#[derive(Debug, Default)]
pub struct Early(Vec<(Instant, Request, SocketAddrV4)>);

impl Early {
    /// Keeps a question until its answer is known.
    pub fn keep(&mut self, request: Request, from: SocketAddrV4, now: Instant) {
        self.0.retain(|(since, other, _)| {
            other.mac != request.mac && now.duration_since(*since) < LONGEST_WAIT
        });
        if self.0.len() < MOST {
            self.0.push((now, request, from));
        }
    }

    /// Takes all questions that somebody may still wait for, and who sent them, the oldest
    /// first.
    pub fn take(&mut self, now: Instant) -> Vec<(Request, SocketAddrV4)> {
        let kept = std::mem::take(&mut self.0).into_iter();
        let fresh = |since: Instant| now.duration_since(since) < LONGEST_WAIT;
        let fresh = kept.filter(|(since, ..)| fresh(*since));
        fresh.map(|(_, request, from)| (request, from)).collect()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{parse, tests::discover};
    use super::*;
    use std::net::Ipv4Addr;

    const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);

    fn question(machine: u8, transaction: u8) -> Request {
        let mut packet = discover([0x52, 0x54, 0, 0, 0, machine]);
        packet[7] = transaction;
        parse(&packet).unwrap()
    }

    #[test]
    fn the_newest_question_of_each_machine_is_answered_once() {
        let (mut early, now) = (Early::default(), Instant::now());
        for (machine, transaction) in [(1, 1), (2, 2), (1, 3)] {
            early.keep(question(machine, transaction), NOWHERE, now);
        }
        let kept = [question(2, 2), question(1, 3)].map(|question| (question, NOWHERE));
        assert_eq!(early.take(now), kept);
        assert!(early.is_empty());
    }

    #[test]
    fn nobody_waits_for_the_answer_to_an_old_question() {
        let (mut early, now) = (Early::default(), Instant::now());
        early.keep(question(1, 1), NOWHERE, now);
        assert!(early.take(now + LONGEST_WAIT).is_empty());
    }

    #[test]
    fn made_up_machines_cannot_fill_the_memory() {
        let (mut early, now) = (Early::default(), Instant::now());
        for machine in 0..=255 {
            early.keep(question(machine, 1), NOWHERE, now);
        }
        assert_eq!(early.take(now).len(), MOST);
    }
}
