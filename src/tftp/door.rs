//! Port 69: requests are read here, looked for, and handed to the library.
//!
//! The library sees only requests that were read and written anew, one for each client at a
//! time, and no more clients than we can bear; what does not fit gets no answer, and its
//! client asks again. It takes them from a socket that nothing but this machine reaches; the
//! sender that stands in them is the client itself, because the library answers to that.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::places::{Entry, Limits, Places};
use super::request::{Asked, LARGEST_WINDOW, LONGEST_PACKET, Request, parse};
use super::tree::Name;
use crate::net::listen::widen;
use crate::net::packet::Datagram;
use crate::world::World;
use crate::world::content::{Content, InIso, content};

/// A room that boots at once, and as many made-up clients as fit four seconds.
const MOST_CLIENTS: usize = 1_024;

/// A machine that gives up and asks again does so with another port.
const CLIENTS_OF_ADDRESS: usize = 64;

/// Transfers that move; each holds two pieces of a file, and a window.
const PLACES: usize = 128;

/// No firmware takes more than two files at a time.
const PLACES_OF_ADDRESS: usize = 4;

/// With more clients than this, large windows would fill a 100 Mbit/s line with what is sent
/// again before anybody could have acknowledged it.
const CROWD: usize = 32;

/// What so few are sent at once is out in 33 ms at 100 Mbit/s, so a packet that nobody has
/// acknowledged for longer can be taken for lost ([`Pace::Quick`]).
const FEW: usize = 16;

/// What EDK2 asks for.
const WINDOW_IN_A_CROWD: u64 = 4;

/// How often it is looked who is quiet, and the same while somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(1);
const SHORT_PATIENCE: Duration = Duration::from_millis(100);

/// After an error of the socket itself (interface down): do not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Between two lines that say that there are too many.
const FULL_LINE_EVERY: Duration = Duration::from_secs(60);

/// What stands behind a name, and the name.
pub type Thing = (String, Content);

/// The library's threads: one core cannot fill a gigabit with TFTP's small packets.
pub const WORKERS: usize = 2;

/// Clients that take one block after the other and are one worker's, before the next one gets
/// any. Together they ask for some ten thousand blocks a second, which one core can do; and two
/// workers that share the library's reactor wake each other for most blocks, which costs half
/// as much again. More of them together are no faster at a round trip of 0.3 ms, and a third
/// slower without one.
const TOGETHER: usize = 4;

/// How soon a packet is sent again. The library has one time for all of its clients, so each
/// worker drives one of it for each pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Few are served.
    Quick,
    /// Many are.
    Patient,
}

/// The way from port 69 to the library.
pub struct Door {
    world: Arc<World>,
    port: UdpSocket,
    lanes: Vec<Lane>,
    raw: Socket,
    places: Mutex<Places<Thing>>,
    /// What clients have asked for while they were served.
    next: Mutex<Vec<(SocketAddrV4, Request)>>,
    /// Rung when there is some of that.
    bell: OwnedFd,
    last_worker: AtomicUsize,
}

/// The way to one of the library's servers.
struct Lane {
    socket: UdpSocket,
    reached_at: SocketAddrV4,
}

