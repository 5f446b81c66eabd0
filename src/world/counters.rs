//! What the servers have done since they started, as numbers that only grow.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::dhcp::message::Kind;

/// By the first digit of an answer's status: 2xx to 5xx.
pub const HTTP_CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// DHCP messages by their names on the wire (RFC 2132 §9.6).
pub const DHCP_KINDS: [(Kind, &str); 8] = [
    (Kind::Discover, "discover"),
    (Kind::Offer, "offer"),
    (Kind::Request, "request"),
    (Kind::Decline, "decline"),
    (Kind::Ack, "ack"),
    (Kind::Nak, "nak"),
    (Kind::Release, "release"),
    (Kind::Inform, "inform"),
];

/// Counters of all servers; each is cheap enough to be touched for every packet.
#[derive(Debug, Default)]
pub struct Counters {
    dhcp: [AtomicU64; DHCP_KINDS.len()],
    dhcp_malformed: AtomicU64,
    http: [AtomicU64; HTTP_CLASSES.len()],
    http_bytes: AtomicU64,
    tftp_files: AtomicU64,
    tftp_bytes: AtomicU64,
}

/// All of them at one moment.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Messages heard or sent, in the order of [`DHCP_KINDS`].
    pub dhcp: [u64; DHCP_KINDS.len()],
    /// Packets to the DHCP port that the gate refused.
    pub dhcp_malformed: u64,
    /// Answers, in the order of [`HTTP_CLASSES`].
    pub http: [u64; HTTP_CLASSES.len()],
    /// Bytes that were handed to the network, heads and bodies.
    pub http_bytes: u64,
    /// Files that a client began to take.
    pub tftp_files: u64,
    /// Bytes of their blocks, each counted once.
    pub tftp_bytes: u64,
}

impl Counters {
    /// A DHCP message was heard or sent.
    pub fn dhcp(&self, kind: Kind) {
        let at = DHCP_KINDS.iter().position(|(known, _)| *known == kind);
        if let Some(counter) = at.and_then(|at| self.dhcp.get(at)) {
            add(counter, 1);
        }
    }

    /// A packet that is no DHCP request.
    pub fn dhcp_malformed(&self) {
        add(&self.dhcp_malformed, 1);
    }

    /// An answer with this status.
    pub fn http(&self, status: u16) {
        let class = usize::from(status / 100).checked_sub(2);
        if let Some(counter) = class.and_then(|class| self.http.get(class)) {
            add(counter, 1);
        }
    }

    /// A piece of an answer.
    pub fn http_sent(&self, bytes: usize) {
        add(&self.http_bytes, bytes as u64);
    }

    /// A file that is taken by TFTP.
    pub fn tftp_file(&self) {
        add(&self.tftp_files, 1);
    }

    /// A block of it.
    pub fn tftp_sent(&self, bytes: usize) {
        add(&self.tftp_bytes, bytes as u64);
    }

    /// As they are now.
    pub fn now(&self) -> Counted {
        Counted {
            dhcp: self.dhcp.each_ref().map(read),
            dhcp_malformed: read(&self.dhcp_malformed),
            http: self.http.each_ref().map(read),
            http_bytes: read(&self.http_bytes),
            tftp_files: read(&self.tftp_files),
            tftp_bytes: read(&self.tftp_bytes),
        }
    }
}

// No counter says anything about another: each alone is right.
fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_counted_where_it_belongs() {
        let counters = Counters::default();
        counters.dhcp(Kind::Nak);
        for status in [200, 206, 304, 404, 503, 100, 999] {
            counters.http(status);
        }
        counters.http_sent(7);
        let now = counters.now();
        assert_eq!(now.dhcp, [0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!((now.http, now.http_bytes), ([2, 1, 1, 1], 7));
    }
}
