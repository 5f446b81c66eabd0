//! Sticks that are broken or made to break us: whatever is on one, a scan ends soon, takes
//! little memory, does not panic, and reads nothing outside of the stick.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/disc.rs"]
mod disc;
#[path = "support/gpg.rs"]
mod gpg;
#[path = "support/hostile_discs.rs"]
mod hostile_discs;
#[path = "support/hostile_media.rs"]
mod hostile_media;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chance::{Random, rounds, seed};
use disc::{Memory, SECTOR, Scratch, XORRISO, make};
use hostile_media::{Medium, SECRET, all};
use pxeberry::inventory::iso::Iso;
use pxeberry::verify::keys::keyring;
use pxeberry::world::media::check;

const LONGEST: Duration = Duration::from_secs(10);

/// More than a scan of an empty stick.
const MOST_KIB: u64 = 16 * 1024;

/// Says to a second run of the test which stick it shall scan.
const STICK: &str = "PXEBERRY_TEST_STICK";

#[test]
fn three_hundred_broken_media_are_each_scanned_in_time_and_in_little_memory() {
    if let Some(stick) = std::env::var_os(STICK) {
        return scan_and_tell(Path::new(&stick));
    }
    let scratch = Scratch::new("hostile");
    let nothing = scratch.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let usual = scan(&nothing).peak_kib;
    let media = all(&scratch);
    assert!(media.len() >= 300, "{}", media.len());
    let mut broken = Vec::new();
    let (mut slowest, mut largest) = ((Duration::ZERO, ""), (0, ""));
    for Medium { name, build, expected } in &media {
        let stick = scratch.path("stick");
        fs::create_dir(&stick).unwrap();
        build(&stick);
        let scanned = scan(&stick);
        let more = scanned.peak_kib.saturating_sub(usual);
        let said: String = scanned.said.chars().take(2000).collect();
        for (fault, is_so) in [
            ("reads what is outside", scanned.said.contains(SECRET)),
            ("takes too long", scanned.took > LONGEST),
            ("takes too much memory", more > MOST_KIB),
            ("says something else", !scanned.said.contains(expected)),
        ] {
            if is_so {
                broken.push(format!("{name} {fault}: {:?}, {more} KiB, {said}", scanned.took));
            }
        }
        slowest = slowest.max((scanned.took, name));
        largest = largest.max((more, name));
        fs::remove_dir_all(&stick).unwrap();
    }
    assert!(broken.is_empty(), "{}: {}", broken.len(), broken.join("\n\n"));
    println!("{} media; slowest: {slowest:?}; most memory: {largest:?} KiB", media.len());
}

/// What a scan found, and what it took.
struct Scanned {
    said: String,
    took: Duration,
    peak_kib: u64,
}

/// Scans in a process of its own: no other one's memory is counted.
#[track_caller]
fn scan(stick: &Path) -> Scanned {
    let name = "three_hundred_broken_media_are_each_scanned_in_time_and_in_little_memory";
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "30"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(STICK, stick);
    // Its symbols would be counted, too.
    command.env_remove("RUST_BACKTRACE");
    let ran = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}: {said}{complaint}", ran.status);
    let number = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|number| number.trim().parse::<u64>().ok()).unwrap()
    };
    let took = Duration::from_millis(number("took "));
    Scanned { took, peak_kib: number("peak "), said }
}

/// The part in the other process.
fn scan_and_tell(stick: &Path) {
    let begin = Instant::now();
    let outcome = check(stick);
    let keys = outcome.as_ref().ok().and_then(|(_, jobs)| jobs.first());
    let keys = keys.map(|job| keyring(&job.keys, &|| true));
    let took = begin.elapsed().as_millis();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\ntook {took}\npeak {}", peak.trim_end_matches(" kB"));
    let (problems, images) = match &outcome {
        Ok((inventory, _)) => (&inventory.problems, inventory.images.len()),
        Err(problems) => (problems, 0),
    };
    println!("{images} images, {} problems", problems.len());
    problems.iter().for_each(|problem| println!("{problem}"));
    println!("keys: {:?}", keys.map(|read| read.map(|(_, problems)| problems)));
}

#[test]
fn changed_bytes_of_a_real_iso_never_lead_out_of_it_or_in_circles() {
    let scratch = Scratch::new("mutated");
    hostile_media::tree(&scratch);
    make(XORRISO, &scratch.path("disc.iso"), &scratch.path("tree"));
    let image = fs::read(scratch.path("disc.iso")).unwrap();
    let (mut opened, mut most_read) = (0, 0);
    for number in 0..rounds(10_000, 200_000) {
        let mut random = Random::of_case(seed(), number);
        let mut changed = image.clone();
        hostile_media::mutate(&mut changed, &mut random);
        let memory = Memory::new(&changed);
        let Ok(iso) = Iso::open(&memory) else { continue };
        opened += 1;
        let mut files = iso.walk(&|_| true).files;
        for path in ["images/pxeboot/vmlinuz", "link/isolinux/boot.cat", "a/b/c/d/e/f/g/h/i/j/k"] {
            if let Ok(Some(extent)) = iso.lookup(path) {
                files.push((path.to_owned(), extent));
            }
        }
        for (path, extent) in files {
            let end = extent.offset + extent.size;
            assert!(end <= changed.len() as u64, "case {number}: {path}: {extent:?}");
            assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")), "{path}");
        }
        most_read = most_read.max(memory.taken.get());
        assert!(memory.taken.get() < 1 << 28, "case {number} read {}", memory.taken.get());
    }
    println!("{opened} could be opened; at most {} KiB were read of one", most_read / 1024);
    assert!(opened > 1000 && image.len() < 400 * SECTOR);
}
