//! The listening sockets of all servers, opened in one place: by PID 1, which keeps them
//! over a restart of the servers, or by `serve` itself on a workstation.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::sockopt;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::iface;

/// A room that boots at once opens some hundred connections before `serve` accepts any, and
/// somebody who floods us thousands: whoever finds the queue full waits for a second before
/// he tries again. This is the kernel's own limit (`somaxconn`).
const BACKLOG: i32 = 4096;

/// DHCP's server port (RFC 2131 §4.1).
const DHCP: u16 = 67;

/// The port of PXE boot servers and proxy servers (PXE 2.1 §2.2.1).
const PROXY_DHCP: u16 = 4011;

/// Syslog's port (RFC 5426 §3.3).
const SYSLOG: u16 = 514;

/// Multicast DNS: its group and port (RFC 6762 §3).
pub const MDNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);

/// TFTP's port (RFC 1350 §4).
const TFTP: u16 = 69;

/// A socket with the name that `serve` knows it by: `dhcp`, `proxydhcp`, `tftp`,
/// `syslog`, `http-8080`.
#[derive(Debug)]
pub struct Listener {
    /// The name.
    pub name: String,
    /// Bound and, if TCP, listening; non-blocking and closed on exec.
    pub socket: Socket,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A port that could not be opened.
#[derive(Debug)]
pub struct ListenError {
    name: String,
    at: SocketAddrV4,
    interface: String,
    source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListenError { name, at, interface, source } = self;
        write!(f, "{name}: port {} on {interface}: ", at.port())?;
        match source.kind() {
            io::ErrorKind::AddrInUse => f.write_str(
                "another program has it already; `ss -tulpn` names it, stop it or choose \
                 another port",
            ),
            io::ErrorKind::PermissionDenied => f.write_str(
                "not allowed; run this as root (or with CAP_NET_BIND_SERVICE and CAP_NET_RAW)",
            ),
            io::ErrorKind::AddrNotAvailable => write!(
                f,
                "{ip} is not an address of this machine; `ip address add {ip}/24 dev {interface}` \
                 makes it one, or set server.address to yours",
                ip = at.ip()
            ),
            _ => write!(f, "cannot be opened: {source}"),
        }
    }
}

impl std::error::Error for ListenError {}

/// Opens every socket on `interface`, each with its own outcome. `address` is where TFTP
/// and HTTP listen; DHCP must hear broadcasts and listens everywhere on the interface.
pub fn open(
    interface: &str,
    address: Ipv4Addr,
    http_ports: &[u16],
) -> Vec<Result<Listener, ListenError>> {
    let anywhere = Ipv4Addr::UNSPECIFIED;
    let fixed = [
        ("dhcp".to_owned(), Type::DGRAM, SocketAddrV4::new(anywhere, DHCP)),
        ("proxydhcp".to_owned(), Type::DGRAM, SocketAddrV4::new(anywhere, PROXY_DHCP)),
        ("tftp".to_owned(), Type::DGRAM, SocketAddrV4::new(address, TFTP)),
    ];
    let http = http_ports
        .iter()
        .map(|port| (format!("http-{port}"), Type::STREAM, SocketAddrV4::new(address, *port)));
    fixed.into_iter().chain(http).map(|(name, kind, at)| named(interface, name, kind, at)).collect()
}

/// Opens the port of installers' log lines. A workstation may have a syslog of its own there.
pub fn open_syslog(interface: &str, address: Ipv4Addr) -> Result<Listener, ListenError> {
    named(interface, "syslog".to_owned(), Type::DGRAM, SocketAddrV4::new(address, SYSLOG))
}

/// Opens the port of multicast DNS on `interface`, for what is sent to its group and nothing
/// else. Others on a workstation share it, each with a copy of every packet.
pub fn open_mdns(interface: &str) -> Result<UdpSocket, ListenError> {
    let opened = listen_to_group(interface);
    opened.map_err(|source| ListenError {
        name: "mdns".to_owned(),
        at: MDNS,
        interface: interface.to_owned(),
        source,
    })
}

fn listen_to_group(interface: &str) -> io::Result<UdpSocket> {
    let index = iface::index(interface).and_then(|index| u32::try_from(index).ok());
    let index = index.ok_or(io::ErrorKind::NotFound)?;
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&MDNS.into())?;
    socket.join_multicast_v4_n(MDNS.ip(), &InterfaceIndexOrAddress::Index(index))?;
    // RFC 6762 §11, for answers to one alone, too.
    socket.set_multicast_ttl_v4(255)?;
    socket.set_ttl_v4(255)?;
    Ok(socket.into())
}

fn named(
    interface: &str,
    name: String,
    kind: Type,
    at: SocketAddrV4,
) -> Result<Listener, ListenError> {
    match listen(interface, kind, at) {
        Ok(socket) => Ok(Listener { name, socket }),
        Err(source) => Err(ListenError { name, at, interface: interface.to_owned(), source }),
    }
}

fn listen(interface: &str, kind: Type, at: SocketAddrV4) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    // Non-blocking from the start: a server that inherits it cannot be stopped by it.
    let socket = Socket::new(Domain::IPV4, kind.nonblocking().cloexec(), Some(protocol))?;
    if kind == Type::STREAM {
        // Not for UDP: there it would let a second DHCP server share the port unseen.
        socket.set_reuse_address(true)?;
    } else {
        socket.set_broadcast(true)?;
    }
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&at.into())?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

/// A room's questions of one second, while the card is written. The kernel's own limit
/// (200 KiB) holds 270 of them; past it a known machine's question is lost among strangers'.
const QUEUE_BYTES: usize = 1024 * 1024;

/// Lets more packets wait in a socket: past the kernel's limit where we have the right to (on
/// the appliance), else up to it.
pub fn widen(udp: &UdpSocket) {
    if sockopt::set_socket_recv_buffer_size_force(udp, QUEUE_BYTES).is_err() {
        // It works with a small one, too.
        let _ = sockopt::set_socket_recv_buffer_size(udp, QUEUE_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: io::ErrorKind) -> String {
        let error = ListenError {
            name: "tftp".to_owned(),
            at: SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 1), 69),
            interface: "eth0".to_owned(),
            source: kind.into(),
        };
        error.to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        assert!(told(io::ErrorKind::AddrInUse).starts_with("tftp: port 69 on eth0: another"));
        assert!(told(io::ErrorKind::PermissionDenied).contains("run this as root"));
        assert!(told(io::ErrorKind::AddrNotAvailable).contains("ip address add 10.10.10.1/24"));
    }
}
