//! Packets below UDP sockets: replies to machines that have no address yet, and the
//! search for other DHCP servers.
//!
//! [`Datagram`] is pure; [`PacketSocket`] is the one place that speaks AF_PACKET.

use std::io;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::iface;

/// The hardware address of everybody.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// One UDP datagram with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Sender.
    pub from: (Ipv4Addr, u16),
    /// Receiver.
    pub to: (Ipv4Addr, u16),
    /// What UDP carries.
    pub payload: &'a [u8],
}

/// IPv4 without options (RFC 791 §3.1).
const IP_HEADER: usize = 20;

/// RFC 768.
const UDP_HEADER: usize = 8;

/// RFC 790.
const UDP: u8 = 17;

impl<'a> Datagram<'a> {
    /// The IPv4 packet, with both checksums and without "don't fragment": some ROMs
    /// cannot take it. None if the payload is too long for one packet.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let udp_length = u16::try_from(UDP_HEADER + self.payload.len()).ok()?;
        let total = u16::try_from(IP_HEADER + UDP_HEADER + self.payload.len()).ok()?;
        let (source, target) = (self.from.0.octets(), self.to.0.octets());
        let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, TTL, UDP, 0, 0];
        put(&mut ip, 2, total);
        ip.extend(source);
        ip.extend(target);
        let sum = checksum(&[&ip]);
        put(&mut ip, 10, sum);
        let mut udp = Vec::with_capacity(UDP_HEADER);
        udp.extend(self.from.1.to_be_bytes());
        udp.extend(self.to.1.to_be_bytes());
        udp.extend(udp_length.to_be_bytes());
        udp.extend([0, 0]);
        let [high, low] = udp_length.to_be_bytes();
        let pseudo = [source.as_slice(), &target, &[0, UDP, high, low]].concat();
        // A sum of zero means "none" and is sent as its other form (RFC 768).
        let sum = match checksum(&[&pseudo, &udp, self.payload]) {
            0 => u16::MAX,
            sum => sum,
        };
        put(&mut udp, 6, sum);
        Some([ip.as_slice(), &udp, self.payload].concat())
    }

    /// Reads a whole, unfragmented UDP packet; checksums are not looked at.
    pub fn parse(packet: &'a [u8]) -> Option<Datagram<'a>> {
        let [first, _, _, _, _, _, fragment_high, fragment_low, _, protocol, ..] = packet else {
            return None;
        };
        let header = usize::from(first & 0x0f) * 4;
        let whole = (fragment_high & 0x3f, *fragment_low) == (0, 0);
        if first >> 4 != 4 || header < IP_HEADER || *protocol != UDP || !whole {
            return None;
        }
        let address = |at: usize| -> Option<Ipv4Addr> {
            packet.get(at..)?.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes))
        };
        let udp = packet.get(header..)?;
        let word = |at: usize| -> Option<u16> {
            udp.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
        };
        let payload = udp.get(UDP_HEADER..usize::from(word(4)?))?;
        Some(Datagram { from: (address(12)?, word(0)?), to: (address(16)?, word(2)?), payload })
    }
}

/// The usual first value of Linux.
const TTL: u8 = 64;

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// The internet checksum (RFC 1071) over parts that lie one behind the other; only the
/// last may have an odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let (high, low) = (pair.first(), pair.get(1));
            let word = [high.copied().unwrap_or(0), low.copied().unwrap_or(0)];
            sum += u32::from(u16::from_be_bytes(word));
            sum = (sum & 0xffff) + (sum >> 16);
        }
    }
    !u16::try_from(sum & 0xffff).unwrap_or(0)
}

/// A socket for whole IPv4 packets on one interface; the kernel adds the Ethernet header.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    index: i32,
    protocol: u16,
}

impl PacketSocket {
    /// For sending only: it receives nothing, so it costs nothing.
    pub fn sender(interface: &str) -> io::Result<PacketSocket> {
        PacketSocket::open(interface, 0)
    }

    /// For sending, and for receiving every IPv4 packet of the interface.
    pub fn receiver(interface: &str) -> io::Result<PacketSocket> {
        PacketSocket::open(interface, ETH_P_IP)
    }

