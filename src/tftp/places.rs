//! Who is being served by TFTP, and who waits. Pure.
//!
//! A client that has acknowledged nothing costs a socket and takes no place: it may be a size
//! probe of UEFI, or made up. With its first acknowledgement it takes a place, or waits for
//! one. A place whose client has been quiet for a second goes to one that waits; the quiet
//! one gets another when it wakes up.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::request::Request;

/// How many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Clients in all, those that have acknowledged nothing and those that wait included.
    pub clients: usize,
    /// The same of one address.
    pub clients_of_address: usize,
    /// Transfers that move.
    pub places: usize,
    /// The same of one address.
    pub places_of_address: usize,
}

/// Many times a lost packet's cost: who says nothing for so long has gone, or is busy.
const QUIET: Duration = Duration::from_secs(1);

/// What was handed to the library is opened at once, or was lost on the way.
const LOST: Duration = Duration::from_secs(1);

/// Its stick hangs, if looking takes so long: its client may ask for something else.
const LOOKED_FOR_IN_VAIN: Duration = Duration::from_secs(10);

/// Everybody who is served or waits, each with what he was found to want.
#[derive(Debug)]
pub struct Places<F> {
    limits: Limits,
    clients: HashMap<SocketAddrV4, Client<F>>,
    clients_of: HashMap<Ipv4Addr, usize>,
    held: usize,
    held_of: HashMap<Ipv4Addr, usize>,
    waiting: BTreeMap<Turn, (SocketAddrV4, Waker)>,
    last_turn: u64,
    last_number: u64,
}

#[derive(Debug)]
struct Client<F> {
    number: u64,
    name: String,
    stage: Stage<F>,
    next: Option<Request>,
    since: Instant,
    acknowledged: bool,
    holds: bool,
    turn: Option<Turn>,
}

#[derive(Debug)]
enum Stage<F> {
    /// It is looked for what it wants.
    Looking,
    /// The library may open it.
    Found(F),
    /// And has.
    Opened,
}

/// How many others its address had, and when it came: the first of each address go before
/// the second of any.
type Turn = (usize, u64);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It begins.
    Begins,
    /// It was heard already, or its turn comes when what it asked for before has ended.
    Known,
    /// There are too many; clients ask again by themselves.
    Full,
}

impl<F> Places<F> {
    /// Nobody is here.
    pub fn new(limits: Limits) -> Places<F> {
        Places {
            limits,
            clients: HashMap::new(),
            clients_of: HashMap::new(),
            held: 0,
            held_of: HashMap::new(),
            waiting: BTreeMap::new(),
            last_turn: 0,
            last_number: 0,
        }
    }

    /// What becomes of a request, before it is looked for. Syslinux asks again after a tenth
    /// of a second; who asks for something else from the same port, or has taken blocks
    /// already, has done with the first.
    pub fn knock(&mut self, peer: SocketAddrV4, request: &Request, now: Instant) -> Entry {
        if self.clients.get(&peer).is_some_and(|client| client.is_lost(now)) {
            self.leave(peer);
        }
        if let Some(client) = self.clients.get_mut(&peer) {
            if client.acknowledged || client.name != request.name {
                client.next = Some(request.clone());
            }
            return Entry::Known;
        }
        if self.is_full_for(*peer.ip()) {
            self.forget_lost(now);
        }
        if self.is_full_for(*peer.ip()) { Entry::Full } else { Entry::Begins }
    }

    fn is_full_for(&self, address: Ipv4Addr) -> bool {
        let of_address = self.clients_of.get(&address).copied().unwrap_or(0);
        self.clients.len() >= self.limits.clients || of_address >= self.limits.clients_of_address
    }

    /// It has been looked for and is handed to the library.
    pub fn begin(&mut self, peer: SocketAddrV4, name: String, found: F, now: Instant) {
        self.enter(peer, name, Stage::Found(found), now);
    }

