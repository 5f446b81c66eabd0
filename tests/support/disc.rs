//! ISO images: real ones made by xorriso and genisoimage, and ones that no program would
//! make, record by record.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pxeberry::inventory::iso::Source;

pub const SECTOR: usize = 2048;

/// A folder that is gone when it is dropped, in memory: the disk has other things to do.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let folder = PathBuf::from(format!("/dev/shm/pxeberry-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with all the folders on the way.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes an ISO of a folder's content: `["xorriso", "-as", "mkisofs", "-R"]`.
#[track_caller]
pub fn make(words: &[&str], iso: &Path, folder: &Path) {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("-o").arg(iso).arg(folder);
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.unwrap_or_else(|error| {
        panic!("{}: {error}; `apt-get install xorriso genisoimage` brings it", words[0])
    });
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// With Rock Ridge and Joliet, as installers' discs are.
pub const XORRISO: &[&str] = &["xorriso", "-as", "mkisofs", "-R", "-J", "-joliet-long"];

/// An ISO in memory that counts what is read of it.
pub struct Memory<'a> {
    pub bytes: &'a [u8],
    pub taken: Cell<u64>,
}

impl<'a> Memory<'a> {
    pub fn new(bytes: &'a [u8]) -> Memory<'a> {
        Memory { bytes, taken: Cell::new(0) }
    }
}

impl Source for &Memory<'_> {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap();
        let part = begin.checked_add(buffer.len()).and_then(|end| self.bytes.get(begin..end));
        buffer.copy_from_slice(part.expect("read outside of the image"));
        self.taken.set(self.taken.get() + buffer.len() as u64);
        Ok(())
    }
}

/// An image that is written sector by sector. Its root folder is in sector 18.
pub struct Disc(pub Vec<u8>);

pub const ROOT: u32 = 18;

impl Disc {
    /// With this many sectors; the root folder may have some of them.
    pub fn new(sectors: u32, root_sectors: u32) -> Disc {
        let mut disc = Disc(vec![0; sectors as usize * SECTOR]);
        let mut primary = descriptor(1);
        primary[80..84].copy_from_slice(&sectors.to_le_bytes());
        primary[128..130].copy_from_slice(&[0, 8]);
        let root = record(b"\0", ROOT, root_sectors * SECTOR as u32, FOLDER, &[]);
        primary[156..156 + root.len()].copy_from_slice(&root);
        disc.put(16, &primary);
        disc.put(17, &descriptor(255));
        disc.folder(ROOT, root_sectors, &[]);
        disc
    }

    pub fn put(&mut self, sector: u32, bytes: &[u8]) {
        let begin = sector as usize * SECTOR;
        self.0[begin..begin + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes a folder's records, `.` and `..` first; none crosses the end of a sector.
    pub fn folder(&mut self, sector: u32, sectors: u32, records: &[Vec<u8>]) {
        let size = sectors * SECTOR as u32;
        let own =
            [record(b"\0", sector, size, FOLDER, &[]), record(b"\x01", ROOT, size, FOLDER, &[])];
        let mut bytes = Vec::new();
        for record in own.iter().chain(records) {
            if bytes.len() % SECTOR + record.len() > SECTOR {
                bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
            }
            bytes.extend_from_slice(record);
        }
        assert!(bytes.len() <= size as usize, "the folder needs {} bytes", bytes.len());
        self.put(sector, &bytes);
    }
}

pub const FILE: u8 = 0;
pub const FOLDER: u8 = 2;
pub const GOES_ON: u8 = 0x80;

/// A volume descriptor of this type.
pub fn descriptor(kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR];
    bytes[0] = kind;
    bytes[1..7].copy_from_slice(b"CD001\x01");
    bytes
}

/// A directory record.
pub fn record(name: &[u8], block: u32, size: u32, flags: u8, system_use: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 33];
    bytes[2..6].copy_from_slice(&block.to_le_bytes());
    bytes[10..14].copy_from_slice(&size.to_le_bytes());
    bytes[25] = flags;
    bytes[32] = name.len() as u8;
    bytes.extend_from_slice(name);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes.extend_from_slice(system_use);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes[0] = u8::try_from(bytes.len()).unwrap();
    bytes
}
