//! The cable and the computers on it.

use std::fs;
use std::net::Ipv4Addr;

use super::http::Connection;
use super::namespace::Namespace;
use super::packet::{Ask, Firmware, Heard, Kind, Port};
use super::tools::{self, Ran};

/// The appliance's address on every LAN here.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);

/// The interface that the appliance serves on: a bridge, to which every machine has a cable.
pub const INTERFACE: &str = "srv0";

/// An Ethernet segment; the appliance's end is in the test's own namespace.
pub struct Lan {
    machines: std::cell::Cell<usize>,
}

impl Lan {
    /// A segment with nobody on it but the appliance.
    pub(super) fn new() -> Lan {
        tools::run("ip", &["link", "add", INTERFACE, "type", "bridge", "forward_delay", "0"]);
        tools::run("ip", &["address", "add", "10.10.10.1/24", "dev", INTERFACE]);
        tools::run("ip", &["link", "set", INTERFACE, "up"]);
        Lan { machines: std::cell::Cell::new(0) }
    }

    /// The hardware address of the appliance's interface.
    pub fn hardware(&self) -> String {
        let text = fs::read_to_string(format!("/sys/class/net/{INTERFACE}/address")).unwrap();
        text.trim().to_owned()
    }

    /// From now on a cable that is plugged in lets nothing pass for twice this delay, as IEEE
    /// 802.1D has it: its port listens, then it learns. Those that are there go on.
    pub fn begins_spanning_tree(&self, delay: std::time::Duration) {
        let delay = (delay.as_secs() * 100).to_string();
        let bridge = ["link", "set", INTERFACE, "type", "bridge"];
        for setting in [["forward_delay", &delay], ["stp_state", "1"]] {
            tools::run("ip", &[&bridge[..], &setting].concat());
        }
    }

    /// A cable for an emulated computer: a tap device that its emulator opens.
    #[track_caller]
    pub fn tap(&self) -> String {
        const DEVICE: &str = "/dev/net/tun";
        // Debian lets everybody open it, containers often nobody but root.
        let opened = fs::File::options().read(true).write(true).open(DEVICE);
        assert!(opened.is_ok(), "emulated computers need {DEVICE}: {opened:?}");
        let number = self.machines.get() + 1;
        self.machines.set(number);
        let tap = format!("tap{number}");
        tools::run("ip", &["tuntap", "add", "dev", &tap, "mode", "tap"]);
        tools::run("ip", &["link", "set", &tap, "master", INTERFACE, "up"]);
        keep_hardware_address(number);
        tap
    }

    /// A computer with a network card `eth0` of this hardware address, and no IP address.
    pub fn machine(&self, mac: &str) -> Machine {
        let number = self.machines.get() + 1;
        self.machines.set(number);
        let namespace = Namespace::new();
        let cable = format!("cable{number}");
        let id = namespace.id();
        let card = ["peer", "name", "eth0", "address", mac, "netns", &id];
        tools::run("ip", &[&["link", "add", &cable, "type", "veth"], &card[..]].concat());
        tools::run("ip", &["link", "set", &cable, "master", INTERFACE, "up"]);
        keep_hardware_address(number);
        namespace.run("ip", &["link", "set", "eth0", "up"]).good();
        namespace.run("sh", &["-c", &wait_for(&carrier_of("eth0"), "1")]).good();
        // 3: the bridge forwards what comes from this cable (BR_STATE_FORWARDING).
        for (file, value) in [(format!("{cable}/brport/state"), "3"), (carrier_of(INTERFACE), "1")]
        {
            tools::run("sh", &["-c", &wait_for(&file, value)]);
        }
        let port = Port::open(&namespace, "eth0");
        Machine { namespace, mac: octets(mac), address: None.into(), port }
    }
}

/// A bridge has the address of one of its cables, and another one when that is cut, unless it
/// has one of its own. With that, and without a cable, it has no link: so the first one gives it.
fn keep_hardware_address(cable: usize) {
    if cable == 1 {
        tools::run("ip", &["link", "set", INTERFACE, "address", "0e:70:78:65:00:01"]);
    }
}

/// The appliance's own port of a switch that is slow to let frames through.
pub struct SwitchPort;

/// The appliance's card in it.
pub const BOX_CARD: &str = "box0";

impl SwitchPort {
    /// Moves the appliance from the bridge itself to a card in one of its ports. The link is
    /// up, and nothing passes (802.1D: listening).
    pub fn blocked(_: &Lan) -> SwitchPort {
        tools::run("ip", &["address", "flush", "dev", INTERFACE]);
        // The bridge itself must not answer for an address that is on the card.
        fs::write(format!("/proc/sys/net/ipv4/conf/{INTERFACE}/arp_ignore"), "8").unwrap();
        let card = ["link", "add", BOX_CARD, "type", "veth", "peer", "name", "port0"];
        tools::run("ip", &card);
        tools::run("ip", &["link", "set", "port0", "master", INTERFACE, "up"]);
        tools::run("ip", &["address", "add", "10.10.10.1/24", "dev", BOX_CARD]);
        tools::run("ip", &["link", "set", BOX_CARD, "up"]);
        tools::run("sh", &["-c", &wait_for(&carrier_of(BOX_CARD), "1")]);
        tools::run("sh", &["-c", &wait_for("port0/brport/state", "3")]);
        let port = SwitchPort;
        port.set_state("1");
        port
    }

