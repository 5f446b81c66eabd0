//! Every message in every state of the lease table, through every way, about every sort of
//! address: what the server decides, as a table that somebody has read.
//!
//! What must hold in each case whatever the table says stands in [`must_hold`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/golden.rs"]
mod golden;

use std::fmt::Write;
use std::net::Ipv4Addr;

use golden::is_golden;
use pxeberry::config::{self, Config};
use pxeberry::dhcp::decide::{Context, Effect, Verdict, decide};
use pxeberry::dhcp::lease::{Binding, Leases};
use pxeberry::dhcp::reply::BootReply;
use pxeberry::dhcp::route::Route;
use pxeberry::dhcp::site::Reservations;
use pxeberry::dhcp::wire::{self, Kind};
use pxeberry::net::Mac;

const NOW: u64 = 1_000_000;
const LEASE: u64 = 12 * 60 * 60;
const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const OTHER: [u8; 6] = [0x52, 0x54, 0, 0, 0, 2];

/// What a message says, less the address.
const MESSAGES: [(&str, u8, Claim, Option<[u8; 4]>); 9] = [
    ("DISCOVER", 1, Claim::Option50, None),
    ("REQUEST, selecting", 3, Claim::Option50, Some([10, 10, 10, 1])),
    ("REQUEST, selecting another server", 3, Claim::Option50, Some([10, 10, 10, 2])),
    ("REQUEST, init-reboot", 3, Claim::Option50, None),
    ("REQUEST, renewing or rebinding", 3, Claim::Ciaddr, None),
    ("DECLINE", 4, Claim::Option50, Some([10, 10, 10, 1])),
    ("DECLINE, of another server", 4, Claim::Option50, Some([10, 10, 10, 2])),
    ("RELEASE", 7, Claim::Ciaddr, Some([10, 10, 10, 1])),
    ("INFORM", 8, Claim::Ciaddr, None),
];

/// Where the address stands.
#[derive(Clone, Copy, PartialEq)]
enum Claim {
    Option50,
    Ciaddr,
}

/// What the table knows of the address in the pool, and of the client.
const STATES: [&str; 8] = [
    "nobody is known",
    "its lease is fresh",
    "its lease is old",
    "its lease has ended",
    "it was offered it",
    "another was offered it",
    "another has it",
    "somebody was found at it",
];

const WAYS: [&str; 3] = ["unicast", "broadcast", "relayed"];

/// In the pool, in the network but not in the pool, in no network of ours, none.
const ADDRESSES: [(&str, [u8; 4]); 4] = [
    ("pool", [10, 10, 10, 120]),
    ("outside", [10, 10, 10, 50]),
    ("foreign", [192, 168, 7, 7]),
    ("none", [0; 4]),
];

#[test]
fn the_server_decides_as_the_table_says() {
    let config = config::parse("relay = [{ address = \"10.20.0.1/24\" }]").unwrap();
    let mut text = String::from(
        "# What the server decides. The pool is 10.10.10.100-250; behind the relay 10.20.0.0/24.\n",
    );
    let mut cases = 0;
    for message in &MESSAGES {
        for (state, state_name) in STATES.iter().enumerate() {
            writeln!(text, "\n## {}; {state_name}", message.0).unwrap();
            for (way, way_name) in WAYS.iter().enumerate() {
                for (address_name, address) in ADDRESSES {
                    let leases = leases_in(state);
                    let verdict = verdict(&config, &leases, message, way, address);
                    must_hold(&leases, message, way, address, &verdict);
                    let words = words(&verdict);
                    writeln!(text, "{way_name:<10} {address_name:<8} {words}").unwrap();
                    cases += 1;
                }
            }
        }
    }
    assert!(cases >= 480, "{cases}");
    println!("measured: {cases} cases");
    is_golden("dhcp/matrix.txt", &text);
}

fn leases_in(state: usize) -> Leases {
    let mut leases = Leases::new();
    let address = Ipv4Addr::from(ADDRESSES[0].1);
    let [own, other] = [OWN, OTHER].map(|mac| Mac::new(mac).unwrap());
    let until = |expires| Binding { address, expires };
    match state {
        1 => drop(leases.bind(own, until(NOW + LEASE - 60))),
        2 => drop(leases.bind(own, until(NOW + LEASE / 2))),
        3 => drop(leases.bind(own, until(NOW - 60))),
        4 => leases.offer(own, address, NOW + 30),
        5 => leases.offer(other, address, NOW + 30),
        6 => drop(leases.bind(other, until(NOW + LEASE))),
        7 => leases.decline(other, address, NOW + 30),
        _ => {}
    }
    leases
}

fn verdict(
    config: &Config,
    leases: &Leases,
    message: &(&str, u8, Claim, Option<[u8; 4]>),
    way: usize,
    address: [u8; 4],
) -> Verdict {
    let request = wire::parse(&packet(message, way, address)).unwrap();
    let context = Context {
        server: &config.server,
        leases,
        reservations: &Nobody,
        boot: &BootReply::Nothing,
        now: NOW,
    };
    decide(&request, &context)
}