impl Door {
    /// `port` is bound to port 69; `descriptors` is how many transfers may have.
    pub fn new(world: &Arc<World>, port: &UdpSocket, descriptors: usize) -> io::Result<Door> {
        let SocketAddr::V4(at) = port.local_addr()? else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        widen(port);
        let lanes = (0..WORKERS * PACES).map(|_| Lane::new(*at.ip()));
        let lanes = lanes.collect::<io::Result<Vec<_>>>()?;
        // The header that we write is sent as it is (raw(7)).
        let headers = Protocol::from(libc::IPPROTO_RAW);
        let raw = Socket::new(Domain::IPV4, Type::RAW.cloexec(), Some(headers))?;
        raw.bind_device(Some(LOOPBACK))?;
        let limits = Limits {
            // A file on a stick takes one more.
            clients: MOST_CLIENTS.min(descriptors / 2),
            clients_of_address: CLIENTS_OF_ADDRESS,
            places: PLACES,
            places_of_address: PLACES_OF_ADDRESS,
        };
        let places = Mutex::new(Places::new(limits));
        let (world, port) = (Arc::clone(world), port.try_clone()?);
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (next, last_worker) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Door { world, port, lanes, raw, places, next, bell, last_worker })
    }

    /// What all servers share.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The socket that this worker's server of this pace takes requests from.
    pub fn lane(&self, worker: usize, pace: Pace) -> io::Result<UdpSocket> {
        let lane = self.lanes.get(worker * PACES + pace as usize);
        lane.ok_or(io::ErrorKind::NotFound)?.socket.try_clone()
    }

    /// Who is served, and who waits.
    pub fn places(&self) -> MutexGuard<'_, Places<Thing>> {
        locked(&self.places)
    }

    /// A client has been served, or given up. What it has asked for meanwhile begins. Called by
    /// the library, which must not wait for what that takes: it may have to be written down.
    pub fn leave(&self, peer: SocketAddrV4) {
        let next = self.places().leave(peer);
        if let Some(next) = next {
            locked(&self.next).push((peer, next));
            // Full: it has been rung often enough.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Reads port 69 until the process ends.
    pub fn keep(self: &Arc<Self>) {
        let mut buffer = [0; LONGEST_PACKET + 1];
        let mut full_told: Option<Instant> = None;
        loop {
            let waits = self.places().tick(Instant::now());
            if let Err(error) = self.wait(if waits { SHORT_PATIENCE } else { PATIENCE }) {
                log::error!("tftp: {error}; trying again");
                std::thread::sleep(ERROR_PAUSE);
            }
            let next = std::mem::take(&mut *locked(&self.next));
            for (peer, request) in next {
                self.admit(peer, &request, Instant::now());
            }
            // The next look at who is quiet must not wait for the end of a flood.
            for _ in 0..BATCH {
                let Ok((length, SocketAddr::V4(peer))) = self.port.recv_from(&mut buffer) else {
                    break;
                };
                let now = Instant::now();
                let packet = buffer.get(..length).unwrap_or_default();
                let full = match parse(packet) {
                    Some(Asked::Read(request)) => {
                        let entry = self.admit(peer, &request, now);
                        if entry == Entry::Begins {
                            self.record(peer, packet);
                        }
                        entry == Entry::Full
                    }
                    Some(Asked::Write) => {
                        self.refuse_to_write(peer);
                        false
                    }
                    None => false,
                };
                if full && full_told.is_none_or(|told| now >= told + FULL_LINE_EVERY) {
                    full_told = Some(now);
                    log::warn!("tftp: {} and others wait: too many ask at once", peer.ip());
                }
            }
        }
    }

    fn record(&self, peer: SocketAddrV4, packet: &[u8]) {
        if let Some(mac) = self.world.machine_at(*peer.ip()) {
            let own = self.world.own_subnet().address();
            self.world.packet(mac, [(*peer.ip(), peer.port()), (own, PORT)], packet);
        }
    }

    fn admit(self: &Arc<Self>, peer: SocketAddrV4, request: &Request, now: Instant) -> Entry {
        let entry = self.places().knock(peer, request, now);
        if entry == Entry::Begins {
            match self.look(*peer.ip(), &request.name) {
                (path, Content::InIso(place)) => self.look_into(peer, request, path, place),
                found => {
                    self.places().begin(peer, request.name.clone(), found, now);
                    self.let_in(peer, request);
                }
            }
        }
        entry
    }

    /// A reader looks into the ISO, and lets the client in: the stick may hang.
    fn look_into(self: &Arc<Self>, peer: SocketAddrV4, request: &Request, path: String, at: InIso) {
        let number = self.places().begin_to_look(peer, request.name.clone(), Instant::now());
        let looking = Looking { door: Arc::clone(self), peer, number };
        let request = request.clone();
        let taken = self.world.readers.run(&at.errand(*peer.ip()), move || {
            looking.ends_with((path, at.find()), &request);
        });
        if !taken {
            log::warn!("tftp: {peer} cannot be served: too many wait for this stick");
        }
    }

    /// Hands a client to the library, which opens what was found for it.
    fn let_in(&self, peer: SocketAddrV4, request: &Request) {
        let clients = self.places().lively(Instant::now());
        let window = if clients > CROWD { WINDOW_IN_A_CROWD } else { LARGEST_WINDOW };
        let pace = if clients > FEW { Pace::Patient } else { Pace::Quick };
        let worker = worker_for(clients, request, &self.last_worker);
        let lane = self.lanes.get(worker * PACES + pace as usize);
        let handed_over = lane.ok_or_else(|| io::ErrorKind::NotFound.into());
        let handed_over = handed_over
            .and_then(|lane| self.hand_over(peer, &request.encode(window), lane.reached_at));
        if let Err(error) = handed_over {
            log::warn!("tftp: {peer} cannot be served: {error}");
            self.places().leave(peer);
        }
    }

    /// Looked for here and not in the library: it may have to be written down first, and
    /// transfers go on meanwhile.
    fn look(&self, asker: Ipv4Addr, asked: &str) -> Thing {
        match Name::parse(asked) {
            Some(name) => (name.path(), content(&self.world, &name, asker, true)),
            None => (asked.to_owned(), Content::Missing),
        }
    }

    fn hand_over(&self, peer: SocketAddrV4, request: &[u8], to: SocketAddrV4) -> io::Result<()> {
        let datagram = Datagram {
            from: (*peer.ip(), peer.port()),
            to: (*to.ip(), to.port()),
            payload: request,
        };
        let packet = datagram.encode().ok_or(io::ErrorKind::InvalidInput)?;
        self.raw.send_to(&packet, &SockAddr::from(to)).map(drop)
    }

    /// RFC 1350: 2 is "access violation".
    fn refuse_to_write(&self, peer: SocketAddrV4) {
        log::warn!("tftp: {} may not write: this server only reads", peer.ip());
        // Lost: it asks again.
        let _ = self.port.send_to(b"\0\x05\0\x02this server only reads\0", peer);
    }

    fn wait(&self, patience: Duration) -> io::Result<()> {
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        let waits_for = [&self.port as &dyn AsFd, &self.bell];
        let mut waits_for =
            waits_for.map(|one| PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN));
        match poll(&mut waits_for, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Before what it was rung for is taken; it was not rung, if this fails.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        Ok(())
    }
}

/// A client for whom an ISO is looked into. Whatever becomes of that, it does not stay so.
struct Looking {
    door: Arc<Door>,
    peer: SocketAddrV4,
    number: u64,
}

impl Looking {
    fn ends_with(self, thing: Thing, request: &Request) {
        if self.door.places().found(self.peer, self.number, thing, Instant::now()) {
            self.door.let_in(self.peer, request);
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.door.places().give_up(self.peer, self.number);
    }
}

/// RFC 1350 §4.
const PORT: u16 = 69;

/// Packets taken before anything else is looked at.
const BATCH: usize = 64;

const LOOPBACK: &[u8] = b"lo";

/// How many kinds of [`Pace`] there are.
const PACES: usize = 2;

impl Lane {
    /// Only what this machine sends to itself arrives there. It has the address of port 69,
    /// because the library answers from that.
    fn new(address: Ipv4Addr) -> io::Result<Lane> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?;
        socket.bind_device(Some(LOOPBACK))?;
        socket.bind(&SocketAddrV4::new(address, 0).into())?;
        let socket = UdpSocket::from(socket);
        widen(&socket);
        let reached_at = if address.is_unspecified() { Ipv4Addr::LOCALHOST } else { address };
        let reached_at = SocketAddrV4::new(reached_at, socket.local_addr()?.port());
        Ok(Lane { socket, reached_at })
    }
}

/// The worker for one more client, with whom there are so many.
fn worker_for(clients: usize, request: &Request, last: &AtomicUsize) -> usize {
    let worker = clients.saturating_sub(1) / TOGETHER;
    if request.is_one_by_one() && worker < WORKERS {
        return worker;
    }
    last.fetch_add(1, Ordering::Relaxed) % WORKERS
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers_of_sixteen(options: &str) -> Vec<usize> {
        let packet = format!("\0\x01a\0octet\0{options}");
        let Some(Asked::Read(request)) = parse(packet.as_bytes()) else { unreachable!() };
        let last = AtomicUsize::new(0);
        (1..=16).map(|clients| worker_for(clients, &request, &last)).collect()
    }

    #[test]
    fn a_few_clients_that_wait_for_each_block_are_one_workers_and_many_are_shared_out() {
        let workers = workers_of_sixteen("");
        assert_eq!(workers[..8], [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(workers[8..], [0, 1].repeat(4));
    }

    #[test]
    fn clients_with_windows_are_shared_out_from_the_first() {
        assert_eq!(workers_of_sixteen("windowsize\x0016\0"), [0, 1].repeat(8));
    }
}
