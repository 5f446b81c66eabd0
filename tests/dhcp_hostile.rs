//! Packets that somebody made to break the server: millions of nearly right ones through
//! everything that decides, without sockets. `tests/run --all` tries far more of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/dhcp_corpus.rs"]
mod dhcp_corpus;
#[path = "support/dhcp_packets.rs"]
mod dhcp_packets;
#[path = "support/dhcp_reader.rs"]
mod dhcp_reader;
#[path = "support/dhcp_room.rs"]
mod dhcp_room;
#[path = "support/mutation.rs"]
mod mutation;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chance::{Random, rounds, seed};
use dhcp_reader::{Answer, longest_answer, must_be_refused, network_boots};
use dhcp_room::Room;
use mutation::{Mutator, spoil};
use pxeberry::dhcp::client::{self, Question};
use pxeberry::dhcp::proxy::Door;
use pxeberry::dhcp::shape::Shape;
use pxeberry::dhcp::wire::{self, Reply, Request};
use pxeberry::dhcp::{CLIENT_PORT, SERVER_PORT};
use pxeberry::net::packet::Datagram;

const OWN: [u8; 4] = dhcp_corpus::SERVER;

/// What the process may grow by, after the table and the allocator have found their size.
const MOST_GROWTH_KIB: usize = 1024;

/// Of x86 and of the Pi.
const PAGE: usize = 4096;

const SHAPES: [Shape; 2] = [Shape::InOffer, Shape::OnAsking];

/// Where requests to port 4011 come from.
const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 120), 4011);

#[test]
fn mutated_packets_never_break_the_server_nor_draw_a_wrong_answer() {
    let _alone = alone();
    let (mutator, mut room, mut tally) = (corpus(), Room::new(), Tally::default());
    let make = |random: &mut Random| mutator.packet(random);
    each_case("mutated packets", rounds(300_000, 10_000_000), make, |packet, random| {
        // Offers and leases end, so that every state of the table comes up.
        room.now += random.next() % 600;
        let Some(request) = let_in(packet, &mut tally) else { return };
        let reply = room.as_server(&request);
        tally.count(reply.as_ref());
        if let Some(reply) = reply {
            is_right_answer(&room, packet, &request, &reply);
        }
        for door in [Door::Server(PEER), Door::Proxy(PEER)] {
            let reply = room.as_proxy(&request, door, *random.one_of(&SHAPES));
            reply.iter().for_each(|reply| is_right_proxy_answer(packet, reply));
        }
    });
    tally.tell();
    assert!(tally.answers > tally.refused / 10, "too few come through to mean anything");
}

#[test]
fn a_proxy_never_gives_addresses_nor_answers_who_does_not_boot_from_the_network() {
    let _alone = alone();
    let (mutator, room, mut tally) = (corpus(), Room::new(), Tally::default());
    let make = |random: &mut Random| match random.below(4) {
        0 => soup(random),
        _ => mutator.packet(random),
    };
    each_case("random packets to a proxy", rounds(100_000, 1_000_000), make, |packet, random| {
        let Some(request) = let_in(packet, &mut tally) else { return };
        let door = *random.one_of(&[Door::Server(PEER), Door::Proxy(PEER)]);
        let reply = room.as_proxy(&request, door, *random.one_of(&SHAPES));
        tally.count(reply.as_ref());
        reply.iter().for_each(|reply| is_right_proxy_answer(packet, reply));
    });
    tally.tell();
    assert!(tally.answers > 0 && tally.silence > 0 && tally.refused > 0);
}

