//! Is there another DHCP server? Asked before the first address is given, and ever after.
//!
//! One DISCOVER from a made-up but constant client, and never a REQUEST: at most one
//! address of the other server is held for the minute that its offer lasts.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use dhcproto::v4::borrowed::Message as View;

use super::{CLIENT_PORT, SERVER_PORT};
use crate::net::packet::{BROADCAST, Datagram, PacketSocket};
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

/// Asks once and waits. `own` are addresses that are ours, whose offers do not count.
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
        if let Some(packet) = discover(client, transaction) {
            socket.send(BROADCAST, &packet)?;
        }
        let until = started + patience * attempt / TRIES;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Some((packet, hardware)) = socket.receive(left)?
                && let Some(address) = offer(&packet, client, transaction)
                && address != own
            {
                return Ok(Some(OtherServer { address, hardware }));
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

/// A DISCOVER that asks for a broadcast answer, in its IP packet.
fn discover(client: [u8; 6], transaction: u32) -> Option<Vec<u8>> {
    let mut dhcp = vec![1, 1, 6, 0];
    dhcp.extend(transaction.to_be_bytes());
    dhcp.extend([0, 0, 0x80, 0]);
    dhcp.resize(28, 0);
    dhcp.extend(client);
    dhcp.resize(236, 0);
    // Cookie, DISCOVER, "tell me 1, 3, 6, 51, 54", end.
    dhcp.extend([99, 130, 83, 99, 53, 1, 1, 55, 5, 1, 3, 6, 51, 54, 255]);
    dhcp.resize(300, 0);
    let datagram = Datagram {
        from: (Ipv4Addr::UNSPECIFIED, CLIENT_PORT),
        to: (Ipv4Addr::BROADCAST, SERVER_PORT),
        payload: &dhcp,
    };
    datagram.encode()
}

/// The server behind an answer to our question.
fn offer(packet: &[u8], client: [u8; 6], transaction: u32) -> Option<Ipv4Addr> {
    let datagram = Datagram::parse(packet)?;
    if datagram.from.1 != SERVER_PORT || datagram.to.1 != CLIENT_PORT {
        return None;
    }
    // The library's accessors are safe to call with these three checks before them.
    let reply = datagram.payload;
    let is_reply = reply.first() == Some(&2) && reply.get(2) == Some(&6);
    let view = View::new(reply).ok().filter(|_| is_reply)?;
    if view.xid() != transaction || view.chaddr() != client {
        return None;
    }
    let server_id = view.opts().find(|option| u8::from(option.code()) == 54);
    let named = server_id.and_then(|option| <[u8; 4]>::try_from(option.data()).ok());
    Some(named.map_or(datagram.from.0, Ipv4Addr::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [u8; 6] = [2, 0x50, 0, 0, 0, 1];

    fn answer(transaction: u32, op: u8) -> Vec<u8> {
        let question = discover(CLIENT, transaction).unwrap();
        let mut dhcp = Datagram::parse(&question).unwrap().payload.to_vec();
        dhcp[0] = op;
        dhcp[240..249].copy_from_slice(&[53, 1, 2, 54, 4, 192, 168, 1, 1]);
        dhcp[249] = 255;
        let from = (Ipv4Addr::new(192, 168, 1, 254), SERVER_PORT);
        let to = (Ipv4Addr::BROADCAST, CLIENT_PORT);
        Datagram { from, to, payload: &dhcp }.encode().unwrap()
    }

    #[test]
    fn an_offer_names_its_server() {
        let server = offer(&answer(7, 2), CLIENT, 7);
        assert_eq!(server, Some(Ipv4Addr::new(192, 168, 1, 1)));
    }

    #[test]
    fn other_peoples_conversations_are_not_ours() {
        assert_eq!(offer(&answer(8, 2), CLIENT, 7), None, "transaction");
        assert_eq!(offer(&answer(7, 1), CLIENT, 7), None, "a question");
        assert_eq!(offer(&answer(7, 2), [2; 6], 7), None, "another client");
    }

    #[test]
    fn a_cut_answer_never_panics() {
        let whole = answer(7, 2);
        for length in 0..whole.len() {
            assert_eq!(offer(&whole[..length], CLIENT, 7), None);
        }
    }

    #[test]
    fn the_made_up_client_is_a_local_address_and_always_the_same() {
        let card = "b8:27:eb:00:00:01".parse().ok();
        assert_eq!(made_up_client(card), made_up_client(card));
        assert_eq!(made_up_client(card)[0] & 0x03, 0x02);
    }
}
