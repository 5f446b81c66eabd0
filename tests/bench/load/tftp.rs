//! A TFTP client after RFC 1350, 2347, 2348, 2349 and 7440, which reads and throws away.
//!
//! It asks again after three seconds, as EDK2 does. A lost block in a window is told at
//! once, by an acknowledgement of the last one that came in order.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use super::{Result, address, failed};

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Options {
    /// `blksize`
    pub block: usize,
    /// `windowsize`; 1 is not mentioned.
    pub window: u16,
}

/// After so much silence the last packet is sent again, and after so many of them it ends.
const TIMEOUT: Duration = Duration::from_secs(3);
const TRIES: u32 = 6;

/// How often it is looked at the clock when nothing comes.
const TICK: Duration = Duration::from_millis(50);

const PORT: u16 = 69;

/// So many clients fetch the same file, each anew when it has it, for so long.
pub fn load(
    server: Ipv4Addr,
    name: &str,
    options: Options,
    clients: u32,
    time: Duration,
) -> Result<String> {
    let begin = Instant::now();
    let deadline = begin + time;
    let client = |number: u32| -> Result<(u64, u64)> {
        let own = address(number);
        let (mut bytes, mut files) = (0, 0);
        while Instant::now() < deadline {
            let (got, whole) = fetch(own, server, name, options, Some(deadline))?;
            bytes += got;
            files += u64::from(whole);
        }
        Ok((bytes, files))
    };
    let got = thread::scope(|scope| {
        let client = &client;
        let running: Vec<_> =
            (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        let joined = running.into_iter().map(|one| one.join().map_err(|_| "a fault".to_owned())?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let bytes: u64 = got.iter().map(|(bytes, _)| bytes).sum();
    let files: u64 = got.iter().map(|(_, files)| files).sum();
    Ok(format!("bytes={bytes} files={files} seconds={seconds:.3}"))
}

/// How many bytes of a file came, and whether that is all of it. What is not there by the
/// deadline is left.
pub fn fetch(
    own: Ipv4Addr,
    server: Ipv4Addr,
    name: &str,
    options: Options,
    deadline: Option<Instant>,
) -> Result<(u64, bool)> {
    let socket = UdpSocket::bind((own, 0)).map_err(failed("a socket"))?;
    socket.set_read_timeout(Some(TICK)).map_err(failed("a time-out"))?;
    let to = SocketAddr::V4(SocketAddrV4::new(server, PORT));
    let mut fetch = Fetch::new(name, options, to);
    socket.send_to(&fetch.last_sent, to).map_err(failed("asking"))?;
    let mut packet = [0; 2048];
    let (mut heard, mut tries) = (Instant::now(), 0);
    loop {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            // "Not defined": it frees the server.
            let _ = socket.send_to(b"\0\x05\0\0enough\0", fetch.peer);
            return Ok((fetch.bytes, false));
        }
        match socket.recv_from(&mut packet) {
            Ok((length, from)) => {
                let answer = fetch.take(packet.get(..length).unwrap_or_default(), from)?;
                if answer {
                    socket.send_to(&fetch.last_sent, fetch.peer).map_err(failed("sending"))?;
                    (heard, tries) = (Instant::now(), 0);
                }
                if fetch.ended {
                    return Ok((fetch.bytes, true));
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if heard.elapsed() >= TIMEOUT {
                    tries += 1;
                    if tries > TRIES {
                        return Err(format!("{name}: the server went silent"));
                    }
                    socket.send_to(&fetch.last_sent, fetch.peer).map_err(failed("sending"))?;
                    heard = Instant::now();
                }
            }
            // The server's port is closed: it says so, and we ask again in time.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
}

/// What is known of a transfer.
struct Fetch {
    peer: SocketAddr,
    begun: bool,
    block: usize,
    window: u16,
    /// The last block that came in its order.
    last: u16,
    /// How many came since the last acknowledgement.
    unacknowledged: u16,
    /// A block is missing, and that was told.
    told: bool,
    bytes: u64,
    ended: bool,
    last_sent: Vec<u8>,
}

impl Fetch {
    fn new(name: &str, options: Options, peer: SocketAddr) -> Fetch {
        let mut request = format!("\0\x01{name}\0octet\0blksize\0{}\0tsize\x000\0", options.block);
        if options.window > 1 {
            request += &format!("windowsize\0{}\0", options.window);
        }
        Fetch {
            peer,
            begun: false,
            // Until they are granted.
            block: 512,
            window: 1,
            last: 0,
            unacknowledged: 0,
            told: false,
            bytes: 0,
            ended: false,
            last_sent: request.into_bytes(),
        }
    }

    /// Whether `last_sent` is to be sent now.
    fn take(&mut self, packet: &[u8], from: SocketAddr) -> Result<bool> {
        if !self.begun {
            self.peer = from;
        } else if from != self.peer {
            return Ok(false);
        }
        let Some((&[high, code, first, second], rest)) = packet.split_first_chunk::<4>() else {
            return Ok(false);
        };
        match (high, code) {
            (0, 3) => Ok(self.data(u16::from_be_bytes([first, second]), rest)),
            (0, 6) if self.last == 0 => {
                self.begun = true;
                self.grant(packet.get(2..).unwrap_or_default());
                self.acknowledge();
                Ok(true)
            }
            (0, 5) => Err(format!("the server says {:?}", String::from_utf8_lossy(rest))),
            _ => Ok(false),
        }
    }

    fn data(&mut self, number: u16, bytes: &[u8]) -> bool {
        self.begun = true;
        if number == self.last.wrapping_add(1) {
            self.last = number;
            self.bytes += bytes.len() as u64;
            self.told = false;
            self.unacknowledged += 1;
            self.ended = bytes.len() < self.block;
            let answer = self.ended || self.unacknowledged >= self.window;
            if answer {
                self.acknowledge();
            }
            return answer;
        }
        // The last one again: our acknowledgement was lost.
        let again = number == self.last && self.unacknowledged == 0;
        let gap = (2..=self.window).contains(&number.wrapping_sub(self.last)) && !self.told;
        if gap {
            self.told = true;
            self.acknowledge();
        }
        again || gap
    }

    fn acknowledge(&mut self) {
        let [high, low] = self.last.to_be_bytes();
        self.last_sent = vec![0, 4, high, low];
        self.unacknowledged = 0;
    }

    fn grant(&mut self, options: &[u8]) {
        let text = String::from_utf8_lossy(options).to_lowercase();
        let mut words = text.split('\0');
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match name {
                "blksize" => self.block = value.parse().unwrap_or(self.block),
                "windowsize" => self.window = value.parse().unwrap_or(self.window),
                _ => {}
            }
        }
    }
}