    /// From now on frames pass.
    pub fn forwards(&self) {
        self.set_state("3");
    }

    fn set_state(&self, state: &str) {
        tools::run("bridge", &["link", "set", "dev", "port0", "state", state]);
    }
}

fn carrier_of(interface: &str) -> String {
    format!("{interface}/carrier")
}

/// The kernel takes its time to notice that a cable was plugged in, and drops frames until
/// then. There is no event to wait for that does not need a netlink library.
fn wait_for(file: &str, value: &str) -> String {
    format!("until [ \"$(cat /sys/class/net/{file})\" = {value} ]; do sleep 0.005; done")
}

/// `52:54:00:00:00:01` as six octets.
pub fn octets(mac: &str) -> [u8; 6] {
    let mut octets = mac.split(':').map(|part| u8::from_str_radix(part, 16).unwrap());
    std::array::from_fn(|_| octets.next().unwrap())
}

/// A computer on the LAN.
pub struct Machine {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// For frames of any kind.
    pub port: Port,
    address: std::cell::Cell<Option<Ipv4Addr>>,
}

impl Machine {
    /// Gives it an address by hand.
    pub fn use_address(&self, address: Ipv4Addr) {
        if self.address.replace(Some(address)) != Some(address) {
            self.namespace.run("ip", &["address", "flush", "dev", "eth0"]).good();
            let address = format!("{address}/24");
            self.namespace.run("ip", &["address", "add", &address, "dev", "eth0"]).good();
        }
    }

    /// Gives it these addresses beside its own: one computer that plays many.
    pub fn plays(&self, addresses: &[Ipv4Addr]) {
        let lines: String = addresses
            .iter()
            .map(|address| format!("ip address add {address}/24 dev eth0\n"))
            .collect();
        self.run("sh", &["-e", "-c", &lines]).good();
    }

    /// Every address that its card really has, with the length of its prefix.
    pub fn configured(&self) -> String {
        let shown = self.run("ip", &["-4", "-brief", "address", "show", "eth0"]).good().text();
        let addresses = shown.split_whitespace().filter(|word| word.contains('/'));
        addresses.collect::<Vec<_>>().join(" ")
    }

    /// Takes the cable out and puts it in again.
    pub fn replugs(&self) {
        for state in ["down", "up"] {
            self.run("ip", &["link", "set", "eth0", state]).good();
        }
    }

    /// Its address now.
    pub fn address(&self) -> Ipv4Addr {
        self.address.get().unwrap()
    }

    /// Power on: the firmware gets an address and uses it. What the server acknowledged.
    #[track_caller]
    pub fn boots(&self, firmware: Firmware) -> Heard {
        let ack = self.leases(&firmware.options());
        self.use_address(ack.yiaddr);
        ack
    }

    /// DISCOVER, OFFER, REQUEST, ACK with these options.
    #[track_caller]
    pub fn leases(&self, options: &[(u8, Vec<u8>)]) -> Heard {
        let discover = Ask::new(Kind::Discover, self.mac).with(options);
        let offer = self.port.ask(&discover).expect("no OFFER");
        assert_eq!(offer.kind, Some(Kind::Offer));
        let request = Ask::new(Kind::Request, self.mac)
            .with(options)
            .option(50, &offer.yiaddr.octets())
            .option(54, &SERVER.octets());
        let ack = self.port.ask(&request).expect("no ACK");
        assert_eq!(ack.kind, Some(Kind::Ack), "{ack:?}");
        ack
    }

    /// Runs a program on it to its end.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        self.namespace.run(program, arguments)
    }

    /// What `curl` gets from a path of the appliance, with its exit code and status code.
    #[track_caller]
    pub fn curl(&self, path: &str) -> (u16, Vec<u8>) {
        let url = format!("http://{SERVER}:8080{path}");
        let ran = self.run("curl", &["-sS", "--path-as-is", "-w", "%{stderr}%{http_code}", &url]);
        assert_eq!(ran.code, Some(0), "{path}: {}", ran.err);
        (ran.err.trim().parse().unwrap(), ran.out)
    }

    /// What a path holds; fails unless the answer is 200.
    #[track_caller]
    pub fn get(&self, path: &str) -> Vec<u8> {
        let (status, body) = self.curl(path);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        body
    }

    /// The text of a TFTP file, asked for as the program in this machine would.
    #[track_caller]
    pub fn tftp_text(&self, name: &str) -> String {
        let bytes = self.tftp(name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        String::from_utf8(bytes).unwrap()
    }

    /// A connection to a port of the appliance, for raw bytes.
    pub fn connect(&self, port: u16) -> Connection {
        self.namespace.inside(|| Connection::open(port))
    }
}