    /// It is looked for, however long that takes; [`Places::found`] or [`Places::give_up`]
    /// follows, with the number that this returns.
    pub fn begin_to_look(&mut self, peer: SocketAddrV4, name: String, now: Instant) -> u64 {
        self.enter(peer, name, Stage::Looking, now)
    }

    /// What was looked for is handed to the library now. False: nobody waits for it any more.
    pub fn found(&mut self, peer: SocketAddrV4, number: u64, found: F, now: Instant) -> bool {
        let client = self.clients.get_mut(&peer).filter(|client| client.number == number);
        let Some(client) = client else {
            return false;
        };
        client.stage = Stage::Found(found);
        client.since = now;
        true
    }

    /// Nobody looks for it any more; if it was not found, its client may ask again.
    pub fn give_up(&mut self, peer: SocketAddrV4, number: u64) {
        let client = self.clients.get(&peer).filter(|client| client.number == number);
        if client.is_some_and(|client| matches!(client.stage, Stage::Looking)) {
            self.leave(peer);
        }
    }

    fn enter(&mut self, peer: SocketAddrV4, name: String, stage: Stage<F>, now: Instant) -> u64 {
        self.last_number += 1;
        let client = Client {
            number: self.last_number,
            name,
            stage,
            next: None,
            since: now,
            acknowledged: false,
            holds: false,
            turn: None,
        };
        if self.clients.insert(peer, client).is_none() {
            *self.clients_of.entry(*peer.ip()).or_default() += 1;
        }
        self.last_number
    }

    /// The library opens it: what was found.
    pub fn open(&mut self, peer: SocketAddrV4) -> Option<F> {
        let client = self.clients.get_mut(&peer)?;
        match std::mem::replace(&mut client.stage, Stage::Opened) {
            Stage::Found(found) => Some(found),
            other => {
                client.stage = other;
                None
            }
        }
    }

    /// Whether a client that goes on has a place. If not, `waker` is told when it may try.
    pub fn go_on(&mut self, peer: SocketAddrV4, now: Instant, waker: &Waker) -> bool {
        let Some(client) = self.clients.get_mut(&peer) else {
            return true;
        };
        client.since = now;
        client.acknowledged = true;
        let (holds, turn) = (client.holds, client.turn);
        if holds {
            return true;
        }
        if self.has_room(*peer.ip()) || self.take_from_a_quiet_one(*peer.ip(), now) {
            self.hold(peer);
            return true;
        }
        let turn = turn.unwrap_or_else(|| self.next_turn(*peer.ip()));
        self.waiting.insert(turn, (peer, waker.clone()));
        if let Some(client) = self.clients.get_mut(&peer) {
            client.turn = Some(turn);
        }
        false
    }

    /// Everything has been read for it: others may have its place.
    pub fn has_all(&mut self, peer: SocketAddrV4) {
        if self.release(peer) {
            self.wake(*peer.ip());
        }
    }

    /// It has ended. What it has asked for meanwhile, if it has.
    pub fn leave(&mut self, peer: SocketAddrV4) -> Option<Request> {
        self.has_all(peer);
        let client = self.clients.remove(&peer)?;
        if let Some(turn) = client.turn {
            self.waiting.remove(&turn);
        }
        less(&mut self.clients_of, *peer.ip());
        client.next
    }

    /// Gives the places that are free, and those of who is quiet, to those who wait: of several
    /// that became free at once each woke the same one. True: somebody waits still.
    pub fn tick(&mut self, now: Instant) -> bool {
        let waiting: Vec<SocketAddrV4> = self.waiting.values().map(|(peer, _)| *peer).collect();
        let mut quiet = self.quiet_ones(now);
        let mut free = self.limits.places.saturating_sub(self.held);
        for peer in waiting {
            let own_only = self.has_its_share(*peer.ip());
            if free > 0 && !own_only {
                free -= 1;
                self.wake_one(peer);
                continue;
            }
            let at = quiet.iter().position(|other| !own_only || other.ip() == peer.ip());
            if let Some(at) = at {
                self.release(quiet.remove(at));
                self.wake_one(peer);
            }
        }
        !self.waiting.is_empty()
    }

