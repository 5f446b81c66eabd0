//! ISO 9660 (ECMA-119) with Rock Ridge and Joliet names: where in an ISO a file's bytes are.
//!
//! Reads only, through [`Source`], a few sectors at a time: an ISO of any size costs the same
//! memory. Whatever the ISO says is checked against its own length, and every walk is
//! bounded. It reads no UDF, no compressed and no interleaved files; those are refused.

mod folder;
mod record;
mod rock_ridge;
mod volume;
mod walk;

use std::fmt;
use std::io;

use folder::{Entry, Folder, Kind};
use record::Record;
use rock_ridge::{Extensions, extensions_start};
pub use walk::{Entries, Walked};

/// Whether the last part of `path` names an ISO.
pub fn is_iso(path: &str) -> bool {
    let end = path.len().checked_sub(4).and_then(|at| path.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(".iso"))
}

/// What an ISO is read from.
pub trait Source {
    /// Its length in bytes.
    fn length(&self) -> u64;

    /// Fills `buffer` from `offset`, or fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// The whole file's bytes lie there, in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Counted from the begin of the ISO.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// Why an ISO, or a part of it, cannot be used.
#[derive(Debug)]
pub enum Fault {
    /// It has no ISO 9660 file system.
    NotIso,
    /// Its files are in a UDF file system alone, as Windows' are.
    OnlyUdf,
    /// It ends before its file system does.
    CutOff {
        /// Bytes that it should have.
        says: u64,
        /// Bytes that it has.
        has: u64,
    },
    /// It contradicts itself.
    Damaged(&'static str),
    /// A file of it cannot be served.
    Unusable(String, &'static str),
    /// More than is looked through.
    TooLarge(&'static str),
    /// The stick gave an error.
    Unreadable(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotIso => f.write_str("is no ISO 9660 image"),
            Fault::OnlyUdf => f.write_str(
                "holds its files in UDF, as Windows' discs do, which is not read; copy them out \
                 into a folder",
            ),
            Fault::CutOff { says, has } => {
                write!(f, "is cut off: {has} of {says} bytes are there; copy it again")
            }
            Fault::Damaged(what) => write!(f, "is damaged: {what}; copy it again"),
            Fault::Unusable(path, what) => write!(f, "its file {path} is {what}"),
            Fault::TooLarge(what) => write!(f, "{what}; the rest was not looked at"),
            Fault::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Unreadable(error)
    }
}

/// The unit that everything lies in.
const SECTOR: u64 = SECTOR_LENGTH as u64;
const SECTOR_LENGTH: usize = 2048;

/// What is left out at the end by some programs that write or read discs: the two seconds
/// of padding that belong to no file.
const PADDING: u64 = 150 * SECTOR;

/// Links that may follow each other, as Linux has it fewer than 40.
const MOST_LINKS: usize = 8;

/// Bytes of folders that one look-up or one walk reads; those of Debian's largest disc are
/// a third of it. Folders that lie over each other would be read again and again.
const MOST_READ: u64 = 64 * 1024 * 1024;

/// Folders in folders that a look-up goes through.
const DEEPEST: usize = 32;

/// An ISO whose file system was found.
pub struct Iso<S> {
    source: S,
    root: Folder,
    names: Names,
}

/// Where names come from: the best that there is, as Linux chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Bytes to skip before the extensions of each record.
    RockRidge(usize),
    Joliet,
    /// Upper-case 8.3, shown in lower case as Linux shows them.
    Plain,
}

impl<S: Source> Iso<S> {
    /// Finds the file system.
    pub fn open(source: S) -> Result<Iso<S>, Fault> {
        let volumes = volume::read(&source)?;
        let Some(primary) = volumes.primary else {
            return Err(if volumes.udf { Fault::OnlyUdf } else { Fault::NotIso });
        };
        if primary.length > source.length().saturating_add(PADDING) {
            return Err(Fault::CutOff { says: primary.length, has: source.length() });
        }
        let skip = extensions_start(&source, primary.root)?;
        let (root, names) = match (skip, volumes.joliet) {
            (Some(skip), _) => (primary.root, Names::RockRidge(skip)),
            (None, Some(joliet)) => (joliet.root, Names::Joliet),
            (None, None) => (primary.root, Names::Plain),
        };
        let iso = Iso { source, root, names };
        if volumes.udf && iso.has_only_a_readme()? {
            return Err(Fault::OnlyUdf);
        }
        Ok(iso)
    }

    /// Where the file `path` is. Its names are meant exactly; if there is none, in any case;
    /// then as the upper-case 8.3 names that every ISO has. Links are followed inside the
    /// ISO. None: there is no such file.
    pub fn lookup(&self, path: &str) -> Result<Option<Extent>, Fault> {
        let asked = path.split('/').filter(|part| !part.is_empty());
        let mut left: Vec<String> = asked.rev().map(str::to_owned).collect();
        if left.iter().any(|part| part == "." || part == "..") {
            return Ok(None);
        }
        let mut trail = vec![self.root];
        let (mut links, mut read) = (0, 0);
        while let (Some(name), Some(here)) = (left.pop(), trail.last()) {
            if name == ".." {
                // Above the root there is nothing of this ISO.
                trail.pop();
                continue;
            }
            read += here.length();
            if read > MOST_READ {
                return Err(Fault::TooLarge("has larger folders than any installer"));
            }
            match self.find_in(*here, &name)? {
                Some(Kind::Folder(folder)) if trail.len() < DEEPEST => trail.push(folder),
                Some(Kind::File(extent)) => return Ok(left.is_empty().then_some(extent)),
                Some(Kind::Link(target)) if links < MOST_LINKS && !target.starts_with('/') => {
                    links += 1;
                    let parts = target.split('/').filter(|part| !matches!(*part, "" | "."));
                    left.extend(parts.rev().map(str::to_owned));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn find_in(&self, folder: Folder, name: &str) -> Result<Option<Kind>, Fault> {
        let mut second = None;
        let mut third = None;
        let mut exactly = None;
        self.each_in(folder, |entry| {
            if entry.name == name {
                exactly = Some(entry.kind);
                return Ok(false);
            }
            if second.is_none() && entry.name.eq_ignore_ascii_case(name) {
                second = Some(entry.kind);
            } else if third.is_none() && entry.plain_name().eq_ignore_ascii_case(name) {
                third = Some(entry.kind);
            }
            Ok(true)
        })?;
        Ok(exactly.or(second).or(third))
    }

    /// What Windows' discs show to those that read no UDF.
    fn has_only_a_readme(&self) -> Result<bool, Fault> {
        let (mut files, mut others) = (0, 0);
        self.each_in(self.root, |entry| {
            match entry.kind {
                Kind::File(_) => files += 1,
                _ => others += 1,
            }
            Ok(files + others < 2)
        })?;
        Ok(files <= 1 && others == 0)
    }
}

/// A number that stands there twice, little-endian first.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..)?.first_chunk().copied()?;
    Some(u32::from_le_bytes(bytes))
}
