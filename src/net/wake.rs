//! Wake-on-LAN: the packet that switches a machine on (AMD, "Magic Packet Technology", 1995).

use std::io;
use std::net::Ipv4Addr;

use super::Mac;
use super::packet::{BROADCAST, Datagram, PacketSocket};

/// "Discard": what most tools send to, and what firewalls know. Cards look at no port.
const PORT: u16 = 9;

/// Six bytes of ones, then the card's address sixteen times.
pub fn magic(mac: Mac) -> Vec<u8> {
    [&BROADCAST[..], &mac.octets().repeat(16)].concat()
}

/// Wakes the machine with these cards by a broadcast on `interface`. It needs no address
/// there, and tells nobody whether the machine heard it.
pub fn wake(interface: &str, from: Ipv4Addr, cards: &[Mac]) -> io::Result<()> {
    let socket = PacketSocket::sender(interface)?;
    for mac in cards {
        let payload = magic(*mac);
        let to = (Ipv4Addr::BROADCAST, PORT);
        let packet = Datagram { from: (from, PORT), to, payload: &payload }.encode();
        socket.send(BROADCAST, &packet.unwrap_or_default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_packet_is_six_ones_and_the_address_sixteen_times() {
        let mac: Mac = "52:54:00:00:00:01".parse().unwrap();
        let packet = magic(mac);
        assert_eq!(packet.len(), 102);
        assert_eq!(packet[..6], [0xff; 6]);
        assert!(packet[6..].chunks(6).all(|copy| copy == mac.octets()));
    }
}
