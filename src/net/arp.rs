//! Is somebody at this address? ARP on one interface (RFC 826), as a probe that changes
//! nobody's table (RFC 5227 §2.1.1).

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::packet::{BROADCAST, PacketSocket};
use super::{Mac, iface};

/// Sends probes and hears everybody.
#[derive(Debug)]
pub struct ArpSocket {
    socket: PacketSocket,
    own: [u8; 6],
}

impl ArpSocket {
    /// For one Ethernet interface.
    pub fn open(interface: &str) -> io::Result<ArpSocket> {
        let no_card = || io::Error::new(io::ErrorKind::NotFound, "no hardware address");
        let own = iface::mac(interface).map(Mac::octets).ok_or_else(no_card)?;
        Ok(ArpSocket { socket: PacketSocket::open(interface, ETH_P_ARP)?, own })
    }

    /// Asks who has `address`.
    pub fn probe(&self, address: Ipv4Addr) -> io::Result<()> {
        self.socket.send(BROADCAST, &probe(self.own, address))
    }

    /// The card that `address` is at; none if nobody answers within `patience`.
    pub fn who_is_at(&self, address: Ipv4Addr, patience: Duration) -> io::Result<Option<[u8; 6]>> {
        self.probe(address)?;
        let until = Instant::now() + patience;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let heard = self.socket.receive(left)?.and_then(|(packet, _)| sender(&packet));
            if let Some(heard) = heard.filter(|heard| heard.address == address)
                && heard.hardware != self.own
            {
                return Ok(Some(heard.hardware));
            }
        }
        Ok(None)
    }

    /// Tells of everybody who said something since the last call, at most `most` of them.
    pub fn listen(&self, most: usize, mut tell: impl FnMut(Heard)) -> io::Result<()> {
        for _ in 0..most {
            let Some((packet, _)) = self.socket.receive_now()? else {
                break;
            };
            if let Some(heard) = sender(&packet).filter(|heard| heard.hardware != self.own) {
                tell(heard);
            }
        }
        Ok(())
    }
}

/// Somebody is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The address that it uses.
    pub address: Ipv4Addr,
    /// Its card.
    pub hardware: [u8; 6],
}

impl AsFd for ArpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Linux `if_ether.h`.
const ETH_P_ARP: u16 = 0x0806;

/// Ethernet and IPv4, their lengths, and "request".
const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];

/// No sender address: nobody puts us into a table for asking.
fn probe(own: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    [&REQUEST[..], &own, &[0; 4], &[0; 6], &address.octets()].concat()
}

/// Requests and replies both say where their sender is; a probe does not.
fn sender(packet: &[u8]) -> Option<Heard> {
    let (head, rest) = packet.split_first_chunk::<8>()?;
    let (hardware, rest) = rest.split_first_chunk::<6>()?;
    let address = Ipv4Addr::from(*rest.first_chunk::<4>()?);
    let is_ours = head.starts_with(&[0, 1, 8, 0, 6, 4, 0]) && matches!(head.last(), Some(1 | 2));
    let heard = Heard { address, hardware: *hardware };
    (is_ours && !address.is_unspecified()).then_some(heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
    const WANTED: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);

    #[test]
    fn a_probe_asks_for_an_address_and_tells_none() {
        let packet = probe(OWN, WANTED);
        assert_eq!(packet.len(), 28);
        assert_eq!(&packet[24..], WANTED.octets());
        assert_eq!(sender(&packet), None);
    }

    #[test]
    fn a_reply_and_a_request_say_where_their_sender_is() {
        for operation in [1, 2] {
            let mut packet = probe(OWN, Ipv4Addr::new(10, 10, 10, 1));
            packet[7] = operation;
            packet[14..18].copy_from_slice(&WANTED.octets());
            assert_eq!(sender(&packet), Some(Heard { address: WANTED, hardware: OWN }));
            for length in 0..18 {
                assert_eq!(sender(&packet[..length]), None);
            }
            packet[1] = 6;
            assert_eq!(sender(&packet), None, "not Ethernet");
        }
    }
}
