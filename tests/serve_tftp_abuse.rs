//! Somebody abuses TFTP: greedy options, clients that say nothing more, packets that make no
//! sense. Whoever boots meanwhile is served.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/net/mod.rs"]
mod net;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use chance::{Random, rounds, seed};
use net::lan::SERVER;
use net::stick::{INITRD, KERNEL, NODE_1, Stick};
use net::{Appliance, Machine, Server, isolated};

/// A machine that boots, and one that abuses the server from 250 addresses.
struct Scene {
    server: Server,
    stick: Stick,
    honest: Machine,
    attacker: Machine,
}

impl Scene {
    fn new(lan: &net::Lan) -> Scene {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        let [honest, attacker] = [NODE_1, "52:54:00:00:00:66"].map(|mac| lan.machine(mac));
        honest.use_address(Ipv4Addr::new(10, 10, 10, 2));
        attacker.use_address(attackers()[0]);
        attacker.plays(&attackers()[1..]);
        assert!(honest.tftp(KERNEL).unwrap() == stick.image_file(KERNEL));
        Scene { server, stick, honest, attacker }
    }

    /// The whole kernel; how long it took.
    #[track_caller]
    fn honest_one_is_served(&mut self) -> Duration {
        let asked = Instant::now();
        assert!(self.honest.tftp(KERNEL).unwrap() == self.stick.image_file(KERNEL));
        assert!(self.server.runs());
        asked.elapsed()
    }
}

fn attackers() -> Vec<Ipv4Addr> {
    (4..=253).map(|last| Ipv4Addr::new(10, 10, 10, last)).collect()
}

const SERVICE: SocketAddrV4 = SocketAddrV4::new(SERVER, 69);

/// A client that has sent a request.
fn asks(address: Ipv4Addr, request: &[u8]) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
    socket.send_to(request, SERVICE).unwrap();
    socket
}

fn request(name: &str, options: &str) -> Vec<u8> {
    format!("\0\u{1}{name}\0octet\0{options}").into_bytes()
}

fn hears(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).expect("no answer by TFTP");
    (buffer[..length].to_vec(), from)
}

/// The number of the next block that comes within `patience`, repeated ones left out.
fn next_block(socket: &UdpSocket, after: u16, patience: Duration) -> Option<(u16, SocketAddr)> {
    let end = Instant::now() + patience;
    loop {
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 2048];
        let Ok((_, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let number = u16::from_be_bytes([buffer[2], buffer[3]]);
        if buffer[1] == 3 && number > after {
            return Some((number, from));
        }
    }
}

fn acknowledges(socket: &UdpSocket, number: u16, to: SocketAddr) {
    let [high, low] = number.to_be_bytes();
    socket.send_to(&[0, 4, high, low], to).unwrap();
}

/// Waits until `holds`; how long that took.
#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool, patience: Duration) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < patience, "not within {patience:?}");
        // Nothing tells when another process has closed a descriptor.
        std::thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}

#[test]
fn greedy_options_are_granted_small_and_their_client_is_soon_forgotten() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        // A read of the stick may still be about to close its file.
        let open = scene.server.descriptors();
        let before = scene.server.resident_kib();
        let options = "blksize\x0065464\0windowsize\x0065535\0timeout\x00255\0";
        let greedy: Vec<UdpSocket> = scene.attacker.namespace.inside(|| {
            let each = attackers().into_iter().take(4);
            each.map(|address| {
                let socket = asks(address, &request(INITRD, options));
                let (oack, from) = hears(&socket);
                let mut words: Vec<&[u8]> = oack[2..].split(|byte| *byte == 0).collect();
                words.sort();
                let expected: [&[u8]; 5] = [b"", b"1468", b"16", b"blksize", b"windowsize"];
                assert_eq!((oack[1], words.as_slice()), (6, &expected[..]));
                acknowledges(&socket, 0, from);
                // A whole window, and no more.
                for number in 1..=16 {
                    let (block, _) = next_block(&socket, number - 1, net::PATIENCE).unwrap();
                    assert_eq!(block, number);
                }
                socket
            })
            .collect()
        });
        let after = scene.server.resident_kib();
        let free = wait_until(|| scene.server.descriptors() <= open, Duration::from_secs(6));
        println!("measured: {before} KiB before, {after} KiB after; free again after {free:?}");
        assert!(after <= before + 4 * 1024, "{before} KiB before, {after} KiB after");
        drop(greedy);
    });
}

/// How many packets come within a second.
fn packets_of_a_second(socket: &UdpSocket) -> usize {
    let (mut count, end) = (0, Instant::now() + Duration::from_secs(1));
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) {
        socket.set_read_timeout(Some(left)).unwrap();
        count += usize::from(socket.recv_from(&mut [0; 2048]).is_ok());
    }
    count
}

