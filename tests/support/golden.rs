//! Expected texts in files under tests/data. `UPDATE_GOLDEN=1` writes them anew, and the test
//! fails all the same: somebody must look at what changed.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::fs;
use std::path::Path;

/// Fails unless `text` is what the file `name` holds, with the first line that differs.
#[track_caller]
pub fn is_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        return;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        panic!(
            "tests/data/{name} was written anew; look at it, and run again without UPDATE_GOLDEN"
        );
    }
    let lines = expected.lines().map(Some).chain(std::iter::repeat(None));
    let now = text.lines().map(Some).chain(std::iter::repeat(None));
    let differs = lines.zip(now).enumerate().find(|(_, (before, now))| before != now);
    let (number, (before, now)) = differs.unwrap();
    panic!(
        "tests/data/{name}:{}:\nexpected: {}\n     now: {}\n(UPDATE_GOLDEN=1 writes it anew)",
        number + 1,
        before.unwrap_or("the end"),
        now.unwrap_or("the end")
    );
}
