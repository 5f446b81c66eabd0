//! Signs that a file was cut off, for the words of a bad verdict. Pure.

use super::verdict::Cut;

/// How much of a file's end [`cut`] looks at.
pub const TAIL: usize = 4096;

/// How much of a file's begin holds an ISO's own length.
pub const HEAD: usize = 32 * 1024 + 2048;

/// What shows that a file of `size` bytes, which ends in `tail`, is not whole. `whole` is the
/// length that it was published with, where a list says so; `head` is its begin.
pub fn cut(name: &str, size: u64, whole: Option<u64>, head: &[u8], tail: &[u8]) -> Option<Cut> {
    let whole = whole.or_else(|| iso_size(head)).filter(|whole| size < *whole);
    if let Some(whole) = whole {
        return Some(Cut::Of(whole));
    }
    let lower = name.to_ascii_lowercase();
    let kind = lower.rsplit_once('.').map(|(_, kind)| kind);
    // Disks and ISOs may well end in zeros; what is compressed does not.
    let compressed = matches!(kind, Some("gz" | "xz" | "bz2" | "zst" | "lz4" | "lzma" | "zip"));
    if compressed && tail.len() == TAIL && tail.iter().all(|byte| *byte == 0) {
        return Some(Cut::Zeros);
    }
    let ended = match kind {
        // The footer's magic bytes.
        Some("xz") => tail.ends_with(b"YZ"),
        Some("bz2") => ends_bzip2(tail),
        _ => true,
    };
    (!ended).then_some(Cut::NoEnd)
}

/// The length in an ISO's primary volume descriptor (ECMA-119, 8.4).
fn iso_size(head: &[u8]) -> Option<u64> {
    let descriptor = head.get(32 * 1024..)?;
    let blocks = descriptor.get(80..84)?.first_chunk::<4>()?;
    let is_primary = descriptor.starts_with(b"\x01CD001");
    is_primary.then(|| u64::from(u32::from_le_bytes(*blocks)) * 2048)
}

/// A bzip2 stream ends in a mark, a sum of 32 bits, and up to seven bits of nothing.
fn ends_bzip2(tail: &[u8]) -> bool {
    const MARK: u128 = 0x1772_4538_5090;
    let Some(last) = tail.last_chunk::<16>() else { return false };
    let bits = u128::from_be_bytes(*last);
    (0..8).any(|nothing| (bits >> (32 + nothing)) & 0xffff_ffff_ffff == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_shorter_than_published_is_cut_off() {
        assert_eq!(cut("a.iso", 5, Some(9), &[], b""), Some(Cut::Of(9)));
        assert_eq!(cut("a.iso", 9, Some(9), &[], b""), None);
        let mut head = vec![0; HEAD];
        head[32 * 1024..32 * 1024 + 6].copy_from_slice(b"\x01CD001");
        head[32 * 1024 + 80..32 * 1024 + 84].copy_from_slice(&50_u32.to_le_bytes());
        assert_eq!(cut("a.iso", 99_000, None, &head, b""), Some(Cut::Of(102_400)));
        assert_eq!(cut("a.iso", 102_400, None, &head, b""), None);
    }

    #[test]
    fn a_compressed_file_without_its_end_is_cut_off() {
        for shift in 0..8 {
            let bits = (0x1772_4538_5090_u128 << 32 | 0xdead_beef) << shift;
            assert_eq!(cut("x.bin.bz2", 16, None, &[], &bits.to_be_bytes()), None, "{shift}");
        }
        assert_eq!(cut("x.bin.bz2", 30, None, &[], &[0x17; 20]), Some(Cut::NoEnd));
        assert_eq!(cut("x.xz", 30, None, &[], b"\0\0\0\0YZ"), None);
        assert_eq!(cut("x.xz", 30, None, &[], b"\0\0\0\0Y"), Some(Cut::NoEnd));
    }

    #[test]
    fn a_copy_that_was_not_finished_ends_in_zeros() {
        assert_eq!(cut("initrd.gz", 9999, None, &[], &[0; TAIL]), Some(Cut::Zeros));
        assert_eq!(cut("initrd.gz", 9999, None, &[], &[1; TAIL]), None);
        assert_eq!(cut("disk.img", 9999, None, &[], &[0; TAIL]), None);
    }
}
