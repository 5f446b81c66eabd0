//! The appliance as a guest: where another server gives addresses, it takes one itself.
//!
//! DISCOVER → REQUEST, then REQUEST again at half of the lease (by broadcast, as when
//! rebinding: a server of any kind answers that). One address per call; the caller waits.

use std::io;
use std::time::{Duration, Instant};

use super::Seconds;
use super::client::{Answer, Question, Verdict, answer, ask};
use crate::net::packet::{BROADCAST, PacketSocket};
use crate::net::{Mac, Subnet, iface};

/// How long a server may take for one answer; dnsmasq pings for three seconds first.
const PATIENCE: Duration = Duration::from_secs(4);

/// Questions are repeated this often before the server counts as gone.
const TRIES: u32 = 3;

/// Offers without a lease time do not exist, but this is what we would take them for.
const USUAL_LEASE: Seconds = 60 * 60;

/// Less would keep us asking; a server that gives less is asked this seldom all the same.
const SHORTEST_LEASE: Seconds = 60;

/// An address that another server gave to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The address in its network.
    pub subnet: Subnet,
    /// How long it lasts.
    pub lease: Duration,
}

/// Takes an address from whatever server answers; none if none does.
pub fn check_in(interface: &str, transaction: u32) -> io::Result<Option<Stay>> {
    let talk = Talk::start(interface, transaction)?;
    let Some(offer) = talk.hear(Question::Discover, |found| found.verdict == Verdict::Offer)?
    else {
        return Ok(None);
    };
    let take = Question::Take(offer.server, offer.address);
    let granted = talk.hear(take, |found| found.verdict != Verdict::Offer)?;
    Ok(granted.and_then(stay))
}

/// Asks to keep the address; none if a server refuses or none answers.
pub fn stay_on(interface: &str, current: Stay, transaction: u32) -> io::Result<Option<Stay>> {
    let talk = Talk::start(interface, transaction)?;
    let keep = Question::Keep(current.subnet.address());
    let granted = talk.hear(keep, |found| found.verdict != Verdict::Offer)?;
    Ok(granted.and_then(stay))
}

fn stay(granted: Answer) -> Option<Stay> {
    let seconds = granted.lease.unwrap_or(USUAL_LEASE).max(SHORTEST_LEASE);
    let subnet = granted.subnet().filter(|_| granted.verdict == Verdict::Ack)?;
    Some(Stay { subnet, lease: Duration::from_secs(seconds) })
}

/// One transaction of our own network card.
struct Talk {
    socket: PacketSocket,
    client: [u8; 6],
    transaction: u32,
}

impl Talk {
    fn start(interface: &str, transaction: u32) -> io::Result<Talk> {
        let no_card = || io::Error::new(io::ErrorKind::NotFound, "no hardware address");
        let client = iface::mac(interface).map(Mac::octets).ok_or_else(no_card)?;
        Ok(Talk { socket: PacketSocket::receiver(interface)?, client, transaction })
    }

    fn hear(
        &self,
        question: Question,
        wanted: impl Fn(&Answer) -> bool,
    ) -> io::Result<Option<Answer>> {
        for _ in 0..TRIES {
            if let Some(packet) = ask(question, self.client, self.transaction) {
                self.socket.send(BROADCAST, &packet)?;
            }
            let until = Instant::now() + PATIENCE;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if let Some((packet, _)) = self.socket.receive(left)?
                    && let Some(found) = answer(&packet, self.client, self.transaction)
                    && wanted(&found)
                {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::{CLIENT, reply};
    use super::*;

    #[test]
    fn only_an_ack_is_a_stay() {
        let ack = answer(&reply(7, 2, 5), CLIENT, 7).unwrap();
        assert_eq!(stay(ack).unwrap().lease, Duration::from_secs(3600));
        let nak = answer(&reply(7, 2, 6), CLIENT, 7).unwrap();
        assert_eq!(stay(nak), None);
    }
}
