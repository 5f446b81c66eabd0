//! When silence means that nobody is there. Pure.
//!
//! A switch with spanning tree (IEEE 802.1D) drops everything on a port for up to a minute
//! after the link came: in both directions, and with the link up. Who searches for another
//! server in that time hears nobody, however many there are. So silence counts only after a
//! question that was asked when the port passed frames. Two things prove that it does:
//!
//! - An IP packet of somebody else came in. What a switch says by itself on a blocked port
//!   (spanning tree, LLDP, LACP) is no IP. Once a port passes frames, it goes on to do so
//!   until the link is lost.
//! - The link is older than the slowest switch.
//!
//! The cost: where nobody says anything, the first machine's first request is the proof. A
//! search of [`PATIENCE`] follows, then the machine is answered (it waits in
//! [`super::early`]). Everywhere else the search ends [`PATIENCE`] after the first packet
//! that is heard.

use std::time::Duration;

/// How long a server may take. dnsmasq, which is in most routers, pings an address for
/// three seconds before it offers it.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// A question can be lost: asked this often within [`PATIENCE`].
const TRIES: u32 = 2;

/// Listening and learning take at most 30 s each (IEEE 802.1D-2004, table 17-1: the longest
/// forward delay).
const SLOWEST_SWITCH: Duration = Duration::from_secs(60);

/// Whether a port that has its link for so long passes frames, whoever is heard.
pub fn passes_by_now(link_age: Duration) -> bool {
    link_age >= SLOWEST_SWITCH
}

/// What a search does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask all servers.
    Ask,
    /// Listen, at most so long.
    Listen(Duration),
    /// Nobody answers.
    End,
}

/// One search. Times count from its begin, and never go back.
#[derive(Debug)]
pub struct Timetable {
    begin: Duration,
    asked: u32,
    passes: bool,
}

impl Timetable {
    /// `passes`: the port is known to pass frames.
    pub fn new(passes: bool) -> Timetable {
        Timetable { begin: Duration::ZERO, asked: 0, passes }
    }

    /// What to do at `now`.
    pub fn step(&mut self, now: Duration) -> Step {
        let due = self.begin + PATIENCE * self.asked / TRIES;
        if self.asked < TRIES && now >= due {
            self.asked += 1;
            return Step::Ask;
        }
        match due.min(self.begin + PATIENCE).checked_sub(now) {
            Some(left) if !left.is_zero() => Step::Listen(left),
            _ => Step::End,
        }
    }

    /// Somebody else's packet came in. The first one proves that what is asked from now on
    /// is heard: the search begins anew.
    pub fn somebody_is_heard(&mut self, now: Duration) {
        if !self.passes {
            *self = Timetable { begin: now, asked: 0, passes: true };
        }
    }

    /// Whether the port passes frames, as far as is known.
    pub fn passes(&self) -> bool {
        self.passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// When it asks, and when it ends, if somebody is heard at `heard`.
    fn run(passes: bool, heard: Option<Duration>) -> (Vec<Duration>, Duration) {
        let mut timetable = Timetable::new(passes);
        let (mut now, mut heard, mut asked) = (Duration::ZERO, heard, Vec::new());
        loop {
            match timetable.step(now) {
                Step::Ask => asked.push(now),
                Step::End => return (asked, now),
                Step::Listen(left) => match heard.filter(|heard| *heard < now + left) {
                    Some(at) => {
                        (now, heard) = (at, None);
                        timetable.somebody_is_heard(now);
                    }
                    None => now += left,
                },
            }
        }
    }

    #[test]
    fn a_search_asks_twice_and_listens_for_four_seconds() {
        assert_eq!(run(true, None), (vec![ms(0), ms(2000)], ms(4000)));
        assert_eq!(run(false, None), (vec![ms(0), ms(2000)], ms(4000)));
    }

    #[test]
    fn it_begins_anew_when_the_port_turns_out_to_pass_frames() {
        let asked = vec![ms(0), ms(2000), ms(3900), ms(5900)];
        assert_eq!(run(false, Some(ms(3900))), (asked, ms(7900)));
    }

    #[test]
    fn on_a_port_that_is_known_to_pass_frames_nobody_can_draw_a_search_out() {
        assert_eq!(run(true, Some(ms(3900))), (vec![ms(0), ms(2000)], ms(4000)));
    }

    #[test]
    fn a_link_of_a_minute_passes_frames_whoever_is_heard() {
        assert!(!passes_by_now(ms(59_999)));
        assert!(passes_by_now(ms(60_000)));
    }
}
