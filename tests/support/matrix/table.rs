//! The matrix as a table in README.md, between two lines that nobody sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Cell, Lan, ROWS, When};

const BEGIN: &str = "<!-- The next table is written by tests/firmware_matrix.rs. -->\n";
const END: &str = "<!-- The end of what it writes. -->\n";

/// What stands for a time where only the names are compared.
const SOME_TIME: &str = "… s";

/// Puts the measured times into README.md.
pub fn write(times: &BTreeMap<String, Duration>) {
    let text = fs::read_to_string(readme()).unwrap();
    let (before, _, after) = parts(&text);
    let table = with(|cell| format!("{:.0} s", times[&cell.name()].as_secs_f64()));
    fs::write(readme(), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
}

/// Fails unless README.md shows each boot of the matrix, and a time for each that works.
pub fn assert_in_readme() {
    let text = fs::read_to_string(readme()).unwrap();
    let (_, table, _) = parts(&text);
    let cells = table.lines().map(|line| line.split(" | ").map(without_time).collect::<Vec<_>>());
    let shown: Vec<String> = cells.map(|cells| cells.join(" | ")).collect();
    let expected = with(|_| SOME_TIME.to_owned());
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(shown, expected, "UPDATE_README=1 cargo test --test firmware_matrix writes it");
}

fn with(time: impl Fn(&Cell) -> String) -> String {
    let mut table = "| Firmware | Loads | Alone | Beside dnsmasq |\n|---|---|---|---|\n".to_owned();
    for row in ROWS {
        let [alone, beside] = Lan::BOTH.map(|lan| {
            let cell = Cell { row, lan };
            match cell.when() {
                When::Never(reason) => format!("no: {reason}"),
                _ => time(&cell),
            }
        });
        table += &format!("| {} | {} | {alone} | {beside} |\n", row.firmware, row.loaders);
    }
    table
}

/// `14 s |` and `14 s` without the number.
fn without_time(cell: &str) -> String {
    let digits = cell.len() - cell.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match cell.split_at(digits) {
        ("", text) => text.to_owned(),
        (_, unit) => format!("…{unit}"),
    }
}

fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text.split_once(BEGIN).expect("README.md lost the table's first line");
    let (table, after) = rest.split_once(END).expect("README.md lost the table's last line");
    (before, table, after)
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}
