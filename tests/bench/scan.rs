//! Scans one folder as the servers do, and says how much it found: for `tests/bench/scan`.

use std::path::PathBuf;

use pxeberry::world::media;

fn main() {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).unwrap_or_default();
    match media::check(&folder) {
        Ok((found, _)) => {
            println!("images {} machines {}", found.images.len(), found.machines().count());
        }
        Err(problems) => println!("refused: {problems:?}"),
    }
}
