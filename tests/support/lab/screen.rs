//! The appliance's screen. The Pi's firmware switches it on and tells the kernel where its
//! picture lies (`simple-framebuffer`); QEMU shows a picture there, and tells nobody.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::failure::{Failure, Result};
use super::workshop::run;

/// Where QEMU's raspi3b has it (`BCM2835_FB_OFFSET` behind the 64 MiB of the GPU), 640 × 480
/// with two bytes a pixel.
const NODE: &str = "/chosen/framebuffer@3c100000";

/// A letter of the kernel's font.
const LETTER: (usize, usize) = (8, 16);

/// Tells the kernel of it, as the firmware would.
pub fn plug_in(dtb: &str) -> Result<()> {
    let set = |words: &[&str]| run(Command::new("fdtput").args(words)).map(drop);
    set(&["-c", dtb, NODE])?;
    for cells in ["#address-cells", "#size-cells"] {
        set(&["-t", "i", dtb, "/chosen", cells, "1"])?;
    }
    set(&[dtb, "/chosen", "ranges"])?;
    set(&["-t", "x", dtb, NODE, "reg", "3c100000", "96000"])?;
    for (name, value) in [("width", "640"), ("height", "480"), ("stride", "1280")] {
        set(&["-t", "i", dtb, NODE, name, value])?;
    }
    for (name, value) in [("compatible", "simple-framebuffer"), ("format", "r5g6b5")] {
        set(&["-t", "s", dtb, NODE, name, value])?;
    }
    Ok(())
}

/// Letters as pictures, row by row.
pub struct Screen(Vec<Vec<Vec<u8>>>);

impl Screen {
    /// A picture that QEMU has taken (PPM).
    pub fn read(picture: &Path) -> Result<Screen> {
        let bytes = fs::read(picture).map_err(Failure::at(picture.display()))?;
        let wrong = || Failure::new(format!("{} is no picture", picture.display()));
        let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
        let size = parts.nth(1).and_then(|size| std::str::from_utf8(size).ok());
        let (width, height) = size.and_then(|size| size.split_once(' ')).ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        let (width, height) = (number(width)?, number(height)?);
        let pixels = parts.nth(1).filter(|pixels| pixels.len() >= width * height * 3);
        let pixels = pixels.ok_or_else(wrong)?;
        let letter = |row: usize, column: usize| {
            let line = |line: usize| {
                let start = ((row * LETTER.1 + line) * width + column * LETTER.0) * 3;
                pixels.get(start..start + LETTER.0 * 3).unwrap_or_default().to_vec()
            };
            (0..LETTER.1).flat_map(line).collect::<Vec<u8>>()
        };
        let row = |row| (0..width / LETTER.0).map(|column| letter(row, column)).collect();
        Ok(Screen((0..height / LETTER.1).map(row).collect()))
    }

    /// The rows in which one letter, and not a space, stands so many times beside itself.
    pub fn rows_with_a_rule(&self, length: usize) -> Vec<usize> {
        let is_rule = |letters: &[Vec<u8>]| {
            let lit = |letter: &Vec<u8>| letter.iter().any(|byte| *byte != 0);
            let same = letters.windows(2).all(|pair| pair.first() == pair.last());
            same && letters.first().is_some_and(lit)
        };
        let rows = self.0.iter().enumerate();
        rows.filter(|(_, row)| row.windows(length).any(is_rule)).map(|(row, _)| row).collect()
    }
}
