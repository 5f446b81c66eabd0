//! What is on a block device: its file system and label, told from the superblock.
//!
//! Pure: reads bytes, mounts nothing. It believes no number that it finds: every offset is
//! checked, every read is bounded, and damaged structures only cost the label.

mod exfat;
mod fat;
mod ntfs;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

/// A file system that the appliance can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// exFAT: large sticks and cards as they are sold.
    Exfat,
    /// NTFS.
    Ntfs,
    /// ext2, ext3 or ext4.
    Ext,
    /// ISO 9660: a CD image written straight to a stick.
    Iso9660,
}

impl FileSystem {
    /// The kernel's name of the driver. NTFS has had several; this is one of them.
    pub fn driver(self) -> &'static str {
        match self {
            FileSystem::Fat => "vfat",
            FileSystem::Exfat => "exfat",
            FileSystem::Ntfs => "ntfs3",
            FileSystem::Ext => "ext4",
            FileSystem::Iso9660 => "iso9660",
        }
    }

    /// The file system of a driver, back from [`FileSystem::driver`].
    pub fn of_driver(name: &str) -> Option<FileSystem> {
        use FileSystem::{Exfat, Ext, Fat, Iso9660, Ntfs};
        [Fat, Exfat, Ntfs, Ext, Iso9660].into_iter().find(|system| system.driver() == name)
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileSystem::Fat => "FAT",
            FileSystem::Exfat => "exFAT",
            FileSystem::Ntfs => "NTFS",
            FileSystem::Ext => "ext4",
            FileSystem::Iso9660 => "ISO 9660",
        })
    }
}

/// What a look at a device found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file system that can be mounted.
    Known {
        /// Which one.
        system: FileSystem,
        /// Its name, empty where it has none.
        label: String,
    },
    /// Something that is recognised and cannot be read here: its name.
    Unreadable(String),
    /// Nothing that is recognised.
    Unknown,
}

/// ISO 9660 keeps its descriptor behind sixteen sectors of 2048 bytes.
const ISO_DESCRIPTOR: u64 = 16 * 2048;

/// The ext superblock's place, whatever the block size.
const EXT_SUPERBLOCK: usize = 1024;

/// Looks at the superblocks of `disk`.
pub fn identify<R: Read + Seek>(disk: &mut R) -> io::Result<Content> {
    let head = read_at(disk, 0, 4096)?;
    let known = |system, label| Ok(Content::Known { system, label });
    if let Some(name) = unreadable(&head) {
        return Ok(Content::Unreadable(name.to_owned()));
    }
    if has(&head, 3, b"EXFAT   ") {
        return known(FileSystem::Exfat, exfat::label(disk, &head).unwrap_or_default());
    }
    if has(&head, 3, b"NTFS    ") {
        return known(FileSystem::Ntfs, ntfs::label(disk, &head).unwrap_or_default());
    }
    if has(&head, EXT_SUPERBLOCK + 56, &[0x53, 0xef]) {
        let label = head.get(EXT_SUPERBLOCK + 120..).and_then(|at| at.get(..16));
        return known(FileSystem::Ext, text(label.unwrap_or_default()));
    }
    // Before FAT: a hybrid image starts with a boot sector that may look like one.
    let descriptor = read_at(disk, ISO_DESCRIPTOR, 2048)?;
    if has(&descriptor, 1, b"CD001") {
        let label = descriptor.get(40..72).unwrap_or_default();
        return known(FileSystem::Iso9660, text(label));
    }
    if let Some(volume) = fat::Volume::parse(&head) {
        let label = volume.root_label(disk)?.or_else(|| volume.boot_label(&head));
        return known(FileSystem::Fat, label.unwrap_or_default());
    }
    let far = read_at(disk, 0x1_0000, 4096)?;
    Ok(match has(&far, 0x40, b"_BHRfS_M") {
        true => Content::Unreadable("Btrfs".to_owned()),
        false => Content::Unknown,
    })
}

