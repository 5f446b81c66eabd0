//! Somebody abuses HTTP: connections that say nothing, that reset, that never end their head.
//! Whoever asks for a script gets it all the while.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/net/mod.rs"]
mod net;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chance::{Random, rounds, seed};
use net::appliance::PROGRAM;
use net::lan::SERVER;
use net::stick::{IMAGE, NODE_1};
use net::{Appliance, Machine, Server, isolated, tools};
use pxeberry::http::people::People;
use pxeberry::http::server::Edge;
use pxeberry::world::World;
use pxeberry::world::media::scanner;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a machine asks for at first, made for it.
const SCRIPT: &str = "/boot/pxelinux.cfg/default";

/// It gets that within this time, whatever others do.
const SCRIPT_WITHIN: Duration = Duration::from_millis(500);

const MOST_CONNECTIONS: usize = 512;
const MOST_OF_ADDRESS: usize = 32;
const MOST_THREADS: usize = 24;
const GROWTH_KIB: usize = 16 * 1024;

/// Enough for 4,000 connections with 32 of each address.
fn attackers() -> Vec<Ipv4Addr> {
    (101..=225).map(|last| Ipv4Addr::new(10, 10, 10, last)).collect()
}

/// As many descriptors as the system grants.
fn grant_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

fn connect_from(address: Ipv4Addr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddrV4::new(address, 0).into()).unwrap();
    socket.connect_timeout(&SocketAddrV4::new(SERVER, 8080).into(), net::PATIENCE).ok()?;
    Some(socket.into())
}

/// The most connections that the server has with one address. The kernel's table takes its
/// time, and meanwhile connections come and go: only those count that the server had at first.
fn most_of_one_address(server: &Server) -> usize {
    let mut inodes = server.sockets();
    // One that changes while it is read holds some lines twice.
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // 1F90 is port 8080, 01 is ESTABLISHED (proc_net_tcp.txt).
        if fields[1].ends_with(":1F90") && fields[3] == "01" && inodes.remove(fields[9]) {
            *counts.entry(fields[2].split(':').next().unwrap()).or_default() += 1;
        }
    }
    counts.values().copied().max().unwrap_or(0)
}

/// What the server was at its worst.
#[derive(Debug, Default)]
struct Worst {
    connections: usize,
    of_address: usize,
    threads: usize,
    kib: usize,
    script: Duration,
    scripts: usize,
}

impl Worst {
    /// `rest`: what the server had open before.
    fn look(&mut self, server: &Server, rest: usize) {
        self.connections = self.connections.max(server.descriptors().saturating_sub(rest));
        self.threads = self.threads.max(server.threads());
        self.kib = self.kib.max(server.resident_kib());
    }
}

