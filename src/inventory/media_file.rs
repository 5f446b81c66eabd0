//! A file on a stick, and the only way to open one.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

/// A regular file that the scan saw: never a link, never outside its stick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// The stick's mount point.
    pub volume: Arc<Path>,
    /// Path below it, with `/`; an ISO on the way counts as a folder.
    pub path: String,
    /// Bytes, when it was scanned.
    pub size: u64,
    /// Seconds since 1970, when it was scanned; of a file inside an ISO, the ISO's.
    pub modified: u64,
    /// Where its bytes are, if it is inside an ISO.
    pub inside: Option<Inside>,
}

/// A file that is a part of an ISO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The ISO's path below the mount point.
    pub iso: Arc<str>,
    /// Where the file begins in it.
    pub offset: u64,
}

impl MediaFile {
    /// Opens the file as it is now. The kernel itself keeps the path inside the stick:
    /// no link, `..` or mount in it is followed, whatever happened since the scan.
    pub fn open(&self) -> io::Result<Window> {
        let Some(Inside { iso, offset }) = &self.inside else {
            let file = open_beneath(&self.volume, &self.path)?;
            let data = file.metadata()?;
            // As many bytes as were promised would pass for the whole of a longer file.
            if (data.len(), modified(&data)) != (self.size, self.modified) {
                return Err(io::Error::other("the file has changed since the stick was read"));
            }
            return Ok(Window { file, start: 0, size: self.size, at: 0 });
        };
        let file = open_beneath(&self.volume, iso)?;
        // In another ISO of that name, other bytes are at this place.
        if modified(&file.metadata()?) != self.modified {
            return Err(io::Error::other("the ISO has changed since it was read"));
        }
        Ok(Window { file, start: *offset, size: self.size, at: 0 })
    }
}

/// An open file, or the part of an ISO that is one: exactly as many bytes as were promised.
/// One that became shorter is an error, one that grew is cut.
#[derive(Debug)]
pub struct Window {
    file: File,
    start: u64,
    size: u64,
    /// Where [`Read`] goes on.
    at: u64,
}

impl Window {
    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` from `at`, counted from the file's own begin.
    pub fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let end = at.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let at = self.start.checked_add(at).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.read_exact_at(buffer, at)
    }

    /// Has the kernel send some bytes from `at` on, at most `most`, into a socket.
    pub fn send_to(&self, socket: BorrowedFd<'_>, at: u64, most: usize) -> io::Result<usize> {
        let left = self.size.saturating_sub(at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        let mut at = self.start.checked_add(at).ok_or(io::ErrorKind::UnexpectedEof)?;
        match rustix::fs::sendfile(socket, &self.file, Some(&mut at), most)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
            count => Ok(count),
        }
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let Some(wanted) = buffer.get_mut(..length).filter(|wanted| !wanted.is_empty()) else {
            return Ok(0);
        };
        let at = self.start.checked_add(self.at).ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = self.file.read_at(wanted, at)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        self.at += count as u64;
        Ok(count)
    }
}

/// Seconds since 1970; a time before counts as 1970.
pub fn modified(data: &std::fs::Metadata) -> u64 {
    u64::try_from(data.mtime()).unwrap_or(0)
}

/// Opens `path` below `folder` for reading, refusing links and everything outside.
pub fn open_beneath(folder: &Path, path: &str) -> io::Result<File> {
    let folder = rustix::fs::openat(
        CWD,
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let file = rustix::fs::openat2(
        folder,
        path,
        // NONBLOCK: a named pipe on the stick must not hold us up.
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?;
    let file = File::from(file);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own with the file `disc.iso`; gone when dropped.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn with(name: &str, content: &[u8]) -> Folder {
            let name = format!("pxeberry-{name}-{}", std::process::id());
            let folder = Folder(std::env::temp_dir().join(name));
            std::fs::create_dir_all(&folder.0).unwrap();
            std::fs::write(folder.0.join("disc.iso"), content).unwrap();
            folder
        }

        fn inside(&self, offset: u64, size: u64) -> MediaFile {
            let data = self.0.join("disc.iso").metadata().unwrap();
            MediaFile {
                volume: self.0.as_path().into(),
                path: "disc.iso/kernel".to_owned(),
                size,
                modified: modified(&data),
                inside: Some(Inside { iso: "disc.iso".into(), offset }),
            }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_inside_an_iso_is_its_own_bytes_and_no_others() {
        let folder = Folder::with("window", b"before kernel after");
        let mut window = folder.inside(7, 6).open().unwrap();
        let mut bytes = [0; 4];
        window.read_exact_at(&mut bytes, 2).unwrap();
        assert_eq!(&bytes, b"rnel");
        assert!(window.read_exact_at(&mut bytes, 3).is_err(), "past its end");
        assert!(window.read_exact_at(&mut bytes, u64::MAX).is_err());
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "kernel");
    }

    #[test]
    fn what_became_shorter_never_looks_whole() {
        let folder = Folder::with("short", b"before ker");
        let mut window = folder.inside(7, 6).open().unwrap();
        let error = window.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(window.read_exact_at(&mut [0; 6], 0).is_err());
    }

    #[test]
    fn another_iso_of_the_same_name_is_not_read_at_the_old_places() {
        let folder = Folder::with("other", b"before kernel after");
        let mut file = folder.inside(7, 6);
        file.modified += 1;
        assert!(file.open().is_err());
    }
}
