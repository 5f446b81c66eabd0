//! DHCP by hand: what each firmware sends (RFC 2131, RFC 4578), and what comes back with
//! the frame it came in. Nothing here is shared with the server.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

use super::namespace::Namespace;

/// EtherType of IPv4.
const IPV4: u16 = 0x0800;

/// How long an answer may take on two busy cores.
const PATIENCE: Duration = Duration::from_secs(5);

/// DHCP message types (option 53).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    Bios,
    EfiX64,
    EfiArm64,
    HttpX64,
    IpxeBios,
    IpxeEfiX64,
}

impl Firmware {
    /// What it puts into DISCOVER and REQUEST.
    pub fn options(self) -> Vec<(u8, Vec<u8>)> {
        let (arch, class) = match self {
            Firmware::Bios | Firmware::IpxeBios => (0, "PXEClient:Arch:00000:UNDI:002001"),
            Firmware::EfiX64 => (7, "PXEClient:Arch:00007:UNDI:003016"),
            Firmware::IpxeEfiX64 => (7, "PXEClient:Arch:00007:UNDI:003010"),
            Firmware::EfiArm64 => (11, "PXEClient:Arch:00011:UNDI:003000"),
            Firmware::HttpX64 => (16, "HTTPClient:Arch:00016:UNDI:003000"),
        };
        let mut options = vec![
            (55, vec![1, 3, 6, 12, 43, 54, 60, 66, 67, 97]),
            (57, vec![0x05, 0xc0]),
            (60, class.as_bytes().to_vec()),
            (93, vec![0, arch]),
            (94, vec![1, 3, 16]),
            (97, UUID.to_vec()),
        ];
        if matches!(self, Firmware::IpxeBios | Firmware::IpxeEfiX64) {
            options.push((77, b"iPXE".to_vec()));
            // HTTP, bzImage, EFI, menu and DNS are there.
            options.push((175, b"\x13\x01\x01\x18\x01\x01\x24\x01\x01\x27\x01\x01".to_vec()));
        }
        options
    }

    /// BIOS and EDK2 ask for broadcast answers, iPXE does not.
    pub fn wants_broadcast(self) -> bool {
        !matches!(self, Firmware::IpxeBios | Firmware::IpxeEfiX64)
    }
}

/// A type byte and the machine's UUID.
pub const UUID: [u8; 17] = [0, 0xde, 0xad, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff];

/// A request to send.
#[derive(Debug, Clone)]
pub struct Ask {
    kind: Kind,
    mac: [u8; 6],
    xid: u32,
    broadcast: bool,
    ciaddr: Ipv4Addr,
    options: Vec<(u8, Vec<u8>)>,
}

impl Ask {
    /// With a transaction of its own, and no broadcast wish.
    pub fn new(kind: Kind, mac: [u8; 6]) -> Ask {
        static NEXT: AtomicU32 = AtomicU32::new(0x1000);
        let xid = NEXT.fetch_add(1, Ordering::Relaxed);
        let ciaddr = Ipv4Addr::UNSPECIFIED;
        Ask { kind, mac, xid, broadcast: false, ciaddr, options: Vec::new() }
    }

    /// From the address that the machine has already.
    pub fn from(mut self, address: Ipv4Addr) -> Ask {
        self.ciaddr = address;
        self
    }

    /// Asks for a broadcast answer.
    pub fn broadcast(mut self, wish: bool) -> Ask {
        self.broadcast = wish;
        self
    }

    /// With these options too.
    pub fn with(mut self, options: &[(u8, Vec<u8>)]) -> Ask {
        self.options.extend_from_slice(options);
        self
    }

    /// With this option too.
    pub fn option(mut self, code: u8, data: &[u8]) -> Ask {
        self.options.push((code, data.to_vec()));
        self
    }

    /// Whether this is the answer to it.
    pub fn is_answered_by(&self, heard: &Heard) -> bool {
        heard.xid == self.xid && heard.chaddr == self.mac
    }

