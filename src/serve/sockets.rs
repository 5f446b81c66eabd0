//! The sockets that the servers work with: handed down by PID 1 (or systemd), else opened.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{FromRawFd, RawFd};

use socket2::Socket;

use crate::config::Config;
use crate::net::listen::{self, Listener};

/// The first descriptor that is handed down (systemd's `sd_listen_fds(3)`).
const FIRST_FD: RawFd = 3;

/// More sockets than this are no hand-down of ours.
const MOST_FDS: RawFd = 32;

/// Every socket that we serve on.
pub struct Sockets {
    /// UDP port 67.
    pub dhcp: UdpSocket,
    /// UDP port 4011.
    pub proxydhcp: UdpSocket,
    /// UDP port 69.
    pub tftp: UdpSocket,
    /// UDP port 514, where it is wanted and free.
    pub syslog: Option<UdpSocket>,
    /// UDP port 5353, where it is wanted.
    pub mdns: Option<UdpSocket>,
    /// The HTTP ports.
    pub http: Vec<TcpListener>,
}

/// Takes what was handed down; without that, opens everything on `interface`, with TFTP
/// and HTTP at `address`.
pub fn sockets(config: &Config, interface: &str, address: Ipv4Addr) -> Result<Sockets, String> {
    let inherited = inherited();
    let listeners = if inherited.is_empty() {
        let opened = listen::open(interface, address, &config.http.ports);
        let opened: Result<Vec<Listener>, _> = opened.into_iter().collect();
        let mut opened = opened.map_err(|error| error.to_string())?;
        if config.server.syslog {
            // Machines install themselves without it, too.
            let syslog = listen::open_syslog(interface, address);
            opened.extend(syslog.map_err(|error| log::warn!("{error}")));
        }
        opened
    } else {
        inherited
    };
    let mdns = config.page.mdns.then(|| listen::open_mdns(interface));
    // The page is there without its name, too; nobody waits for this port while we restart.
    let mdns = mdns.and_then(|opened| opened.map_err(|error| log::warn!("{error}")).ok());
    Ok(Sockets { mdns, ..sort(listeners)? })
}

fn sort(listeners: Vec<Listener>) -> Result<Sockets, String> {
    let (mut dhcp, mut proxydhcp, mut tftp, mut syslog) = (None, None, None, None);
    let mut http = Vec::new();
    for Listener { name, socket } in listeners {
        match name.as_str() {
            "dhcp" => dhcp = Some(UdpSocket::from(socket)),
            "proxydhcp" => proxydhcp = Some(UdpSocket::from(socket)),
            "tftp" => tftp = Some(UdpSocket::from(socket)),
            "syslog" => syslog = Some(UdpSocket::from(socket)),
            _ if name.starts_with("http-") => http.push(TcpListener::from(socket)),
            _ => log::warn!("a socket {name:?} was handed down that nothing here serves"),
        }
    }
    match (dhcp, proxydhcp, tftp) {
        (Some(dhcp), Some(proxydhcp), Some(tftp)) if !http.is_empty() => {
            Ok(Sockets { dhcp, proxydhcp, tftp, syslog, mdns: None, http })
        }
        _ => Err("not all sockets were handed down; the log of PID 1 says which port is \
                  taken"
            .to_owned()),
    }
}

fn inherited() -> Vec<Listener> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let for_us = match std::env::var("LISTEN_PID") {
        Ok(pid) => pid == std::process::id().to_string(),
        Err(_) => true,
    };
    let count: RawFd = variable("LISTEN_FDS").parse().unwrap_or(0);
    if !for_us || !(1..=MOST_FDS).contains(&count) {
        return Vec::new();
    }
    let names = variable("LISTEN_FDNAMES");
    let numbered = (FIRST_FD..FIRST_FD + count).zip(names.split(':'));
    numbered
        .map(|(fd, name)| {
            // SAFETY: by the protocol of sd_listen_fds(3) these descriptors were opened for
            // this process alone; nothing else in it has touched them yet.
            let socket = unsafe { Socket::from_raw_fd(fd) };
            Listener { name: name.to_owned(), socket }
        })
        .collect()
}
