//! The ways in and out of the box: a UDP socket, packets to machines without an address, and
//! ARP to find who has one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::route::Route;
use super::{CLIENT_PORT, SERVER_PORT};
use crate::net::arp::{ArpSocket, Heard};
use crate::net::listen::widen;
use crate::net::packet::{Datagram, PacketSocket};

/// The sockets of one interface.
pub struct DhcpSocket {
    udp: UdpSocket,
    packets: PacketSocket,
    arp: ArpSocket,
    address: Ipv4Addr,
}

impl DhcpSocket {
    /// Takes a UDP socket that is bound to port 67 of `interface`; `address` is our own.
    pub fn new(udp: UdpSocket, interface: &str, address: Ipv4Addr) -> io::Result<DhcpSocket> {
        udp.set_nonblocking(true)?;
        udp.set_broadcast(true)?;
        widen(&udp);
        let packets = PacketSocket::sender(interface)?;
        Ok(DhcpSocket { udp, packets, arp: ArpSocket::open(interface)?, address })
    }

    /// Waits for a packet, at most for `patience`; `arp`: or for somebody to say where he is.
    pub fn wait(&self, patience: Duration, arp: bool) -> io::Result<()> {
        let mut sockets =
            [PollFd::new(&self.udp, PollFlags::IN), PollFd::new(&self.arp, PollFlags::IN)];
        let [udp, _] = &mut sockets;
        let sockets = if arp { &mut sockets[..] } else { std::slice::from_mut(udp) };
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        match poll(sockets, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks who is at `address`.
    pub fn look_for(&self, address: Ipv4Addr) -> io::Result<()> {
        self.arp.probe(address)
    }

    /// Tells who is where, as far as somebody said it since the last call.
    pub fn listen(&self, most: usize, tell: impl FnMut(Heard)) -> io::Result<()> {
        self.arp.listen(most, tell)
    }

    /// The next packet that is already there, and who sent it.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddrV4)>> {
        match self.udp.recv_from(buffer) {
            Ok((length, SocketAddr::V4(from))) => Ok(Some((length, from))),
            Ok((_, SocketAddr::V6(_))) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a reply on its way.
    pub fn send(&self, reply: &[u8], route: Route) -> io::Result<()> {
        let to = |address| SocketAddr::V4(address);
        match route {
            Route::Unicast(address) => self.udp.send_to(reply, to(address)).map(drop),
            Route::Broadcast => {
                let everybody = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
                self.udp.send_to(reply, to(everybody)).map(drop)
            }
            Route::Hardware(mac, address) => {
                let datagram = Datagram {
                    from: (self.address, SERVER_PORT),
                    to: (address, CLIENT_PORT),
                    payload: reply,
                };
                let packet = datagram.encode().ok_or(io::ErrorKind::InvalidInput)?;
                self.packets.send(mac.octets(), &packet)
            }
        }
    }
}
