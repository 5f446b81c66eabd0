//! Directory records (ECMA-119 §9.1): one entry of a folder, as it stands there.

use super::number;

/// A record's fields, unchecked against the rest of the image.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// First sector of the content.
    pub block: u64,
    /// Bytes of the content, or of this part of it.
    pub size: u32,
    /// Laid out in pieces with gaps: CD-I alone ever did.
    pub interleaved: bool,
    /// The name in the tree's own form.
    pub identifier: &'a [u8],
    /// Rock Ridge's place.
    pub system_use: &'a [u8],
    flags: u8,
}

const FOLDER: u8 = 0x02;
const ASSOCIATED: u8 = 0x04;
const GOES_ON: u8 = 0x80;

/// The fields before the name.
const HEAD: usize = 33;

impl<'a> Record<'a> {
    /// Reads the record that `bytes` begins with. None: it makes no sense.
    pub fn parse(bytes: &'a [u8]) -> Option<Record<'a>> {
        let length = usize::from(*bytes.first()?);
        let bytes = bytes.get(..length)?;
        let byte = |at: usize| bytes.get(at).copied();
        let name_length = usize::from(byte(32)?);
        let name_end = HEAD + name_length;
        let identifier = bytes.get(HEAD..name_end).filter(|name| !name.is_empty())?;
        // Padded to an even length.
        let system_use = bytes.get(name_end + usize::from(name_length % 2 == 0)..);
        Some(Record {
            // Extended attributes stand before the content.
            block: u64::from(number(bytes, 2)?) + u64::from(byte(1)?),
            size: number(bytes, 10)?,
            flags: byte(25)?,
            interleaved: byte(26)? != 0 || byte(27)? != 0,
            identifier,
            system_use: system_use.unwrap_or_default(),
        })
    }

    /// Whether its content is records.
    pub fn is_folder(&self) -> bool {
        self.flags & FOLDER != 0
    }

    /// A second fork of the file of the same name (Macintosh).
    pub fn is_associated(&self) -> bool {
        self.flags & ASSOCIATED != 0
    }

    /// The next record holds the file's next part: a file past 4 GiB.
    pub fn goes_on(&self) -> bool {
        self.flags & GOES_ON != 0
    }

    /// `.` or `..`
    pub fn is_self_or_parent(&self) -> bool {
        matches!(self.identifier, [0 | 1])
    }
}