    /// The whole Ethernet frame, broadcast from 0.0.0.0:68.
    pub fn frame(&self) -> Vec<u8> {
        let mut dhcp = vec![1, 1, 6, 0];
        dhcp.extend(self.xid.to_be_bytes());
        dhcp.extend([0, 4, if self.broadcast { 0x80 } else { 0 }, 0]);
        dhcp.extend(self.ciaddr.octets());
        dhcp.resize(28, 0);
        dhcp.extend(self.mac);
        dhcp.resize(236, 0);
        dhcp.extend([99, 130, 83, 99, 53, 1, self.kind as u8]);
        for (code, data) in &self.options {
            dhcp.extend([*code, u8::try_from(data.len()).unwrap()]);
            dhcp.extend(data);
        }
        dhcp.push(255);
        dhcp.resize(dhcp.len().max(300), 0);
        datagram((self.mac, self.ciaddr), ([0xff; 6], Ipv4Addr::BROADCAST), 67, &dhcp)
    }

    /// The transaction, to know its answer by.
    pub fn xid(&self) -> u32 {
        self.xid
    }
}

/// The Ethernet frame that carries any bytes to a port of the appliance: broadcast from a
/// machine without an address, or to the card of the appliance from 10.10.10.77.
pub fn frame(from: [u8; 6], to: [u8; 6], port: u16, payload: &[u8]) -> Vec<u8> {
    let broadcast = to == [0xff; 6];
    let source = if broadcast { [0; 4] } else { [10, 10, 10, 77] };
    let target = if broadcast { [255; 4] } else { [10, 10, 10, 1] };
    datagram((from, source.into()), (to, target.into()), port, payload)
}

fn datagram(
    from: ([u8; 6], Ipv4Addr),
    to: ([u8; 6], Ipv4Addr),
    port: u16,
    payload: &[u8],
) -> Vec<u8> {
    let udp_length = u16::try_from(8 + payload.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_length).to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    ip.extend(from.1.octets());
    ip.extend(to.1.octets());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    // UDP without a checksum is allowed, and short.
    let ports = [68_u16.to_be_bytes(), port.to_be_bytes()].concat();
    let udp = [&ports[..], &udp_length.to_be_bytes(), &[0, 0]].concat();
    [&to.0[..], &from.0, &IPV4.to_be_bytes(), &ip, &udp, payload].concat()
}

fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// An answer, with its way through the network.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Ethernet addresses.
    pub frame_to: [u8; 6],
    pub frame_from: [u8; 6],
    /// IP addresses.
    pub ip_from: Ipv4Addr,
    pub ip_to: Ipv4Addr,
    pub kind: Option<Kind>,
    pub xid: u32,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub chaddr: [u8; 6],
    pub file: String,
    pub options: BTreeMap<u8, Vec<u8>>,
    /// Bytes of DHCP.
    pub length: usize,
}

impl Heard {
    /// A DHCP answer in a frame; none if it is anything else.
    fn parse(frame: &[u8]) -> Option<Heard> {
        let ip = frame.get(14..)?;
        let header = usize::from(ip.first()? & 15) * 4;
        let udp = ip.get(header..)?;
        let is_answer = ip.get(9) == Some(&17) && udp.get(..4)? == [0, 67, 0, 68];
        let udp_length = usize::from(u16::from_be_bytes(udp.get(4..6)?.try_into().ok()?));
        let dhcp = udp.get(8..udp_length).filter(|dhcp| is_answer && dhcp.len() >= 240)?;
        let address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&dhcp[at..at + 4]).unwrap());
        let ip_address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&ip[at..at + 4]).unwrap());
        let mut options = BTreeMap::new();
        let mut rest = &dhcp[240..];
        while let [code, length, after @ ..] = rest {
            if *code == 255 {
                break;
            }
            let (data, after) = after.split_at_checked(usize::from(*length))?;
            assert!(options.insert(*code, data.to_vec()).is_none(), "option {code} twice");
            rest = after;
        }
        let kinds = [Kind::Offer, Kind::Ack, Kind::Nak];
        let kind = options
            .get(&53)
            .and_then(|data| kinds.into_iter().find(|kind| data.as_slice() == [*kind as u8]));
        let file = dhcp[108..236].split(|byte| *byte == 0).next()?;
        Some(Heard {
            frame_to: frame[..6].try_into().ok()?,
            frame_from: frame[6..12].try_into().ok()?,
            ip_from: ip_address(12),
            ip_to: ip_address(16),
            kind,
            xid: u32::from_be_bytes(dhcp[4..8].try_into().ok()?),
            flags: u16::from_be_bytes(dhcp[10..12].try_into().ok()?),
            ciaddr: address(12),
            yiaddr: address(16),
            siaddr: address(20),
            chaddr: dhcp[28..34].try_into().ok()?,
            file: String::from_utf8_lossy(file).into_owned(),
            options,
            length: dhcp.len(),
        })
    }

    /// The data of an option.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }
}