#[test]
fn mutated_answers_of_other_servers_never_break_the_client() {
    let _alone = alone();
    let answers = answers_to_our_own_client();
    let mutator = Mutator::new(answers.clone());
    let mut tally = Tally::default();
    let make = |random: &mut Random| {
        if random.below(2) == 0 {
            return in_ip(&mutator.packet(random));
        }
        let answer: &Vec<u8> = random.one_of(&answers);
        let mut packet = in_ip(answer);
        for _ in 0..=random.below(4) {
            spoil(&mut packet, random);
        }
        packet
    };
    each_case("mutated answers", rounds(200_000, 10_000_000), make, |packet, _| {
        let Some(datagram) = Datagram::parse(packet) else {
            tally.refused += 1;
            return;
        };
        assert!(datagram.payload.len() + 28 <= packet.len(), "bytes from nowhere");
        let Some(answer) = client::answer(packet, CLIENT, XID) else {
            tally.silence += 1;
            return;
        };
        tally.answers += 1;
        let dhcp = datagram.payload;
        assert_eq!((dhcp[0], dhcp[2], &dhcp[236..240]), (2, 6, &[99, 130, 83, 99][..]));
        assert_eq!((&dhcp[4..8], &dhcp[28..34]), (&XID.to_be_bytes()[..], &CLIENT[..]));
        assert_eq!(answer.address.octets(), dhcp[16..20]);
        assert!(answer.subnet().is_none_or(|subnet| subnet.address() == answer.address));
    });
    tally.tell();
    assert!(tally.answers > tally.refused / 10, "too few come through to mean anything");
}

#[test]
fn a_whole_corpus_packet_is_let_in_and_a_network_boot_is_answered() {
    for (name, packet) in whole_packets() {
        let request = wire::parse(&packet).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert_eq!(must_be_refused(&packet), None, "{name}");
        let to_4011 = name.ends_with("4011");
        let door = if to_4011 { Door::Proxy(PEER) } else { Door::Server(PEER) };
        let reply = Room::new().as_proxy(&request, door, Shape::InOffer);
        // U-Boot and operating systems do not say that they boot from the network.
        let asks_a_proxy =
            ["Discover", "BootServer", "discover", "4011"].iter().any(|kind| name.ends_with(kind));
        let expected = asks_a_proxy && network_boots(&packet);
        assert_eq!(reply.is_some(), expected, "{name}");
    }
}

/// What came of all packets.
#[derive(Debug, Default)]
struct Tally {
    refused: u64,
    silence: u64,
    answers: u64,
}

impl Tally {
    fn count(&mut self, reply: Option<&Reply>) {
        match reply {
            Some(_) => self.answers += 1,
            None => self.silence += 1,
        }
    }

    fn tell(&self) {
        let Tally { refused, silence, answers } = self;
        println!("measured: {refused} refused, {silence} met with silence, {answers} answered");
    }
}

/// The gate, with a second opinion.
fn let_in(packet: &[u8], tally: &mut Tally) -> Option<Request> {
    match wire::parse(packet) {
        Ok(request) => {
            assert_eq!(must_be_refused(packet), None, "it got through the gate");
            log::trace!("{request:?}");
            Some(request)
        }
        Err(reason) => {
            log::trace!("{reason}");
            tally.refused += 1;
            None
        }
    }
}

fn is_right_answer(room: &Room, packet: &[u8], request: &Request, reply: &Reply) {
    let bytes = wire::encode(reply);
    let answer = Answer::read(&bytes, packet, OWN);
    assert!(bytes.len() <= longest_answer(packet), "{} bytes", bytes.len());
    let address = Ipv4Addr::from(answer.yiaddr);
    if answer.kind == 6 || address.is_unspecified() {
        assert!(address.is_unspecified(), "NAK with an address");
        assert_eq!(answer.option(51), None, "a lease without an address");
        return;
    }
    let server = &room.config.server;
    assert!(server.local.subnet.can_lend(address), "{address} is nobody's to give");
    let holder = room.leases.holder(address, room.now);
    assert_eq!(holder, Some(request.mac), "{address} was given and not remembered");
    let lease = answer.option(51).expect("an address without a lease");
    let lease = u64::from(u32::from_be_bytes(lease.try_into().unwrap()));
    assert!((1..=server.lease.as_secs()).contains(&lease), "{lease} s");
    assert_eq!(answer.option(1), Some(&[255, 255, 255, 0][..]));
}

