//! The flight recorder's record, read as the next start of the servers would read it.

use std::path::Path;
use std::time::{Duration, Instant};

use pxeberry::fleet::capture::Captures;
use pxeberry::fleet::facts::Facts;
use pxeberry::fleet::tape::{ENTRIES, FACTS, PACKETS, read_entry, read_facts, read_packet};
use pxeberry::fleet::timeline::{Entry, Source};
use pxeberry::net::Mac;
use pxeberry::world::recorder::Recorder;

/// Where the box under test has it.
pub const RECORD: &str = "/run/box/recorder";

/// What happened to a machine, oldest first.
pub fn timeline(mac: &str) -> Vec<Entry> {
    let mac: Mac = mac.parse().unwrap();
    let mut rows = all();
    rows.retain(|(_, whose, _)| *whose == mac);
    rows.sort_by_key(|(number, ..)| *number);
    rows.into_iter().map(|(.., entry)| entry).collect()
}

/// What happened to all machines.
pub fn all() -> Vec<(u64, Mac, Entry)> {
    let mut rows = Vec::new();
    record().read(ENTRIES, |data| rows.extend(read_entry(data)));
    rows
}

/// The timeline as `source: words`, with `×` and a number for what came more than once.
pub fn story(mac: &str) -> Vec<String> {
    let line = |entry: Entry| {
        let source = serde_json::to_value(entry.source).unwrap();
        let times = if entry.times > 1 { format!(" ×{}", entry.times) } else { String::new() };
        format!("{}: {}{times}", source.as_str().unwrap(), entry.words)
    };
    timeline(mac).into_iter().map(line).collect()
}

/// The words of one source.
pub fn of(mac: &str, source: Source) -> Vec<String> {
    let entries = timeline(mac).into_iter().filter(|entry| entry.source == source);
    entries.map(|entry| entry.words).collect()
}

/// Waits until the timeline has an entry with these words. The servers make no event of one.
#[track_caller]
pub fn wait_for(mac: &str, words: &str) -> Entry {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        let found = timeline(mac).into_iter().find(|entry| entry.words.contains(words));
        if let Some(entry) = found {
            return entry;
        }
        assert!(Instant::now() < end, "no {words:?} in {:#?}", story(mac));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What is known of a machine.
pub fn facts(mac: &str) -> Facts {
    let mac: Mac = mac.parse().unwrap();
    let mut found = Facts::default();
    record().read(FACTS, |data| {
        if let Some((whose, facts)) = read_facts(data)
            && whose == mac
        {
            found = facts;
        }
    });
    found
}

/// The packets of a machine as a file of pcap.
pub fn pcap(mac: &str) -> Option<Vec<u8>> {
    let mut captures = Captures::default();
    let mut packets = Vec::new();
    record().read(PACKETS, |data| packets.extend(read_packet(data)));
    packets.sort_by_key(|(.., packet)| packet.micros);
    for (whose, kept, packet) in packets {
        captures.take(whose, kept, packet);
    }
    captures.pcap(&[mac.parse().unwrap()])
}

fn record() -> Recorder {
    Recorder::open(Path::new(RECORD))
}
