//! The Pi's network adapter: a CDC-NCM adapter behind QEMU's `usb-redir`.
//!
//! QEMU's own `usb-net` moves 64 bytes every 400 µs on the Pi's USB controller, 145 kB/s:
//! the controller cuts every transfer of up to 1536 bytes into packets. NCM's transfers
//! carry whole blocks of frames and pass in one piece, which is ten times faster. It speaks
//! the usbredir protocol (version 0.7) as far as QEMU does for such a device.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::failure::{Failure, Result};
use super::ncm;

/// More frames than this wait for the Pi only when it is lost anyway.
const QUEUE: usize = 256;

const LARGEST_FRAME: usize = 4096;

/// Real adapters tell of their link at once; this is when the Pi listens at the latest.
const ANNOUNCE: Duration = Duration::from_millis(250);

// Kinds of messages (usb-redirection-protocol.md).
const HELLO: u32 = 0;
const DEVICE_CONNECT: u32 = 1;
const RESET: u32 = 3;
const INTERFACE_INFO: u32 = 4;
const EP_INFO: u32 = 5;
const SET_CONFIGURATION: u32 = 6;
const GET_CONFIGURATION: u32 = 7;
const CONFIGURATION_STATUS: u32 = 8;
const SET_ALT_SETTING: u32 = 9;
const GET_ALT_SETTING: u32 = 10;
const ALT_SETTING_STATUS: u32 = 11;
const START_INTERRUPT_RECEIVING: u32 = 15;
const STOP_INTERRUPT_RECEIVING: u32 = 16;
const INTERRUPT_RECEIVING_STATUS: u32 = 17;
const CANCEL_DATA_PACKET: u32 = 21;
const CONTROL_PACKET: u32 = 100;
const BULK_PACKET: u32 = 101;
const INTERRUPT_PACKET: u32 = 103;

/// `connect_device_version` and `ep_info_max_packet_size`.
const CAPABILITIES: u32 = 1 << 1 | 1 << 4;

const FULL_SPEED: u8 = 1;

const SUCCESS: u8 = 0;
const CANCELLED: u8 = 1;
const STALL: u8 = 4;

/// GET_DESCRIPTOR, GET_STATUS (device and interface), GET_NTB_PARAMETERS.
const GET_DESCRIPTOR: (u8, u8) = (0x80, 6);
const GET_DEVICE_STATUS: (u8, u8) = (0x80, 0);
const GET_NTB_PARAMETERS: (u8, u8) = (0xa1, 0x80);

/// Plugs the adapter into QEMU (`host`) and into the LAN, and serves it until one is gone.
pub fn start(host: UnixStream, lan: UnixDatagram, mac: [u8; 6]) -> Result<()> {
    let writer = host.try_clone().map_err(Failure::at("usb"))?;
    let from_lan = lan.try_clone().map_err(Failure::at("lan"))?;
    let state = Mutex::new(State {
        host: writer,
        waiting: VecDeque::new(),
        frames: VecDeque::new(),
        sequence: 0,
        listening: false,
    });
    let adapter = Arc::new(Adapter { state, mac });
    let other = Arc::clone(&adapter);
    let announcer = Arc::clone(&adapter);
    thread::spawn(move || {
        // QEMU has ended.
        let _ = adapter.serve_host(host, &lan);
    });
    thread::spawn(move || {
        // QEMU has ended.
        let _ = announcer.announce();
    });
    thread::spawn(move || {
        // The LAN or QEMU has ended.
        let _ = other.serve_lan(&from_lan);
    });
    Ok(())
}

struct Adapter {
    state: Mutex<State>,
    mac: [u8; 6],
}

struct State {
    host: UnixStream,
    /// Transfers that wait for frames: id and size.
    waiting: VecDeque<(u32, usize)>,
    /// Frames that wait for a transfer.
    frames: VecDeque<Vec<u8>>,
    sequence: u16,
    /// Whether the Pi asks for notifications.
    listening: bool,
}

