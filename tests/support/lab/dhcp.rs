//! A DHCP client that does nothing but ask, from before the appliance has power.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use pxeberry::net::packet::{BROADCAST, Datagram};

use super::failure::{Failure, Result};

/// It asks this often.
const INTERVAL: Duration = Duration::from_millis(100);

const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 0xaa];
const TRANSACTION: [u8; 4] = *b"ask!";
const IPV4: [u8; 2] = [8, 0];
const ETHERNET_HEADER: usize = 14;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The client. It ends with the first offer.
pub struct Asker {
    offer: Receiver<Instant>,
}

impl Asker {
    /// Starts to ask on a port of the LAN.
    pub fn start(port: UnixDatagram) -> Result<Asker> {
        port.set_read_timeout(Some(INTERVAL)).map_err(Failure::at("lan"))?;
        let discover = discover().ok_or_else(|| Failure::new("DISCOVER is too long"))?;
        let (sender, offer) = channel();
        thread::spawn(move || {
            if let Some(at) = ask(&port, &discover) {
                // Nobody may be waiting any more.
                let _ = sender.send(at);
            }
        });
        Ok(Asker { offer })
    }

    /// When the first offer came.
    pub fn first_offer(&self, limit: Duration) -> Result<Instant> {
        self.offer.recv_timeout(limit).map_err(Failure::at("no DHCP offer"))
    }
}

fn ask(port: &UnixDatagram, discover: &[u8]) -> Option<Instant> {
    let mut frame = [0; 2048];
    loop {
        port.send(discover).ok()?;
        let next = Instant::now() + INTERVAL;
        while Instant::now() < next {
            if let Ok(length) = port.recv(&mut frame)
                && frame.get(..length).is_some_and(is_offer)
            {
                return Some(Instant::now());
            }
        }
    }
}

/// BOOTP (RFC 951) with the options of a DISCOVER (RFC 2131).
fn discover() -> Option<Vec<u8>> {
    let mut bootp = vec![1, 1, 6, 0];
    bootp.extend(TRANSACTION);
    // Seconds, flags (answer by broadcast), and four addresses that nobody has yet.
    bootp.extend([0, 0, 0x80, 0]);
    bootp.extend([0; 16]);
    bootp.extend(MAC);
    bootp.resize(236, 0);
    bootp.extend(COOKIE);
    bootp.extend([53, 1, 1]);
    // Firmware's offers are told on the console, with the Pi's own time.
    bootp.extend(*b"\x3c\x09PXEClient\xff");
    bootp.resize(300, 0);
    let datagram = Datagram {
        from: (Ipv4Addr::UNSPECIFIED, 68),
        to: (Ipv4Addr::BROADCAST, 67),
        payload: &bootp,
    };
    let mut frame = [BROADCAST, MAC].concat();
    frame.extend(IPV4);
    frame.extend(datagram.encode()?);
    Some(frame)
}

/// An IPv4 packet without options that carries a BOOTP reply to our transaction, which
/// begins with the option "this is an offer".
fn is_offer(frame: &[u8]) -> bool {
    let bootp = frame.get(ETHERNET_HEADER + 28..).unwrap_or_default();
    let options = bootp.get(240..).unwrap_or_default();
    frame.get(12..14) == Some(&IPV4)
        && bootp.first() == Some(&2)
        && bootp.get(4..8) == Some(&TRANSACTION)
        && options.windows(3).any(|option| option == [53, 1, 2])
}
