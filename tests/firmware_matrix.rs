//! Every firmware that is to be had as a program, through each of our loaders to a kernel's
//! own message: alone with the appliance, and beside another DHCP server.
//!
//! A plain run boots a selection; `tests/run --all` boots all of it and writes the times into
//! README.md, as UPDATE_README=1 does. PXEBERRY_CELL=words boots those whose name has them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/matrix/mod.rs"]
mod matrix;
#[path = "support/net/mod.rs"]
mod net;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use matrix::{Cell, table};

/// Emulators at a time: each keeps one core busy.
const AT_A_TIME: usize = 2;

#[test]
fn every_firmware_starts_a_kernel() {
    if let Some((name, lan)) = net::inside() {
        let cell = Cell::all(true).into_iter().find(|cell| cell.name() == name);
        let time = cell.expect("no such cell").boots(&lan);
        println!("measured: {}", time.as_secs_f64());
        return;
    }
    let only = std::env::var("PXEBERRY_CELL");
    let mut cells = Cell::all(is_thorough() || only.is_ok());
    if let Ok(words) = &only {
        cells.retain(|cell| cell.name().contains(words));
        assert!(!cells.is_empty(), "no cell's name has {words:?}");
    }
    let times = boot(&cells);
    if is_thorough() && only.is_err() {
        table::write(&times);
        table::assert_in_readme();
    }
}

#[test]
fn the_readme_shows_the_matrix() {
    if is_thorough() {
        println!("the other test writes it, and looks at it then");
        return;
    }
    table::assert_in_readme();
}

fn is_thorough() -> bool {
    ["PXEBERRY_THOROUGH", "UPDATE_README"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Boots them all, whatever happens to one; fails with all that failed.
fn boot(cells: &[Cell]) -> BTreeMap<String, Duration> {
    let waiting = Mutex::new(cells.iter());
    let times = Mutex::new(BTreeMap::new());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(cell) = { waiting.lock().unwrap().next() } {
                    let (name, begin) = (cell.name(), Instant::now());
                    match net::again("every_firmware_starts_a_kernel", &name) {
                        Ok(told) => {
                            let time = net::measured(&told).next().unwrap().parse().unwrap();
                            println!("measured: {name}: {time:.1} s to the kernel");
                            times.lock().unwrap().insert(name, Duration::from_secs_f64(time));
                        }
                        Err(told) => {
                            println!("measured: {name}: failed after {:?}", begin.elapsed());
                            failures.lock().unwrap().push(format!("{name}:\n{told}"));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    times.into_inner().unwrap()
}
