//! Nobody fills the log: each peer has its share of lines, and all have one together. Pure.
//!
//! A line is a peer's whose address or MAC it names first. What is held back is counted and
//! said once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A whole boot and installation is twenty lines.
const LINES: u32 = 40;

/// And this often one more.
const EVERY: Duration = Duration::from_secs(2);

/// What was held back of a peer is said when it was quiet for so long.
const QUIET: Duration = Duration::from_secs(5);

/// At the latest then, of one that goes on.
const AT_LAST: Duration = Duration::from_secs(60);

/// Peers that are remembered: a few racks. Of others only the share of all counts.
const MOST_PEERS: usize = 1_024;

/// All peers together, who may be made up: a room of 500 that boots at once.
const LINES_OF_ALL: u32 = 5_000;
const EVERY_OF_ALL: Duration = Duration::from_millis(10);

/// Who may say how much.
#[derive(Debug)]
pub struct Limiter {
    peers: HashMap<String, Peer>,
    all: Share,
    held_back: u64,
    told: Instant,
}

#[derive(Debug)]
struct Peer {
    share: Share,
    held_back: u64,
    since: Instant,
    last: Instant,
}

/// Lines that may be said, filled up by time.
#[derive(Debug)]
struct Share {
    left: u32,
    most: u32,
    every: Duration,
    filled: Instant,
}

impl Share {
    fn new(most: u32, every: Duration, now: Instant) -> Share {
        Share { left: most, most, every, filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let due = now.saturating_duration_since(self.filled).as_millis() / self.every.as_millis();
        if let Ok(due) = u32::try_from(due) {
            self.left = self.left.saturating_add(due).min(self.most);
            self.filled += self.every * due;
        } else {
            self.left = self.most;
            self.filled = now;
        }
        let may = self.left > 0;
        self.left -= u32::from(may);
        may
    }
}

/// With what their lines begin that strangers cause.
const SERVERS: [&str; 7] = ["dhcp", "http", "iso", "mdns", "proxydhcp", "syslog", "tftp"];

impl Limiter {
    /// Nobody has said anything.
    pub fn new(now: Instant) -> Limiter {
        let all = Share::new(LINES_OF_ALL, EVERY_OF_ALL, now);
        Limiter { peers: HashMap::new(), all, held_back: 0, told: now }
    }

    /// Whether a line may be said.
    pub fn admit(&mut self, text: &str, now: Instant) -> bool {
        let Some(name) = peer(text).or_else(|| server(text)) else {
            return true;
        };
        if !self.peers.contains_key(name) {
            self.make_room(now);
        }
        if let Some(peer) = self.peers.get_mut(name) {
            peer.last = now;
            if !peer.share.take(now) {
                if peer.held_back == 0 {
                    peer.since = now;
                }
                peer.held_back += 1;
                return false;
            }
        } else if self.peers.len() < MOST_PEERS {
            let mut share = Share::new(LINES, EVERY, now);
            share.take(now);
            let peer = Peer { share, held_back: 0, since: now, last: now };
            self.peers.insert(name.to_owned(), peer);
        }
        let may = self.all.take(now);
        self.held_back += u64::from(!may);
        may
    }

    /// What is to be said of lines that were held back.
    pub fn due(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, peer) in &mut self.peers {
            let over = now >= peer.last + QUIET || now >= peer.since + AT_LAST;
            if peer.held_back > 0 && over {
                let count = std::mem::take(&mut peer.held_back);
                lines.push(format!("and {count} more lines of {name}, which are left out"));
            }
        }
        lines.sort();
        if self.held_back > 0 && now >= self.told + QUIET {
            self.told = now;
            let count = std::mem::take(&mut self.held_back);
            lines.push(format!("and {count} more lines of many peers, which are left out"));
        }
        lines
    }

