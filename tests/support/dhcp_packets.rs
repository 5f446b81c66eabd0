//! What real clients sent, as `PXEBERRY_RECORD` kept it (tests/support/net/recorder.rs): in
//! tests/data/dhcp/packets a folder for each program, with one conversation in order.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::fs;
use std::path::{Path, PathBuf};

/// One conversation of one program.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The folder's name.
    pub client: String,
    /// The program and its version.
    pub by: String,
    /// In the order in which it says them.
    pub packets: Vec<Recorded>,
}

/// A packet, as UDP carried it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The file's name without its end: `2-request`, `3-request-4011`.
    pub name: String,
    /// It went to port 4011.
    pub to_4011: bool,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Every conversation, by name.
pub fn conversations() -> Vec<Conversation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dhcp/packets");
    sorted(&folder).iter().map(|client| conversation(client)).collect()
}

/// Every packet, under a name like `udhcpc 1-discover`.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let named = |conversation: Conversation| {
        let client = conversation.client;
        let packets = conversation.packets.into_iter();
        packets.map(move |packet| (format!("{client} {}", packet.name), packet.bytes))
    };
    conversations().into_iter().flat_map(named).collect()
}

/// The same packet about another address, and to another server: the fields and options that
/// name one already name this one.
pub fn about(packet: &[u8], address: [u8; 4], server: [u8; 4]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet[12..16] != [0; 4] {
        packet[12..16].copy_from_slice(&address);
    }
    let mut at = 240;
    while let [code, length, ..] = packet[at..] {
        let end = at + 2 + usize::from(length);
        match code {
            0 => at += 1,
            255 => break,
            50 => packet[at + 2..end].copy_from_slice(&address),
            54 => packet[at + 2..end].copy_from_slice(&server),
            _ => {}
        }
        at = if code == 0 { at } else { end };
    }
    packet
}

fn conversation(folder: &Path) -> Conversation {
    let mut by = Vec::new();
    let packets = sorted(folder).iter().map(|file| recorded(file, &mut by)).collect();
    by.dedup();
    assert_eq!(by.len(), 1, "{}: one program speaks in a conversation", folder.display());
    Conversation { client: name(folder), by: by.remove(0), packets }
}

fn recorded(file: &Path, by: &mut Vec<String>) -> Recorded {
    let text = fs::read_to_string(file).unwrap();
    let (first, hex) = text.split_once('\n').unwrap();
    let by_whom = first.strip_prefix("# sent by: ").filter(|by| *by != "?");
    by.push(by_whom.unwrap_or_else(|| panic!("{}: sent by whom?", file.display())).to_owned());
    let bytes = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let name = name(file);
    Recorded { to_4011: name.ends_with("-4011"), name, bytes }
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
