//! Rock Ridge (IEEE P1282) in the system use fields (IEEE P1281, SUSP) of records.

use super::record::Record;
use super::{Fault, Folder, SECTOR, SECTOR_LENGTH, Source};

/// What Rock Ridge says of one record.
#[derive(Debug, Default)]
pub struct Extensions {
    /// The POSIX name.
    pub name: Option<Vec<u8>>,
    /// A symbolic link's target.
    pub link: Option<Vec<u8>>,
    /// A folder that was too deep for ISO 9660 stands elsewhere: its sector.
    pub moved_to: Option<u32>,
    /// It stands here only because it was too deep elsewhere.
    pub moved_here: bool,
    /// Compressed content, a device, a pipe: nothing to be served.
    pub no_plain_file: bool,
}

/// A name or a target is no longer on Linux.
const LONGEST_TEXT: usize = 1024;

/// Fields that go on in another place, one after the other.
const MOST_CONTINUATIONS: usize = 4;

/// If the root's own record says that extensions are used: how many bytes of each record's
/// field stand before them.
pub fn extensions_start(source: &impl Source, root: Folder) -> Result<Option<usize>, Fault> {
    let mut sector = [0; SECTOR_LENGTH];
    root.check(source.length())?;
    source.read_at(root.offset(), &mut sector)?;
    let Some(record) = Record::parse(&sector) else {
        return Err(Fault::Damaged("its root folder makes no sense"));
    };
    // SP: length 7, version 1, then a mark and the number.
    Ok(match record.system_use {
        [b'S', b'P', 7, 1, 0xbe, 0xef, skip, ..] => Some(usize::from(*skip)),
        _ => None,
    })
}

impl Extensions {
    /// Reads what stands in a record, and in the places where it goes on.
    pub fn read(source: &impl Source, record: &Record, skip: usize) -> Result<Extensions, Fault> {
        let mut found = Extensions::default();
        let field = record.system_use.get(skip..).unwrap_or_default();
        let mut next = found.field(field);
        for _ in 0..MOST_CONTINUATIONS {
            let Some(place) = next else { break };
            let mut buffer = [0; SECTOR_LENGTH];
            let Some(area) = buffer.get_mut(..place.length) else {
                return Err(Fault::Damaged("a name goes on outside of a sector"));
            };
            if place.offset + place.length as u64 > source.length() {
                return Err(Fault::Damaged("a name goes on behind its end"));
            }
            source.read_at(place.offset, area)?;
            next = found.field(area);
        }
        Ok(found)
    }

    /// One field: entries of two letters, a length, a version and data.
    fn field(&mut self, mut rest: &[u8]) -> Option<Place> {
        let mut goes_on = None;
        while let [first, second, length, _, ..] = rest {
            let length = usize::from(*length);
            let (Some(data), Some(after)) = (rest.get(4..length), rest.get(length..)) else {
                break;
            };
            match [*first, *second] {
                [b'S', b'T'] => break,
                [b'C', b'E'] => goes_on = Place::parse(data),
                [b'N', b'M'] => self.name(data),
                [b'S', b'L'] => self.link(data),
                [b'C', b'L'] => self.moved_to = super::number(data, 0),
                [b'R', b'E'] => self.moved_here = true,
                [b'Z', b'F'] => self.no_plain_file = true,
                [b'P', b'X'] => self.mode(data),
                _ => {}
            }
            rest = after;
        }
        goes_on
    }

    fn name(&mut self, data: &[u8]) {
        // Flags 2 and 4 mean "." and "..", which have other marks already.
        if let Some((flags, part)) = data.split_first()
            && flags & 6 == 0
        {
            append(self.name.get_or_insert_default(), part);
        }
    }

    /// Components: flags, a length, and text. The first flags say whether more comes.
    fn link(&mut self, data: &[u8]) {
        let target = self.link.get_or_insert_default();
        let mut rest = data.get(1..).unwrap_or_default();
        while let [flags, length, after @ ..] = rest {
            let Some((text, after)) = after.split_at_checked(usize::from(*length)) else {
                break;
            };
            match flags & 0x0e {
                0x02 => append(target, b"."),
                0x04 => append(target, b".."),
                // From the root of the machine: leads out of the ISO.
                0x08 => append(target, b"/"),
                _ => append(target, text),
            }
            if flags & 1 == 0 {
                append(target, b"/");
            }
            rest = after;
        }
    }

    fn mode(&mut self, data: &[u8]) {
        let kind = super::number(data, 0).map(|mode| mode & 0o170_000);
        self.no_plain_file |= !matches!(kind, Some(0o100_000 | 0o040_000 | 0o120_000));
    }
}

fn append(text: &mut Vec<u8>, part: &[u8]) {
    if text.len() + part.len() <= LONGEST_TEXT {
        text.extend_from_slice(part);
    }
}

/// Where a field goes on.
struct Place {
    offset: u64,
    length: usize,
}

impl Place {
    fn parse(data: &[u8]) -> Option<Place> {
        let number = |at| super::number(data, at);
        let (block, offset, length) = (number(0)?, number(8)?, number(16)?);
        let offset = u64::from(block) * SECTOR + u64::from(offset);
        Some(Place { offset, length: usize::try_from(length).ok()? })
    }
}