    /// For packets of one Ethernet protocol; 0: for sending IPv4 only.
    pub(super) fn open(interface: &str, protocol: u16) -> io::Result<PacketSocket> {
        let index = iface::index(interface)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such interface"))?;
        let receives = Protocol::from(i32::from(protocol.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(receives))?;
        let protocol = if protocol == 0 { ETH_P_IP } else { protocol };
        let opened = PacketSocket { socket, index, protocol };
        if receives != Protocol::from(0) {
            opened.socket.bind(&opened.address([0; 6])?)?;
        }
        Ok(opened)
    }

    /// Sends an IPv4 packet to a hardware address.
    pub fn send(&self, to: [u8; 6], packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, &self.address(to)?).map(drop)
    }

    /// The next packet, or none within `patience`.
    pub fn receive(&self, patience: Duration) -> io::Result<Option<(Vec<u8>, [u8; 6])>> {
        // A zero time-out would mean "for ever".
        self.socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        self.take(0)
    }

    /// The next packet that is already there.
    pub fn receive_now(&self) -> io::Result<Option<(Vec<u8>, [u8; 6])>> {
        self.take(libc::MSG_DONTWAIT)
    }

    fn take(&self, flags: i32) -> io::Result<Option<(Vec<u8>, [u8; 6])>> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); LONGEST_PACKET];
        match self.socket.recv_from_with_flags(&mut buffer, flags) {
            Ok((length, from)) => {
                let filled = buffer.get(..length).unwrap_or_default();
                // SAFETY: recv_from initialised the first `length` bytes (its contract).
                let bytes = filled.iter().map(|byte| unsafe { byte.assume_init() }).collect();
                Ok(Some((bytes, hardware_address(from))))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn address(&self, hardware: [u8; 6]) -> io::Result<SockAddr> {
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: sockaddr_ll is one of the kernel's socket address types, plain data, and
        // smaller than the storage that is made to hold any of them.
        let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
        link.sll_family = PACKET_FAMILY;
        link.sll_protocol = self.protocol.to_be();
        link.sll_ifindex = self.index;
        link.sll_halen = 6;
        link.sll_addr[..6].copy_from_slice(&hardware);
        let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the storage holds a sockaddr_ll of exactly this length.
        Ok(unsafe { SockAddr::new(storage, length) })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Ethernet's MTU; jumbo frames carry no DHCP.
const LONGEST_PACKET: usize = 1500;

/// Linux `if_ether.h`.
const ETH_P_IP: u16 = 0x0800;

/// AF_PACKET, in the width of the address field.
const PACKET_FAMILY: libc::sa_family_t = 17;

fn hardware_address(from: SockAddr) -> [u8; 6] {
    let mut storage = from.as_storage();
    // SAFETY: the address came from a packet socket, so it is a sockaddr_ll.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_addr.first_chunk::<6>().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATAGRAM: Datagram = Datagram {
        from: (Ipv4Addr::new(10, 10, 10, 1), 67),
        to: (Ipv4Addr::new(10, 10, 10, 100), 68),
        payload: b"odd",
    };

    #[test]
    fn what_is_encoded_is_parsed_back() {
        let packet = DATAGRAM.encode().unwrap();
        assert_eq!(packet.len(), 31);
        assert_eq!(Datagram::parse(&packet), Some(DATAGRAM));
    }

    #[test]
    fn both_checksums_add_up_to_zero() {
        let packet = DATAGRAM.encode().unwrap();
        assert_eq!(checksum(&[&packet[..20]]), 0);
        let pseudo = [&packet[12..20], &[0, UDP, 0, 11]].concat();
        assert_eq!(checksum(&[&pseudo, &packet[20..]]), 0);
    }

    #[test]
    fn cut_packets_fragments_and_other_protocols_are_nothing() {
        let packet = DATAGRAM.encode().unwrap();
        for length in 0..packet.len() {
            assert_eq!(Datagram::parse(&packet[..length]), None, "{length}");
        }
        for (at, value) in [(0, 0x65), (6, 0x20), (7, 1), (9, 6), (25, 3)] {
            let mut broken = packet.clone();
            broken[at] = value;
            assert_eq!(Datagram::parse(&broken), None, "byte {at}");
        }
    }
}
