//! exFAT: the volume label, an entry of the root directory.

use std::io::{Read, Seek};

use super::{le32, read_at, text16};

/// The label is among the first entries; formatters write it first.
const LONGEST_LOOK: u64 = 32 * 1024;

const ENTRY: usize = 32;
const ENTRY_LABEL: u8 = 0x83;

/// Fields of the boot sector (exFAT specification, 3.1).
const CLUSTER_HEAP: usize = 88;
const ROOT_CLUSTER: usize = 96;
const SECTOR_SHIFT: usize = 108;
const CLUSTER_SHIFT: usize = 109;

pub(super) fn label<R: Read + Seek>(disk: &mut R, head: &[u8]) -> Option<String> {
    let sector_shift = u32::from(*head.get(SECTOR_SHIFT)?);
    let cluster_shift = u32::from(*head.get(CLUSTER_SHIFT)?);
    if !(9..=12).contains(&sector_shift) || sector_shift + cluster_shift > 25 {
        return None;
    }
    let heap = u64::from(le32(head, CLUSTER_HEAP)?) << sector_shift;
    let cluster = 1_u64 << (sector_shift + cluster_shift);
    let root = heap + u64::from(le32(head, ROOT_CLUSTER)?).checked_sub(2)? * cluster;
    let directory = read_at(disk, root, cluster.min(LONGEST_LOOK)).ok()?;
    let (entries, _) = directory.as_chunks::<ENTRY>();
    let entry = entries.iter().take_while(|entry| entry[0] != 0).find(|e| e[0] == ENTRY_LABEL)?;
    let letters = usize::from(entry[1]).min(11);
    Some(text16(entry.get(2..2 + 2 * letters)?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Content, FileSystem, identify};

    fn stick() -> Vec<u8> {
        let mut disk = vec![0; 16 * 1024];
        disk[3..11].copy_from_slice(b"EXFAT   ");
        disk[88] = 8; // cluster heap at sector 8
        disk[96] = 4; // root directory in cluster 4
        disk[108] = 9; // 512-byte sectors
        disk[109] = 1; // two in a cluster
        let root = 8 * 512 + 2 * 1024;
        disk[root] = 0x81;
        disk[root + 32] = 0x83;
        disk[root + 33] = 4;
        disk[root + 34..root + 42].copy_from_slice(b"K\0\xe4\0s\0e\0");
        disk
    }

    fn label(disk: Vec<u8>) -> String {
        match identify(&mut Cursor::new(disk)).unwrap() {
            Content::Known { system: FileSystem::Exfat, label } => label,
            other => panic!("not exFAT but {other:?}"),
        }
    }

    #[test]
    fn the_label_is_in_the_root_directory() {
        assert_eq!(label(stick()), "Käse");
    }

    #[test]
    fn a_damaged_boot_sector_costs_only_the_label() {
        let mut disk = stick();
        disk[108] = 200;
        assert_eq!(label(disk), "");
        let mut disk = stick();
        disk[96..100].fill(0xff);
        assert_eq!(label(disk), "");
    }
}
