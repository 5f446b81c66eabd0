//! Is there another DHCP server? Asked before the first address is given, and ever after.
//!
//! DISCOVERs from a made-up but constant client, and never a REQUEST: at most one
//! address of the other server is held for the minute that its offer lasts.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::client::{Question, Verdict, answer, ask};
use super::silence::{Step, Timetable};
use crate::net::packet::{BROADCAST, PacketSocket};
use crate::net::{Mac, iface};

/// Another server on this LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherServer {
    /// Its address, by option 54 or the sender.
    pub address: Ipv4Addr,
    /// The network card that it speaks from.
    pub hardware: [u8; 6],
}

impl fmt::Display for OtherServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hardware = self.hardware.map(|octet| format!("{octet:02x}")).join(":");
        write!(f, "{} ({hardware})", self.address)
    }
}

/// What a search has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Who answered first; none if nobody did.
    pub other: Option<OtherServer>,
    /// Whether the port passed frames when it was asked. If not, "nobody" means nothing.
    pub passes: bool,
}

/// Asks, and waits. An offer from `own`, our own address, does not count. `passes`: the port
/// is known to pass frames.
pub fn search(interface: &str, own: Ipv4Addr, transaction: u32, passes: bool) -> io::Result<Found> {
    let socket = PacketSocket::receiver(interface)?;
    let card = iface::mac(interface);
    let client = made_up_client(card);
    let started = Instant::now();
    let mut timetable = Timetable::new(passes);
    loop {
        let left = match timetable.step(started.elapsed()) {
            Step::Ask => {
                if let Some(packet) = ask(Question::Discover, client, transaction) {
                    socket.send(BROADCAST, &packet)?;
                }
                continue;
            }
            Step::Listen(left) => left,
            Step::End => return Ok(Found { other: None, passes: timetable.passes() }),
        };
        let Some((packet, hardware)) = socket.receive(left)? else {
            continue;
        };
        if let Some(found) = answer(&packet, client, transaction)
            && found.verdict == Verdict::Offer
            && found.server != own
        {
            let other = Some(OtherServer { address: found.server, hardware });
            return Ok(Found { other, passes: true });
        }
        if is_somebody_else(hardware, card) {
            timetable.somebody_is_heard(started.elapsed());
        }
    }
}

/// For packets of other machines, which prove that the port passes frames.
pub struct Ear {
    socket: PacketSocket,
    card: Option<Mac>,
}

impl Ear {
    /// From now on, packets wait in it.
    pub fn open(interface: &str) -> io::Result<Ear> {
        Ok(Ear { socket: PacketSocket::receiver(interface)?, card: iface::mac(interface) })
    }

    /// Whether somebody is heard; waits at most for `patience`.
    pub fn hears_somebody(&self, patience: Duration) -> io::Result<bool> {
        let heard = self.socket.receive(patience)?;
        Ok(heard.is_some_and(|(_, hardware)| is_somebody_else(hardware, self.card)))
    }
}

fn is_somebody_else(hardware: [u8; 6], card: Option<Mac>) -> bool {
    card.map(Mac::octets) != Some(hardware)
}

/// Locally administered, constant for this card: a switch with port security sees one
/// more address, a DHCP server holds one offer.
fn made_up_client(card: Option<Mac>) -> [u8; 6] {
    let mut client = card.map_or([0, 0, 0, 0, 0, 1], Mac::octets);
    client[0] = 0x02;
    client[1] ^= 0x50;
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_made_up_client_is_a_local_address_and_always_the_same() {
        let card = "b8:27:eb:00:00:01".parse().ok();
        assert_eq!(made_up_client(card), made_up_client(card));
        assert_eq!(made_up_client(card)[0] & 0x03, 0x02);
    }
}
