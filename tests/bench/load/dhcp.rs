//! The DHCP of a room's firmware: one socket for all machines.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::{Result, failed};

/// What a machine was given.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its own address.
    pub address: Ipv4Addr,
    /// Where its boot file lies.
    pub server: Ipv4Addr,
    /// Its boot file.
    pub file: String,
}

/// The wait for an answer, doubled with each try, as iPXE does.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const TRIES: u32 = 5;

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Who waits for which transaction.
type Waiting = Arc<Mutex<HashMap<u32, Sender<Vec<u8>>>>>;

/// All machines' network cards.
pub struct Room {
    socket: UdpSocket,
    waiting: Waiting,
}

impl Room {
    /// On an interface that leads to the server.
    pub fn on(interface: &str) -> Result<Room> {
        let open = || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.set_broadcast(true)?;
            socket.set_recv_buffer_size(4 * 1024 * 1024)?;
            socket.bind_device(Some(interface.as_bytes()))?;
            socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68).into())?;
            Ok(UdpSocket::from(socket))
        };
        let socket = open().map_err(failed("port 68"))?;
        let waiting = Waiting::default();
        let (ear, for_ear) = (socket.try_clone().map_err(failed("port 68"))?, Arc::clone(&waiting));
        thread::spawn(move || hear(&ear, &for_ear));
        Ok(Room { socket, waiting })
    }

    /// The whole exchange of one machine.
    pub fn asks(&self, machine: u16, by_ipxe: bool) -> Result<Given> {
        let transaction = u32::from(machine) << 1 | u32::from(by_ipxe);
        let (sender, answers) = mpsc::channel();
        self.waiting().insert(transaction, sender);
        let asked = self.discovers(machine, by_ipxe, transaction, &answers);
        self.waiting().remove(&transaction);
        asked
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Sender<Vec<u8>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn discovers(
        &self,
        machine: u16,
        by_ipxe: bool,
        transaction: u32,
        answers: &Receiver<Vec<u8>>,
    ) -> Result<Given> {
        let discover = message(machine, transaction, by_ipxe, &[53, 1, 1]);
        let offer = self.exchange(&discover, 2, answers)?;
        let server = option(&offer, 54).ok_or("an offer names no server")?;
        let yours = offer.get(16..20).ok_or("an offer is too short")?;
        let mut more = vec![53, 1, 3, 54, 4];
        more.extend(server);
        more.extend([50, 4]);
        more.extend(yours);
        let ack = self.exchange(&message(machine, transaction, by_ipxe, &more), 5, answers)?;
        given(&ack)
    }

    /// The first answer of that kind; it is asked again when none comes.
    fn exchange(&self, packet: &[u8], kind: u8, answers: &Receiver<Vec<u8>>) -> Result<Vec<u8>> {
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);
        let mut wait = FIRST_WAIT;
        for _ in 0..TRIES {
            self.socket.send_to(packet, to).map_err(failed("asking by DHCP"))?;
            while let Ok(answer) = answers.recv_timeout(wait) {
                if option(&answer, 53) == Some(vec![kind]) {
                    return Ok(answer);
                }
            }
            wait *= 2;
        }
        Err("no answer by DHCP".into())
    }
}

fn hear(socket: &UdpSocket, waiting: &Waiting) {
    let mut packet = [0; 2048];
    while let Ok((length, _)) = socket.recv_from(&mut packet) {
        let answer = packet.get(..length).unwrap_or_default();
        let Some(transaction) = answer.get(4..8).and_then(|four| four.try_into().ok()) else {
            continue;
        };
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(machine) = waiting.get(&u32::from_be_bytes(transaction)) {
            // It has its answer already.
            let _ = machine.send(answer.to_vec());
        }
    }
}

/// As UEFI x64 writes it, or iPXE on it.
fn message(machine: u16, transaction: u32, by_ipxe: bool, more: &[u8]) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0];
    packet.extend(transaction.to_be_bytes());
    // Seconds, and the flag that asks for broadcasts.
    packet.extend([0, 0, 0x80, 0]);
    packet.extend([0; 16]);
    packet.extend([0x52, 0x54, 0, 1]);
    packet.extend(machine.to_be_bytes());
    packet.resize(236, 0);
    packet.extend(COOKIE);
    packet.extend(more);
    packet.extend([57, 2, 5, 192, 55, 8, 1, 3, 6, 12, 43, 54, 66, 67]);
    packet.extend([93, 2, 0, 7, 94, 3, 1, 3, 16]);
    let class = b"PXEClient:Arch:00007:UNDI:003016";
    packet.extend([60, 32]);
    packet.extend(class);
    if by_ipxe {
        packet.extend(*b"\x4d\x04iPXE");
        // That it can do HTTP (19), UEFI's programs (36) and menus (39).
        packet.extend([175, 9, 19, 1, 1, 36, 1, 1, 39, 1, 1]);
    }
    packet.push(255);
    packet
}

fn given(ack: &[u8]) -> Result<Given> {
    let address = |at: usize| {
        let four: Option<[u8; 4]> = ack.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map(Ipv4Addr::from).ok_or("an answer is too short")
    };
    let field = || ack.get(108..236).unwrap_or_default().to_vec();
    let file = option(ack, 67).unwrap_or_else(field);
    let file = file.split(|byte| *byte == 0).next().unwrap_or_default();
    let file = String::from_utf8_lossy(file).into_owned();
    Ok(Given { address: address(16)?, server: address(20)?, file })
}

fn option(packet: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let mut rest = packet.get(240..)?;
    while let Some((&code, after)) = rest.split_first() {
        match code {
            0 => rest = after,
            255 => return None,
            _ => {
                let (&length, after) = after.split_first()?;
                let value = after.get(..usize::from(length))?;
                if code == wanted {
                    return Some(value.to_vec());
                }
                rest = after.get(usize::from(length)..)?;
            }
        }
    }
    None
}
