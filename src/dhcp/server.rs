//! The DHCP server's loop: takes what has arrived and decides it. What needs nothing on the
//! card is answered at once; the rest goes to the [`clerk`](super::clerk).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Answer, answer, at_proxy_port, knows_what_to_say, somebody_is_at};
use super::clerk::{self, Paper};
use super::early::Early;
use super::limit::{Admission, Limits};
use super::proxy::Door;
use super::socket::DhcpSocket;
use super::story;
use super::waiting::{Outcome, Waiting};
use super::wire::{self, Kind, Request};
use crate::guard::guarded;
use crate::world::{Touched, World};

/// Packets taken before anything else is looked at. More wait in the socket's buffer.
const BATCH: usize = 64;

/// So many full batches one after the other, and the queue is not empty: more comes than can
/// be answered. A room of 500 machines that starts at once is less.
const OVERLOAD: u32 = 8;

/// More than the kernel keeps for a socket that nobody reads.
const STALE: usize = 1_024;

/// Looks up from the socket this often, to see whether the role has changed.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same while machines wait for the end of a search.
const SHORT_PATIENCE: Duration = Duration::from_millis(50);

/// After an error of the socket itself (interface down): do not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// The port of boot servers (PXE 2.1 §2.2.1), which this is read from.
const PROXY_PORT: u16 = 4011;

/// The longest frame; what is longer is cut, and refused at the gate.
const LONGEST_PACKET: usize = 2048;

/// Between two lines that say that somebody asks too often.
const LIMIT_LINE_EVERY: Duration = Duration::from_secs(60);

/// Serves until the process ends.
pub fn run(world: &Arc<World>, socket: &DhcpSocket) {
    let (desk, papers) = clerk::desk();
    std::thread::scope(|scope| {
        scope.spawn(move || guarded("dhcp", || clerk::run(world, socket, &papers)));
        let mut counter = Counter {
            world,
            socket,
            desk,
            early: Early::default(),
            waiting: Waiting::default(),
            limits: Limits::new(Instant::now()),
            limit_told: None,
            full_batches: 0,
            looked: Instant::now(),
        };
        loop {
            if let Err(error) = counter.round() {
                log::warn!("dhcp: {error}");
                std::thread::sleep(ERROR_PAUSE);
            }
        }
    });
}

/// Where clients are served, with what is kept from one round to the next.
struct Counter<'a> {
    world: &'a World,
    socket: &'a DhcpSocket,
    desk: clerk::Desk,
    early: Early,
    waiting: Waiting,
    limits: Limits,
    limit_told: Option<Instant>,
    full_batches: u32,
    looked: Instant,
}

