//! The image's folder on the stick. Nothing is written through a link, so nothing outside.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

/// An open folder. Names are single names, checked before they come here.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder that a person named; it may be a link.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(path, flags, Mode::empty())?;
        Ok(Folder { fd, path: path.to_owned() })
    }

    /// The folder at `relative`, made when it is not there.
    pub fn make(&self, relative: &str) -> io::Result<Folder> {
        let mut folder = Folder { fd: self.fd.try_clone()?, path: self.path.clone() };
        for name in relative.split('/').filter(|name| !name.is_empty()) {
            match fs::mkdirat(&folder.fd, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = fs::openat(&folder.fd, name, flags, Mode::empty())?;
            folder = Folder { fd, path: folder.path.join(name) };
        }
        Ok(folder)
    }

    /// Removes the folders of `relative` that hold nothing.
    pub fn tidy(&self, relative: &str) {
        let mut path = relative;
        while fs::unlinkat(&self.fd, path, AtFlags::REMOVEDIR).is_ok() {
            path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    /// For messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file to write, made when it is not there, never through a link; nobody else may
    /// have it open for that.
    pub fn writable(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o644))?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("is no regular file"));
        }
        match fs::flock(&file, fs::FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(io::Error::other("another pxeberry fetch writes it")),
            // Not every file system has locks.
            _ => Ok(file),
        }
    }

    /// A file to read; none if there is none.
    pub fn readable(&self, name: &str) -> io::Result<Option<File>> {
        // Not waiting for the other end of a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => {
                let file = File::from(fd);
                let regular = file.metadata()?.is_file();
                regular.then_some(Some(file)).ok_or_else(|| io::Error::other("is no regular file"))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A small file's text; none if it is not there or is no text.
    pub fn text(&self, name: &str) -> Option<String> {
        /// Of the small files that are read here, none is larger.
        const LARGEST: u64 = 64 * 1024;
        let mut text = String::new();
        let file = self.readable(name).ok().flatten()?;
        file.take(LARGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Writes a small file whole or not at all.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{name}.new");
        let mut file = self.writable(&new)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        self.rename(&new, name)
    }

    /// Gives a file its name; what is on the disk then is the whole file.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::renameat(&self.fd, from, &self.fd, to)?;
        // FAT has nothing to flush of a folder.
        let _ = fs::fsync(&self.fd);
        Ok(())
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes that still fit.
    pub fn free(&self) -> io::Result<u64> {
        let figures = fs::fstatvfs(&self.fd)?;
        Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_is_written_through_a_link() {
        let place = std::env::temp_dir().join(format!("pxeberry-folder-{}", std::process::id()));
        let (stick, outside) = (place.join("stick"), place.join("outside"));
        std::fs::create_dir_all(&stick).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("secret"), "x").unwrap();
        symlink(&outside, stick.join("images")).unwrap();
        symlink(outside.join("secret"), stick.join("kernel.part")).unwrap();
        let folder = Folder::open(&stick).unwrap();
        assert!(folder.make("images/flatcar").is_err());
        assert!(folder.writable("kernel.part").is_err());
        assert!(folder.readable("kernel.part").is_err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "x");
        std::fs::remove_dir_all(&place).unwrap();
    }
}
