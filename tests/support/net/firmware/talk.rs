//! What is said on one cable: DHCP, the names asked for by TFTP, the paths asked for by HTTP.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::Ipv4Addr;

use socket2::{Domain, SockFilter, Socket, Type};

use super::super::packet::{Kind, interface_number, link_address, step};
use super::super::recorder::Recorder;

/// Frames in both directions.
const EVERYTHING: u16 = libc::ETH_P_ALL as u16;

/// One end of a cable, with the frames that went by since it was opened.
pub struct Wiretap {
    socket: Socket,
    mac: [u8; 6],
    said: std::cell::RefCell<Vec<Said>>,
    recorder: std::cell::RefCell<Recorder>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// None: the computer on this cable.
    by: Option<Ipv4Addr>,
    words: String,
    /// Who repeats itself uses the same port and transaction (or place in the stream) again.
    conversation: (u16, u32),
}

impl Wiretap {
    /// Listens on this test's end of the cable to the computer with this address.
    pub fn open(interface: &str, mac: [u8; 6]) -> Wiretap {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
        // Nothing but these few messages: they wait in the socket until somebody looks.
        socket.attach_filter(&MESSAGES).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&link_address(interface_number(interface), EVERYTHING)).unwrap();
        Wiretap { socket, mac, said: Vec::new().into(), recorder: Recorder::default().into() }
    }

    /// All that was said so far. What is said twice in one conversation stands here once:
    /// on a busy host an answer may come after the question was repeated.
    pub fn talk(&self) -> Talk {
        let mut frame = [0; 2048];
        let mut said = self.said.borrow_mut();
        loop {
            match (&self.socket).read(&mut frame) {
                Ok(length) => {
                    let frame = &frame[..length];
                    if let Some((port, dhcp)) = dhcp_in(frame, self.mac) {
                        self.recorder.borrow_mut().hears(port, dhcp);
                    }
                    let one = said_in(frame, self.mac);
                    if let Some(one) = one.filter(|one| !said.contains(one)) {
                        said.push(one);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the cable: {error}"),
            }
        }
        Talk(said.clone())
    }
}

/// A transcript.
pub struct Talk(Vec<Said>);

impl Talk {
    /// What the computer said, in order.
    pub fn asked(&self) -> Vec<&str> {
        self.by(None)
    }

    /// What this server told the computer by DHCP, in order.
    pub fn told_by(&self, server: Ipv4Addr) -> Vec<&str> {
        self.by(Some(server))
    }

    /// The address that the computer was first given.
    #[track_caller]
    pub fn address(&self) -> Ipv4Addr {
        let given = |said: &Said| said.words.strip_prefix("ACK ")?.split(' ').next()?.parse().ok();
        self.0.iter().find_map(given).expect("no ACK")
    }

    fn by(&self, who: Option<Ipv4Addr>) -> Vec<&str> {
        self.0.iter().filter(|said| said.by == who).map(|said| said.words.as_str()).collect()
    }
}

impl fmt::Display for Talk {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        for said in &self.0 {
            match said.by {
                None => writeln!(out, "the computer: {}", said.words)?,
                Some(server) => writeln!(out, "{server}: {}", said.words)?,
            }
        }
        Ok(())
    }
}

/// The DHCP packet that the computer sends in an IPv4 frame, and the port that it goes to.
fn dhcp_in(frame: &[u8], mac: [u8; 6]) -> Option<(u16, &[u8])> {
    let ip = frame.get(14..)?;
    let segment = ip.get(usize::from(ip.first()? & 15) * 4..)?;
    let port = number(segment, 2).filter(|port| matches!(port, 67 | 4011))?;
    let dhcp = segment.get(8..).filter(|dhcp| dhcp.len() > 240 && dhcp[28..34] == mac)?;
    (frame[6..12] == mac && ip[9] == 17).then_some((port, dhcp))
}

/// The message in an IPv4 frame, if it is the computer's or for it.
fn said_in(frame: &[u8], mac: [u8; 6]) -> Option<Said> {
    let ip = frame.get(14..)?;
    let header = usize::from(ip.first()? & 15) * 4;
    let by = match frame[6..12] == mac {
        true => None,
        false => Some(address(ip, 12)?),
    };
    let segment = ip.get(header..)?;
    let (from, to) = (number(segment, 0)?, number(segment, 2)?);
    let (words, transaction) = match (*ip.get(9)?, to) {
        (17, 67 | 68 | 4011) => dhcp(segment.get(8..)?, to, mac)?,
        (17, 69) => (tftp(segment.get(8..)?)?, 0),
        // A segment that is sent again has the number of the first one.
        (6, _) => {
            let sequence = segment.get(4..8)?.try_into().map(u32::from_be_bytes).ok()?;
            (http(segment)?, sequence)
        }
        _ => return None,
    };
    Some(Said { by, words, conversation: (from, transaction) })
}

