//! The flight recorder's record: a file in memory (tmpfs) that survives the servers, and not
//! a power cut. A card or a disk is never written for it.
//!
//! It is opened before the servers give up the right to, and read once. Nothing depends on
//! it: what cannot be written or read is not there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::fleet::slots::Slot;
use crate::fleet::tape::Part;

/// The record, or none.
#[derive(Debug, Default)]
pub struct Recorder(Option<File>);

/// File systems in memory (Linux `magic.h`): tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Rows are read so many bytes at a time.
const PIECE: usize = 64 * 1024;

impl Recorder {
    /// The record at `path`, as a former process left it; none where a disk would be written.
    pub fn open(path: &Path) -> Recorder {
        match try_open(path) {
            Ok(file) => Recorder(Some(file)),
            Err(error) => {
                log::warn!(
                    "{}: {error}; the machines' timelines end with this program",
                    path.display()
                );
                Recorder(None)
            }
        }
    }

    /// Puts something into a row.
    pub fn write(&self, part: Part, slot: Slot, data: &[u8]) {
        let (Some(file), Some(place)) = (&self.0, part.place(slot)) else { return };
        if let Some(row) = part.seal(slot, data) {
            // No memory left: the timeline goes on, and is shorter after a crash.
            let _ = file.write_all_at(&row, place);
        }
    }

    /// Tells what every row of a part holds that is whole.
    pub fn read(&self, part: Part, mut tell: impl FnMut(&[u8])) {
        let Some(file) = &self.0 else { return };
        let rows_at_once = PIECE / part.row;
        let mut piece = vec![0; rows_at_once * part.row];
        let mut slot: Slot = 0;
        while let Some(place) = part.place(slot) {
            let length = fill(file, &mut piece, place);
            for row in piece.get(..length).unwrap_or_default().chunks(part.row) {
                // Behind the last row the next part begins.
                if let Some(data) = part.place(slot).and_then(|_| part.open(slot, row)) {
                    tell(data);
                }
                slot += 1;
            }
            if length < piece.len() {
                return;
            }
        }
    }

    /// Empties it.
    pub fn clear(&self) {
        if let Some(file) = &self.0 {
            let _ = file.set_len(0);
        }
    }
}

fn try_open(path: &Path) -> io::Result<File> {
    // Not a link to somewhere else, and nobody else's to read.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
        let kind = rustix::fs::statfs(folder)?.f_type;
        if !u64::try_from(kind).is_ok_and(|kind| IN_MEMORY.contains(&kind)) {
            return Err(io::Error::other("this folder is on a disk"));
        }
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// As many bytes as there are.
fn fill(file: &File, piece: &mut [u8], at: u64) -> usize {
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..)
        && !rest.is_empty()
    {
        match file.read_at(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::tape::{ENTRIES, PACKETS};

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_is_not() {
        let path = Path::new("/dev/shm").join(format!("recorder-{}", std::process::id()));
        let held = |recorder: &Recorder, part| {
            let mut held = Vec::new();
            recorder.read(part, |data| held.push(data.to_vec()));
            held
        };
        let recorder = Recorder::open(&path);
        assert!(recorder.0.is_some(), "/dev/shm is in memory everywhere");
        recorder.write(ENTRIES, 0, b"first");
        let rows = Slot::try_from(ENTRIES.rows).unwrap();
        recorder.write(ENTRIES, rows - 1, b"last");
        recorder.write(ENTRIES, rows, b"none");
        recorder.write(PACKETS, 2, b"packet");
        drop(recorder);
        let again = Recorder::open(&path);
        assert_eq!(held(&again, ENTRIES), [&b"first"[..], b"last"]);
        assert_eq!(held(&again, PACKETS), [b"packet"]);
        std::fs::write(&path, vec![0xff; 1_000_001]).unwrap();
        assert_eq!(held(&Recorder::open(&path), ENTRIES), Vec::<Vec<u8>>::new());
        again.clear();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_disk_is_not_written_for_it_nor_a_link_followed() {
        assert!(try_open(Path::new("/proc/self/recorder")).is_err());
        let link = Path::new("/dev/shm").join(format!("recorder-link-{}", std::process::id()));
        std::os::unix::fs::symlink("/dev/shm/elsewhere", &link).unwrap();
        assert!(try_open(&link).is_err());
        std::fs::remove_file(&link).unwrap();
    }
}
