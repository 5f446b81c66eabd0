//! The appliance as a guest: where another server gives addresses, it takes one itself.
//!
//! DISCOVER → REQUEST, then REQUEST again (by broadcast, as when rebinding: a server of any
//! kind answers that). One conversation per call; when to have it says [`super::stay`].

use std::io;
use std::time::{Duration, Instant};

use super::client::{Answer, Question, Verdict, answer, ask};
use super::stay::Stay;
use crate::net::packet::{BROADCAST, PacketSocket};
use crate::net::{Mac, iface};

/// How long a server may take for one answer; dnsmasq pings for three seconds first.
const PATIENCE: Duration = Duration::from_secs(4);

/// Questions are repeated this often before the server counts as gone.
const TRIES: u32 = 3;

/// What became of the question for more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Granted.
    Granted(Stay),
    /// The address is not ours any more.
    Refused,
    /// Nobody answers.
    Silence,
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
    Ok(granted.and_then(|answer| Stay::granted(&answer, Instant::now())))
}

/// Asks to keep the address.
pub fn stay_on(interface: &str, current: Stay, transaction: u32) -> io::Result<Renewal> {
    let talk = Talk::start(interface, transaction)?;
    let keep = Question::Keep(current.subnet.address());
    let Some(answer) = talk.hear(keep, |found| found.verdict != Verdict::Offer)? else {
        return Ok(Renewal::Silence);
    };
    Ok(match Stay::granted(&answer, Instant::now()) {
        Some(stay) => Renewal::Granted(stay),
        None => Renewal::Refused,
    })
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
