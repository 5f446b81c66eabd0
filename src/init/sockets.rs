//! The listening sockets, opened once by PID 1: a restart of the servers refuses nobody.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};

use log::error;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// A room that boots at once opens some hundred connections before `serve` accepts any; the
/// kernel's own limit (`somaxconn`) is 4096.
const BACKLOG: i32 = 512;

/// DHCP's server port (RFC 2131).
const DHCP: u16 = 67;
/// The port of PXE boot servers and proxy servers (PXE 2.1).
const PROXY_DHCP: u16 = 4011;
/// TFTP's port (RFC 1350).
const TFTP: u16 = 69;

/// One socket with the name that `serve` knows it by.
#[derive(Debug)]
pub struct Listener {
    /// `dhcp`, `proxydhcp`, `tftp`, `http-8080`
    pub name: String,
    socket: Socket,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Opens all sockets on `interface`. One that cannot be opened costs only itself.
pub fn open(interface: &str, http_ports: &[u16]) -> Vec<Listener> {
    plan(http_ports)
        .into_iter()
        .filter_map(|(name, kind, port)| match listen(interface, kind, port) {
            Ok(socket) => Some(Listener { name, socket }),
            Err(error) => {
                let number = if kind == Type::STREAM { "TCP" } else { "UDP" };
                error!("{name}: {number} port {port} on {interface}: {}", explain(&error));
                None
            }
        })
        .collect()
}

fn plan(http_ports: &[u16]) -> Vec<(String, Type, u16)> {
    let fixed = [("dhcp", DHCP), ("proxydhcp", PROXY_DHCP), ("tftp", TFTP)];
    let datagrams = fixed.map(|(name, port)| (name.to_owned(), Type::DGRAM, port));
    let streams = http_ports.iter().map(|port| (format!("http-{port}"), Type::STREAM, *port));
    datagrams.into_iter().chain(streams).collect()
}

fn listen(interface: &str, kind: Type, port: u16) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    // Non-blocking from the start: a server that inherits it cannot be stopped by it.
    let socket = Socket::new(Domain::IPV4, kind.nonblocking().cloexec(), Some(protocol))?;
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    if kind == Type::DGRAM {
        socket.set_broadcast(true)?;
    }
    socket.bind(&SockAddr::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "already in use by another program; stop that one, or choose another port in \
             pxeberry.toml"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => "not allowed; this needs to be root".to_owned(),
        _ => format!("cannot be opened: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_have_the_names_that_serve_looks_for() {
        let names: Vec<String> = plan(&[8080, 80]).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["dhcp", "proxydhcp", "tftp", "http-8080", "http-80"]);
    }

    #[test]
    fn a_port_in_use_is_explained() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let again = std::net::TcpListener::bind(taken.local_addr().unwrap()).unwrap_err();
        assert!(explain(&again).starts_with("already in use"));
    }
}
