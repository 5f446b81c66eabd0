//! A serial console as plain text.

use std::io::{Read, Result};

/// Leaves out what moves a cursor, sets colours, or is no ASCII.
pub struct Plain<R> {
    source: R,
    in_escape: bool,
}

impl<R: Read> Plain<R> {
    /// What `source` prints.
    pub fn new(source: R) -> Plain<R> {
        Plain { source, in_escape: false }
    }

    fn keeps(&mut self, byte: u8) -> bool {
        if self.in_escape {
            // A letter ends every sequence that firmware and loaders send.
            self.in_escape = !byte.is_ascii_alphabetic();
            return false;
        }
        self.in_escape = byte == 0x1b;
        byte == b'\n' || byte == b' ' || byte.is_ascii_graphic()
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let count = self.source.read(buffer)?;
            let mut kept = 0;
            for at in 0..count {
                let byte = buffer[at];
                if self.keeps(byte) {
                    buffer[kept] = byte;
                    kept += 1;
                }
            }
            // No bytes would mean the end.
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}
