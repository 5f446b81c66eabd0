//! Volume descriptors: from sector 16 on, one a sector.

use super::record::Record;
use super::{Fault, Folder, SECTOR, SECTOR_LENGTH, Source, number};

/// What the descriptors say.
#[derive(Debug, Default)]
pub struct Volumes {
    /// Every ISO 9660 image has it.
    pub primary: Option<Volume>,
    /// The same tree once more, with Unicode names.
    pub joliet: Option<Volume>,
    /// There is a UDF file system, too.
    pub udf: bool,
}

/// A tree.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    /// Bytes that the image should have.
    pub length: u64,
    /// Where the tree begins.
    pub root: Folder,
}

/// The first sixteen are the boot loader's.
const FIRST: u64 = 16;

/// Real discs have fewer than ten, UDF's own three included.
const MOST: u64 = 32;

/// Reads all descriptors.
pub fn read(source: &impl Source) -> Result<Volumes, Fault> {
    let mut volumes = Volumes::default();
    for sector in FIRST..FIRST + MOST {
        let begin = sector * SECTOR;
        if begin + SECTOR > source.length() {
            break;
        }
        let mut bytes = [0; SECTOR_LENGTH];
        source.read_at(begin, &mut bytes)?;
        match bytes.get(1..6) {
            Some(b"CD001") => match bytes.first() {
                Some(1) if volumes.primary.is_none() => volumes.primary = Some(volume(&bytes)?),
                Some(2) if is_joliet(&bytes) => volumes.joliet = volume(&bytes).ok(),
                _ => {}
            },
            Some(b"NSR02" | b"NSR03") => volumes.udf = true,
            Some(b"BEA01" | b"TEA01" | b"BOOT2") => {}
            _ => break,
        }
    }
    Ok(volumes)
}

/// UCS-2 in one of its three levels.
fn is_joliet(descriptor: &[u8]) -> bool {
    matches!(descriptor.get(88..91), Some(b"%/@" | b"%/C" | b"%/E"))
}

fn volume(descriptor: &[u8]) -> Result<Volume, Fault> {
    let damaged = || Fault::Damaged("its volume descriptor makes no sense");
    let block_size = descriptor.get(128..130).ok_or_else(damaged)?;
    if block_size != [0, 8] {
        return Err(Fault::Damaged("its blocks are not 2048 bytes"));
    }
    let blocks = number(descriptor, 80).ok_or_else(damaged)?;
    let record = descriptor.get(156..190).and_then(Record::parse).ok_or_else(damaged)?;
    if !record.is_folder() {
        return Err(damaged());
    }
    Ok(Volume { length: u64::from(blocks) * SECTOR, root: Folder::of(&record) })
}
