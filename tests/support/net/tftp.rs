//! TFTP by hand (RFC 1350): for error codes, and for names that real clients refuse to send.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};

use super::PATIENCE;
use super::lan::{Machine, SERVER};

/// An ERROR packet: its code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// 1 is "file not found".
    pub code: u16,
    /// For people.
    pub message: String,
}

impl Machine {
    /// Reads a file in blocks of 512 bytes, without options, as the oldest ROMs do.
    pub fn tftp(&self, name: &str) -> Result<Vec<u8>, Refused> {
        let request = [b"\0\x01", name.as_bytes(), b"\0octet\0"].concat();
        self.namespace.inside(|| {
            let socket = ask(&request);
            let mut file = Vec::new();
            loop {
                let (packet, peer) = hear(&socket);
                match &packet[..2] {
                    b"\0\x03" => {}
                    b"\0\x05" => return Err(refused(&packet)),
                    other => panic!("{name}: packet {other:?}"),
                }
                file.extend(&packet[4..]);
                socket.send_to(&[0, 4, packet[2], packet[3]], peer).unwrap();
                if packet.len() < 4 + 512 {
                    return Ok(file);
                }
            }
        })
    }

    /// The first packet that answers a request with these options.
    pub fn tftp_first_answer(&self, request: &[u8]) -> Vec<u8> {
        self.namespace.inside(|| {
            let socket = ask(request);
            let (packet, peer) = hear(&socket);
            // "Enough": the server shall not repeat itself.
            socket.send_to(b"\0\x05\0\0enough\0", peer).unwrap();
            packet
        })
    }

    /// What a write request gets.
    pub fn tftp_write(&self, name: &str) -> Refused {
        let request = [b"\0\x02", name.as_bytes(), b"\0octet\0"].concat();
        refused(&self.namespace.inside(|| hear(&ask(&request)).0))
    }
}

fn ask(request: &[u8]) -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(request, SocketAddrV4::new(SERVER, 69)).unwrap();
    socket
}

fn hear(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, peer) = socket.recv_from(&mut buffer).expect("no answer by TFTP");
    (buffer[..length].to_vec(), peer)
}

fn refused(packet: &[u8]) -> Refused {
    assert_eq!(packet[..2], *b"\0\x05", "not an ERROR: {packet:?}");
    let message = packet[4..].split(|byte| *byte == 0).next().unwrap();
    Refused {
        code: u16::from_be_bytes([packet[2], packet[3]]),
        message: String::from_utf8_lossy(message).into_owned(),
    }
}
