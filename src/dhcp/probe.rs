//! Is there another DHCP server? Asked before the first address is given, and ever after.
//!
//! One DISCOVER from a made-up but constant client, and never a REQUEST: at most one
//! address of the other server is held for the minute that its offer lasts.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::client::{Question, Verdict, answer, ask};
use crate::net::packet::{BROADCAST, PacketSocket};
use crate::net::{Mac, iface};

/// How long a server may take. dnsmasq, which is in most routers, pings an address for
/// three seconds before it offers it.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// A DISCOVER can be lost: asked this often within [`PATIENCE`].
const TRIES: u32 = 2;

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

/// Asks once and waits. An offer from `own`, our own address, does not count.
pub fn search(
    interface: &str,
    own: Ipv4Addr,
    transaction: u32,
    patience: Duration,
) -> io::Result<Option<OtherServer>> {
    let socket = PacketSocket::receiver(interface)?;
    let client = made_up_client(iface::mac(interface));
    let started = Instant::now();
    for attempt in 1..=TRIES {
        if let Some(packet) = ask(Question::Discover, client, transaction) {
            socket.send(BROADCAST, &packet)?;
        }
        let until = started + patience * attempt / TRIES;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Some((packet, hardware)) = socket.receive(left)?
                && let Some(found) = answer(&packet, client, transaction)
                && found.verdict == Verdict::Offer
                && found.server != own
            {
                return Ok(Some(OtherServer { address: found.server, hardware }));
            }
        }
    }
    Ok(None)
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
