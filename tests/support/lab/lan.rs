//! The LAN: a switch. It learns who is where, and sends everything else to everybody.
//!
//! A port is a pair of Unix datagram sockets, one datagram per Ethernet frame; QEMU has
//! one end (`-netdev dgram`) or the scenario itself. A reader that is slow holds the sender
//! for a moment and then loses frames; one that has stopped (firmware that starts a kernel)
//! loses them at once.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, SocketAddrUnix, sendto};

use super::failure::{Failure, Result};
use super::workshop::Workshop;

/// An Ethernet frame with a VLAN tag is at most 1518 bytes; the rest is for what is not.
const LARGEST_FRAME: usize = 4096;

/// Longer than a working machine pauses between two frames that it takes. Linux resets a
/// network adapter that cannot send for five seconds.
const SEND_PATIENCE: Duration = Duration::from_millis(200);

/// A switch.
pub struct Lan {
    switch: Arc<Switch>,
    sockets: PathBuf,
}

/// A port's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(usize);

struct Switch {
    state: Mutex<State>,
    news: Condvar,
    ending: AtomicBool,
}

#[derive(Default)]
struct State {
    ports: Vec<Arc<Socket>>,
    counts: Vec<Count>,
    /// Behind which port an Ethernet address is.
    places: HashMap<[u8; 6], usize>,
    capture: Option<Capture>,
}

/// Our end of a port, and where the other one is.
struct Socket {
    ours: UnixDatagram,
    ours_path: PathBuf,
    theirs_path: PathBuf,
    /// It did not take the last frame; the next ones do not wait for it.
    stopped: AtomicBool,
}

/// What came in on a port.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    bytes: u64,
}

impl Lan {
    /// A switch without ports.
    pub fn new(workshop: &Workshop) -> Lan {
        let state = Mutex::new(State::default());
        let switch =
            Arc::new(Switch { state, news: Condvar::new(), ending: AtomicBool::new(false) });
        Lan { switch, sockets: workshop.sockets().to_owned() }
    }

    /// Writes all that passes to a file that Wireshark and tcpdump read.
    pub fn record(&self, path: &Path) -> Result<()> {
        let capture = Capture::create(path).map_err(Failure::at(path.display()))?;
        self.switch.state().capture = Some(capture);
        Ok(())
    }

    /// A port for an emulator: its number, and the value for `-netdev`, without an id.
    pub fn port(&self) -> Result<(Port, String)> {
        let (port, ours, theirs) = self.add_port()?;
        let (ours, theirs) = (ours.display(), theirs.display());
        let netdev = format!(
            "dgram,local.type=unix,local.path={theirs},remote.type=unix,remote.path={ours}"
        );
        Ok((port, netdev))
    }

    /// A port for the scenario itself: frames are sent and received as datagrams.
    pub fn own_port(&self) -> Result<(Port, UnixDatagram)> {
        let (port, ours, theirs) = self.add_port()?;
        let socket = UnixDatagram::bind(&theirs).map_err(Failure::at(theirs.display()))?;
        socket.connect(&ours).map_err(Failure::at(ours.display()))?;
        Ok((port, socket))
    }

