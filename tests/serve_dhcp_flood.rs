//! Somebody makes up clients: machines that are known are served all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use net::lan::SERVER;
use net::packet::Port;
use net::{Appliance, Ask, Firmware, Kind, Machine, isolated};

/// Made-up clients in each second, as in the promise.
const EACH_SECOND: u32 = 2_000;

/// What a host that was busy elsewhere may catch up with at once.
const BURST: u32 = 200;

/// iPXE, the least patient client, asks five times.
const REPEATS: usize = 5;

/// How much more memory the server may hold after it.
const GROWTH_KIB: usize = 8 * 1024;

/// `--all` attacks for a minute, else for a few seconds.
fn duration() -> Duration {
    Duration::from_secs(chance::rounds(4, 60))
}

/// Made-up clients ask at an even pace until `over`; how many did. A host that is too busy
/// for the pace sends fewer, not all at once.
fn flood(port: &Port, over: &AtomicBool) -> u32 {
    let each = Duration::from_secs(1) / EACH_SECOND;
    let mut sent: u32 = 0;
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        sent += 1;
        let [a, b, c, d] = sent.wrapping_mul(0x9e37_79b1).to_be_bytes();
        port.send(&Ask::new(Kind::Discover, [2, 0x66, a, b, c, d]).broadcast(true));
        next = (next + each).max(Instant::now() - BURST * each);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    sent
}

#[test]
fn made_up_clients_keep_out_no_machine_that_is_known() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let attacker = lan.machine("52:54:00:00:00:66");
        let [named, leased] = [net::stick::NODE_1, "52:54:00:00:00:41"].map(|mac| lan.machine(mac));
        let first = leased.leases(&[]).yiaddr;
        // The bridge brings the answers to made-up clients to every port.
        for machine in [&named, &leased] {
            machine.port.hears_only(machine.mac);
        }
        let before = server.resident_kib();
        let over = AtomicBool::new(false);
        let (sent, served) = std::thread::scope(|scope| {
            let attack = scope.spawn(|| flood(&attacker.port, &over));
            let _ends = EndsWhenDropped(&over);
            let started = Instant::now();
            let mut served = 0;
            while started.elapsed() < duration() {
                served_like_real_clients(&named, &Firmware::Bios.options());
                assert_eq!(served_like_real_clients(&leased, &[]), first);
                served += 2;
                // No more than that would they ask by themselves.
                std::thread::sleep(Duration::from_millis(600));
            }
            over.store(true, Ordering::Relaxed);
            (attack.join().unwrap(), served)
        });
        let after = server.resident_kib();
        println!(
            "measured: {sent} made-up clients, {served} known ones served; {before} KiB, then {after}"
        );
        assert!(after < before + GROWTH_KIB, "{before} KiB before, {after} KiB after");
    });
}

/// DISCOVER to ACK. A question that nobody answers is repeated, as every client does (RFC
/// 2131 §4.1): on a host that is busy elsewhere the kernel's queue runs over.
fn served_like_real_clients(machine: &Machine, options: &[(u8, Vec<u8>)]) -> Ipv4Addr {
    let asks = |ask: Ask| {
        let answer = (0..REPEATS).find_map(|_| {
            machine.port.send(&ask);
            machine.port.hear(Duration::from_secs(1), |heard| ask.is_answered_by(heard))
        });
        answer.expect("a known machine is not served")
    };
    let offer = asks(Ask::new(Kind::Discover, machine.mac).with(options));
    let request = Ask::new(Kind::Request, machine.mac).with(options);
    let request = request.option(50, &offer.yiaddr.octets()).option(54, &SERVER.octets());
    let ack = asks(request);
    assert_eq!(ack.kind, Some(Kind::Ack), "{ack:?}");
    ack.yiaddr
}

/// A failed assertion must not leave the attack running.
struct EndsWhenDropped<'a>(&'a AtomicBool);

impl Drop for EndsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn one_client_that_asks_without_end_is_named_once_and_others_are_served() {
    isolated(|lan| {
        let [greedy, other] =
            ["52:54:00:00:00:41", "52:54:00:00:00:42"].map(|mac| lan.machine(mac));
        let server = Appliance::server().starts();
        for _ in 0..500 {
            greedy.port.send(&Ask::new(Kind::Discover, greedy.mac));
        }
        let line = server.log.wait_for("asks too often");
        assert!(line.contains("52:54:00:00:00:41"), "{line}");
        other.leases(&[]);
        assert_eq!(server.log.count("asks too often"), 1);
    });
}
