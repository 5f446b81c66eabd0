//! Files out of a `.tar.gz`, one after the other. Nothing but regular files is taken, and
//! only under names that were asked for.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// Tar's unit.
const BLOCK: usize = 512;

/// A netboot archive has about 20 entries.
const MOST_ENTRIES: u32 = 10_000;

/// Calls `take` with the name and content of each entry that `wanted` names. An entry has
/// at most `largest` bytes.
pub fn unpack(
    archive: impl Read,
    wanted: &[String],
    largest: u64,
    mut take: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = MultiGzDecoder::new(archive);
    let mut missing: Vec<&String> = wanted.iter().collect();
    for _ in 0..MOST_ENTRIES {
        let mut header = [0; BLOCK];
        archive.read_exact(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let entry = Entry::read(&header).ok_or_else(|| io::Error::other("is no tar archive"))?;
        if entry.size > largest {
            return Err(io::Error::other("holds a file that is too large"));
        }
        let mut content = archive.by_ref().take(entry.size);
        let place = missing.iter().position(|name| entry.is_file && **name == entry.name);
        if let Some(place) = place {
            take(missing.swap_remove(place), &mut content)?;
        }
        io::copy(&mut content, &mut io::sink())?;
        if content.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if missing.is_empty() {
            return Ok(());
        }
        let padding = entry.size.next_multiple_of(BLOCK as u64) - entry.size;
        io::copy(&mut archive.by_ref().take(padding), &mut io::sink())?;
    }
    match missing.first() {
        Some(name) => Err(io::Error::other(format!("holds no {name}"))),
        None => Ok(()),
    }
}

struct Entry {
    name: String,
    size: u64,
    is_file: bool,
}

impl Entry {
    /// Reads a header; none if it is damaged.
    fn read(header: &[u8; BLOCK]) -> Option<Entry> {
        let text = |from: usize, to: usize| {
            let field = header.get(from..to)?.split(|byte| *byte == 0).next()?;
            std::str::from_utf8(field).ok()
        };
        let octal = |from, to| u64::from_str_radix(text(from, to)?.trim(), 8).ok();
        // The checksum is made with blanks in its own place.
        let sum = |(at, byte): (usize, &u8)| {
            if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(*byte) }
        };
        if octal(148, 156)? != header.iter().enumerate().map(sum).sum::<u64>() {
            return None;
        }
        let prefix = if text(257, 262)? == "ustar" { text(345, 500)? } else { "" };
        let slash = if prefix.is_empty() { "" } else { "/" };
        let name = format!("{prefix}{slash}{}", text(0, 100)?);
        Some(Entry {
            name: name.strip_prefix("./").unwrap_or(&name).to_owned(),
            size: octal(124, 136)?,
            is_file: matches!(header.get(156)?, 0 | b'0'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = [0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = kind;
        header[257..262].copy_from_slice(b"ustar");
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[154] = 0;
        let mut bytes = [&header[..], content].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn packed(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&entries.concat()).unwrap();
        packer.write_all(&[0; 2 * BLOCK]).unwrap();
        packer.finish().unwrap()
    }

    fn unpacked(archive: &[u8], wanted: &[&str]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let mut taken = Vec::new();
        unpack(archive, &wanted, 1 << 20, |name, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            taken.push((name.to_owned(), bytes));
            Ok(())
        })?;
        Ok(taken)
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let archive = packed(&[
            entry("./boot/", b'5', b""),
            entry("./boot/a", b'0', b"first"),
            entry("../../etc/passwd", b'0', b"no"),
            entry("boot/b", b'0', &[7; 1000]),
        ]);
        let taken = unpacked(&archive, &["boot/b", "boot/a"]).unwrap();
        let expected =
            [("boot/a".to_owned(), b"first".to_vec()), ("boot/b".to_owned(), vec![7; 1000])];
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_link_is_not_the_file_that_was_asked_for() {
        let archive = packed(&[entry("boot/a", b'2', b"")]);
        assert!(unpacked(&archive, &["boot/a"]).unwrap_err().to_string().contains("boot/a"));
    }

    #[test]
    fn what_is_cut_or_damaged_or_huge_is_an_error() {
        let archive = packed(&[entry("a", b'0', &[1; 5000]), entry("b", b'0', &[2; 5000])]);
        for length in [0, 10, archive.len() / 2] {
            assert!(unpacked(&archive[..length], &["b"]).is_err(), "{length}");
        }
        let mut damaged = entry("a", b'0', b"x");
        damaged[0] = b'b';
        assert!(unpacked(&packed(&[damaged]), &["b"]).is_err());
        let huge = packed(&[entry("z", b'0', &vec![0; 2 << 20]), entry("a", b'0', b"x")]);
        assert!(unpacked(&huge, &["a"]).is_err());
    }
}
