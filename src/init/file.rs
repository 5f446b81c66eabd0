//! Files that are whole after a power cut: the old content or the new, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `content` to `path` by way of a temporary file beside it.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let written = write_through(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The new name is on the card only once the folder is.
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The same, but writes nothing where nothing would change: it spares the card.
pub fn replace_if_changed(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(old) if old == content => Ok(()),
        _ => replace(path, content),
    }
}

fn write_through(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_when_it_changes() {
        let folder = std::env::temp_dir().join(format!("pxeberry-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("clock");
        let number = || fs::metadata(&path).unwrap().ino();

        replace_if_changed(&path, b"one").unwrap();
        let first = number();
        replace_if_changed(&path, b"one").unwrap();
        assert_eq!(number(), first, "written without need");
        replace_if_changed(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a temporary file stayed");

        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error() {
        assert!(replace(Path::new("/no/such/folder/file"), b"").is_err());
    }
}
