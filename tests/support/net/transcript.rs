//! The conversation on the LAN: every DHCP packet as a line of text, in order.
//!
//! A line begins with the client that it is about, whoever says it:
//!
//! ```text
//! 52:54:00:00:00:41 > DISCOVER broadcast
//! 52:54:00:00:00:41 < OFFER 10.10.10.100 unicast from 10.10.10.1 lease=12.0h
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockFilter, Socket, Type};

use super::PATIENCE;
use super::lan::INTERFACE;
use super::packet::{link_address, step};
use super::recorder::Recorder;

/// Hears all ports of the appliance's bridge, without a part in anything.
pub struct Transcript {
    socket: Socket,
    heard: RefCell<Heard>,
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    /// Interfaces by number: whether frames that come in there are to be taken.
    ports: HashMap<i32, bool>,
    recorder: Recorder,
}

/// Where a frame was seen.
struct Place {
    interface: i32,
    leaves: bool,
}

impl Transcript {
    /// Begins to listen, in the namespace of the calling thread.
    pub fn begin() -> Transcript {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
        // Before it is bound: nothing else is ever in its queue. 0: all interfaces.
        socket.attach_filter(&DHCP).unwrap();
        socket.bind(&link_address(0, ALL_PROTOCOLS)).unwrap();
        socket.set_recv_buffer_size(4 << 20).unwrap();
        Transcript { socket, heard: RefCell::default() }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        while self.take(Duration::from_millis(1)) {}
        self.heard.borrow().lines.clone()
    }

    /// The conversation of one client, a line a packet, without its name. What is repeated
    /// word for word counts once: how often depends on how busy this computer is.
    pub fn of(&self, client: &str) -> String {
        let lines = self.lines();
        let own = lines.iter().filter_map(|line| line.strip_prefix(client));
        let mut own: Vec<&str> = own.map(str::trim_start).collect();
        own.dedup();
        own.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The address in the `nth` OFFER to a client, counted from 1.
    #[track_caller]
    pub fn offered(&self, client: &str, nth: usize) -> String {
        let line = self.wait_for(client, "< OFFER", nth);
        line.split(' ').nth(3).unwrap().to_owned()
    }

    /// Waits until a client's conversation has a line that begins with `start`: the `nth` one,
    /// counted from 1.
    #[track_caller]
    pub fn wait_for(&self, client: &str, start: &str, nth: usize) -> String {
        let start = format!("{client} {start}");
        self.wait_for_line(|line| line.starts_with(&start), nth)
            .unwrap_or_else(|| panic!("nobody said {start:?} {nth} times"))
    }

    /// Waits until the appliance looks for other servers, and listens. Its made-up client has
    /// a locally administered address, and no machine here has.
    #[track_caller]
    pub fn wait_for_search(&self) {
        let is_search = |line: &str| line.starts_with("02:") && line.contains("> DISCOVER");
        self.wait_for_line(is_search, 1).expect("no search for other servers");
    }

    fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, nth: usize) -> Option<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let heard = self.heard.borrow();
            if let Some(line) = heard.lines.iter().filter(|line| wanted(line)).nth(nth - 1) {
                return Some(line.clone());
            }
            drop(heard);
            let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.take(left);
        }
    }

    /// Takes the next frame within `patience`; false if there is none.
    fn take(&self, patience: Duration) -> bool {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [MaybeUninit::<u8>::uninit(); 2048];
        let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
            return false;
        };
        // SAFETY: recv_from initialised the first `length` bytes (its contract).
        let frame: Vec<u8> =
            buffer[..length].iter().map(|byte| unsafe { byte.assume_init() }).collect();
        let mut storage = from.as_storage();
        // SAFETY: the address came from a packet socket, so it is a sockaddr_ll.
        let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
        let place = Place {
            interface: link.sll_ifindex,
            leaves: link.sll_pkttype == libc::PACKET_OUTGOING,
        };
        let mut heard = self.heard.borrow_mut();
        if heard.is_first_sight(&place) {
            heard.lines.extend(line(&frame));
            let packet = Packet::of(&frame).filter(|packet| !place.leaves && packet.dhcp[0] == 1);
            if let Some(packet) = packet {
                heard.recorder.hears(packet.port(), packet.dhcp);
            }
        }
        true
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- DHCP on the LAN:\n{}\n---", self.lines().join("\n"));
        }
    }
}

impl Heard {
    /// A frame passes several interfaces. It is taken where it comes into the bridge: at a
    /// port, or from the appliance itself.
    fn is_first_sight(&mut self, place: &Place) -> bool {
        let is_port = *self.ports.entry(place.interface).or_insert_with(|| {
            let name = interface_name(place.interface);
            // One without a name is gone by now: the cable of a machine that was dropped.
            name.is_none_or(|name| Path::new("/sys/class/net").join(name).join("brport").exists())
        });
        let own = || interface_name(place.interface).as_deref() == Some(INTERFACE);
        if place.leaves { own() } else { is_port }
    }
}