#[test]
fn what_is_lost_is_sent_again_soon_where_few_are_served_and_later_in_a_crowd() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        scene.attacker.namespace.inside(|| {
            let one = asks(attackers()[0], &request(KERNEL, ""));
            let quick = packets_of_a_second(&one);
            let crowd: Vec<UdpSocket> = attackers()[1..30]
                .iter()
                .map(|address| asks(*address, &request(KERNEL, "")))
                .inspect(|socket| drop(hears(socket)))
                .collect();
            let another = asks(attackers()[30], &request(KERNEL, ""));
            let patient = packets_of_a_second(&another);
            drop(crowd);
            println!("measured: {quick} packets in a second, {patient} in a crowd");
            // Every 50 ms and every 100 ms, and never sooner.
            assert!((12..=21).contains(&quick), "{quick}");
            assert!((2..=11).contains(&patient), "{patient}");
        });
    });
}

#[test]
fn a_thousand_clients_that_say_nothing_more_keep_nobody_from_booting() {
    isolated(|lan| {
        let mut scene = Scene::new(&lan);
        let (before, rest) = (scene.server.resident_kib(), scene.server.descriptors());
        // First those that only ask, then those that take one block and no more.
        for acknowledge in [false, true] {
            let silent: Vec<UdpSocket> = scene.attacker.namespace.inside(|| {
                let addresses = attackers();
                let each = (0..1_000).map(|number| addresses[number % addresses.len()]);
                let silent: Vec<_> =
                    each.map(|address| asks(address, &request(KERNEL, ""))).collect();
                for socket in silent.iter().filter(|_| acknowledge) {
                    // A question may get lost where so many ask at once.
                    if let Some((1, from)) = next_block(socket, 0, Duration::from_millis(20)) {
                        acknowledges(socket, 1, from);
                    }
                }
                silent
            });
            let took = scene.honest_one_is_served();
            let open = scene.server.descriptors() - rest;
            let after = scene.server.resident_kib();
            println!(
                "measured: 1000 silent (acknowledge: {acknowledge}), {open} descriptors for \
                 them; served in {took:?}; {before} KiB before, {after} KiB now"
            );
            assert!(took <= Duration::from_secs(5), "{took:?}");
            assert!(after <= before + 16 * 1024, "{before} KiB before, {after} KiB now");
            assert!(open >= 300, "most of the 1000 were not heard: {open}");
            wait_until(|| scene.server.descriptors() <= rest + 2, Duration::from_secs(15));
            drop(silent);
        }
    });
}

#[test]
fn of_six_transfers_of_one_machine_four_move_and_two_wait_for_their_turn() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let address = attackers()[0];
        scene.attacker.namespace.inside(|| {
            let all: Vec<UdpSocket> = (0..6).map(|_| asks(address, &request(KERNEL, ""))).collect();
            let first: Vec<SocketAddr> = all.iter().map(|socket| hears(socket).1).collect();
            let mut have = [1; 6];
            let moves = |have: &mut [u16; 6], number: usize, patience: u64| {
                let (socket, from) = (&all[number], first[number]);
                let patience = Duration::from_millis(patience);
                let Some((block, _)) = next_block(socket, have[number], patience) else {
                    return false;
                };
                have[number] = block;
                acknowledges(socket, block, from);
                true
            };
            for number in 0..4 {
                acknowledges(&all[number], 1, first[number]);
                assert!(moves(&mut have, number, 5_000), "{number}: {have:?}");
            }
            for number in 4..6 {
                acknowledges(&all[number], 1, first[number]);
            }
            for _ in 0..3 {
                for number in 0..4 {
                    assert!(moves(&mut have, number, 5_000), "{number}: {have:?}");
                }
                for number in 4..6 {
                    assert!(!moves(&mut have, number, 50), "{number} has no place: {have:?}");
                }
            }
            // 0 has gone quiet: its place is lent to 4, and then 1's to 5.
            for number in 4..6 {
                assert!(moves(&mut have, number, 5_000), "{number}: {have:?}");
            }
        });
    });
}

#[test]
fn a_client_that_gives_up_may_ask_again_from_the_same_port() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let config = "pxelinux.cfg/default";
        scene.attacker.namespace.inside(|| {
            // UEFI's size probe.
            let socket = asks(attackers()[0], &request(KERNEL, "tsize\x000\0"));
            let (oack, from) = hears(&socket);
            assert_eq!(oack[1], 6);
            socket.send_to(b"\0\x05\0\x08User aborted the transfer\0", from).unwrap();
            let given_up = Instant::now();
            socket.send_to(&request(config, ""), SERVICE).unwrap();
            let mut repeated = 0;
            let (data, from) = loop {
                let (packet, from) = hears(&socket);
                if packet[1] == 3 {
                    break (packet, from);
                }
                repeated += 1;
            };
            let took = given_up.elapsed();
            println!("measured: answered after {took:?}, {repeated} packets repeated before");
            assert!(took <= Duration::from_secs(6), "{took:?}");
            assert_eq!(data[..4], [0, 3, 0, 1]);
            acknowledges(&socket, 1, from);
        });
    });
}