/// Magic numbers in the first 4 KiB of what people do put on sticks and we cannot read.
fn unreadable(head: &[u8]) -> Option<&'static str> {
    let magics: [(usize, &[u8], &'static str); 11] = [
        (3, b"-FVE-FS-", "BitLocker encryption"),
        (0, b"LUKS\xba\xbe", "LUKS encryption"),
        (0, b"XFSB", "XFS"),
        (0, b"hsqs", "SquashFS"),
        (1024, &[0x10, 0x20, 0xf5, 0xf2], "F2FS"),
        (1024, b"H+\x00\x04", "HFS+ (Mac)"),
        (1024, b"HX\x00\x05", "HFS+ (Mac)"),
        (32, b"NXSB", "APFS (Mac)"),
        (512, b"LABELONE", "an LVM volume"),
        (4086, b"SWAPSPACE2", "swap space"),
        (3, b"ReFS\0\0\0\0", "ReFS"),
    ];
    magics.into_iter().find(|(at, magic, _)| has(head, *at, magic)).map(|(_, _, name)| name)
}

fn has(bytes: &[u8], at: usize, magic: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(magic))
}

/// Up to `length` bytes at `offset`; fewer at the end of the device.
fn read_at<R: Read + Seek>(disk: &mut R, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    disk.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    disk.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// A padded name without its padding; what is not text is replaced, so that a log line
/// stays one line.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    printable(text.trim())
}

/// The same for the little-endian UTF-16 of exFAT and NTFS.
fn text16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let text: String = char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .take_while(|letter| *letter != '\0')
        .collect();
    printable(text.trim())
}

fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn disk(size: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut disk = vec![0; size];
        for (at, bytes) in parts {
            disk[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        disk
    }

    fn found(disk: Vec<u8>) -> Content {
        identify(&mut Cursor::new(disk)).unwrap()
    }

    fn known(system: FileSystem, label: &str) -> Content {
        Content::Known { system, label: label.to_owned() }
    }

    #[test]
    fn ext_tells_its_label() {
        let stick = disk(8192, &[(1080, &[0x53, 0xef]), (1144, b"pxeberry-state")]);
        assert_eq!(found(stick), known(FileSystem::Ext, "pxeberry-state"));
    }

    #[test]
    fn an_iso_on_a_stick_is_no_fat_although_its_first_sector_may_boot() {
        let boot = [0xeb, 0x3c, 0x90];
        let label = b"Debian 13                       ";
        let parts: [(usize, &[u8]); 4] =
            [(0, &boot), (510, &[0x55, 0xaa]), (32769, b"CD001"), (32808, label)];
        assert_eq!(found(disk(40960, &parts)), known(FileSystem::Iso9660, "Debian 13"));
    }

    #[test]
    fn what_cannot_be_read_here_is_called_by_its_name() {
        let btrfs = disk(0x11000, &[(0x10040, b"_BHRfS_M")]);
        assert_eq!(found(btrfs), Content::Unreadable("Btrfs".to_owned()));
        assert_eq!(found(disk(4096, &[(0, b"XFSB")])), Content::Unreadable("XFS".to_owned()));
        assert_eq!(
            found(disk(4096, &[(3, b"-FVE-FS-")])),
            Content::Unreadable("BitLocker encryption".to_owned())
        );
    }

    #[test]
    fn empty_short_and_absent_contents_are_no_error() {
        for size in [0, 1, 511, 512, 4096, 100_000] {
            assert_eq!(found(vec![0; size]), Content::Unknown);
            // All ones: every number is as wrong as it can be.
            assert_eq!(found(vec![0xff; size]), Content::Unknown);
        }
    }

    #[test]
    fn a_partition_table_is_no_file_system() {
        let parts: [(usize, &[u8]); 2] =
            [(446, &[0x80, 0, 2, 0, 0x0c, 0, 0, 0]), (510, &[0x55, 0xaa])];
        assert_eq!(found(disk(65536, &parts)), Content::Unknown);
    }

    #[test]
    fn a_label_cannot_break_a_log_line() {
        assert_eq!(text(b"a\nb\0c"), "a?b");
        assert_eq!(text16(&[b'a', 0, b'\n', 0, 0x00, 0xd8, 0, 0]), "a?\u{fffd}");
    }

    #[test]
    fn drivers_and_file_systems_name_each_other() {
        assert_eq!(FileSystem::of_driver("vfat"), Some(FileSystem::Fat));
        assert_eq!(FileSystem::of_driver("btrfs"), None);
    }
}
