//! A room of machines in the middle of their installations, played by one computer: each has
//! its address, its installer and a slow download, renews its lease and says what it does.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::net::lan::{SERVER, octets};
use super::net::stick::{IMAGE, VERSION};
use super::net::{Ask, Firmware, Heard, Kind, Lan, Machine, PATIENCE};

/// Every machine takes a piece so often.
const TURN: Duration = Duration::from_millis(250);

/// 64 KiB a second each: two hundred fill the cable of a Pi 3, which has 100 Mbit/s.
const PIECE: usize = 16 * 1024;

/// Each says something every other second.
const TURNS_TO_SPEAK: usize = 8;

/// Each renews its lease every five seconds; a real one does in hours.
const TURNS_TO_RENEW: usize = 20;

/// Whatever becomes of the test, it ends.
const LONGEST: Duration = Duration::from_secs(90);

/// The MAC of a machine of `machines_toml`.
pub fn mac(number: usize) -> String {
    format!("52:54:00:01:{:02x}:{:02x}", number / 256, number % 256)
}

/// So many machines.
pub fn machines_toml(machines: usize) -> String {
    let machine =
        |number| format!("[[machine]]\nname = \"rack-{number}\"\nmac = \"{}\"\n", mac(number));
    (0..machines).map(machine).collect()
}

/// All of them at work.
pub struct Crowd {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Active>>,
}

/// What became of one machine.
pub struct Active {
    /// Its number.
    pub number: usize,
    /// How much of its download it has.
    pub bytes: usize,
    /// Why that ended, if it did.
    pub broken: Option<String>,
    address: Ipv4Addr,
    stream: TcpStream,
    voice: UdpSocket,
}

impl Crowd {
    /// The first `machines` of the room are installing themselves when this returns.
    pub fn installs(lan: &Lan, machines: usize) -> Crowd {
        let computer = lan.machine("52:54:00:00:00:cc");
        let addresses = leases(&computer, machines);
        has_cards(&computer, &addresses);
        let active: Vec<Active> = computer.namespace.inside(|| {
            let begins = |(number, address): (usize, &Ipv4Addr)| begins(number, *address);
            addresses.iter().enumerate().map(begins).collect()
        });
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let thread = thread::spawn(move || work(&computer, active, &told));
        Crowd { ending, thread }
    }

    /// They stop; what became of each.
    pub fn ends(self) -> Vec<Active> {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// All ask at once, as after a power cut.
fn leases(computer: &Machine, machines: usize) -> Vec<Ipv4Addr> {
    let ask = |kind, number| {
        let card = octets(&mac(number));
        // iPXE, and another computer each.
        let mut options = Firmware::IpxeBios.options();
        options.retain(|(code, _)| *code != 97);
        let uuid = [&[0; 11], &card[..]].concat();
        Ask::new(kind, card).with(&options).option(97, &uuid).broadcast(true)
    };
    let collect = |kind| -> Vec<Heard> {
        let mut heard: Vec<Option<Heard>> = vec![None; machines];
        while heard.iter().any(Option::is_none) {
            let answer = computer.port.hear(PATIENCE, |heard| heard.kind == Some(kind));
            let answer = answer.unwrap_or_else(|| panic!("{kind:?}: too few answers"));
            let [.., high, low] = answer.chaddr;
            heard[usize::from(high) * 256 + usize::from(low)] = Some(answer);
        }
        heard.into_iter().flatten().collect()
    };
    (0..machines).for_each(|number| computer.port.send(&ask(Kind::Discover, number)));
    for (number, offer) in collect(Kind::Offer).iter().enumerate() {
        let request = ask(Kind::Request, number).option(54, &SERVER.octets());
        computer.port.send(&request.option(50, &offer.yiaddr.octets()));
    }
    collect(Kind::Ack).iter().map(|ack| ack.yiaddr).collect()
}

/// A card for each machine: who has another one than the lease says gets no configuration.
fn has_cards(computer: &Machine, addresses: &[Ipv4Addr]) {
    let card = |(number, address): (usize, &Ipv4Addr)| {
        let (name, mac) = (card(number), mac(number));
        format!(
            "link add link eth0 name {name} address {mac} type macvlan mode private\n\
             link set {name} up\naddress add {address}/24 dev {name}\n"
        )
    };
    let cards: String = addresses.iter().enumerate().map(card).collect();
    // Each answers for its own address alone, and hears answers although others lead there, too.
    let settings = "cd /proc/sys/net/ipv4/conf && echo 1 >all/arp_ignore && echo 2 >all/arp_announce \
                    && echo 0 >all/rp_filter && echo 0 >default/rp_filter";
    let script = format!("{settings} && ip -batch - <<'END'\n{cards}END\n");
    computer.namespace.run("sh", &["-c", &script]).good();
}

fn card(number: usize) -> String {
    format!("card{number}")
}

/// It has its script and its installer's own, and begins to take its image.
fn begins(number: usize, address: Ipv4Addr) -> Active {
    let from = (number, address);
    let script = asks(from, &format!("/boot/{}.ipxe", mac(number).replace(':', "-")));
    assert!(script.contains("kernel "), "rack-{number}: {script}");
    let install = asks(from, "/cloud-configs/install.sh");
    assert!(install.contains("coreos-install"), "rack-{number}: {install}");
    let mut stream = connects(from);
    let request = format!("GET /{VERSION}/{IMAGE} HTTP/1.1\r\nHost: {SERVER}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let voice = UdpSocket::bind((address, 0)).unwrap();
    socket2::SockRef::from(&voice).bind_device(Some(card(number).as_bytes())).unwrap();
    voice.connect((SERVER, 514)).unwrap();
    Active { number, bytes: 0, broken: None, address, stream, voice }
}

fn asks(from: (usize, Ipv4Addr), path: &str) -> String {
    let mut stream = connects(from);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn connects((number, address): (usize, Ipv4Addr)) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // What is not read is to wait at the server.
    socket.set_recv_buffer_size(PIECE).unwrap();
    socket.bind_device(Some(card(number).as_bytes())).unwrap();
    socket.bind(&SocketAddrV4::new(address, 0).into()).unwrap();
    socket.connect_timeout(&SocketAddrV4::new(SERVER, 8080).into(), PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

fn work(computer: &Machine, mut active: Vec<Active>, ending: &AtomicBool) -> Vec<Active> {
    let begin = Instant::now();
    let mut piece = vec![0; PIECE];
    for turn in 0.. {
        if ending.load(Ordering::Relaxed) || begin.elapsed() >= LONGEST {
            break;
        }
        for machine in &mut active {
            machine.takes(&mut piece);
            // Not all in the same moment.
            let at = turn + machine.number;
            if at.is_multiple_of(TURNS_TO_SPEAK) {
                let line = format!("<14>installer[1]: step {turn}");
                // Nobody has to hear it.
                let _ = machine.voice.send(line.as_bytes());
            }
            if at.is_multiple_of(TURNS_TO_RENEW) {
                let card = octets(&mac(machine.number));
                computer.port.send(&Ask::new(Kind::Request, card).from(machine.address));
            }
        }
        // It keeps a pace and waits for nothing.
        let next = TURN * (turn as u32 + 1);
        thread::sleep(next.saturating_sub(begin.elapsed()));
    }
    active
}

impl Active {
    fn takes(&mut self, piece: &mut [u8]) {
        if self.broken.is_some() {
            return;
        }
        match self.stream.read(piece) {
            Ok(0) => self.broken = Some("closed".to_owned()),
            Ok(more) => self.bytes += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.broken = Some(error.to_string()),
        }
    }
}
