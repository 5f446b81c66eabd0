//! The ISOs of a stick: their files as files of the stick.
//!
//! A scan takes from an ISO only what detection could use; everything else inside is found
//! when somebody asks for it.

use std::io;
use std::time::Instant;

use super::iso::{Extent, Fault, Iso, Source};
use super::media_file::{Inside, MediaFile, Window};

/// The files inside `iso` that are wanted by their path there, and what is wrong with it.
/// Nothing is read after `deadline`.
pub fn wanted_files(
    iso: &MediaFile,
    wants: &dyn Fn(&str) -> bool,
    deadline: Instant,
) -> (Vec<MediaFile>, Option<Fault>) {
    let disc = iso.open().map_err(Fault::Unreadable);
    match disc.and_then(|window| Iso::open(Hurried { window, deadline })) {
        Ok(disc) => {
            let walked = disc.walk(wants);
            let name: std::sync::Arc<str> = iso.path.as_str().into();
            let files = walked.files.into_iter();
            (files.map(|(path, at)| file(iso, &name, &path, at)).collect(), walked.fault)
        }
        Err(fault) => (Vec::new(), Some(fault)),
    }
}

/// The file at `path` inside `iso`.
pub fn find(iso: &MediaFile, path: &str) -> Result<Option<MediaFile>, Fault> {
    let found = Iso::open(iso.open()?)?.lookup(path)?;
    Ok(found.map(|at| file(iso, &iso.path.as_str().into(), path, at)))
}

fn file(iso: &MediaFile, name: &std::sync::Arc<str>, path: &str, at: Extent) -> MediaFile {
    MediaFile {
        volume: iso.volume.clone(),
        path: format!("{}/{path}", iso.path),
        size: at.size,
        modified: iso.modified,
        inside: Some(Inside { iso: name.clone(), offset: at.offset }),
    }
}

impl Source for Window {
    fn length(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

/// A disc that gives nothing any more when its time is over.
struct Hurried {
    window: Window,
    deadline: Instant,
}

impl Source for Hurried {
    fn length(&self) -> u64 {
        self.window.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if Instant::now() > self.deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the stick is too slow"));
        }
        self.window.read_exact_at(buffer, offset)
    }
}
