//! NTFS: the volume label, an attribute of the fourth record of the master file table.

use std::io::{Read, Seek};

use super::{has, le16, le32, le64, read_at, text16};

/// `$Volume` is the fourth record of every master file table.
const VOLUME_RECORD: u64 = 3;
const ATTRIBUTE_NAME: u32 = 0x60;
const ATTRIBUTES_END: u32 = 0xffff_ffff;

/// A record is 1 or 4 KiB; no more is read.
const LONGEST_RECORD: u64 = 4096;

pub(super) fn label<R: Read + Seek>(disk: &mut R, head: &[u8]) -> Option<String> {
    let sector = u64::from(le16(head, 11)?);
    let cluster = sector * u64::from(*head.get(13)?);
    let record = match (*head.get(64)?).cast_signed() {
        clusters @ 1.. => cluster * u64::from(clusters.unsigned_abs()),
        power @ -16..=-8 => 1 << power.unsigned_abs(),
        _ => return None,
    };
    let offset =
        le64(head, 48)?.checked_mul(cluster)?.checked_add(VOLUME_RECORD.checked_mul(record)?)?;
    let record = read_at(disk, offset, record.min(LONGEST_RECORD)).ok()?;
    if !has(&record, 0, b"FILE") {
        return None;
    }
    name_attribute(&record)
}

fn name_attribute(record: &[u8]) -> Option<String> {
    let mut at = usize::from(le16(record, 20)?);
    loop {
        let attribute = record.get(at..)?;
        match le32(attribute, 0)? {
            ATTRIBUTES_END => return None,
            ATTRIBUTE_NAME => {
                let length = usize::try_from(le32(attribute, 16)?).ok()?;
                let start = usize::from(le16(attribute, 20)?);
                return Some(text16(attribute.get(start..)?.get(..length)?));
            }
            _ => {
                let length = usize::try_from(le32(attribute, 4)?).ok()?;
                // A length of nothing would go round for ever.
                at = at.checked_add(length).filter(|next| *next > at)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Content, FileSystem, identify};

    fn stick() -> Vec<u8> {
        let mut disk = vec![0; 16 * 1024];
        disk[3..11].copy_from_slice(b"NTFS    ");
        disk[11..13].copy_from_slice(&512_u16.to_le_bytes());
        disk[13] = 8;
        disk[48] = 1; // master file table in cluster 1
        disk[64] = (-10_i8).cast_unsigned(); // records of 1 KiB
        let record = 4096 + 3 * 1024;
        disk[record..record + 4].copy_from_slice(b"FILE");
        disk[record + 20] = 56;
        let first = record + 56;
        disk[first] = 0x10;
        disk[first + 4] = 32;
        let name = first + 32;
        disk[name] = 0x60;
        disk[name + 4] = 40;
        disk[name + 16] = 8;
        disk[name + 20] = 24;
        disk[name + 24..name + 32].copy_from_slice(b"W\0i\0n\0s\0");
        disk
    }

    fn label(disk: Vec<u8>) -> String {
        match identify(&mut Cursor::new(disk)).unwrap() {
            Content::Known { system: FileSystem::Ntfs, label } => label,
            other => panic!("not NTFS but {other:?}"),
        }
    }

    #[test]
    fn the_label_is_in_the_volume_record() {
        assert_eq!(label(stick()), "Wins");
    }

    #[test]
    fn a_damaged_volume_costs_only_the_label_and_never_loops() {
        let mut disk = stick();
        disk[4096 + 3 * 1024 + 56 + 4] = 0;
        assert_eq!(label(disk), "");
        let mut disk = stick();
        disk[48..56].fill(0xff);
        assert_eq!(label(disk), "");
    }
}
