//! What each kind of client sends: one packet for each client and message type, with the
//! options that the real one is known to send.
//!
//! Of many of them real packets are recorded (tests/data/dhcp/packets), and the table says what
//! those say. It differs in what the server does not look at, where the real ones have it too:
//! - 50 and 54 stand right behind 53 here; iPXE and networkd put them last, dhcpcd 50 first.
//! - EDK2's REQUEST by PXE says 65280 in option 57; its DISCOVER what stands here.
//! - iPXE that was loaded by PXE repeats the class of the answer that loaded it, a bare
//!   `PXEClient`; loaded by HTTP it sends what stands here.
//! - EDK2 asks on port 4011 without a boot item, which is a Renew here; BootServer is what
//!   the specification has.
//! - The RELEASE of networkd and the DECLINE of dhcpcd name no server.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

/// The address that the clients ask for, use, or give back.
pub const ADDRESS: [u8; 4] = [10, 10, 10, 120];

/// The server that they talk to.
pub const SERVER: [u8; 4] = [10, 10, 10, 1];

/// In every packet.
pub const XID: u32 = 0xfeed_0042;

/// A machine's UUID, with the type byte before it (option 97).
pub const UUID: [u8; 17] = [
    0, 0x00, 0x25, 0x90, 0xc0, 0xf7, 0x86, 0x11, 0xe4, 0xb0, 0x3a, 0x1c, 0x69, 0x7a, 0x2b, 0x5d,
    0x0e,
];

/// A kind of client.
#[derive(Debug, Clone)]
pub struct Client {
    /// For people.
    pub name: &'static str,
    /// Hardware address; some makers are known by it.
    pub mac: [u8; 6],
    /// Whether DISCOVER and REQUEST ask for broadcast answers.
    pub broadcast: bool,
    /// What it says of itself in every message that asks for something, in this order.
    pub options: Vec<(u8, Vec<u8>)>,
    /// It fills shorter packets up with zeros.
    pub shortest: usize,
}

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Who gives addresses?
    Discover,
    /// REQUEST: I take this server's offer.
    Select,
    /// REQUEST: I had this address; may I use it?
    InitReboot,
    /// REQUEST from its own address: may I keep it? Rebinding is the same bytes.
    Renew,
    /// REQUEST from its own address to port 4011: what shall I load?
    BootServer,
    /// Somebody else uses this address.
    Decline,
    /// I need my address no more.
    Release,
    /// I have an address; tell me the rest.
    Inform,
}

/// Each of them.
pub const MESSAGES: [Message; 8] = [
    Message::Discover,
    Message::Select,
    Message::InitReboot,
    Message::Renew,
    Message::BootServer,
    Message::Decline,
    Message::Release,
    Message::Inform,
];

impl Client {
    /// The DHCP packet, as UDP carries it.
    pub fn says(&self, message: Message) -> Vec<u8> {
        self.says_of(message, ADDRESS)
    }

    /// The same about another address.
    pub fn says_of(&self, message: Message, address: [u8; 4]) -> Vec<u8> {
        use Message::*;
        let broadcast = self.broadcast && matches!(message, Discover | Select | InitReboot);
        let mut packet = vec![1, 1, 6, 0];
        packet.extend(XID.to_be_bytes());
        packet.extend([0, 4, if broadcast { 0x80 } else { 0 }, 0]);
        let has_address = matches!(message, Renew | BootServer | Release | Inform);
        packet.extend(if has_address { address } else { [0; 4] });
        packet.resize(28, 0);
        packet.extend(self.mac);
        packet.resize(236, 0);
        packet.extend([99, 130, 83, 99]);
        for (code, data) in self.options_of(message, address) {
            packet.extend([code, u8::try_from(data.len()).unwrap()]);
            packet.extend(data);
        }
        packet.push(255);
        packet.resize(packet.len().max(self.shortest), 0);
        packet
    }

    fn options_of(&self, message: Message, address: [u8; 4]) -> Vec<(u8, Vec<u8>)> {
        use Message::*;
        let kind = match message {
            Discover => 1,
            Select | InitReboot | Renew | BootServer => 3,
            Decline => 4,
            Release => 7,
            Inform => 8,
        };
        let mut options = vec![(53, vec![kind])];
        if matches!(message, Select | InitReboot | Decline) {
            options.push((50, address.to_vec()));
        }
        if matches!(message, Select | Decline | Release) {
            options.push((54, SERVER.to_vec()));
        }
        if message == BootServer {
            // Boot item 0 of layer 0 (PXE 2.1 table 2-1, tag 71).
            options.push((43, vec![71, 4, 0, 0, 0, 0, 255]));
        }
        // Who gives something back only says who it is (RFC 2131 table 5).
        let only_identity = matches!(message, Decline | Release);
        let wanted = |(code, _): &&(u8, Vec<u8>)| !only_identity || *code == 61;
        options.extend(self.options.iter().filter(wanted).cloned());
        options
    }
}

