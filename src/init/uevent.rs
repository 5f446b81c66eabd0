//! The kernel's news about devices (`NETLINK_KOBJECT_UEVENT`).
//!
//! An event only says "look again": what is there is then read from sysfs, so that a lost
//! event (the socket's buffer is finite) costs nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{self, AddressFamily, RecvFlags, SocketFlags, SocketType};

/// A USB hub full of disks makes some hundred events of about 300 bytes at once.
const RECEIVE_BUFFER: usize = 512 * 1024;

/// The kernel's own limit for one event (`UEVENT_BUFFER_SIZE`, plus its heading).
const LARGEST_EVENT: usize = 8 * 1024;

/// The multicast group of the kernel itself; udev daemons use others.
const KERNEL_GROUP: u32 = 1;

/// What has changed since the last look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Disks or partitions.
    pub block: bool,
    /// Network interfaces.
    pub net: bool,
}

/// The socket that the news comes from.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

impl Uevents {
    /// Starts to listen.
    pub fn open() -> io::Result<Uevents> {
        let socket = net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::KOBJECT_UEVENT),
        )?;
        // As root the larger buffer is granted; without it events are lost a little sooner.
        let _ = net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER);
        net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Uevents(socket))
    }

    /// Takes all waiting events.
    pub fn read(&self) -> News {
        let mut news = News::default();
        let mut buffer = [0; LARGEST_EVENT];
        loop {
            match net::recv(&self.0, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let event = parse(buffer.get(..length).unwrap_or_default());
                    news.block |= event.is_some_and(|event| event.subsystem == "block");
                    news.net |= event.is_some_and(|event| event.subsystem == "net");
                }
                Err(Errno::INTR) => {}
                // The buffer ran over: anything may have changed.
                Err(Errno::NOBUFS) => news = News { block: true, net: true },
                Err(_) => return news,
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// `add`, `remove`, `change`, …
    pub action: &'a str,
    /// `block`, `net`, …
    pub subsystem: &'a str,
    /// The device's name, where it has one: `sda1`, `eth0`.
    pub name: &'a str,
}

/// Reads `add@/devices/…` and the `KEY=value` texts behind it, each ended by a NUL.
pub fn parse(message: &[u8]) -> Option<Event<'_>> {
    let mut texts = message.split(|byte| *byte == 0).map(std::str::from_utf8);
    let (action, path) = texts.next()?.ok()?.split_once('@')?;
    let mut event = Event { action, subsystem: "", name: path.rsplit('/').next()? };
    for text in texts.flatten() {
        match text.split_once('=') {
            Some(("SUBSYSTEM", value)) => event.subsystem = value,
            Some(("DEVNAME" | "INTERFACE", value)) => event.name = value,
            _ => {}
        }
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_its_device() {
        let message = b"add@/devices/usb/block/sda/sda1\0ACTION=add\0SUBSYSTEM=block\0\
                        DEVNAME=sda1\0DEVTYPE=partition\0SEQNUM=1234\0";
        let expected = Event { action: "add", subsystem: "block", name: "sda1" };
        assert_eq!(parse(message), Some(expected));
    }

    #[test]
    fn an_event_without_a_device_node_goes_by_the_end_of_its_path() {
        let event = parse(b"remove@/devices/platform/net/eth0\0SUBSYSTEM=net\0").unwrap();
        assert_eq!((event.action, event.name), ("remove", "eth0"));
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        for message in [&b""[..], b"libudev\0\xfe\xed", b"add", b"\xff@x\0", b"\0\0\0"] {
            assert_eq!(parse(message), None);
        }
    }
}
