//! How large the image and the program are.

use std::fs;

use super::lab::workshop::image_file;
use super::lab::{Failure, Result};

/// What somebody downloads.
const IMAGE: u64 = 64 * 1024 * 1024;

/// What the Pi starts.
const PROGRAM: u64 = 8 * 1024 * 1024;

#[test]
fn the_compressed_image_and_the_program_are_small() -> Result<()> {
    for (name, limit) in [("pxeberry.img.xz", IMAGE), ("pxeberry", PROGRAM)] {
        let size = fs::metadata(image_file(name)?).map_err(Failure::at(name))?.len();
        println!("{name}: {:.1} MiB", size as f64 / 1024.0 / 1024.0);
        assert!(size <= limit, "{name} has {size} bytes, not {limit}");
    }
    Ok(())
}
