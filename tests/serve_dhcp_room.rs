//! A whole room is switched on at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use net::{Appliance, Ask, Firmware, Kind, isolated};

/// As many as the default pool has addresses.
const MACHINES: u8 = 151;

fn mac(number: u8) -> [u8; 6] {
    [0x52, 0x54, 0, 0, 1, number]
}

#[test]
fn every_machine_of_a_room_gets_an_address_of_its_own_and_keeps_it_over_a_power_cut() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.serves_without_stick();
        let wire = lan.machine("52:54:00:00:00:41");
        let ask = |kind, number| {
            Ask::new(kind, mac(number)).with(&Firmware::Bios.options()).broadcast(true)
        };
        let collect = |kind| {
            let mut addresses = BTreeMap::new();
            while addresses.len() < usize::from(MACHINES) {
                let heard =
                    wire.port.hear(Duration::from_secs(10), |heard| heard.kind == Some(kind));
                let heard = heard.unwrap_or_else(|| panic!("only {} answers", addresses.len()));
                addresses.insert(heard.chaddr, heard.yiaddr);
            }
            addresses
        };
        for number in 0..MACHINES {
            wire.port.send(&ask(Kind::Discover, number));
        }
        let offered = collect(Kind::Offer);
        let all: BTreeSet<_> = offered.values().collect();
        assert_eq!(all.len(), usize::from(MACHINES), "an address was offered twice");
        for number in 0..MACHINES {
            let request = ask(Kind::Request, number).option(54, &[10, 10, 10, 1]);
            wire.port.send(&request.option(50, &offered[&mac(number)].octets()));
        }
        assert_eq!(collect(Kind::Ack), offered);
        // What was acknowledged is on the card.
        server.dies();
        let _server = appliance.serves_without_stick();
        for number in 0..MACHINES {
            wire.port.send(&ask(Kind::Discover, number));
        }
        assert_eq!(collect(Kind::Offer), offered);
    });
}