fn packet(
    (_, kind, claim, server): &(&str, u8, Claim, Option<[u8; 4]>),
    way: usize,
    address: [u8; 4],
) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0, 0, 0, 0, 7, 0, 0, if way == 1 { 0x80 } else { 0 }, 0];
    packet.extend(if *claim == Claim::Ciaddr { address } else { [0; 4] });
    packet.resize(24, 0);
    packet.extend(if way == 2 { [10, 20, 0, 1] } else { [0; 4] });
    packet.extend(OWN);
    packet.resize(236, 0);
    packet.extend([99, 130, 83, 99, 53, 1, *kind]);
    if *claim == Claim::Option50 && address != [0; 4] {
        packet.extend([50, 4]);
        packet.extend(address);
    }
    if let Some(server) = server {
        packet.extend([54, 4]);
        packet.extend(server);
    }
    packet.push(255);
    packet
}

/// Rules of RFC 2131 that no entry of the table may break.
fn must_hold(
    leases: &Leases,
    message: &(&str, u8, Claim, Option<[u8; 4]>),
    way: usize,
    address: [u8; 4],
    verdict: &Verdict,
) {
    let case = format!("{}, {}, {address:?}: {verdict:?}", message.0, WAYS[way]);
    let own = Mac::new(OWN).unwrap();
    let Some((reply, route)) = &verdict.reply else { return };
    let expected: &[Kind] = match message.1 {
        1 => &[Kind::Offer],
        3 => &[Kind::Ack, Kind::Nak],
        8 => &[Kind::Ack],
        _ => &[],
    };
    assert!(expected.contains(&reply.kind), "a wrong kind of answer: {case}");
    assert!(!message.0.contains("another server"), "another server's business: {case}");
    if !reply.yiaddr.is_unspecified() {
        let holder = leases.holder(reply.yiaddr, NOW);
        let bound = |mac: Mac| leases.binding(mac).is_some_and(|b| b.address == reply.yiaddr);
        assert!(holder.is_none_or(|mac| mac == own || !bound(mac)), "twice given: {case}");
        let network = if way == 2 { [10, 20, 0] } else { [10, 10, 10] };
        assert_eq!(reply.yiaddr.octets()[..3], network, "another network's: {case}");
    }
    let to_relay = *route == Route::Unicast("10.20.0.1:67".parse().unwrap());
    assert_eq!(to_relay, way == 2, "its way: {case}");
    if reply.kind == Kind::Nak {
        assert!(reply.yiaddr.is_unspecified() && reply.siaddr.is_unspecified(), "{case}");
        assert!(to_relay || *route == Route::Broadcast, "{case}");
    }
}

/// `ACK 10.10.10.120 for 43200 s, to its card; bound`
fn words(verdict: &Verdict) -> String {
    let mut words = match (&verdict.reply, verdict.probe) {
        (Some((reply, route)), _) => {
            let mut words = format!("{:?}", reply.kind).to_uppercase();
            if !reply.yiaddr.is_unspecified() {
                write!(words, " {}", reply.yiaddr).unwrap();
            }
            if let Some((_, lease)) = reply.options.iter().find(|(code, _)| *code == 51) {
                let seconds = u32::from_be_bytes(lease[..].try_into().unwrap());
                write!(words, " for {seconds} s").unwrap();
            }
            words
                + &match route {
                    Route::Unicast(to) => format!(", to {to}"),
                    Route::Broadcast => ", to everybody".to_owned(),
                    Route::Hardware(..) => ", to its card".to_owned(),
                }
        }
        (None, Some(address)) => format!("looks for {address} first"),
        (None, None) => "silence".to_owned(),
    };
    for effect in &verdict.effects {
        words += &match effect {
            Effect::Offer(_, address, until) | Effect::SilentOffer(_, address, until) => {
                format!("; keeps {address} for {} s", until - NOW)
            }
            Effect::Withdraw(_) => "; offer withdrawn".to_owned(),
            Effect::Bind(_, binding) => format!("; bound for {} s", binding.expires - NOW),
            Effect::Release(_) => "; released".to_owned(),
            Effect::Decline(_, address, until) => {
                format!("; leaves {address} alone for {} s", until - NOW)
            }
            Effect::PoolIsFull(_) => "; the pool is full".to_owned(),
        };
    }
    words
}

/// A stick that names nobody.
struct Nobody;

impl Reservations for Nobody {
    fn reserved_for(&self, _: Mac) -> Option<Ipv4Addr> {
        None
    }
    fn holder_of(&self, _: Ipv4Addr) -> Option<Mac> {
        None
    }
    fn names(&self, _: Mac) -> bool {
        false
    }
}
