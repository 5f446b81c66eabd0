//! The socket of the responder: bound to the group's address on our interface, so that
//! nothing comes in or goes out elsewhere, and what is sent to us alone reaches us not at
//! all.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::message::LONGEST;
use super::responder::{Packet, Renamed, Responder};
use crate::net::link::Interfaces;
use crate::net::listen::MDNS;
use crate::net::{Subnet, iface};
use crate::world::{Role, World};

/// Role, address and link are looked at this often.
const LOOK: Duration = Duration::from_millis(250);

/// Packets that are read in one second: a large room says some dozen. One that was made to
/// be slow costs a third of a millisecond.
const MOST_A_SECOND: u32 = 500;

/// At once, before something else is looked at.
const MOST_AT_ONCE: u32 = 50;

/// After an error of the socket, or a fault in here: do not spin.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

/// The name of this box on its LAN.
pub struct Door {
    socket: UdpSocket,
    responder: Mutex<Responder>,
    wanted: String,
    port: u16,
    /// The box goes down.
    gone: AtomicBool,
}

impl Door {
    /// For a socket of [`open_mdns`](crate::net::listen::open_mdns), and a page at `port`.
    pub fn new(socket: UdpSocket, wanted: &str, port: u16) -> io::Result<Door> {
        socket.set_nonblocking(true)?;
        let responder = Mutex::new(Responder::new(wanted, port, seed()));
        Ok(Door {
            socket,
            responder,
            wanted: wanted.to_owned(),
            port,
            gone: AtomicBool::new(false),
        })
    }

    /// Answers for as long as the process runs. A fault in here is a line of the log: all
    /// else goes on.
    pub fn run(&self, world: &World) {
        loop {
            if catch_unwind(AssertUnwindSafe(|| self.serve(world))).is_err() {
                log::error!("mdns: stopped by a fault in this program; begins anew");
            }
            *self.responder() = Responder::new(&self.wanted, self.port, seed());
            world.is_called(None);
            thread::sleep(ERROR_PAUSE);
        }
    }

    /// Takes the name back: the box goes down.
    pub fn leaves(&self, world: &World) {
        self.gone.store(true, Ordering::Relaxed);
        let goodbye = self.responder().leaves();
        self.send(world, goodbye);
    }

    /// Returns when the socket is of no use for a while.
    fn serve(&self, world: &World) {
        let mut buffer = vec![0; LONGEST + 1];
        let (mut second, mut heard) = (Instant::now(), 0);
        let mut told = None;
        loop {
            let next = self.responder().next();
            let wait = next.map_or(LOOK, |next| next.saturating_duration_since(Instant::now()));
            self.wait(wait.min(LOOK), heard < MOST_A_SECOND);
            if second.elapsed() >= Duration::from_secs(1) {
                (second, heard) = (Instant::now(), 0);
            }
            let may = MOST_AT_ONCE.min(MOST_A_SECOND.saturating_sub(heard));
            // Before a new address is: what we hear of ourselves is of the one before.
            match self.hears(world, &mut buffer, may) {
                Ok(count) => heard += count,
                Err(error) => {
                    log::warn!("mdns: {}: {error}", world.interface);
                    return;
                }
            }
            let now = Instant::now();
            let mut packets = Vec::new();
            let mut responder = self.responder();
            if self.gone.load(Ordering::Relaxed) {
                return;
            }
            packets.extend(responder.is_at(address(world), now));
            packets.extend(responder.due(now));
            let name = responder.name();
            drop(responder);
            packets.into_iter().for_each(|packet| self.send(world, Some(packet)));
            if name != told {
                tell(world, name.as_deref());
                told = name;
            }
        }
    }

    fn hears(&self, world: &World, buffer: &mut [u8], most: u32) -> io::Result<u32> {
        for count in 0..most {
            let (length, from) = match self.socket.recv_from(buffer) {
                Ok((length, SocketAddr::V4(from))) => (length, from),
                Ok((_, SocketAddr::V6(_))) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let packet = buffer.get(..length).unwrap_or_default();
            let (answer, renamed) = self.responder().hears(packet, from, Instant::now());
            self.send(world, answer);
            if let Some(Renamed { from, to, by }) = renamed {
                log::warn!("mdns: {by} is called {from} already: this box tries {to}");
            }
        }
        Ok(most)
    }

    /// What cannot be sent is asked for again, or announced again.
    fn send(&self, world: &World, packet: Option<Packet>) {
        let Some(Packet { to, bytes }) = packet else { return };
        // Without an address of its own on the card, it would have another card's.
        let there = Interfaces::open().is_ok_and(|all| all.address(&world.interface).is_some());
        if there {
            let to = to.unwrap_or(MDNS);
            if let Err(error) = self.socket.send_to(&bytes, to) {
                log::debug!("mdns: {to}: {error}");
            }
        }
    }

    fn wait(&self, time: Duration, for_packets: bool) {
        if !for_packets {
            thread::sleep(time.max(Duration::from_millis(10)));
            return;
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        // An error is a signal that came.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout));
    }

    /// A fault while it was held is followed by a new one.
    fn responder(&self) -> MutexGuard<'_, Responder> {
        self.responder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where others reach us, if anywhere.
fn address(world: &World) -> Option<Subnet> {
    let serves = matches!(world.role(), Role::Server | Role::Proxy(_));
    (serves && iface::has_link(&world.interface)).then(|| world.own_subnet())
}

fn tell(world: &World, name: Option<&str>) {
    match name {
        Some(name) => log::info!("mdns: this box is called {name}"),
        None => log::info!("mdns: this box has no name on its LAN now"),
    }
    world.is_called(name);
}

/// Without randomness the clock does: two boxes that speak at once only wait for each other.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}
