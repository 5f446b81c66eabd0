//! An address that another server gave to the appliance, and its times (RFC 2131 §4.4.5).
//! Pure.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::client::{Answer, Verdict};
use crate::net::Subnet;

/// Offers without a lease time do not exist, but this is what we would take them for.
const USUAL_LEASE: Duration = Duration::from_secs(60 * 60);

/// A server that gives less is not asked more often for that.
const SHORTEST_LEASE: Duration = Duration::from_secs(60);

/// The soonest that we ask to keep an address, whatever the server says (option 58).
const SOONEST_RENEWAL: Duration = Duration::from_secs(10);

/// Between two questions that nobody answers (RFC 2131 §4.4.5).
const SHORTEST_PAUSE: Duration = Duration::from_secs(60);

/// Our place in another server's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// Our address in its network.
    pub subnet: Subnet,
    /// The way to other networks.
    pub router: Option<Ipv4Addr>,
    ask_at: Instant,
    ends_at: Instant,
}

/// What a stay needs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing, for so long.
    Nothing(Duration),
    /// The server must be asked for more time.
    Renewal,
    /// The address is not ours any more.
    Leaving,
}

impl Stay {
    /// What a server has granted at `now`; none if it granted nothing that can be.
    pub fn granted(answer: &Answer, now: Instant) -> Option<Stay> {
        let subnet = answer.subnet().filter(|_| answer.verdict == Verdict::Ack)?;
        let lease = answer.lease.map_or(USUAL_LEASE, Duration::from_secs).max(SHORTEST_LEASE);
        let half = lease / 2;
        let renewal = answer.renewal.map_or(half, Duration::from_secs);
        let router = answer.router.filter(|router| subnet.can_lend(*router));
        Some(Stay {
            subnet,
            router,
            ask_at: now + renewal.clamp(SOONEST_RENEWAL, half),
            ends_at: now + lease,
        })
    }

    /// What it needs at `now`.
    pub fn due(&self, now: Instant) -> Due {
        if now >= self.ends_at {
            return Due::Leaving;
        }
        match self.ask_at.checked_duration_since(now) {
            Some(left) if !left.is_zero() => Due::Nothing(left),
            _ => Due::Renewal,
        }
    }

    /// Nobody answered at `now`: the address stays ours until its time is over, and we ask
    /// again when half of that is gone.
    pub fn after_silence(self, now: Instant) -> Stay {
        let half = self.ends_at.saturating_duration_since(now) / 2;
        Stay { ask_at: now + half.max(SHORTEST_PAUSE), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::{answer, tests::CLIENT, tests::reply};
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn stay(now: Instant) -> Stay {
        Stay::granted(&answer(&reply(7, 2, 5), CLIENT, 7).unwrap(), now).unwrap()
    }

    #[test]
    fn an_hours_lease_is_renewed_after_half_an_hour_and_left_after_one() {
        let now = Instant::now();
        let stay = stay(now);
        assert_eq!(stay.subnet.to_string(), "192.168.1.77/24");
        assert_eq!(stay.due(now), Due::Nothing(s(1800)));
        assert_eq!(stay.due(now + s(1800)), Due::Renewal);
        assert_eq!(stay.due(now + s(3599)), Due::Renewal);
        assert_eq!(stay.due(now + s(3600)), Due::Leaving);
    }

    #[test]
    fn when_nobody_answers_it_asks_again_after_half_of_the_rest_and_keeps_the_address() {
        let now = Instant::now();
        let asked = now + s(1800);
        let stay = stay(now).after_silence(asked);
        assert_eq!(stay.due(asked), Due::Nothing(s(900)));
        let late = now + s(3590);
        assert_eq!(stay.after_silence(late).due(late), Due::Nothing(SHORTEST_PAUSE));
        assert_eq!(stay.after_silence(late).due(now + s(3600)), Due::Leaving);
    }

    #[test]
    fn what_the_server_says_of_the_renewal_counts_within_reason() {
        let now = Instant::now();
        let found = answer(&reply(7, 2, 5), CLIENT, 7).unwrap();
        for (renewal, asked_after) in [(0, 10), (20, 20), (9999, 1800)] {
            let answer = Answer { renewal: Some(renewal), ..found };
            let stay = Stay::granted(&answer, now).unwrap();
            assert_eq!(stay.due(now), Due::Nothing(s(asked_after)), "{renewal}");
        }
    }

    #[test]
    fn only_an_ack_is_a_stay() {
        for kind in [2, 6] {
            let answer = answer(&reply(7, 2, kind), CLIENT, 7).unwrap();
            assert_eq!(Stay::granted(&answer, Instant::now()), None);
        }
    }
}