/// A request with a right header, up to where its options begin.
pub fn header() -> Vec<u8> {
    let mut packet = clients()[0].says(Message::Discover);
    packet.truncate(240);
    packet
}

/// Every client with every message, under a name like `EDK2 PXE x64: Discover`.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let of_client = |client: &Client| {
        MESSAGES.map(|message| (format!("{}: {message:?}", client.name), client.says(message)))
    };
    clients().iter().flat_map(of_client).collect()
}

/// One of each kind.
pub fn clients() -> Vec<Client> {
    vec![
        bios_rom(),
        edk2("EDK2 PXE x64", "PXEClient:Arch:00007:UNDI:003016", (7, 16), PXE_WISHES),
        edk2("EDK2 PXE arm64", "PXEClient:Arch:00011:UNDI:003000", (11, 0), PXE_WISHES),
        edk2("EDK2 HTTP x64", "HTTPClient:Arch:00016:UNDI:003000", (16, 0), HTTP_WISHES),
        edk2("EDK2 HTTP arm64", "HTTPClient:Arch:00019:UNDI:003000", (19, 0), HTTP_WISHES),
        ipxe("iPXE BIOS", "PXEClient:Arch:00000:UNDI:002001", 0, [1, 2, 1], IPXE_BIOS),
        ipxe("iPXE EFI x64", "PXEClient:Arch:00007:UNDI:003010", 7, [1, 3, 10], IPXE_EFI),
        ipxe("iPXE EFI arm64", "PXEClient:Arch:00011:UNDI:003010", 11, [1, 3, 10], IPXE_EFI),
        old_ipxe("iPXE of VirtualBox", IPXE_SMALL),
        u_boot(),
        raspberry_pi("Pi 3 ROM", [0xb8, 0x27, 0xeb, 0x2a, 0x3b, 0x4c], &[0x44; 16]),
        raspberry_pi("Pi 4 EEPROM", [0xdc, 0xa6, 0x32, 0x2a, 0x3b, 0x4c], PI_4),
        raspberry_pi("Pi 5 EEPROM", [0x2c, 0xcf, 0x67, 0x2a, 0x3b, 0x4c], PI_5),
        networkd(),
        linux("Anaconda", &[(60, b"anaconda-Linux 6.11.4-301.fc41.x86_64 x86_64"), (61, &CARD)]),
        udhcpc(),
        linux("Linux", &[(12, b"node-1")]),
    ]
}

/// A type byte and the hardware address (option 61).
const CARD: [u8; 7] = [1, 0x52, 0x54, 0, 0, 0, 0x41];

const PC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 0x41];

fn text(code: u8, text: &str) -> (u8, Vec<u8>) {
    (code, text.as_bytes().to_vec())
}

/// Intel's Boot Agent and its kin: the UUID stands in 61 as well (PXE 2.1 §2.2.1).
fn bios_rom() -> Client {
    Client {
        name: "BIOS PXE ROM",
        mac: [0x00, 0x25, 0x90, 0xc0, 0xf7, 0x86],
        broadcast: true,
        options: vec![
            (55, vec![1, 3, 43, 54, 60, 66, 67, 128, 129, 130, 131, 132, 133, 134, 135]),
            (57, vec![0x04, 0xec]),
            (97, UUID.to_vec()),
            (61, UUID.to_vec()),
            (93, vec![0, 0]),
            (94, vec![1, 2, 1]),
            text(60, "PXEClient:Arch:00000:UNDI:002001"),
        ],
        shortest: 548,
    }
}

/// What EDK2 wants to know for PXE.
const PXE_WISHES: &[u8] = &[
    1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66,
    67, 97, 128, 129, 130, 131, 132, 133, 134, 135,
];

/// And for HTTP boot. The byte before 67 is one that it forgets to fill.
const HTTP_WISHES: &[u8] = &[
    1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 0xf1,
    67, 97,
];

/// UEFI firmware sends no option 61.
fn edk2(name: &'static str, class: &str, (arch, minor): (u8, u8), wishes: &[u8]) -> Client {
    let options = vec![
        (57, vec![0x05, 0xc0]),
        (55, wishes.to_vec()),
        (97, UUID.to_vec()),
        (94, vec![1, 3, minor]),
        (93, vec![0, arch]),
        text(60, class),
    ];
    Client { name, mac: PC, broadcast: true, options, shortest: 300 }
}

/// What our undionly.kpxe can do: bus, version, and a flag for each feature.
const IPXE_BIOS: &[u8] = b"\xb1\x05\x01\x1a\xf4\x10\x00\xeb\x03\x01\0\0\x26\x01\x01\
    \x17\x01\x01\x27\x01\x01\x22\x01\x01\x13\x01\x01\x14\x01\x01\x11\x01\x01\x19\x01\x01\
    \x29\x01\x01\x10\x01\x02\x21\x01\x01\x15\x01\x01\x18\x01\x01\x12\x01\x01";

