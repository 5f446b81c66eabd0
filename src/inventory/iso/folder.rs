//! A folder's entries: records with their names, and files that are several records.

use super::{Extensions, Extent, Fault, Iso, Names, Record, SECTOR, SECTOR_LENGTH, Source};

/// Where a folder's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Folder {
    block: u64,
    size: u32,
}

impl Folder {
    /// The folder that a record stands for.
    pub fn of(record: &Record) -> Folder {
        Folder { block: record.block, size: record.size }
    }

    /// Where its first record is.
    pub fn offset(self) -> u64 {
        self.block * SECTOR
    }

    /// How many bytes are read of it at most.
    pub fn length(self) -> u64 {
        u64::from(self.size.min(LARGEST))
    }

    /// Refuses a folder that is not wholly in the image.
    pub fn check(self, length: u64) -> Result<(), Fault> {
        let end = self.offset() + u64::from(self.size).next_multiple_of(SECTOR);
        match self.size > 0 && end <= length {
            true => Ok(()),
            false => Err(Fault::Damaged("a folder is not where it should be")),
        }
    }
}

/// One name in a folder.
pub struct Entry<'a> {
    /// Clean: text without slashes and control characters.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    identifier: &'a [u8],
    joliet: bool,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file in one piece.
    File(Extent),
    /// A folder.
    Folder(Folder),
    /// A symbolic link and its target.
    Link(String),
    /// A file that cannot be served, and why.
    Unusable(&'static str),
}

impl Entry<'_> {
    /// The name that systems without Rock Ridge see.
    pub fn plain_name(&self) -> String {
        if self.joliet { self.name.clone() } else { plain(self.identifier).unwrap_or_default() }
    }
}

/// Read at once; most folders are one sector.
const PIECE: usize = 16 * SECTOR_LENGTH;

/// Past this no look-up goes on: a folder of 5,000 packages takes one megabyte.
const LARGEST: u32 = 8 * 1024 * 1024;

/// A file's parts follow each other up to here: 256 GiB.
const MOST_PARTS: usize = 64;

impl<S: Source> Iso<S> {
    /// Shows each entry of a folder to `each`, until that says false.
    pub(super) fn each_in(
        &self,
        folder: Folder,
        mut each: impl FnMut(Entry) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        folder.check(self.source.length())?;
        let size = folder.length().next_multiple_of(SECTOR);
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(PIECE).min(PIECE)];
        let mut parts = Parts::default();
        let mut at = 0;
        while at < size {
            let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            let Some(piece) = buffer.get_mut(..length) else { break };
            self.source.read_at(folder.offset() + at, piece)?;
            // No record crosses the end of a sector.
            for sector in piece.chunks(SECTOR_LENGTH) {
                if !self.each_of_sector(sector, &mut parts, &mut each)? {
                    return Ok(());
                }
            }
            at += length as u64;
        }
        match folder.size > LARGEST {
            true => Err(Fault::TooLarge("has a folder with more names than any installer's")),
            false => Ok(()),
        }
    }

    fn each_of_sector(
        &self,
        mut sector: &[u8],
        parts: &mut Parts,
        each: &mut impl FnMut(Entry) -> Result<bool, Fault>,
    ) -> Result<bool, Fault> {
        while sector.first().is_some_and(|length| *length != 0) {
            let damaged = || Fault::Damaged("a folder's records make no sense");
            let record = Record::parse(sector).ok_or_else(damaged)?;
            sector = sector.get(usize::from(sector.first().copied().unwrap_or(0))..).unwrap_or(&[]);
            if record.is_self_or_parent() || record.is_associated() {
                continue;
            }
            if let Some(extent) = parts.add(&record)
                && let Some(entry) = self.entry(&record, extent)?
                && !each(entry)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// None: it has no name that anybody could ask for.
    fn entry<'a>(
        &self,
        record: &Record<'a>,
        extent: Option<Extent>,
    ) -> Result<Option<Entry<'a>>, Fault> {
        let extensions = match self.names {
            Names::RockRidge(skip) => Extensions::read(&self.source, record, skip)?,
            Names::Joliet | Names::Plain => Extensions::default(),
        };
        if extensions.moved_here {
            return Ok(None);
        }
        let name = match (self.names, extensions.name) {
            (Names::RockRidge(_), Some(name)) => String::from_utf8(name).ok(),
            (Names::Joliet, _) => joliet(record.identifier),
            _ => plain(record.identifier),
        };
        let Some(name) = name.filter(|name| is_clean(name)) else {
            return Ok(None);
        };
        let kind = if let Some(block) = extensions.moved_to {
            self.moved(block)?
        } else if record.is_folder() {
            Kind::Folder(Folder::of(record))
        } else if let Some(target) = extensions.link {
            String::from_utf8(target).map_or(Kind::Unusable("a link to nowhere"), Kind::Link)
        } else if extensions.no_plain_file {
            Kind::Unusable("compressed, or no file at all")
        } else {
            self.file(extent)
        };
        let joliet = self.names == Names::Joliet;
        Ok(Some(Entry { name, kind, identifier: record.identifier, joliet }))
    }

    fn file(&self, extent: Option<Extent>) -> Kind {
        let Some(extent) = extent else {
            return Kind::Unusable("scattered in pieces");
        };
        if extent.size == 0 {
            // Nothing is read there, wherever it is.
            return Kind::File(Extent { offset: 0, size: 0 });
        }
        match extent.offset.checked_add(extent.size) {
            Some(end) if end <= self.source.length() => Kind::File(extent),
            _ => Kind::Unusable("not wholly in the ISO"),
        }
    }

    /// A folder's size stands in its own first record.
    fn moved(&self, block: u32) -> Result<Kind, Fault> {
        let block = u64::from(block);
        let mut sector = [0; SECTOR_LENGTH];
        if (block + 1) * SECTOR > self.source.length() {
            return Ok(Kind::Unusable("not wholly in the ISO"));
        }
        self.source.read_at(block * SECTOR, &mut sector)?;
        Ok(match Record::parse(&sector) {
            Some(own) if own.is_folder() && own.block == block => Kind::Folder(Folder::of(&own)),
            _ => Kind::Unusable("a folder that is not there"),
        })
    }
}

/// The parts of a file so far.
#[derive(Debug, Default)]
struct Parts {
    begun: Option<(u64, u64)>,
    count: usize,
    scattered: bool,
}

impl Parts {
    /// Adds a record. Its last one gives the file, which is none if it is not in one piece.
    fn add(&mut self, record: &Record) -> Option<Option<Extent>> {
        let (offset, size) = *self.begun.get_or_insert((record.block * SECTOR, 0));
        self.count += 1;
        self.scattered |=
            record.interleaved || offset + size != record.block * SECTOR || self.count > MOST_PARTS;
        let size = size + u64::from(record.size);
        self.begun = Some((offset, size));
        if record.goes_on() {
            return None;
        }
        let scattered = std::mem::take(self).scattered;
        Some((!scattered).then_some(Extent { offset, size }))
    }
}

/// `NAME.EXT;1` as Linux shows it: lower-case, without version and empty extension.
fn plain(identifier: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(identifier).ok()?;
    let name = name.split(';').next()?;
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

/// UCS-2, the higher byte first.
fn joliet(identifier: &[u8]) -> Option<String> {
    let (pairs, _) = identifier.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    let name: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    Some(name.strip_suffix(";1").unwrap_or(&name).to_owned())
}

fn is_clean(name: &str) -> bool {
    let strange = |c: char| c.is_control() || matches!(c, '/' | '\\');
    !matches!(name, "" | "." | "..") && !name.contains(strange)
}