impl Adapter {
    fn serve_host(&self, mut host: UnixStream, lan: &UnixDatagram) -> io::Result<()> {
        self.introduce()?;
        let mut from_pi = Vec::new();
        loop {
            let (kind, id, body) = receive(&mut host)?;
            match kind {
                CONTROL_PACKET => self.control(id, &body)?,
                BULK_PACKET => self.bulk(id, &body, &mut from_pi, lan)?,
                SET_CONFIGURATION | GET_CONFIGURATION => {
                    self.state().send(CONFIGURATION_STATUS, id, &[SUCCESS, 1])?;
                }
                SET_ALT_SETTING | GET_ALT_SETTING => {
                    let [interface, alternative] = [byte(&body, 0), byte(&body, 1)];
                    let answer = [SUCCESS, interface, alternative];
                    self.state().send(ALT_SETTING_STATUS, id, &answer)?;
                }
                START_INTERRUPT_RECEIVING | STOP_INTERRUPT_RECEIVING => {
                    let mut state = self.state();
                    state.listening = kind == START_INTERRUPT_RECEIVING;
                    state.send(INTERRUPT_RECEIVING_STATUS, id, &[SUCCESS, ncm::NOTIFY])?;
                }
                CANCEL_DATA_PACKET => self.cancel(id)?,
                RESET => {
                    from_pi.clear();
                    self.state().waiting.clear();
                }
                _ => {}
            }
        }
    }

    fn serve_lan(&self, lan: &UnixDatagram) -> io::Result<()> {
        let mut buffer = [0; LARGEST_FRAME];
        loop {
            let length = lan.recv(&mut buffer)?;
            let mut state = self.state();
            if state.frames.len() < QUEUE {
                state.frames.push_back(buffer.get(..length).unwrap_or_default().to_vec());
            }
            state.deliver()?;
        }
    }

    /// Tells that the link is up, again and again: the Pi forgets it when it resets the
    /// adapter.
    fn announce(&self) -> io::Result<()> {
        let news = [&[ncm::NOTIFY, SUCCESS, 8, 0][..], &ncm::CONNECTED].concat();
        loop {
            thread::sleep(ANNOUNCE);
            let mut state = self.state();
            if state.listening {
                state.send(INTERRUPT_PACKET, 0, &news)?;
            }
        }
    }

    /// Says what device this is.
    fn introduce(&self) -> io::Result<()> {
        let mut state = self.state();
        let mut hello = vec![0; 64];
        hello.extend(CAPABILITIES.to_le_bytes());
        state.send(HELLO, 0, &hello)?;
        state.send(EP_INFO, 0, &endpoints())?;
        let mut interfaces = vec![2, 0, 0, 0];
        interfaces.extend(column([(0, 0), (1, 1)], 0));
        for (control, data) in ncm::CONTROL.into_iter().zip(ncm::DATA) {
            interfaces.extend(column([(0, control), (1, data)], 0));
        }
        state.send(INTERFACE_INFO, 0, &interfaces)?;
        let mut connect = vec![FULL_SPEED, 2, 0, 0];
        for word in [ncm::VENDOR, ncm::PRODUCT, ncm::VERSION] {
            connect.extend(word.to_le_bytes());
        }
        state.send(DEVICE_CONNECT, 0, &connect)
    }

    fn control(&self, id: u32, body: &[u8]) -> io::Result<()> {
        let [endpoint, request, kind] = [byte(body, 0), byte(body, 1), byte(body, 2)];
        let [index, value] = [byte(body, 4), byte(body, 5)];
        let length = usize::from(u16::from_le_bytes([byte(body, 8), byte(body, 9)]));
        let answer = match (kind, request) {
            GET_DESCRIPTOR => ncm::descriptor(value, index, self.mac),
            GET_DEVICE_STATUS => Some(vec![1, 0]),
            GET_NTB_PARAMETERS => Some(ncm::block_parameters()),
            // What is set needs no answer; what else is asked is not known.
            _ if kind & 0x80 == 0 => Some(Vec::new()),
            _ => None,
        };
        let (status, mut data) = answer.map_or((STALL, Vec::new()), |data| (SUCCESS, data));
        data.truncate(length);
        let told = if kind & 0x80 == 0 { length } else { data.len() };
        let told = u16::try_from(told).unwrap_or(u16::MAX).to_le_bytes();
        let mut reply = vec![endpoint, request, kind, status];
        reply.extend(body.get(4..8).unwrap_or_default());
        reply.extend(told);
        reply.extend(data);
        self.state().send(CONTROL_PACKET, id, &reply)
    }

