//! FAT12, FAT16 and FAT32: boot sector and volume label.
//!
//! Windows writes a label only into the root directory, mkfs into both places, so the root
//! directory counts first.

use std::io::{self, Read, Seek};

use super::{has, le16, le32, read_at, text};

/// A root directory's label is among its first entries; this is plenty.
const LONGEST_LOOK: u64 = 64 * 1024;

const ENTRY: usize = 32;
const ATTRIBUTE_LABEL: u8 = 0x08;
const ATTRIBUTE_LONG_NAME: u8 = 0x0f;
const DELETED: u8 = 0xe5;

/// What the boot sector says.
pub(super) struct Volume {
    /// Byte offset and length of (the start of) the root directory.
    root: (u64, u64),
    /// Where the boot sector's own copy of the label lies.
    label_at: usize,
}

impl Volume {
    /// None where the numbers cannot be those of a FAT volume: a partition table has the
    /// same signature at its end.
    pub(super) fn parse(head: &[u8]) -> Option<Volume> {
        let sector = u64::from(le16(head, 11)?);
        let cluster_sectors = u64::from(*head.get(13)?);
        let reserved = u64::from(le16(head, 14)?);
        let tables = u64::from(*head.get(16)?);
        let root_entries = u64::from(le16(head, 17)?);
        let media = *head.get(21)?;
        let sane = has(head, 510, &[0x55, 0xaa])
            && matches!(sector, 512 | 1024 | 2048 | 4096)
            && cluster_sectors.is_power_of_two()
            && reserved > 0
            && matches!(tables, 1 | 2)
            && (media == 0xf0 || media >= 0xf8);
        if !sane {
            return None;
        }
        let short_table = u64::from(le16(head, 22)?);
        let (table, wide) = match short_table {
            0 => (u64::from(le32(head, 36)?), true),
            sectors => (sectors, false),
        };
        // One of the two root directories, and a table, must be there.
        if table == 0 || (root_entries == 0) != wide {
            return None;
        }
        let data = (reserved + tables * table) * sector;
        let root = if wide {
            let cluster = u64::from(le32(head, 44)?).checked_sub(2)?;
            let length = cluster_sectors * sector;
            (data + cluster * length, length)
        } else {
            (data, root_entries * ENTRY as u64)
        };
        Some(Volume { root, label_at: if wide { 71 } else { 43 } })
    }

    /// The label in the root directory. An error is the device's, not the volume's.
    pub(super) fn root_label<R: Read + Seek>(&self, disk: &mut R) -> io::Result<Option<String>> {
        let (offset, length) = self.root;
        let directory = read_at(disk, offset, length.min(LONGEST_LOOK))?;
        let (entries, _) = directory.as_chunks::<ENTRY>();
        let label = entries
            .iter()
            .take_while(|entry| entry[0] != 0)
            .find(|entry| {
                let attributes = entry[11];
                entry[0] != DELETED
                    && attributes & ATTRIBUTE_LABEL != 0
                    && attributes & ATTRIBUTE_LONG_NAME != ATTRIBUTE_LONG_NAME
            })
            .map(|entry| text(&entry[..11]));
        Ok(label)
    }

    /// The label in the boot sector; `NO NAME` is how formatters write none.
    pub(super) fn boot_label(&self, head: &[u8]) -> Option<String> {
        let label = text(head.get(self.label_at..)?.get(..11)?);
        (label != "NO NAME").then_some(label)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Content, FileSystem, identify};

    fn boot_sector(wide: bool, label: &[u8; 11]) -> Vec<u8> {
        let mut disk = vec![0; 64 * 1024];
        disk[11..13].copy_from_slice(&512_u16.to_le_bytes());
        disk[13] = 1;
        disk[14] = 1;
        disk[16] = 2;
        disk[21] = 0xf8;
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        if wide {
            disk[36] = 8;
            disk[44] = 3;
            disk[71..82].copy_from_slice(label);
        } else {
            disk[17] = 32;
            disk[22] = 4;
            disk[43..54].copy_from_slice(label);
        }
        disk
    }

    fn entry(disk: &mut [u8], sector: usize, index: usize, name: &[u8; 11], attributes: u8) {
        let at = sector * 512 + index * 32;
        disk[at..at + 11].copy_from_slice(name);
        disk[at + 11] = attributes;
    }

    fn label(disk: Vec<u8>) -> String {
        match identify(&mut Cursor::new(disk)).unwrap() {
            Content::Known { system: FileSystem::Fat, label } => label,
            other => panic!("not FAT but {other:?}"),
        }
    }

    #[test]
    fn fat32_has_its_label_in_the_root_directory_whatever_the_boot_sector_says() {
        let mut disk = boot_sector(true, b"NO NAME    ");
        // Root cluster 3: reserved 1, two tables of 8, then one cluster.
        entry(&mut disk, 18, 0, b"Ae\0x\0t\0\0\0\0\0", 0x0f);
        entry(&mut disk, 18, 1, b"\xe5LDNAME    ", 0x08);
        entry(&mut disk, 18, 2, b"IMAGES     ", 0x08);
        assert_eq!(label(disk), "IMAGES");
    }

    #[test]
    fn fat12_and_fat16_have_a_fixed_root_directory() {
        let mut disk = boot_sector(false, b"OLD        ");
        entry(&mut disk, 9, 0, b"STICK      ", 0x08);
        assert_eq!(label(disk), "STICK");
    }

    #[test]
    fn the_boot_sector_is_the_second_choice() {
        assert_eq!(label(boot_sector(true, b"PXEBERRY   ")), "PXEBERRY");
        assert_eq!(label(boot_sector(false, b"NO NAME    ")), "");
    }
}