/// `DISCOVER by firmware 7`, `REQUEST to 10.10.10.1 by iPXE 7`, `OFFER 10.10.10.5 snponly.efi`;
/// the number is that of RFC 4578's architectures.
fn dhcp(message: &[u8], port: u16, mac: [u8; 6]) -> Option<(String, u32)> {
    if message.get(28..34)? != mac {
        return None;
    }
    let options = options(message.get(240..)?);
    let option = |code: u8| options.get(&code).copied();
    let kind = kind(*option(53)?.first()?)?;
    let mut words = format!("{kind:?}").to_uppercase();
    if matches!(kind, Kind::Offer | Kind::Ack | Kind::Nak) {
        let file = message.get(108..236)?.split(|byte| *byte == 0).next()?;
        let given = address(message, 16)?;
        words += &format!(" {given} {}", String::from_utf8_lossy(file));
    } else {
        if let Some(server) = option(54) {
            words += &format!(" to {}", address(server, 0)?);
        }
        let program = if option(77).is_some() { "iPXE" } else { "firmware" };
        let arch = option(93).and_then(|arch| number(arch, 0));
        words += &format!(" by {program} {}", arch.map_or_else(String::new, |n| n.to_string()));
    }
    if port == 4011 {
        words += " on port 4011";
    }
    let transaction = u32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
    Some((words.trim_end().to_owned(), transaction))
}

fn kind(code: u8) -> Option<Kind> {
    use Kind::{Ack, Decline, Discover, Inform, Nak, Offer, Release, Request};
    [Discover, Offer, Request, Decline, Ack, Nak, Release, Inform]
        .into_iter()
        .find(|kind| *kind as u8 == code)
}

fn options(mut rest: &[u8]) -> BTreeMap<u8, &[u8]> {
    let mut options = BTreeMap::new();
    loop {
        match rest {
            [0, after @ ..] => rest = after,
            [255, ..] => return options,
            [code, length, after @ ..] if after.len() >= usize::from(*length) => {
                let (data, after) = after.split_at(usize::from(*length));
                options.insert(*code, data);
                rest = after;
            }
            _ => return options,
        }
    }
}

/// The name in a read request.
fn tftp(packet: &[u8]) -> Option<String> {
    let name = packet.strip_prefix(&[0, 1])?.split(|byte| *byte == 0).next()?;
    Some(format!("TFTP {}", String::from_utf8_lossy(name)))
}

/// Method and path at the beginning of a segment.
fn http(segment: &[u8]) -> Option<String> {
    let data = segment.get(usize::from(segment.get(12)? >> 4) * 4..)?;
    let line = String::from_utf8_lossy(data.split(|byte| *byte == b'\r').next()?).into_owned();
    let (asked, _version) = line.split_once(" HTTP/")?;
    // What the machine says of itself is another on each computer.
    let said_of_itself = asked.split_once('?').filter(|(path, _)| path.ends_with("/v1/hello"));
    Some(said_of_itself.map_or(asked, |(path, _)| path).to_owned())
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?))
}

const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
const LOAD_HALF_BEHIND: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LOAD_BYTE_BEHIND: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_IND;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;

/// Lets IPv4 through that goes to a port of DHCP or TFTP, or to one of HTTP with data to
/// be pushed (a classic BPF program over the whole frame).
const MESSAGES: [SockFilter; 13] = [
    step(LOAD_HALF, 0, 0, 12),
    step(EQUAL, 0, 10, 0x0800),
    step(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 14),
    step(LOAD_HALF_BEHIND, 0, 0, 14 + 2),
    step(EQUAL, 6, 0, 67),
    step(EQUAL, 5, 0, 68),
    step(EQUAL, 4, 0, 69),
    step(EQUAL, 3, 0, 4011),
    step(EQUAL, 0, 3, 8080),
    step(LOAD_BYTE_BEHIND, 0, 0, 14 + 13),
    step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, 8),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
];