/// What our snponly.efi can do.
const IPXE_EFI: &[u8] = b"\xb1\x05\x01\x1a\xf4\x10\x00\xeb\x03\x01\0\0\x26\x01\x01\
    \x17\x01\x01\x27\x01\x01\x24\x01\x01\x13\x01\x01\x14\x01\x01\x11\x01\x01\
    \x29\x01\x01\x15\x01\x01\x12\x01\x01";

/// A ROM without bzImage and menus.
const IPXE_SMALL: &[u8] =
    b"\xb1\x05\x01\x80\x86\x10\x0e\xeb\x03\x01\0\0\x13\x01\x01\x17\x01\x01\x21\x01\x01";

/// It asks twice for 42 and not for 43, and fills up nothing.
fn ipxe(name: &'static str, class: &str, arch: u8, undi: [u8; 3], features: &[u8]) -> Client {
    let wishes = [
        1, 3, 6, 7, 12, 15, 17, 26, 42, 42, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134,
        135, 175, 203,
    ];
    let options = vec![
        (57, vec![0x05, 0xc0]),
        (93, vec![0, arch]),
        (94, undi.to_vec()),
        text(60, class),
        // Without the length byte that RFC 3004 wants.
        text(77, "iPXE"),
        (55, wishes.to_vec()),
        (175, features.to_vec()),
        (61, CARD.to_vec()),
        (97, UUID.to_vec()),
    ];
    Client { name, mac: PC, broadcast: true, options, shortest: 0 }
}

/// As in network cards of emulators: it can do without broadcast, and knows other wishes.
fn old_ipxe(name: &'static str, features: &[u8]) -> Client {
    let class = "PXEClient:Arch:00000:UNDI:002001";
    let mut client = ipxe(name, class, 0, [1, 2, 1], features);
    let wishes = client.options.iter_mut().find(|(code, _)| *code == 55).unwrap();
    wishes.1 = vec![
        1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135,
        175, 203,
    ];
    Client { broadcast: false, ..client }
}

fn u_boot() -> Client {
    let options = vec![
        (57, vec![0x02, 0x40]),
        (93, vec![0, 0x16]),
        (94, vec![1, 0, 0]),
        text(60, "U-Boot.armv8"),
        (55, vec![1, 3, 6, 12, 17]),
    ];
    let mac = [0x02, 0x81, 0x6c, 0x11, 0x22, 0x33];
    Client { name: "U-Boot arm64", mac, broadcast: false, options, shortest: 300 }
}

/// `RPi4`, board, the end of the hardware address, serial number.
const PI_4: &[u8] = b"RPi4\x15\x31\xc0\0\x32\x2a\x3b\x4c\x9d\x5e\x7f\x10";
const PI_5: &[u8] = b"RPi5\x17\x41\xd0\0\x67\x2a\x3b\x4c\x9d\x5e\x7f\x11";

/// A Raspberry Pi calls itself a BIOS PC.
fn raspberry_pi(name: &'static str, mac: [u8; 6], uuid: &[u8]) -> Client {
    let options = vec![
        (55, vec![43, 60, 67, 128, 129, 130, 131, 132, 133, 134, 135, 66]),
        (93, vec![0, 0]),
        (94, vec![1, 2, 1]),
        (97, [&[0], uuid].concat()),
        text(60, "PXEClient:Arch:00000:UNDI:002001"),
    ];
    Client { name, mac, broadcast: false, options, shortest: 300 }
}

/// An operating system or installer.
fn linux(name: &'static str, own: &[(u8, &[u8])]) -> Client {
    let mut options =
        vec![(55, vec![1, 3, 6, 12, 15, 26, 28, 42, 119, 121]), (57, vec![0x05, 0xc0])];
    options.extend(own.iter().map(|(code, data)| (*code, data.to_vec())));
    Client { name, mac: PC, broadcast: false, options, shortest: 300 }
}

/// With the client identifier that it has by default.
fn networkd() -> Client {
    let options = vec![
        (61, b"\xff\x4f\x53\x1c\x02\0\x02\0\0\xab\x11\x7d\x01\x9e\x5a\xc3\x42\x18\x66".to_vec()),
        (55, vec![1, 3, 6, 12, 15, 33, 42, 120, 121]),
        (57, vec![0x05, 0xc0]),
        text(12, "node-1"),
    ];
    Client { name: "systemd-networkd", mac: PC, broadcast: false, options, shortest: 0 }
}

/// busybox, as an installer starts it that has a name already.
fn udhcpc() -> Client {
    let options = vec![
        (57, vec![0x02, 0x40]),
        (55, vec![1, 3, 6, 12, 15, 28, 42]),
        text(60, "udhcp 1.35.0"),
        (61, CARD.to_vec()),
        text(12, "installer"),
    ];
    Client { name: "udhcpc", mac: PC, broadcast: false, options, shortest: 300 }
}
