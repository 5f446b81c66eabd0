//! Walking a stick: bounded in entries, depth and time, following nothing.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::media_file::MediaFile;
use super::{Problem, media_file};

/// What a walk found: regular files, and the text of the small ones that say something.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// In the order of their paths.
    pub files: Vec<MediaFile>,
    /// Text of `machines.toml`, `version.txt` and configs, by index into `files`.
    pub texts: Vec<(usize, String)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// A stick of 200 systems has a few thousand files; past this it is no install stick.
const MOST_ENTRIES: usize = 50_000;

/// `images/debian/13/dists/trixie/main/installer-amd64/…` is 10 deep.
const DEEPEST: usize = 12;

/// A slow or broken stick must not keep the others from being served.
const LONGEST_SCAN: Duration = Duration::from_secs(10);

/// Configs and `machines.toml` are small; a larger one is a mistake.
const LARGEST_TEXT: u64 = 1024 * 1024;

/// All texts of one stick together.
const LARGEST_TEXTS: usize = 8 * 1024 * 1024;

/// Lists every file of the stick that is mounted at `volume`.
pub fn list(volume: &Path) -> Listing {
    let mut walk = Walk {
        volume: volume.into(),
        listing: Listing::default(),
        entries: 0,
        text_bytes: 0,
        deadline: Instant::now() + LONGEST_SCAN,
        stopped: false,
    };
    walk.folder("", 0);
    walk.listing
}

struct Walk {
    volume: Arc<Path>,
    listing: Listing,
    entries: usize,
    text_bytes: usize,
    deadline: Instant,
    stopped: bool,
}

impl Walk {
    fn folder(&mut self, path: &str, depth: usize) {
        if depth > DEEPEST {
            return self.problem(path, "folders are nested too deep; not looked into");
        }
        let entries = match fs::read_dir(self.volume.join(path)) {
            Ok(entries) => entries,
            Err(error) => return self.problem(path, &format!("cannot be read: {error}")),
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) if self.may_go_on() => names.push(entry),
                Ok(_) => break,
                Err(error) => {
                    self.problem(path, &format!("cannot be read to its end: {error}"));
                    break;
                }
            }
        }
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            if !self.stopped {
                self.entry(path, depth, &entry);
            }
        }
    }

    /// Counts an entry against the limits; says once when they are reached.
    fn may_go_on(&mut self) -> bool {
        self.entries += 1;
        let why = if self.entries > MOST_ENTRIES {
            "holds more than 50,000 files; the rest was not looked at"
        } else if Instant::now() > self.deadline {
            "took more than 10 s to read; the rest was not looked at (is the stick failing?)"
        } else {
            return true;
        };
        if !self.stopped {
            self.stopped = true;
            self.problem("", why);
        }
        false
    }

    fn entry(&mut self, parent: &str, depth: usize, entry: &fs::DirEntry) {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.chars().any(char::is_control)) else {
            let shown = format!("{parent}/{}", entry.file_name().to_string_lossy());
            return self.problem(&shown, "the name is not readable text; rename it");
        };
        if is_furniture(name) {
            return;
        }
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        // Of the entry itself: a link is neither file nor folder here, and is passed over.
        match entry.metadata() {
            Ok(data) if data.is_dir() => self.folder(&path, depth + 1),
            Ok(data) if data.is_file() => self.file(path, &data),
            Ok(data) if data.is_symlink() => {
                self.problem(&path, "links are not followed; copy the file itself");
            }
            Ok(_) => {}
            Err(error) => self.problem(&path, &format!("cannot be read: {error}")),
        }
    }

    fn file(&mut self, path: String, data: &fs::Metadata) {
        let file = MediaFile {
            volume: Arc::clone(&self.volume),
            path,
            size: data.len(),
            modified: media_file::modified(data),
            inside: None,
        };
        if is_text(&file.path) {
            self.text(&file);
        }
        self.listing.files.push(file);
    }

    fn text(&mut self, file: &MediaFile) {
        if file.size > LARGEST_TEXT || self.text_bytes > LARGEST_TEXTS {
            return self.problem(&file.path, "too large for a text file; not read");
        }
        let mut bytes = Vec::new();
        let read = media_file::open_beneath(&file.volume, &file.path)
            .and_then(|open| open.take(LARGEST_TEXT).read_to_end(&mut bytes));
        if let Err(error) = read {
            return self.problem(&file.path, &format!("cannot be read: {error}"));
        }
        self.text_bytes += bytes.len();
        match String::from_utf8(bytes) {
            Ok(text) => self.listing.texts.push((self.listing.files.len(), text)),
            Err(_) => self.problem(&file.path, "is not UTF-8 text; save it as UTF-8"),
        }
    }

    fn problem(&mut self, path: &str, message: &str) {
        /// Enough to see what is wrong; a broken stick has thousands.
        const MOST_PROBLEMS: usize = 100;
        if self.listing.problems.len() < MOST_PROBLEMS {
            let path = if path.is_empty() { "the stick" } else { path };
            self.listing.problems.push(Problem::new(path, message));
        }
    }
}

/// What operating systems leave on a stick without being asked.
fn is_furniture(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "System Volume Information",
        "$RECYCLE.BIN",
        "lost+found",
        ".Spotlight-V100",
        ".Trashes",
        ".fseventsd",
    ];
    NAMES.contains(&name) || name.starts_with("._") || name == ".DS_Store"
}

/// Files whose content the inventory depends on.
fn is_text(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    path == "machines.toml" || lower.starts_with("cloud-configs/") && lower.ends_with(".yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_and_never_followed() {
        let folder = std::env::temp_dir().join(format!("pxeberry-scan-{}", std::process::id()));
        fs::create_dir_all(folder.join("images")).unwrap();
        fs::write(folder.join("images/real"), "x").unwrap();
        let link = folder.join("images/link");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        let listing = list(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["images/real"]);
        assert_eq!(listing.problems.len(), 1);
    }
}
