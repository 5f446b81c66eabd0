//! The server is killed again and again while a room works. Whatever a machine was told,
//! the server still knows when it is back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/net/mod.rs"]
mod net;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chance::{Random, rounds, seed};
use net::{Appliance, Ask, Heard, Kind, Machine, isolated};
use pxeberry::fleet::store::Store;

/// Machines in the room.
const GUESTS: u8 = 50;

/// A few addresses less than machines, so that addresses change hands. Nobody is looked for:
/// the card that plays all machines would be found at every address.
const POOL: &str = "server.pool = \"10.10.10.100-10.10.10.147\"\nserver.probe = false";

const SERVER: [u8; 4] = [10, 10, 10, 1];

/// From the start of the program to the first acknowledgement.
const LONGEST_START: Duration = Duration::from_secs(2);

/// The server lives at most so long.
const LONGEST_LIFE_MS: usize = 500;

/// How long an answer may be on its way before a machine tries something else.
const QUIET: Duration = Duration::from_millis(2);

#[test]
fn no_kill_makes_the_server_forget_what_it_acknowledged() {
    isolated(|lan| {
        let appliance = Appliance::new("server", POOL);
        let machine = lan.machine("52:54:00:00:00:41");
        has_every_address(&machine);
        let mut room = Room::new(&machine);
        let (kills, begin, seed) = (rounds(12, 200), Instant::now(), seed());
        let mut random = Random::new(seed);
        let mut slowest = Duration::ZERO;
        for kill in 0..kills {
            println!("seed {seed}, kill {kill}");
            let start = Instant::now();
            let server = appliance.launches();
            let life = Duration::from_millis(random.below(LONGEST_LIFE_MS) as u64);
            // Some are killed while they start.
            if kill % 4 == 0 {
                std::thread::sleep(life / 8);
            } else {
                server.log.wait_for("giving addresses from");
                room.no_stranger_gets_one();
                room.everybody_keeps_its_address();
                slowest = slowest.max(start.elapsed());
                room.works_until(Instant::now() + life, &mut random);
            }
            server.dies();
            room.hears_the_rest();
            room.is_on_the_card(&appliance.state());
        }
        let Room { acknowledged, moved, .. } = room;
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "measured: {kills} kills in {seconds:.1} s, seed {seed}, {acknowledged} leases \
             acknowledged, {moved} to another machine, slowest start {slowest:?}"
        );
        assert!(slowest <= LONGEST_START, "{slowest:?} until everybody was served again");
        assert!(acknowledged > kills && moved > 0, "too little happened to mean anything");
    });
}

/// Answers to renewals come to the address: the card that all guests share has them all.
fn has_every_address(machine: &Machine) {
    let script = "for last in $(seq 100 151); do ip address add 10.10.10.$last/24 dev eth0; done";
    machine.run("sh", &["-c", script]).good();
}

/// A machine that is simulated.
struct Guest {
    mac: [u8; 6],
    /// What the server acknowledged, and when that ends.
    lease: Option<(Ipv4Addr, u64)>,
    /// The transaction that it waits for.
    waits_for: Option<u32>,
}

struct Room<'a> {
    machine: &'a Machine,
    guests: Vec<Guest>,
    last_holder: BTreeMap<Ipv4Addr, [u8; 6]>,
    acknowledged: u64,
    moved: u64,
}