/// A network card, for whole frames in and out.
pub struct Port {
    socket: Socket,
}

impl Port {
    /// The card `interface` of a namespace.
    pub fn open(namespace: &Namespace, interface: &str) -> Port {
        let index = namespace.inside(|| interface_number(interface));
        let socket = namespace.inside(|| {
            let protocol = Protocol::from(i32::from(IPV4.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
            // Before it is bound: a download would fill its queue, and answers be lost.
            socket.attach_filter(&ANSWERS).unwrap();
            // Answers to others come along, thousands of them in a flood.
            let room = 8 * 1024 * 1024;
            let force = rustix::net::sockopt::set_socket_recv_buffer_size_force;
            force(&socket, room).or_else(|_| socket.set_recv_buffer_size(room)).unwrap();
            socket.bind(&link_address(index, IPV4)).unwrap();
            socket
        });
        Port { socket }
    }

    /// From now on it hears nothing but the answers to one client, as its card would.
    pub fn hears_only(&self, client: [u8; 6]) {
        let [a, b, c, d, e, f] = client;
        let chaddr = 14 + 8 + 28;
        let [first, last] = [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([0, 0, e, f])];
        let filter = [
            step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 14 + 9),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 6, 17),
            step(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 14),
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_IND, 0, 0, chaddr),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, first),
            step(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 0, 0, chaddr + 4),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, last),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        ];
        self.socket.attach_filter(&filter).unwrap();
    }

    /// Sends a request and returns the answer to it; none if none comes.
    pub fn ask(&self, ask: &Ask) -> Option<Heard> {
        self.send(ask);
        self.hear(PATIENCE, |heard| ask.is_answered_by(heard))
    }

    /// Sends a request.
    pub fn send(&self, ask: &Ask) {
        self.send_frame(&ask.frame());
    }

    /// Sends any frame.
    pub fn send_frame(&self, frame: &[u8]) {
        self.socket.send(frame).unwrap();
    }

    /// The next DHCP answer that is `wanted`.
    pub fn hear(&self, patience: Duration, wanted: impl Fn(&Heard) -> bool) -> Option<Heard> {
        let end = Instant::now() + patience;
        let mut frame = [0; 2048];
        loop {
            let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.socket.set_read_timeout(Some(left)).unwrap();
            let length = (&self.socket).read(&mut frame).ok()?;
            if let Some(heard) = Heard::parse(&frame[..length]).filter(&wanted) {
                return Some(heard);
            }
        }
    }

    /// Every DHCP answer that has come until now.
    pub fn heard(&self) -> Vec<Heard> {
        let next = || self.hear(Duration::from_millis(1), |_| true);
        std::iter::from_fn(next).collect()
    }
}

/// One instruction of a classic BPF program.
pub(super) const fn step(code: u32, if_true: u8, if_false: u8, value: u32) -> SockFilter {
    SockFilter::new(code as u16, if_true, if_false, value)
}

/// Lets UDP to port 68 through (a classic BPF program over the whole frame).
const ANSWERS: [SockFilter; 7] = [
    step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 14 + 9),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 4, 17),
    step(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 14),
    step(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 0, 0, 14 + 2),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, 68),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
];

/// Interface number; /sys shows those of the test's own namespace only.
pub(super) fn interface_number(interface: &str) -> i32 {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    i32::try_from(rustix::net::netdevice::name_to_index(&socket, interface).unwrap()).unwrap()
}

/// All frames of a protocol on an interface; its number is 0 for all of them.
pub(super) fn link_address(index: i32, protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is one of the address structures that the storage is for.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap();
    // SAFETY: the first `length` bytes are the structure that was just filled.
    unsafe { SockAddr::new(storage, length) }
}