#[test]
fn a_request_that_is_repeated_is_one_request() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        scene.attacker.namespace.inside(|| {
            let socket = asks(attackers()[0], &request(KERNEL, ""));
            for _ in 0..5 {
                socket.send_to(&request(KERNEL, ""), SERVICE).unwrap();
            }
            let (_, from) = hears(&socket);
            for number in 1..=20 {
                acknowledges(&socket, number, from);
                let (block, again) = next_block(&socket, number, net::PATIENCE).unwrap();
                assert_eq!((block, again), (number + 1, from), "one port serves it");
            }
        });
        assert_eq!(scene.server.log.count("takes"), 2, "the honest one's, and this");
    });
}

#[test]
fn requests_are_read_as_roms_write_them() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let kernel = scene.stick.image_file(KERNEL);
        let padded = [request(KERNEL, "").as_slice(), &[0; 200]].concat();
        for packet in [
            request(&format!("/{KERNEL}"), ""),
            request(&format!("\\{KERNEL}"), ""),
            request(&KERNEL.to_uppercase(), ""),
            [b"\0\x01", KERNEL.as_bytes(), b"\xff\0octet\0"].concat(),
            [b"\0\x01", KERNEL.as_bytes(), b"\0octet"].concat(),
            padded,
        ] {
            let data = scene.attacker.tftp_first_answer(&packet);
            assert!(data[..4] == [0, 3, 0, 1], "{packet:?}: {data:?}");
            assert!(data[4..] == kernel[..512], "{packet:?}");
        }
    });
}

/// A right packet with one to four mistakes.
fn spoilt(random: &mut Random, right: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = random.one_of(right).clone();
    for _ in 0..=random.below(4) {
        let at = random.below(packet.len().max(1));
        match random.below(5) {
            0 if !packet.is_empty() => packet[at] = random.byte(),
            1 if !packet.is_empty() => packet[at] ^= 1 << random.below(8),
            2 => packet.truncate(at),
            3 => {
                let (byte, count) = (random.byte(), random.below(60));
                packet.splice(
                    at.min(packet.len())..at.min(packet.len()),
                    std::iter::repeat_n(byte, count),
                );
            }
            _ => {
                let end = (at + random.below(30)).min(packet.len());
                let piece = packet[at.min(end)..end].to_vec();
                packet.extend(piece);
            }
        }
    }
    packet
}

#[test]
fn spoilt_packets_stop_nothing() {
    isolated(|lan| {
        let mut scene = Scene::new(&lan);
        let options = "tsize\x000\0blksize\x001468\0windowsize\x004\0timeout\x003\0";
        let right = [
            request(KERNEL, options),
            request("pxelinux.cfg/01-52-54-00-00-00-02", "blksize\x00512\0"),
            request("\\Boot\\BCD", ""),
            b"\0\x02upload\0octet\0".to_vec(),
            b"\0\x03\0\x01some data".to_vec(),
            b"\0\x04\0\x01".to_vec(),
            b"\0\x04\0\0".to_vec(),
            b"\0\x05\0\x08User aborted the transfer\0".to_vec(),
            b"\0\x06blksize\x001468\0".to_vec(),
        ];
        let (count, seed) = (rounds(20_000, 1_000_000), seed());
        let answers = scene.attacker.namespace.inside(|| {
            let sockets: Vec<UdpSocket> = attackers()
                .into_iter()
                .map(|address| {
                    let socket = UdpSocket::bind((address, 0)).unwrap();
                    socket.set_nonblocking(true).unwrap();
                    socket
                })
                .collect();
            let mut answers = 0;
            for number in 0..count {
                let mut random = Random::of_case(seed, number);
                let socket = random.one_of(&sockets);
                // A full queue of our own: it is not sent, and the next one is.
                let _ = socket.send_to(&spoilt(&mut random, &right), SERVICE);
                let mut buffer = [0; 2048];
                while let Ok((_, from)) = socket.recv_from(&mut buffer) {
                    answers += 1;
                    let _ = socket.send_to(&spoilt(&mut random, &right), from);
                }
            }
            answers
        });
        let took = scene.honest_one_is_served();
        println!("measured: {count} spoilt packets, {answers} answers; then served in {took:?}");
        assert!(answers > 0);
        assert_eq!(scene.server.log.count("panicked"), 0);
        assert_eq!(scene.server.log.count("stopped by a fault"), 0);
    });
}