impl Room<'_> {
    fn new(machine: &Machine) -> Room<'_> {
        let guest =
            |number| Guest { mac: [0x52, 0x54, 0, 0, 1, number], lease: None, waits_for: None };
        Room {
            machine,
            guests: (0..GUESTS).map(guest).collect(),
            last_holder: BTreeMap::new(),
            acknowledged: 0,
            moved: 0,
        }
    }

    /// Some of the guests do something, again and again.
    fn works_until(&mut self, end: Instant, random: &mut Random) {
        while Instant::now() < end {
            for _ in 0..=random.below(8) {
                let number = random.below(self.guests.len());
                self.acts(number, random);
            }
            while let Some(heard) = self.machine.port.hear(QUIET, |_| true) {
                self.hears(&heard);
            }
        }
    }

    /// One step of a guest's life.
    fn acts(&mut self, number: usize, random: &mut Random) {
        let guest = &mut self.guests[number];
        let ask = |kind| Ask::new(kind, guest.mac);
        let ask = match (guest.lease, random.below(4)) {
            // Not long; somebody else may have the address in the meantime.
            (Some((address, _)), 0) => {
                guest.lease = None;
                ask(Kind::Release).from(address).option(54, &SERVER)
            }
            (Some((address, _)), 1) => {
                ask(Kind::Request).option(50, &address.octets()).broadcast(true)
            }
            (Some((address, _)), _) => ask(Kind::Request).from(address),
            (None, _) => ask(Kind::Discover).broadcast(true),
        };
        guest.waits_for = Some(ask.xid());
        self.machine.port.send(&ask);
    }

    fn hears(&mut self, heard: &Heard) {
        let Some(number) = self.guests.iter().position(|guest| guest.mac == heard.chaddr) else {
            return;
        };
        let guest = &mut self.guests[number];
        if guest.waits_for != Some(heard.xid) {
            return;
        }
        guest.waits_for = None;
        match heard.kind {
            Some(Kind::Offer) => {
                let take = Ask::new(Kind::Request, guest.mac).option(54, &SERVER);
                let take = take.option(50, &heard.yiaddr.octets()).broadcast(true);
                guest.waits_for = Some(take.xid());
                self.machine.port.send(&take);
            }
            Some(Kind::Ack) => self.is_acknowledged(number, heard),
            // An offer that the server had forgotten: begin again.
            Some(Kind::Nak) => assert_eq!(guest.lease, None, "a lease was taken away"),
            _ => panic!("{heard:?}"),
        }
    }

    fn is_acknowledged(&mut self, number: usize, heard: &Heard) {
        let address = heard.yiaddr;
        let seconds = u32::from_be_bytes(heard.option(51).unwrap().try_into().unwrap());
        let ends = unix_now() + u64::from(seconds);
        let mac = self.guests[number].mac;
        for other in self.guests.iter().filter(|guest| guest.mac != mac) {
            let has = other.lease.is_some_and(|(theirs, _)| theirs == address);
            assert!(!has, "{address} was given twice: to {mac:x?} and {:x?}", other.mac);
        }
        self.guests[number].lease = Some((address, ends));
        self.acknowledged += 1;
        let former = self.last_holder.insert(address, mac);
        self.moved += u64::from(former.is_some_and(|former| former != mac));
    }

    /// What had left the server before it died.
    fn hears_the_rest(&mut self) {
        for heard in self.machine.port.heard() {
            self.hears(&heard);
        }
    }

    /// Everything that was acknowledged stands in the state file, which is only looked at
    /// in a copy: the server shall find it as the kill left it.
    fn is_on_the_card(&self, state: &Path) {
        let file = state.join("pxeberry.redb");
        if !file.exists() {
            assert!(self.guests.iter().all(|guest| guest.lease.is_none()), "no state file");
            return;
        }
        let copy = Path::new("/run/copy");
        let _ = fs::remove_dir_all(copy);
        fs::create_dir_all(copy).unwrap();
        fs::copy(file, copy.join("pxeberry.redb")).unwrap();
        let (_, saved) = Store::open(copy).unwrap();
        assert!(!copy.join("pxeberry.damaged").exists(), "the kill damaged the file");
        let saved: BTreeMap<[u8; 6], _> =
            saved.leases.iter().map(|(mac, binding)| (mac.octets(), *binding)).collect();
        for guest in &self.guests {
            let Some((address, ends)) = guest.lease else { continue };
            let row = saved.get(&guest.mac);
            let row = row.unwrap_or_else(|| panic!("{:x?} at {address}: forgotten", guest.mac));
            assert_eq!(row.address, address, "{:x?}", guest.mac);
            // The clocks of both sides count whole seconds.
            assert!(row.expires + 2 >= ends, "{:x?}: ends too early", guest.mac);
        }
    }

    /// Machines that were never here ask for the addresses that somebody has.
    fn no_stranger_gets_one(&self) {
        let mut waiting = BTreeMap::new();
        for guest in &self.guests {
            let Some((address, _)) = guest.lease else { continue };
            let mut stranger = guest.mac;
            stranger[4] = 2;
            let ask = Ask::new(Kind::Request, stranger);
            waiting.insert(ask.xid(), address);
            self.machine.port.send(&ask.option(50, &address.octets()).broadcast(true));
        }
        while !waiting.is_empty() {
            let heard = self.machine.port.hear(LONGEST_START, |_| true);
            let heard = heard.unwrap_or_else(|| panic!("silence for {waiting:?}"));
            if let Some(address) = waiting.remove(&heard.xid) {
                assert_eq!(heard.kind, Some(Kind::Nak), "{address} was given to a stranger");
            }
        }
    }

    /// Who has an address starts anew, and asks for it: the server grants it.
    fn everybody_keeps_its_address(&mut self) {
        let mut waiting = BTreeMap::new();
        for guest in &mut self.guests {
            let Some((address, _)) = guest.lease else { continue };
            let ask = Ask::new(Kind::Request, guest.mac).option(50, &address.octets());
            waiting.insert(ask.xid(), (guest.mac, address));
            guest.waits_for = Some(ask.xid());
            self.machine.port.send(&ask.broadcast(true));
        }
        while !waiting.is_empty() {
            let heard = self.machine.port.hear(LONGEST_START, |_| true);
            let heard = heard.unwrap_or_else(|| panic!("silence for {waiting:x?}"));
            if let Some((mac, address)) = waiting.remove(&heard.xid) {
                assert_eq!(heard.kind, Some(Kind::Ack), "{mac:x?}: {address} was refused");
                assert_eq!((heard.chaddr, heard.yiaddr), (mac, address));
                self.hears(&heard);
            }
        }
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