    /// Forgets who has nothing that must be remembered.
    fn make_room(&mut self, now: Instant) {
        if self.peers.len() >= MOST_PEERS {
            let full = EVERY * LINES;
            self.peers.retain(|_, peer| peer.held_back > 0 || now < peer.last + full);
        }
    }
}

/// The MAC or the IPv4 address that a line names first.
fn peer(text: &str) -> Option<&str> {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, ':' | '.');
    let words = text.split(|letter| !is_part(letter));
    words.map(|word| word.trim_matches([':', '.'])).find(|word| is_mac(word) || is_ipv4(word))
}

/// What is said for each request, and names no peer, is limited together.
fn server(text: &str) -> Option<&str> {
    let (first, _) = text.split_once(": ")?;
    SERVERS.contains(&first).then_some(first)
}

fn is_mac(word: &str) -> bool {
    word.len() == 17 && word.split(':').filter(|part| part.len() == 2).count() == 6
}

fn is_ipv4(word: &str) -> bool {
    word.len() >= 7 && word.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_makes_ten_thousand_lines_gets_a_few_and_then_a_number() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let line = "tftp: 10.10.10.50 may not write";
        let said = (0..10_000).filter(|_| limiter.admit(line, start)).count();
        assert_eq!(said, LINES as usize);
        assert!(limiter.admit("tftp: 10.10.10.51 may not write", start), "another peer");
        assert!(limiter.admit("serving on eth0", start), "nobody's line");
        assert_eq!(limiter.due(start + QUIET / 2), [""; 0]);
        let told = limiter.due(start + QUIET);
        assert_eq!(told, ["and 9960 more lines of 10.10.10.50, which are left out"]);
        assert_eq!(limiter.due(start + QUIET * 2), [""; 0], "once");
        assert!(limiter.admit(line, start + EVERY));
        assert!(!limiter.admit(line, start + EVERY));
    }

    #[test]
    fn lines_of_a_server_that_name_nobody_share_one_limit() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let line = "tftp: a.img: cannot be read: is the stick there?";
        let said = (0..10_000).filter(|_| limiter.admit(line, start)).count();
        assert_eq!(said, LINES as usize);
        let told = limiter.due(start + QUIET);
        assert_eq!(told, ["and 9960 more lines of tftp, which are left out"]);
    }

    #[test]
    fn one_that_never_stops_is_told_of_every_minute() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let mut told = 0;
        for second in 0..180 {
            let now = start + Duration::from_secs(second);
            for _ in 0..100 {
                limiter.admit("http: 10.10.10.50 takes x", now);
            }
            told += limiter.due(now).len();
        }
        assert_eq!(told, 2);
    }

    #[test]
    fn peers_that_are_made_up_have_a_share_together_and_take_no_memory() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let line = |number: u32| {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            format!("tftp: {address} may not write")
        };
        let said = (0..20_000).filter(|number| limiter.admit(&line(*number), start)).count();
        assert_eq!(said, LINES_OF_ALL as usize);
        assert_eq!(limiter.peers.len(), MOST_PEERS);
        let told = limiter.due(start + QUIET);
        assert_eq!(told, ["and 15000 more lines of many peers, which are left out"]);
        let later = start + EVERY * LINES;
        limiter.admit(&line(30_000), later);
        assert_eq!(limiter.peers.len(), 1);
    }

    #[test]
    fn a_line_is_the_peers_that_it_names_first() {
        for (text, expected) in [
            ("node-1 (52:54:00:00:00:01): has its address", Some("52:54:00:00:00:01")),
            ("dhcp: 52:54:00:00:00:0a is 10.10.10.100", Some("52:54:00:00:00:0a")),
            ("http: 10.10.10.100 takes images/a/1.2.3/k", Some("10.10.10.100")),
            ("http: 10.10.10.100: reset", Some("10.10.10.100")),
            ("read: coreos 1185.3.0, 1 image", None),
            ("giving addresses", None),
            ("", None),
        ] {
            assert_eq!(peer(text), expected, "{text}");
        }
    }
}