fn interface_name(index: i32) -> Option<String> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    rustix::net::netdevice::index_to_name(&socket, u32::try_from(index).unwrap()).ok()
}

/// The line for a frame; none if it holds no whole DHCP packet.
fn line(frame: &[u8]) -> Option<String> {
    let packet = Packet::of(frame)?;
    let client = packet.dhcp[28..34].iter().map(|octet| format!("{octet:02x}"));
    let client = client.collect::<Vec<_>>();
    let words = if packet.dhcp[0] == 1 { packet.request() } else { packet.reply() };
    Some(format!("{} {}", client.join(":"), words))
}

struct Packet<'a> {
    ip: &'a [u8],
    udp: &'a [u8],
    dhcp: &'a [u8],
}

impl Packet<'_> {
    fn of(frame: &[u8]) -> Option<Packet<'_>> {
        let ip = frame.get(14..)?;
        let header = usize::from(ip.first()? & 15) * 4;
        let udp = ip.get(header..)?;
        let dhcp = udp.get(8..).filter(|dhcp| dhcp.len() >= 240)?;
        Some(Packet { ip, udp, dhcp })
    }

    /// The port that it goes to.
    fn port(&self) -> u16 {
        u16::from_be_bytes([self.udp[2], self.udp[3]])
    }

    fn request(&self) -> String {
        let mut words = format!("> {}{} {}", self.machine(), self.kind(), self.way());
        if self.port() == 4011 {
            words += " port=4011";
        }
        let relay = self.address(24);
        let named = [("has", self.address(12)), ("wants", self.option_address(50))];
        for (name, address) in named.into_iter().chain([("server", self.option_address(54))]) {
            words += &address.map(|address| format!(" {name}={address}")).unwrap_or_default();
        }
        words + &relay.map(|relay| format!(" relay={relay}")).unwrap_or_default()
    }

    fn reply(&self) -> String {
        let address = self.address(16).map(|address| format!(" {address}")).unwrap_or_default();
        let source = Ipv4Addr::from(<[u8; 4]>::try_from(&self.ip[12..16]).unwrap());
        let server = self.option_address(54).unwrap_or(source);
        let mut words = format!("< {}{address} {} from {server}", self.kind(), self.way());
        if let Some(Ok(lease)) = self.option(51).map(<[u8; 4]>::try_from) {
            // In hours: a renewal tells how many seconds are left.
            words += &format!(" lease={:.1}h", f64::from(u32::from_be_bytes(lease)) / 3600.0);
        }
        for (name, code) in [("router", 3), ("dns", 6)] {
            let address = self.option_address(code);
            words += &address.map(|address| format!(" {name}={address}")).unwrap_or_default();
        }
        let file = self.dhcp[108..236].split(|byte| *byte == 0).next().unwrap_or_default();
        if !file.is_empty() {
            words += &format!(" file={}", String::from_utf8_lossy(file));
        }
        words
    }

    /// Firmware is told apart from operating systems.
    fn machine(&self) -> &'static str {
        let class = self.option(60).unwrap_or_default();
        if class.starts_with(b"PXEClient") { "PXE " } else { "" }
    }

    fn kind(&self) -> &'static str {
        let kinds = ["DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"];
        match self.option(53) {
            Some([kind]) => kinds.get(usize::from(*kind).wrapping_sub(1)).unwrap_or(&"UNKNOWN"),
            _ => "BOOTP",
        }
    }

    fn way(&self) -> &'static str {
        if self.ip[16..20] == [255; 4] { "broadcast" } else { "unicast" }
    }

    /// An address of the header; none if it is 0.0.0.0.
    fn address(&self, at: usize) -> Option<Ipv4Addr> {
        let octets = <[u8; 4]>::try_from(&self.dhcp[at..at + 4]).unwrap();
        Some(Ipv4Addr::from(octets)).filter(|address| !address.is_unspecified())
    }

    fn option_address(&self, code: u8) -> Option<Ipv4Addr> {
        let first = self.option(code)?.first_chunk::<4>()?;
        Some(Ipv4Addr::from(*first))
    }

    fn option(&self, code: u8) -> Option<&[u8]> {
        let mut rest = &self.dhcp[240..];
        loop {
            rest = match rest {
                [0, after @ ..] => after,
                [255, ..] | [] | [_] => return None,
                [found, length, after @ ..] => {
                    let (data, after) = after.split_at_checked(usize::from(*length))?;
                    if *found == code {
                        return Some(data);
                    }
                    after
                }
            }
        }
    }
}

/// ETH_P_ALL: what leaves is heard too.
const ALL_PROTOCOLS: u16 = 3;

/// Lets UDP over IPv4 to the ports 67, 68 and 4011 through (a classic BPF program over the
/// whole frame).
const DHCP: [SockFilter; 11] = [
    step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 12),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 8, 0x0800),
    step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 14 + 9),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 6, 17),
    step(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 14),
    step(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 0, 0, 14 + 2),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 2, 0, 67),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, 68),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, 4011),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
];
