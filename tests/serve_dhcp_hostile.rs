//! Somebody on the LAN sends packets that are made to break the server, while an honest
//! machine goes on with its work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/dhcp_corpus.rs"]
mod dhcp_corpus;
#[path = "support/mutation.rs"]
mod mutation;
#[path = "support/net/mod.rs"]
mod net;

use std::time::Instant;

use chance::{Random, rounds, seed};
use mutation::Mutator;
use net::lan::octets;
use net::packet::frame;
use net::{Appliance, Ask, Firmware, Kind, isolated};

/// One by one into a socket's buffer, which they do not fill.
const BURST: u64 = 25;

/// The honest machine gets its lease anew so often; no client may ask all the time.
const LEASES: u64 = 20;

/// What the server may grow by.
const MOST_GROWTH_KIB: usize = 1024;

#[test]
fn a_machine_is_served_while_another_sends_mutated_packets() {
    isolated(|lan| {
        let mut server = Appliance::server().starts();
        let [honest, evil] = ["52:54:00:00:02:01", "52:54:00:00:02:02"].map(|mac| lan.machine(mac));
        let mutator = Mutator::new(dhcp_corpus::all().into_iter().map(|(_, p)| p).collect());
        let box_mac = octets(&lan.hardware());
        let address = honest.leases(&Firmware::EfiX64.options()).yiaddr;
        evil.use_address("10.10.10.77".parse().unwrap());
        let (count, begin, seed) = (rounds(20_000, 100_000), Instant::now(), seed());
        let (mut warm, period) = (0, count / LEASES);
        for number in 0..count {
            let mut random = Random::of_case(seed, number);
            let packet = mutator.packet(&mut random);
            // What is too long for a frame never arrives.
            let packet = &packet[..packet.len().min(1472)];
            let (to, port) = if number % 5 == 0 { (box_mac, 4011) } else { ([0xff; 6], 67) };
            evil.port.send_frame(&frame(evil.mac, to, port, packet));
            if number % BURST == BURST - 1 {
                // An answer to a question behind them: all of them were read.
                let [.., high, low] = number.to_be_bytes();
                // INFORM: strangers' DISCOVERs are not always answered in a flood.
                let question = Ask::new(Kind::Inform, [2, 0, 0, 0x66, high, low]);
                let question = question.from(evil.address());
                assert!(evil.port.ask(&question).is_some(), "silence after packet {number}");
            }
            if number % period == period - 1 {
                let ack = honest.leases(&Firmware::EfiX64.options());
                assert_eq!(ack.yiaddr, address, "after packet {number}");
            }
            if number == count / 10 {
                warm = server.resident_kib();
            }
        }
        assert!(server.runs());
        assert_eq!(server.log.count("panicked"), 0);
        let growth = server.resident_kib().saturating_sub(warm);
        let seconds = begin.elapsed().as_secs_f64();
        println!("measured: {count} packets in {seconds:.1} s, seed {seed}, memory +{growth} KiB");
        assert!(growth <= MOST_GROWTH_KIB, "{growth} KiB more");
    });
}