    /// How many have asked for something, or gone on, within a second. Who has gone is sent
    /// his last blocks for longer than that, and is no crowd.
    pub fn lively(&self, now: Instant) -> usize {
        self.clients.values().filter(|client| now < client.since + QUIET).count()
    }

    fn next_turn(&mut self, address: Ipv4Addr) -> Turn {
        let waiting = self.waiting.values().filter(|(peer, _)| *peer.ip() == address).count();
        let holding = self.held_of.get(&address).copied().unwrap_or(0);
        self.last_turn += 1;
        (waiting + holding, self.last_turn)
    }

    fn has_room(&self, address: Ipv4Addr) -> bool {
        self.held < self.limits.places && !self.has_its_share(address)
    }

    fn has_its_share(&self, address: Ipv4Addr) -> bool {
        let own = self.held_of.get(&address).copied().unwrap_or(0);
        own >= self.limits.places_of_address
    }

    /// Of the same address, if that has its share.
    fn take_from_a_quiet_one(&mut self, address: Ipv4Addr, now: Instant) -> bool {
        let own_only = self.has_its_share(address);
        let quiet = self.quiet_ones(now);
        let longest = quiet.into_iter().find(|peer| !own_only || *peer.ip() == address);
        longest.is_some_and(|peer| self.release(peer))
    }

    /// Those who have a place and do not use it, the longest quiet one first.
    fn quiet_ones(&self, now: Instant) -> Vec<SocketAddrV4> {
        let holders = self.clients.iter().filter(|(_, client)| client.holds);
        let quiet = holders.filter(|(_, client)| now >= client.since + QUIET);
        let mut quiet: Vec<_> = quiet.map(|(peer, client)| (client.since, *peer)).collect();
        quiet.sort();
        quiet.into_iter().map(|(_, peer)| peer).collect()
    }

    fn hold(&mut self, peer: SocketAddrV4) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.holds = true;
            if let Some(turn) = client.turn.take() {
                self.waiting.remove(&turn);
            }
            self.held += 1;
            *self.held_of.entry(*peer.ip()).or_default() += 1;
        }
    }

    fn release(&mut self, peer: SocketAddrV4) -> bool {
        let Some(client) = self.clients.get_mut(&peer).filter(|client| client.holds) else {
            return false;
        };
        client.holds = false;
        self.held -= 1;
        less(&mut self.held_of, *peer.ip());
        true
    }

    /// A place has become free, which was one of `address`: to whoever waited longest and may
    /// have it.
    fn wake(&mut self, address: Ipv4Addr) {
        let may = |peer: &SocketAddrV4| *peer.ip() == address || self.has_room(*peer.ip());
        let first = self.waiting.values().map(|(peer, _)| *peer).find(may);
        if let Some(peer) = first {
            self.wake_one(peer);
        }
    }

    fn wake_one(&mut self, peer: SocketAddrV4) {
        let turn = self.clients.get(&peer).and_then(|client| client.turn);
        if let Some((_, waker)) = turn.and_then(|turn| self.waiting.get(&turn)) {
            waker.wake_by_ref();
        }
    }

    fn forget_lost(&mut self, now: Instant) {
        let lost = self.clients.iter().filter(|(_, client)| client.is_lost(now));
        let lost: Vec<SocketAddrV4> = lost.map(|(peer, _)| *peer).collect();
        for peer in lost {
            self.leave(peer);
        }
    }
}

impl<F> Client<F> {
    fn is_lost(&self, now: Instant) -> bool {
        let patience = match self.stage {
            Stage::Looking => LOOKED_FOR_IN_VAIN,
            Stage::Found(_) => LOST,
            Stage::Opened => return false,
        };
        now >= self.since + patience
    }
}

fn less(counts: &mut HashMap<Ipv4Addr, usize>, address: Ipv4Addr) {
    if let Some(count) = counts.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests;
