//! Multicast DNS packets that somebody made to break the box: through everything that
//! decides, and over the socket of the running server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/mutation.rs"]
mod mutation;
#[path = "support/net/mod.rs"]
mod net;

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use chance::{Random, rounds, seed};
use mutation::spoil;
use net::avahi::Avahi;
use net::{Appliance, PATIENCE, isolated};
use pxeberry::mdns::responder::Responder;

const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);

const FLOODER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 66);

/// What a flood may cost for good, in KiB: the allocator and the log find their size.
const MOST_GROWTH_KIB: usize = 2 * 1024;

/// Questions, probes, answers and goodbyes as a responder really makes them, of ours and of
/// a box that wants the same name, and a few that lead around in circles.
fn corpus() -> Vec<Vec<u8>> {
    let header = |counts: [u16; 4], flags: u16| {
        let words = [0, flags, counts[0], counts[1], counts[2], counts[3]];
        words.into_iter().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()
    };
    let names: [&[u8]; 6] = [
        b"\x08pxeberry\x05local\0",
        b"\x05_http\x04_tcp\x05local\0",
        b"\x08pxeberry\x05_http\x04_tcp\x05local\0",
        b"\x09_services\x07_dns-sd\x04_udp\x05local\0",
        b"\xc0\x0c",
        b"\x01a\xc0\x0c",
    ];
    let kinds: [&[u8]; 6] = [b"\0\x01", b"\0\x0c", b"\0\x10", b"\0\x1c", b"\0\x21", b"\0\xff"];
    let mut packets = Vec::new();
    for name in names {
        for kind in kinds {
            for class in [b"\0\x01", b"\x80\x01"] {
                packets.push([&header([1, 0, 0, 0], 0)[..], name, kind, class].concat());
                for data in [&b"\0\x04\x0a\x0a\x0a\x07"[..], b"\0\x08\0\0\0\0\0\x50\xc0\x0c"] {
                    let record = [name, kind, class, b"\0\0\0\x78", data].concat();
                    packets.push([&header([0, 1, 0, 0], 0x8400)[..], &record].concat());
                    let question = [name, b"\0\xff\0\x01"].concat();
                    let probe = [&header([1, 0, 1, 0], 0)[..], &question, &record].concat();
                    packets.push(probe);
                }
            }
        }
    }
    let mut box_ = Responder::new("pxeberry", 80, 1);
    let mut now = Instant::now();
    box_.is_at(Some("10.10.10.9/24".parse().unwrap()), now);
    while let Some(next) = box_.next() {
        now = next;
        packets.extend(box_.due(now).into_iter().map(|packet| packet.bytes));
    }
    packets.extend(box_.leaves().map(|packet| packet.bytes));
    packets
}

fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut packet = random.one_of(corpus).clone();
    for _ in 0..=random.below(4) {
        spoil(&mut packet, random);
    }
    packet
}

#[test]
fn no_packet_breaks_the_responder_or_makes_it_talk_without_end() {
    let (corpus, seed) = (corpus(), seed());
    let mut it = Responder::new("pxeberry", 80, seed);
    let start = Instant::now();
    let (mut now, mut said) = (start, 0_u32);
    for number in 0..rounds(300_000, 10_000_000) {
        let mut random = Random::of_case(seed, number);
        let packet = mutated(&corpus, &mut random);
        // Answered, asking, settled and without an address in turn.
        let here = number % 5_000 < 4_900;
        let from = SocketAddrV4::new(FLOODER, *random.one_of(&[5353, 5353, 40_000]));
        let step = || {
            now += Duration::from_millis(random.next() % 3);
            let subnet = here.then(|| "10.10.10.1/24".parse().unwrap());
            let goodbye = it.is_at(subnet, now);
            let (alone, _) = it.hears(&packet, from, now);
            let others = it.due(now);
            let all: Vec<_> = goodbye.into_iter().chain(alone).chain(others).collect();
            assert!(all.iter().all(|packet| packet.bytes.len() < 1_400), "{all:?}");
            assert!(it.name().is_none_or(|name| name.starts_with("pxeberry")));
            all.len() as u32
        };
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(count) => said += count,
            Err(_) => panic!("PXEBERRY_SEED={seed}, packet {number}: {packet:02x?}"),
        }
    }
    let time = (now - start).as_secs_f32();
    // A hundred to askers, a few to all; each in its second.
    assert!((said as f32) < time * 120.0, "{said} packets in {time} s");
    println!(
        "measured: {said} packets said in {time:.0} s of its time, {:?} taken",
        start.elapsed()
    );
}

#[test]
fn a_flood_of_broken_packets_costs_no_memory_and_real_resolvers_are_answered_after_it() {
    isolated(|lan| {
        let person = lan.machine("52:54:00:00:00:51");
        person.use_address("10.10.10.50".parse().unwrap());
        let flooder = lan.machine("52:54:00:00:00:66");
        flooder.use_address(FLOODER);
        let mut server = Appliance::server().serves_without_stick();
        server.log.wait_for("mdns: this box is called pxeberry.local");
        let avahi = Avahi::on(&person, "person");
        let before = server.resident_kib();
        flooder.namespace.inside(|| {
            let socket = UdpSocket::bind((FLOODER, 5353)).unwrap();
            let (corpus, seed) = (corpus(), seed());
            for number in 0..100_000 {
                let mut random = Random::of_case(seed, number);
                let packet = mutated(&corpus, &mut random);
                // One that is too long for the cable is cut into pieces, or refused.
                let _ = socket.send_to(&packet, GROUP);
            }
            // 100,000 names that nobody asked for.
            for number in 0..5_000_u32 {
                let mut packet = b"\0\0\x84\0\0\0\0\x14\0\0\0\0".to_vec();
                for part in 0..20_u32 {
                    let name = format!("host{:08}", number * 20 + part);
                    packet.push(name.len() as u8);
                    packet.extend(name.as_bytes());
                    packet.extend(b"\x05local\0\0\x01\0\x01\0\x01\x51\x80\0\x04\x0a\x0a\x0a\x07");
                }
                socket.send_to(&packet, GROUP).unwrap();
            }
        });
        assert!(server.runs());
        let growth = server.resident_kib().saturating_sub(before);
        println!("measured: {growth} KiB more after 105,000 packets");
        assert!(growth <= MOST_GROWTH_KIB, "{growth} KiB more");
        let lines = server.log.lines();
        assert!(lines.iter().all(|line| !line.contains("fault")), "{lines:#?}");
        // Whatever name the flood has left to it.
        flooder.namespace.inside(asks_until_it_is_answered);
        let name = net::api::get("/v1/status")["interface"]["hostname"].as_str().map(str::to_owned);
        assert_eq!(avahi.address_of(&name.unwrap()).as_deref(), Some("10.10.10.1"));
    });
}

/// What came before is done when this is answered; where the queue is still full, or the box
/// asks for its name again, it is not, and so it is asked again.
fn asks_until_it_is_answered() {
    const PAGES: &[u8] = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x05_http\x04_tcp\x05local\0\0\x0c\0\x01";
    let socket = UdpSocket::bind((FLOODER, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let end = Instant::now() + PATIENCE;
    while socket.send_to(PAGES, GROUP).and_then(|_| socket.recv(&mut [0; 9_000])).is_err() {
        assert!(Instant::now() < end, "no answer");
    }
}
