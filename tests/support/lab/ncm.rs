//! A USB network adapter of the class CDC-NCM 1.0, as data: its descriptors, and the
//! blocks that carry several Ethernet frames in one USB transfer. Pure.

/// The endpoint for "the link is up".
pub const NOTIFY: u8 = 0x81;
/// Frames to the Pi.
pub const IN: u8 = 0x82;
/// Frames from the Pi.
pub const OUT: u8 = 0x02;

/// Full speed: the emulated hub knows nothing faster.
pub const MAX_PACKET: u16 = 64;
pub const NOTIFY_PACKET: u16 = 16;
pub const NOTIFY_INTERVAL: u8 = 32;

/// The largest block in either direction.
pub const BLOCK: usize = 16 * 1024;

/// So many whole frames fit into a block; Linux makes room for as many in its tables.
const FRAMES: u8 = 10;

/// Class, subclass and protocol of the interfaces for control (0) and data (1).
pub const CONTROL: [u8; 3] = [0x02, 0x0d, 0];
pub const DATA: [u8; 3] = [0x0a, 0, 1];

/// "Linux-USB Ethernet gadget".
pub const VENDOR: u16 = 0x0525;
pub const PRODUCT: u16 = 0xa4a1;
pub const VERSION: u16 = 0x0100;

const BLOCK_HEADER: usize = 12;
const HEADER_SIGN: &[u8] = b"NCMH";
const TABLE_SIGN: &[u8] = b"NCM0";

/// What follows on the notification endpoint: NETWORK_CONNECTION, connected.
pub const CONNECTED: [u8; 8] = [0xa1, 0, 1, 0, 0, 0, 0, 0];

/// The answer to GET_DESCRIPTOR; none: there is no such descriptor.
pub fn descriptor(kind: u8, index: u8, mac: [u8; 6]) -> Option<Vec<u8>> {
    match (kind, index) {
        (1, 0) => Some(device()),
        (2, 0) => Some(configuration()),
        (3, 0) => Some(vec![4, 3, 9, 4]),
        (3, 1) => Some(string("pxeberry")),
        (3, 2) => Some(string("emulated LAN")),
        (3, 3) => Some(string(&mac.iter().map(|byte| format!("{byte:02X}")).collect::<String>())),
        _ => None,
    }
}

/// The answer to GET_NTB_PARAMETERS: 16-bit blocks, tables aligned to four bytes.
pub fn block_parameters() -> Vec<u8> {
    let [a, b, c, d] = u32::try_from(BLOCK).unwrap_or(u32::MAX).to_le_bytes();
    vec![28, 0, 1, 0, a, b, c, d, 4, 0, 0, 0, 4, 0, 0, 0, a, b, c, d, 4, 0, 0, 0, 4, 0, FRAMES, 0]
}

fn device() -> Vec<u8> {
    let mut bytes = vec![18, 1, 0, 2, 2, 0, 0, 64];
    for word in [VENDOR, PRODUCT, VERSION] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([1, 2, 0, 1]);
    bytes
}

fn configuration() -> Vec<u8> {
    let interface = |number: u8, alternative: u8, endpoints: u8, kind: [u8; 3]| {
        let [class, subclass, protocol] = kind;
        vec![9, 4, number, alternative, endpoints, class, subclass, protocol, 0]
    };
    let endpoint = |address: u8, kind: u8, packet: u16, interval: u8| {
        let [low, high] = packet.to_le_bytes();
        vec![7, 5, address, kind, low, high, interval]
    };
    // 1514 bytes: the longest frame.
    let ethernet = vec![13, 0x24, 0x0f, 3, 0, 0, 0, 0, 0xea, 5, 0, 0, 0];
    let parts = [
        interface(0, 0, 1, CONTROL),
        vec![5, 0x24, 0, 0x10, 1],
        vec![5, 0x24, 6, 0, 1],
        ethernet,
        vec![6, 0x24, 0x1a, 0, 1, 0],
        endpoint(NOTIFY, 3, NOTIFY_PACKET, NOTIFY_INTERVAL),
        interface(1, 0, 0, DATA),
        interface(1, 1, 2, DATA),
        endpoint(IN, 2, MAX_PACKET, 0),
        endpoint(OUT, 2, MAX_PACKET, 0),
    ]
    .concat();
    let [low, high] = short(9 + parts.len());
    // Self-powered.
    let mut bytes = vec![9, 2, low, high, 2, 1, 0, 0xc0, 0];
    bytes.extend(parts);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bytes = vec![u8::try_from(2 + units.len()).unwrap_or(u8::MAX), 3];
    bytes.extend(units);
    bytes
}

/// Takes frames from the front of `frames` and packs as many as fit into `limit` bytes.
pub fn pack(
    frames: &mut std::collections::VecDeque<Vec<u8>>,
    limit: usize,
    sequence: u16,
) -> Vec<u8> {
    let mut body = Vec::new();
    let mut table = Vec::new();
    let limit = limit.min(BLOCK);
    while let Some(frame) = frames.front() {
        // With this frame's entry, the end of the table, and a byte to spare.
        let end = BLOCK_HEADER + body.len() + frame.len() + 3 + 8 + table.len() + 8 + 1;
        if end > limit && !table.is_empty() {
            break;
        }
        table.extend(short(BLOCK_HEADER + body.len()));
        table.extend(short(frame.len()));
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        frames.pop_front();
    }
    let table_at = BLOCK_HEADER + body.len();
    let mut block = HEADER_SIGN.to_vec();
    let length = table_at + 8 + table.len() + 4;
    // A transfer that ends with a full packet would need an empty one behind it.
    let padded = if length.is_multiple_of(usize::from(MAX_PACKET)) { length + 1 } else { length };
    block.extend(short(BLOCK_HEADER));
    block.extend(sequence.to_le_bytes());
    block.extend(short(padded));
    block.extend(short(table_at));
    block.extend(body);
    block.extend(TABLE_SIGN);
    block.extend(short(8 + table.len() + 4));
    block.extend([0, 0]);
    block.extend(table);
    block.resize(padded, 0);
    block
}

/// Takes the first whole block out of `bytes` and returns its frames; none: it is not whole
/// yet. What is not the start of a block is thrown away.
pub fn unpack(bytes: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
    if bytes.len() >= HEADER_SIGN.len() && !bytes.starts_with(HEADER_SIGN) {
        bytes.clear();
    }
    let length = word(bytes, 8)?;
    if bytes.len() < length.max(BLOCK_HEADER) {
        return None;
    }
    let block: Vec<u8> = bytes.drain(..length.max(BLOCK_HEADER)).collect();
    Some(frames(&block).unwrap_or_default())
}

fn frames(block: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let table_at = word(block, 10)?;
    let table = block.get(table_at..table_at + word(block, table_at + 4)?)?;
    for entry in table.get(8..)?.chunks_exact(4) {
        let (at, length) = (word(entry, 0)?, word(entry, 2)?);
        if length == 0 {
            break;
        }
        found.push(block.get(at..at + length)?.to_vec());
    }
    Some(found)
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(usize::from(u16::from_le_bytes(bytes)))
}
