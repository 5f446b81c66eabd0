//! Hears UDP port 514 until the process ends. Nothing is ever answered.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::limit::Limits;
use super::message::parse;
use crate::fleet::stage::Sign;
use crate::fleet::timeline::{Note, Source};
use crate::net::listen::widen;
use crate::world::World;

/// A longer packet is cut.
const LONGEST_PACKET: usize = 2048;

/// To look up whose an address is may cost a tenth of a millisecond: no flood has more than
/// a tenth of a core.
const MOST_A_SECOND: u32 = 1_000;

/// After an error of the socket itself (interface down): do not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// Hears the lines of installers.
pub fn run(world: &World, socket: &UdpSocket) {
    widen(socket);
    let mut limits = Limits::new(Instant::now());
    let (mut second, mut heard) = (Instant::now(), 0);
    let mut buffer = [0; LONGEST_PACKET];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok((length, SocketAddr::V4(from))) => (length, from),
            Ok((_, SocketAddr::V6(_))) => continue,
            Err(error) => {
                log::warn!("syslog: {error}");
                std::thread::sleep(ERROR_PAUSE);
                continue;
            }
        };
        let now = Instant::now();
        if now >= second + Duration::from_secs(1) {
            (second, heard) = (now, 0);
        }
        heard += 1;
        if heard > MOST_A_SECOND {
            continue;
        }
        let Some(mac) = world.machine_at(*from.ip()) else {
            log::debug!("syslog: a line from {from}, who is no machine of ours, is not heard");
            continue;
        };
        if !limits.admit(mac, now) {
            continue;
        }
        world.saw(mac, &Sign::Speaks);
        if let Some(message) = parse(buffer.get(..length).unwrap_or_default()) {
            let note = Note {
                source: Source::Syslog,
                weight: message.weight,
                kind: &message.text,
                detail: "",
            };
            world.noted(mac, &note);
            if message.text.contains("ecure boot") {
                world.learn(mac, |facts| facts.learn_syslog(&message.text));
            }
        }
    }
}
