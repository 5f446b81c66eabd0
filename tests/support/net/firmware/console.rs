//! A serial console as plain text.

use std::io::{Read, Result};

/// Leaves out what moves a cursor, sets colours, or is no ASCII.
pub struct Plain<R> {
    source: R,
    in_escape: bool,
    draws: bool,
}

impl<R: Read> Plain<R> {
    /// What `source` prints. If it `draws`, a new place for the cursor begins a new line.
    pub fn new(source: R, draws: bool) -> Plain<R> {
        Plain { source, in_escape: false, draws }
    }

    fn keeps(&mut self, byte: u8) -> Option<u8> {
        if self.in_escape {
            // A letter ends every sequence that firmware and loaders send.
            self.in_escape = !byte.is_ascii_alphabetic();
            return (self.draws && byte == b'H').then_some(b'\n');
        }
        self.in_escape = byte == 0x1b;
        (byte == b'\n' || byte == b' ' || byte.is_ascii_graphic()).then_some(byte)
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let count = self.source.read(buffer)?;
            let mut kept = 0;
            for at in 0..count {
                if let Some(byte) = self.keeps(buffer[at]) {
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