/// Keeps `count` connections that say nothing, or begin a head, and as many that go on with
/// theirs forever, until `over`. Those that are closed come again.
fn attack(addresses: &[Ipv4Addr], count: usize, over: &AtomicBool) -> usize {
    let address = |number: usize| addresses[number % addresses.len()];
    let mut opened = 0;
    let mut connections: Vec<Option<TcpStream>> = (0..2 * count).map(|_| None).collect();
    while !over.load(Ordering::Relaxed) {
        for (number, connection) in connections.iter_mut().enumerate() {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let drips = number % 2 == 1;
            let alive = match connection {
                // A head that never ends, a byte a round.
                Some(stream) if drips => stream.write_all(b"x").is_ok(),
                Some(stream) => !is_closed(stream),
                None => false,
            };
            if !alive {
                *connection = connect_from(address(number));
                opened += usize::from(connection.is_some());
                // With the other threads, 4,000 a second: the host has other work, too.
                std::thread::sleep(Duration::from_millis(1));
                if let Some(stream) = connection.as_mut().filter(|_| number % 4 != 0) {
                    let _ = stream.write_all(b"GET / HTTP/1.1\r\nX: ");
                }
            }
        }
        std::thread::sleep(Duration::from_secs(2));
    }
    opened
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 1024]);
    stream.set_nonblocking(false).unwrap();
    !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn thousands_of_connections_that_say_nothing_keep_nobody_from_his_script() {
    isolated(|lan| {
        grant_descriptors();
        let appliance = Appliance::server();
        appliance.sample_stick();
        let mut server = appliance.serves();
        let [good, attacker] = [NODE_1, "52:54:00:00:00:66"].map(|mac| lan.machine(mac));
        good.use_address(Ipv4Addr::new(10, 10, 10, 9));
        let addresses = attackers();
        attacker.use_address(addresses[0]);
        attacker.plays(&addresses[1..]);
        good.connect(8080).ask("GET", SCRIPT, &[]);
        let (before, rest) = (server.resident_kib(), server.descriptors());
        let over = AtomicBool::new(false);
        let mut worst = Worst::default();
        let opened = std::thread::scope(|scope| {
            let attacks: Vec<_> = (0..4)
                .map(|part| {
                    let (namespace, over) = (&attacker.namespace, &over);
                    // Each thread plays a quarter of the addresses.
                    let own: Vec<_> = addresses.iter().copied().skip(part).step_by(4).collect();
                    scope.spawn(move || namespace.inside(|| attack(&own, 500, over)))
                })
                .collect();
            let _ends = EndsWhenDropped(&over);
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(rounds(8, 60)) {
                let asked = Instant::now();
                let answer = good.connect(8080).ask("GET", SCRIPT, &[]);
                worst.script = worst.script.max(asked.elapsed());
                worst.scripts += 1;
                assert_eq!(answer.status, 200);
                worst.look(&server, rest);
                if worst.scripts % 16 == 0 {
                    worst.of_address = worst.of_address.max(most_of_one_address(&server));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            over.store(true, Ordering::Relaxed);
            attacks.into_iter().map(|attack| attack.join().unwrap()).sum::<usize>()
        });
        println!("measured: {opened} connections opened, {before} KiB before; worst: {worst:?}");
        assert!(opened >= 4_000, "{opened}");
        // Each of the two listeners may have accepted one more, which waits for a place.
        assert!(worst.connections <= MOST_CONNECTIONS + 2, "{worst:?}");
        assert!(worst.of_address <= MOST_OF_ADDRESS, "{worst:?}");
        assert!(worst.threads <= MOST_THREADS, "{worst:?}");
        assert!(worst.kib <= before + GROWTH_KIB, "{before} KiB before; {worst:?}");
        assert!(worst.script <= SCRIPT_WITHIN, "{worst:?}");
        assert!(server.runs());
    });
}

/// A failed assertion must not leave the attack running.
struct EndsWhenDropped<'a>(&'a AtomicBool);

impl Drop for EndsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A machine beside a server with the sample stick.
fn scene(lan: &net::Lan) -> (Server, Machine) {
    let appliance = Appliance::server();
    appliance.sample_stick();
    let server = appliance.serves();
    let machine = lan.machine(NODE_1);
    machine.use_address(Ipv4Addr::new(10, 10, 10, 9));
    (server, machine)
}

#[track_caller]
fn serves_on(server: &mut Server, machine: &Machine) {
    let answer = machine.connect(8080).ask("GET", SCRIPT, &[]);
    assert_eq!(answer.status, 200);
    assert!(server.runs());
    assert_eq!(server.log.count("panicked"), 0);
}

#[test]
fn connections_that_ask_and_reset_at_once_leave_nothing_behind() {
    isolated(|lan| {
        let (mut server, machine) = scene(&lan);
        serves_on(&mut server, &machine);
        let (before, open) = (server.resident_kib(), server.descriptors());
        let request = format!("GET /1185.3.0/{IMAGE} HTTP/1.1\r\nHost: x\r\n\r\n");
        machine.namespace.inside(|| {
            for _ in 0..20_000 {
                let to = SocketAddrV4::new(SERVER, 8080).into();
                let mut stream = TcpStream::connect_timeout(&to, net::PATIENCE).unwrap();
                let _ = stream.write_all(request.as_bytes());
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        serves_on(&mut server, &machine);
        wait_until(|| server.descriptors() <= open + 1, Duration::from_secs(5));
        let after = server.resident_kib();
        println!("measured: 20000 resets; {before} KiB before, {after} KiB after");
        assert!(after <= before + GROWTH_KIB, "{before} KiB before, {after} KiB after");
    });
}

#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool, patience: Duration) {
    let end = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < end, "not within {patience:?}");
        // Nothing tells when another process has closed a descriptor.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_head_of_more_than_8_kib_is_431_and_costs_no_memory() {
    isolated(|lan| {
        let (mut server, machine) = scene(&lan);
        let header = format!("X: {}", "a".repeat(9 * 1024));
        let ask = || machine.connect(8080).ask("GET", SCRIPT, &[&header]).status;
        assert_eq!(ask(), 431);
        let before = server.resident_kib();
        for _ in 0..100 {
            assert_eq!(ask(), 431);
        }
        // One that never ends: closed, however long it goes on.
        let mut endless = machine.connect(8080);
        for _ in 0..4_096 {
            endless.send(&[b'a'; 1024]);
        }
        drop(endless);
        serves_on(&mut server, &machine);
        let after = server.resident_kib();
        println!("measured: {before} KiB before, {after} KiB after");
        assert!(after <= before + 1024, "{before} KiB before, {after} KiB after");
    });
}

#[test]
fn with_few_descriptors_500_clients_are_turned_away_and_then_all_is_as_before() {
    isolated(|lan| {
        tools::need("sh");
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", PROGRAM, "serve", "--config"]);
        let mut server = Server::spawn(command.arg(appliance.config()));
        server.log.wait_for(" read: ");
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.use_address(Ipv4Addr::new(10, 10, 10, 9));
        let others = lan.machine("52:54:00:00:00:66");
        others.use_address(Ipv4Addr::new(10, 10, 10, 101));
        others.plays(&attackers()[1..]);
        let open = server.descriptors();
        let held: Vec<_> = others.namespace.inside(|| {
            let connect = |number: usize| connect_from(attackers()[number % 125]);
            (0..500).map(connect).collect()
        });
        println!("measured: {open} descriptors at rest, {} with 500 clients", server.descriptors());
        drop(held);
        let ended = Instant::now();
        let image = machine.connect(8080).ask("GET", &format!("/1185.3.0/{IMAGE}"), &[]);
        assert!(image.body == stick.image_file(IMAGE));
        serves_on(&mut server, &machine);
        assert!(machine.tftp("pxelinux.cfg/default").is_ok());
        machine.leases(&[]);
        let back = ended.elapsed();
        println!("measured: back in full after {back:?}");
        assert!(back <= Duration::from_secs(5), "{back:?}");
    });
}

/// Right heads of real clients, to be spoilt.
const HEADS: [&str; 8] = [
    "GET /boot/pxelinux.cfg/default HTTP/1.1\r\nHost: 10.10.10.1:8080\r\n\
     User-Agent: iPXE/1.21.1\r\nConnection: keep-alive\r\n\r\n",
    "HEAD /boot/snponly.efi HTTP/1.1\r\nHost: 10.10.10.1\r\nAccept: */*\r\n\
     User-Agent: UefiHttpBoot/1.0\r\n\r\n",
    "GET /1185.3.0/coreos_production_image.bin.bz2 HTTP/1.1\r\nHost: x\r\n\
     Range: bytes=100-199\r\nIf-Range: \"1-2\"\r\n\r\n",
    "GET /images/coreos/1185.3.0/version.txt HTTP/1.0\r\n\r\n",
    "GET //cloud-configs/52%3A54:00:00:00:01.yml HTTP/1.1\r\nHost: x\r\n\
     If-None-Match: \"a\", W/\"b\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
    "POST /v1/event?token=0123&event=installed HTTP/1.1\r\nHost: x\r\n\
     Content-Length: 5\r\n\r\nhello",
    "GET http://10.10.10.1/grub/x86_64-efi/grub.cfg HTTP/1.1\r\nHost: x\r\n\
     Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "GET /cloud-configs/install.sh HTTP/1.1\r\nHost: x\r\n\r\n\
     GET /current/version.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
];

/// Where parsers break.
const BITS: [&[u8]; 16] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"%",
    b"%2e%2e",
    b"/../",
    b"\xff",
    b"bytes=",
    b"-",
    b"99999999999999999999",
    b"Content-Length: -1\r\n",
    b"HTTP/9.9",
    b"\"",
];

/// One to five mistakes: a byte, a piece that is lost, doubled or put somewhere else.
fn spoilt(random: &mut Random) -> Vec<u8> {
    let mut head = random.one_of(&HEADS).as_bytes().to_vec();
    for _ in 0..=random.below(5) {
        let at = random.below(head.len().max(1)).min(head.len());
        let end = (at + random.below(40)).min(head.len());
        match random.below(6) {
            0 if at < head.len() => head[at] = random.byte(),
            1 => drop(head.drain(at..end)),
            2 => {
                let piece = head[at..end].to_vec();
                head.splice(at..at, piece);
            }
            3 => head.truncate(end),
            4 => {
                let (byte, count) = (random.byte(), random.below(300));
                head.splice(at..at, std::iter::repeat_n(byte, count));
            }
            _ => {
                let bit = *random.one_of(&BITS);
                head.splice(at..at, bit.iter().copied());
            }
        }
    }
    head
}

#[test]
fn spoilt_heads_are_answered_in_http_or_not_at_all() {
    let world = World::new(pxeberry::config::parse("").unwrap(), "lo".to_owned(), None);
    world.change_shelf(|shelf| {
        shelf.sticks = 1;
        shelf.accepted = true;
    });
    let edge = Edge::new(Arc::new(world), 1_024, People::new(None, scanner().0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (count, seed) = (rounds(20_000, 1_000_000), seed());
    let mut statuses: HashMap<String, u32> = HashMap::new();
    for number in 0..count {
        let head = spoilt(&mut Random::of_case(seed, number));
        let answer = runtime.block_on(async {
            let (mut peer, ours) = tokio::net::UnixStream::pair().unwrap();
            peer.write_all(&head).await.unwrap();
            peer.shutdown().await.unwrap();
            // A panic in it comes out here.
            Arc::clone(&edge).converse(ours, Ipv4Addr::LOCALHOST).await;
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or(b"---")).into_owned();
        let right = answer.is_empty() || answer.starts_with(b"HTTP/1.");
        assert!(right, "case {number} of seed {seed}: {}", String::from_utf8_lossy(&head));
        *statuses.entry(status).or_default() += 1;
    }
    println!("measured: {count} spoilt heads, answered {statuses:?}");
    assert!(statuses.len() >= 5, "too few of them came through: {statuses:?}");
}