fn is_right_proxy_answer(packet: &[u8], reply: &Reply) {
    assert!(network_boots(packet), "it does not boot from the network");
    let bytes = wire::encode(reply);
    let answer = Answer::read(&bytes, packet, OWN);
    assert!(bytes.len() <= longest_answer(packet), "{} bytes", bytes.len());
    assert_eq!(answer.yiaddr, [0; 4], "an address");
    assert!(answer.kind != 6, "a proxy refuses nobody");
    for code in [1, 3, 6, 51, 58, 59] {
        assert_eq!(answer.option(code), None, "option {code}");
    }
}

/// Tries many cases, and says which one failed so that it can be tried again.
fn each_case(
    name: &str,
    count: u64,
    make: impl Fn(&mut Random) -> Vec<u8>,
    mut try_it: impl FnMut(&[u8], &mut Random),
) {
    listen_to_everything();
    let (seed, begin, warm) = (seed(), Instant::now(), count / 10);
    let mut before = 0;
    for number in 0..count {
        if number == warm {
            before = resident_kib();
        }
        let mut random = Random::of_case(seed, number);
        let packet = make(&mut random);
        let tried = catch_unwind(AssertUnwindSafe(|| try_it(&packet, &mut random)));
        if let Err(panic) = tried {
            eprintln!("PXEBERRY_SEED={seed}, case {number}: {}", hex(&packet));
            resume_unwind(panic);
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let growth = resident_kib().saturating_sub(before);
    println!("measured: {count} {name} in {seconds:.1} s, seed {seed}, memory +{growth} KiB");
    assert!(growth <= MOST_GROWTH_KIB, "{growth} KiB more after {count} packets");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Made ones and real ones, with their names.
fn whole_packets() -> Vec<(String, Vec<u8>)> {
    dhcp_corpus::all().into_iter().chain(dhcp_packets::all()).collect()
}

fn corpus() -> Mutator {
    Mutator::new(whole_packets().into_iter().map(|(_, packet)| packet).collect())
}

/// A header that passes, and nonsense behind it.
fn soup(random: &mut Random) -> Vec<u8> {
    let mut packet = dhcp_corpus::header();
    // A few options that may make sense, then bytes that hardly do.
    for _ in 0..random.below(8) {
        packet.extend(mutation::any_option(random));
    }
    let length = random.below(40);
    packet.extend(random.bytes(length));
    packet
}

const CLIENT: [u8; 6] = [2, 0x50, 0, 0, 0, 1];
const XID: u32 = 0x1234_5678;

/// OFFER, ACK and NAK for our own search for other servers, as our own server gives them.
fn answers_to_our_own_client() -> Vec<Vec<u8>> {
    let address = Ipv4Addr::new(10, 10, 10, 121);
    let questions =
        [Question::Discover, Question::Take(OWN.into(), address), Question::Keep(OWN.into())];
    let mut room = Room::new();
    let mut answer = |question| {
        let packet = client::ask(question, CLIENT, XID).unwrap();
        let request = wire::parse(Datagram::parse(&packet).unwrap().payload).unwrap();
        wire::encode(&room.as_server(&request).unwrap())
    };
    questions.map(&mut answer).to_vec()
}

fn in_ip(dhcp: &[u8]) -> Vec<u8> {
    let from = (Ipv4Addr::from(OWN), SERVER_PORT);
    let to = (Ipv4Addr::BROADCAST, CLIENT_PORT);
    Datagram { from, to, payload: dhcp }.encode().unwrap()
}

/// Memory belongs to the process: what is measured runs alone.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn resident_kib() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * PAGE / 1024
}

/// Every line that anything would log is made, also those that nobody reads.
fn listen_to_everything() {
    struct Nobody;
    impl log::Log for Nobody {
        fn enabled(&self, _: &log::Metadata) -> bool {
            true
        }
        fn log(&self, record: &log::Record) {
            write!(std::io::sink(), "{}", record.args()).unwrap();
        }
        fn flush(&self) {}
    }
    let _ = log::set_logger(&Nobody);
    log::set_max_level(log::LevelFilter::Trace);
}
