//! A state file that a failing card has changed: cut, emptied, or with lost pages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use chance::{Random, rounds, seed};
use pxeberry::dhcp::lease::Binding;
use pxeberry::fleet::life::Record;
use pxeberry::fleet::store::{Change, Saved, Store};
use pxeberry::net::Mac;

const PAGE: usize = 4096;

const MACHINES: u32 = 120;

#[test]
fn whatever_happened_to_the_state_file_it_is_whole_or_set_aside_aloud() {
    log::set_logger(&SAID).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    // Thousands of commits: memory is kinder than the disk.
    let folder = PathBuf::from(format!("/dev/shm/pxeberry-damage-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let whole = filled(&folder);
    let (mut kept, mut set_aside) = (0, 0);
    // redb's own panics are caught; their text is of no use here.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for (what, bytes) in damages(&whole) {
            if survives(&folder, &what, &bytes) { kept += 1 } else { set_aside += 1 }
        }
        (kept, set_aside)
    }));
    std::panic::set_hook(usual);
    fs::remove_dir_all(&folder).unwrap();
    let (kept, set_aside) = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    println!("measured: {} damaged files, {kept} kept, {set_aside} set aside", kept + set_aside);
    assert!(kept > 0 && set_aside > 0);
}

/// The bytes of a file that has seen leases and lives come and change.
fn filled(folder: &Path) -> Vec<u8> {
    let (store, _) = Store::open(folder).unwrap();
    for number in 0..MACHINES * 2 {
        store.save(&changes(number % MACHINES, u64::from(number))).unwrap();
    }
    drop(store);
    fs::read(file(folder)).unwrap()
}

fn changes(number: u32, expires: u64) -> [Change; 2] {
    let [.., high, low] = number.to_be_bytes();
    let mac = Mac::new([0x52, 0x54, 0, 0, high, low]).unwrap();
    let address = Ipv4Addr::new(10, 10, high, low);
    let record = Record::armed(format!("{number:032x}"), expires);
    [Change::Lease(mac, Binding { address, expires }), Change::Machine(mac, record)]
}

fn file(folder: &Path) -> PathBuf {
    folder.join("pxeberry.redb")
}

/// What can be left of a file.
fn damages(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut random = Random::new(seed());
    let mut damages = vec![("nothing".to_owned(), whole.to_vec())];
    let mut cuts: Vec<usize> = (0..whole.len() / PAGE)
        .flat_map(|page| [page * PAGE, page * PAGE + 1, (page + 1) * PAGE - 1])
        .collect();
    let many = rounds(60, u64::MAX) as usize;
    while cuts.len() > many {
        cuts.swap_remove(random.below(cuts.len()));
    }
    cuts.extend([0, 1, 64, 320, 4095, 4096, 4097]);
    for cut in cuts {
        damages.push((format!("cut to {cut}"), whole[..cut].to_vec()));
    }
    for number in 0..rounds(150, 5_000) {
        let mut bytes = whole.to_vec();
        let page = random.below(whole.len() / PAGE) * PAGE;
        let what = match number % 5 {
            0 => {
                bytes[page..page + PAGE].fill(0);
                format!("zeros at {page}")
            }
            1 => {
                bytes[page..page + PAGE].copy_from_slice(&random.bytes(PAGE));
                format!("garbage at {page}")
            }
            // A page that was written to the wrong place.
            2 => {
                let from = random.below(whole.len() / PAGE) * PAGE;
                bytes.copy_within(from..from + PAGE, page);
                format!("page {from} at {page}")
            }
            3 => {
                bytes[random.below(PAGE)] ^= 1 << random.below(8);
                "a bit of the first page".to_owned()
            }
            _ => {
                (0..20).for_each(|_| bytes[random.below(whole.len())] ^= 1 << random.below(8));
                "twenty bits".to_owned()
            }
        };
        damages.push((format!("{what} (damage {number})"), bytes));
    }
    damages
}

/// Serving starts on this file. True: with everything that it held; false: with nothing,
/// and it is kept under another name.
fn survives(folder: &Path, what: &str, bytes: &[u8]) -> bool {
    fs::remove_dir_all(folder).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(file(folder), bytes).unwrap();
    SAID.0.lock().unwrap().clear();
    let (store, saved) = Store::open(folder).unwrap_or_else(|error| panic!("{what}: {error}"));
    let aside = folder.join("pxeberry.damaged");
    let set_aside = aside.exists();
    if set_aside {
        assert_eq!(fs::read(aside).unwrap().len(), bytes.len(), "{what}: the file was changed");
        assert!(saved.leases.is_empty() && saved.machines.is_empty(), "{what}");
        let said = SAID.0.lock().unwrap().join("\n");
        assert!(said.contains("it is kept as"), "{what}: {said}");
    } else {
        assert_eq!(saved.leases.len(), MACHINES as usize, "{what}: leases are missing");
        assert_eq!(saved.machines.len(), MACHINES as usize, "{what}: machines are missing");
    }
    // It remembers from now on.
    store.save(&changes(MACHINES, 9_999)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let count = saved.leases.len() + 1;
    drop(store);
    let (_, saved) = Store::open(folder).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(remembers(&saved) && saved.leases.len() == count, "{what}");
    !set_aside
}

fn remembers(saved: &Saved) -> bool {
    saved.leases.iter().any(|(_, binding)| binding.expires == 9_999)
}

static SAID: Said = Said(Mutex::new(Vec::new()));

struct Said(Mutex<Vec<String>>);

impl log::Log for Said {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }
    fn log(&self, record: &log::Record) {
        self.0.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}