    fn bulk(
        &self,
        id: u32,
        body: &[u8],
        from_pi: &mut Vec<u8>,
        lan: &UnixDatagram,
    ) -> io::Result<()> {
        let length = [byte(body, 2), byte(body, 3)];
        if byte(body, 0) == ncm::IN {
            let mut state = self.state();
            state.waiting.push_back((id, usize::from(u16::from_le_bytes(length))));
            return state.deliver();
        }
        from_pi.extend(body.get(8..).unwrap_or_default());
        while let Some(frames) = ncm::unpack(from_pi) {
            for frame in frames {
                // A switch that is gone takes nothing more.
                let _ = lan.send(&frame);
            }
        }
        let reply = [ncm::OUT, SUCCESS, length[0], length[1], 0, 0, 0, 0];
        self.state().send(BULK_PACKET, id, &reply)
    }

    fn cancel(&self, id: u32) -> io::Result<()> {
        let mut state = self.state();
        let before = state.waiting.len();
        state.waiting.retain(|(waiting, _)| *waiting != id);
        if state.waiting.len() == before {
            return Ok(());
        }
        state.send(BULK_PACKET, id, &[ncm::IN, CANCELLED, 0, 0, 0, 0, 0, 0])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives waiting frames to waiting transfers.
    fn deliver(&mut self) -> io::Result<()> {
        while !self.frames.is_empty()
            && let Some((id, size)) = self.waiting.pop_front()
        {
            self.sequence = self.sequence.wrapping_add(1);
            let block = ncm::pack(&mut self.frames, size, self.sequence);
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX).to_le_bytes();
            let mut reply = vec![ncm::IN, SUCCESS, length[0], length[1], 0, 0, 0, 0];
            reply.extend(block);
            self.send(BULK_PACKET, id, &reply)?;
        }
        Ok(())
    }

    fn send(&mut self, kind: u32, id: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut message = Vec::with_capacity(body.len() + 12);
        for word in [kind, length, id] {
            message.extend(word.to_le_bytes());
        }
        message.extend(body);
        self.host.write_all(&message)
    }
}

fn receive(host: &mut UnixStream) -> io::Result<(u32, u32, Vec<u8>)> {
    let mut words = [0; 3];
    for word in &mut words {
        let mut bytes = [0; 4];
        host.read_exact(&mut bytes)?;
        *word = u32::from_le_bytes(bytes);
    }
    let [kind, length, id] = words;
    let mut body = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    host.read_exact(&mut body)?;
    Ok((kind, id, body))
}

/// Kind, interval, interface and packet size of all 32 endpoints; those to the host are
/// the second half.
fn endpoints() -> Vec<u8> {
    const CONTROL: u8 = 0;
    const BULK: u8 = 2;
    const INTERRUPT: u8 = 3;
    const NONE: u8 = 255;
    let [notify, bulk_in, bulk_out] = [17, 18, 2];
    let kinds =
        [(0, CONTROL), (16, CONTROL), (notify, INTERRUPT), (bulk_in, BULK), (bulk_out, BULK)];
    let mut info = column(kinds, NONE).to_vec();
    info.extend(column([(notify, ncm::NOTIFY_INTERVAL)], 0));
    info.extend(column([(bulk_in, 1), (bulk_out, 1)], 0));
    let packets = [
        (0, ncm::MAX_PACKET),
        (16, ncm::MAX_PACKET),
        (notify, ncm::NOTIFY_PACKET),
        (bulk_in, ncm::MAX_PACKET),
        (bulk_out, ncm::MAX_PACKET),
    ];
    let sizes = column(packets, 0);
    info.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    info
}

/// 32 values, one an endpoint or interface: those that are given, and others.
fn column<const N: usize, T: Copy>(given: [(usize, T); N], other: T) -> [T; 32] {
    std::array::from_fn(|index| {
        given.iter().find(|(at, _)| *at == index).map_or(other, |(_, value)| *value)
    })
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}