impl Counter<'_> {
    /// Everything that has arrived, at most [`BATCH`] packets, and every wait that is over.
    fn round(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now >= self.looked + PATIENCE {
            self.looked = now;
            self.world.look_for_silent_machines();
            // What was held back of a peer that is quiet now.
            log::logger().flush();
        }
        let patience = if self.early.is_empty() { PATIENCE } else { SHORT_PATIENCE };
        let next = self.waiting.next().map(|next| next.saturating_duration_since(now));
        let patience = next.map_or(patience, |next| next.min(patience));
        self.socket.wait(patience, next.is_some())?;
        if knows_what_to_say(self.world) {
            for (request, from) in self.early.take(Instant::now()) {
                self.serve(&request, from);
            }
        }
        self.full_batches = self.full_batches.saturating_add(1);
        let mut buffer = [0; LONGEST_PACKET];
        for _ in 0..BATCH {
            let Some((length, from)) = self.socket.receive(&mut buffer)? else {
                self.full_batches = 0;
                break;
            };
            let packet = buffer.get(..length).unwrap_or_default();
            match wire::parse(packet) {
                Ok(request) => {
                    self.world.counters.dhcp(request.kind);
                    self.take(&request, from, packet);
                }
                Err(reason) => {
                    self.world.counters.dhcp_malformed();
                    log::debug!("dhcp: a packet is ignored: {reason}");
                }
            }
        }
        if self.waiting.next().is_some() {
            self.socket.listen(BATCH, |heard| self.waiting.hear(heard))?;
        }
        for outcome in self.waiting.due(Instant::now()) {
            self.end_wait(outcome);
        }
        Ok(())
    }

    fn take(&mut self, request: &Request, from: SocketAddrV4, packet: &[u8]) {
        let now = Instant::now();
        let newcomer = request.kind == Kind::Discover && !self.world.knows(request.mac);
        let admission = match self.limits.admit(request.mac, newcomer, now) {
            // Strangers wait until the queue is empty: known machines stand in it, too.
            Admission::Welcome if newcomer && self.full_batches > OVERLOAD => Admission::TooMany,
            admission => admission,
        };
        if admission != Admission::Welcome {
            return self.tell_limit(admission, request, now);
        }
        let ends = story::ends_in(self.world, from, super::SERVER_PORT);
        self.world.packet(request.mac, ends, packet);
        if request.kind == Kind::Discover && !knows_what_to_say(self.world) {
            self.early.keep(request.clone(), from, now);
        } else {
            self.serve(request, from);
        }
    }

    fn serve(&mut self, request: &Request, from: SocketAddrV4) {
        if request.kind != Kind::Discover {
            self.waiting.forget(request.mac);
        } else if self.waiting.takes(request) {
            return;
        }
        self.decide(request, Door::Server(from), Vec::new());
    }

    /// `touched`: what has changed already because of this request.
    fn decide(&mut self, request: &Request, door: Door, mut touched: Vec<Touched>) {
        let Answer { reply, probe } = answer(self.world, request, door, &mut touched);
        // A repeated ACK promises what the one before it did, which may not be written yet.
        let promises = reply
            .as_ref()
            .is_some_and(|(reply, _)| reply.kind == Kind::Ack && !reply.yiaddr.is_unspecified());
        if touched.is_empty() && !promises {
            if let Some((reply, route)) = reply {
                clerk::send(self.world, self.socket, &reply, route);
            }
        } else if !self.desk.put(Paper { touched, reply }) {
            let who = self.world.name(request.mac);
            log::warn!("dhcp: {who} is not answered: the SD card is too slow; it asks again");
        }
        if let Some(address) = probe {
            self.look_for(address, request);
        }
    }

    fn look_for(&mut self, address: Ipv4Addr, request: &Request) {
        if self.waiting.next().is_none() {
            // What was said while nobody listened may be long untrue.
            let _ = self.socket.listen(STALE, |_| {});
        }
        let known = self.world.knows(request.mac);
        if !self.waiting.keep(request, address, known, Instant::now()) {
            log::debug!("dhcp: {}: too many machines wait; it asks again", request.mac);
        } else if let Err(error) = self.socket.look_for(address) {
            // Without an answer the address counts as free: the client looks for it as well.
            log::warn!("dhcp: cannot look for {address} on the LAN: {error}");
        }
    }

    fn end_wait(&mut self, outcome: Outcome) {
        let mut touched = Vec::new();
        let request = match outcome {
            Outcome::Free(request) => request,
            Outcome::Taken { request, address, by } => {
                somebody_is_at(self.world, &request, address, by, &mut touched);
                request
            }
        };
        let from = SocketAddrV4::new(request.ciaddr, super::CLIENT_PORT);
        self.decide(&request, Door::Server(from), touched);
    }

    fn tell_limit(&mut self, admission: Admission, request: &Request, now: Instant) {
        if self.limit_told.is_some_and(|told| now < told + LIMIT_LINE_EVERY) {
            return;
        }
        self.limit_told = Some(now);
        match admission {
            Admission::TooOften => log::warn!(
                "dhcp: {} asks too often and is not always answered",
                self.world.name(request.mac)
            ),
            _ => log::warn!(
                "dhcp: very many unknown machines ask for addresses (is somebody attacking?); \
                 known ones are served"
            ),
        }
    }
}

/// Answers what comes to port 4011: firmware that wants its boot data a second time.
pub fn run_proxy(world: &World, socket: &UdpSocket) {
    let mut limits = Limits::new(Instant::now());
    loop {
        if let Err(error) = proxy_round(world, socket, &mut limits) {
            log::warn!("proxydhcp: {error}");
            std::thread::sleep(ERROR_PAUSE);
        }
    }
}

fn proxy_round(world: &World, socket: &UdpSocket, limits: &mut Limits) -> io::Result<()> {
    let mut buffer = [0; LONGEST_PACKET];
    let (length, from) = socket.recv_from(&mut buffer)?;
    let SocketAddr::V4(from) = from else {
        return Ok(());
    };
    let packet = buffer.get(..length).unwrap_or_default();
    let request = match wire::parse(packet) {
        Ok(request) => request,
        Err(reason) => {
            world.counters.dhcp_malformed();
            log::debug!("proxydhcp: a packet from {from} is ignored: {reason}");
            return Ok(());
        }
    };
    if limits.admit(request.mac, !world.knows(request.mac), Instant::now()) != Admission::Welcome {
        return Ok(());
    }
    world.counters.dhcp(request.kind);
    let [client, own] = story::ends_in(world, from, PROXY_PORT);
    world.packet(request.mac, [client, own], packet);
    if let Some(reply) = at_proxy_port(world, &request, from) {
        world.counters.dhcp(reply.kind);
        let packet = wire::encode(&reply);
        world.packet(request.mac, [own, client], &packet);
        socket.send_to(&packet, from)?;
    }
    Ok(())
}
