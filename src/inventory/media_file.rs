//! A file on a stick, and the only way to open one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

/// A regular file that the scan saw: never a link, never outside its stick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// The stick's mount point.
    pub volume: Arc<Path>,
    /// Path below it, with `/`.
    pub path: String,
    /// Bytes, when it was scanned.
    pub size: u64,
    /// Seconds since 1970, when it was scanned.
    pub modified: u64,
}

impl MediaFile {
    /// Opens the file as it is now. The kernel itself keeps the path inside the stick:
    /// no link, `..` or mount in it is followed, whatever happened since the scan.
    pub fn open(&self) -> io::Result<File> {
        open_beneath(&self.volume, &self.path)
    }
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