    /// Waits until `bytes` more have come in on a port.
    pub fn wait_for_bytes(&self, port: Port, bytes: u64, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut state = self.switch.state();
        let goal = state.came_in(port) + bytes;
        while state.came_in(port) < goal {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let missing = goal - state.came_in(port);
                let seconds = limit.as_secs();
                return Err(Failure::new(format!(
                    "lan: {missing} of {bytes} bytes did not come from {port:?} in {seconds} s"
                )));
            }
            let woken = self.switch.news.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn add_port(&self) -> Result<(Port, PathBuf, PathBuf)> {
        let mut state = self.switch.state();
        let number = state.ports.len();
        let ours_path = self.sockets.join(format!("switch-{number}"));
        let theirs_path = self.sockets.join(format!("port-{number}"));
        let ours = UnixDatagram::bind(&ours_path).map_err(Failure::at(ours_path.display()))?;
        ours.set_write_timeout(Some(SEND_PATIENCE)).map_err(Failure::at("lan"))?;
        let paths = (ours_path.clone(), theirs_path.clone());
        let stopped = AtomicBool::new(false);
        let socket = Arc::new(Socket { ours, ours_path, theirs_path, stopped });
        state.ports.push(Arc::clone(&socket));
        state.counts.push(Count::default());
        let switch = Arc::clone(&self.switch);
        thread::spawn(move || switch.forward(number, &socket));
        Ok((Port(number), paths.0, paths.1))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        self.switch.ending.store(true, Ordering::Relaxed);
        let Ok(waker) = UnixDatagram::unbound() else { return };
        for port in &self.switch.state().ports {
            // One datagram wakes the thread, which then sees the end.
            let _ = waker.send_to(&[0], &port.ours_path);
        }
    }
}

impl Switch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forward(&self, number: usize, socket: &Socket) {
        let mut buffer = [0; LARGEST_FRAME];
        loop {
            let count = socket.ours.recv(&mut buffer).unwrap_or(0);
            if self.ending.load(Ordering::Relaxed) {
                return;
            }
            let frame = buffer.get(..count).unwrap_or_default();
            for other in self.note(number, frame) {
                other.send(frame);
            }
        }
    }

    /// Counts a frame, learns where its sender is, and says who gets it.
    fn note(&self, number: usize, frame: &[u8]) -> Vec<Arc<Socket>> {
        let mut state = self.state();
        if let Some(count) = state.counts.get_mut(number) {
            count.bytes += frame.len() as u64;
        }
        if let Some(capture) = &mut state.capture {
            capture.write(frame);
        }
        if let Some(sender) = address(frame, 6) {
            state.places.insert(sender, number);
        }
        let place = address(frame, 0).and_then(|receiver| state.places.get(&receiver));
        let gets_it = |port: &usize| *port != number && place.is_none_or(|place| place == port);
        let ports = state.ports.iter().enumerate().filter(|(port, _)| gets_it(port));
        let receivers = ports.map(|(_, socket)| Arc::clone(socket)).collect();
        drop(state);
        self.news.notify_all();
        receivers
    }
}

impl Socket {
    /// An emulator that is not there, or not in time, gets nothing.
    fn send(&self, frame: &[u8]) {
        let Ok(receiver) = SocketAddrUnix::new(self.theirs_path.as_path()) else { return };
        let flags = match self.stopped.load(Ordering::Relaxed) {
            true => SendFlags::DONTWAIT,
            false => SendFlags::empty(),
        };
        let sent = sendto(&self.ours, frame, flags, &receiver);
        self.stopped.store(sent.is_err(), Ordering::Relaxed);
    }
}

fn address(frame: &[u8], at: usize) -> Option<[u8; 6]> {
    frame.get(at..at + 6)?.try_into().ok()
}

impl State {
    fn came_in(&self, port: Port) -> u64 {
        self.counts.get(port.0).map_or(0, |count| count.bytes)
    }
}

/// A capture file: classic pcap, Ethernet, microseconds.
struct Capture {
    file: File,
    begin: Instant,
}

impl Capture {
    fn create(path: &Path) -> std::io::Result<Capture> {
        let mut file = File::create(path)?;
        let [magic, version, zone, accuracy, longest, ethernet] =
            [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1];
        for word in [magic, version, zone, accuracy, longest, ethernet] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Capture { file, begin: Instant::now() })
    }

    fn write(&mut self, frame: &[u8]) {
        let passed = self.begin.elapsed();
        let seconds = u32::try_from(passed.as_secs()).unwrap_or(u32::MAX);
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut record = Vec::with_capacity(frame.len() + 16);
        for word in [seconds, passed.subsec_micros(), length, length] {
            record.extend(word.to_le_bytes());
        }
        record.extend(frame);
        // A scenario does not fail for its capture.
        let _ = self.file.write_all(&record);
    }
}
