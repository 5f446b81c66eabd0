//! Walking a stick: bounded in entries, depth, memory and time, following nothing.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::detect::is_profile;
use super::media_file::MediaFile;
use super::profile::names::Names;
use super::profile::own::{self, Own};
use super::profile::{Profile, any_reads, any_wants};
use super::quota::{Quotas, Verdict};
use super::{ConfigKind, Problem, discs, iso, media_file};

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

/// A slow or broken stick must not keep the others from being served: with what is left to do
/// after it, a scan ends within ten seconds.
const LONGEST_SCAN: Duration = Duration::from_secs(8);

/// Configs and `machines.toml` are small; a larger one is a mistake.
const LARGEST_TEXT: u64 = 1024 * 1024;

/// All texts of one stick together.
const LARGEST_TEXTS: usize = 8 * 1024 * 1024;

/// Files that are listed; each is held as long as its stick serves.
const MOST_FILES: usize = 25_000;

/// All their paths together: 70 characters each, as in a distribution's archive.
const LONGEST_PATHS: usize = 2 * 1024 * 1024;

/// All names, which are held while their folder is walked.
const LONGEST_NAMES: usize = 2 * 1024 * 1024;

/// Lists every file of the stick that is mounted at `volume`, and of those inside its ISOs
/// the ones that tell what the ISO is, or that a machine starts with.
pub fn list(volume: &Path) -> Listing {
    let deadline = Instant::now() + LONGEST_SCAN;
    let profiles: Vec<Arc<Profile>> =
        own_profiles(volume, deadline).into_iter().chain(Profile::built_in()).collect();
    let mut walk = Walk {
        volume: volume.into(),
        listing: Listing::default(),
        entries: 0,
        text_bytes: 0,
        name_bytes: 0,
        path_bytes: 0,
        deadline,
        stopped: false,
        quotas: Quotas::default(),
        names: Names::of(&profiles),
        profiles,
    };
    walk.folder("", 0);
    walk.listing
}

struct Walk {
    volume: Arc<Path>,
    listing: Listing,
    entries: usize,
    text_bytes: usize,
    name_bytes: usize,
    path_bytes: usize,
    deadline: Instant,
    stopped: bool,
    quotas: Quotas,
    profiles: Vec<Arc<Profile>>,
    names: Names,
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
                Ok(entry) if self.may_go_on(entry.file_name().len()) => names.push(entry),
                Ok(_) => break,
                Err(error) => {
                    self.problem(path, &format!("cannot be read to its end: {error}"));
                    break;
                }
            }
        }
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            if self.is_too_late() {
                return;
            }
            self.entry(path, depth, &entry);
        }
    }

    /// Whether the file's text tells what an image is.
    fn tells(&self, file: &MediaFile) -> bool {
        file.size <= LARGEST_FACTS
            && self.names.may_hold(&file.path)
            && any_reads(&self.profiles, &file.path)
    }

    /// Counts an entry against the limits; says once when they are reached.
    fn may_go_on(&mut self, name_bytes: usize) -> bool {
        self.entries += 1;
        self.name_bytes += name_bytes;
        if self.entries > MOST_ENTRIES {
            self.stop("holds more than 50,000 files; the rest was not looked at");
        } else if self.name_bytes > LONGEST_NAMES {
            self.stop("holds too many files with long names; the rest was not looked at");
        }
        !self.stopped && !self.is_too_late()
    }

    fn is_too_late(&mut self) -> bool {
        let late = Instant::now() > self.deadline;
        if late {
            self.stop("took more than 8 s to read; the rest was not looked at (is it failing?)");
        }
        late
    }

    fn stop(&mut self, why: &str) {
        if !self.stopped {
            self.stopped = true;
            self.tell_first(why);
        }
    }

    /// Of the stick as a whole: said however much else there is to say.
    fn tell_first(&mut self, message: &str) {
        self.listing.problems.insert(0, Problem::new("the stick", message));
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
        match self.quotas.count(&path) {
            Verdict::Listed => {}
            Verdict::TooMany(message) => return self.tell_first(message),
            Verdict::Passed => return,
        }
        let file = MediaFile {
            volume: Arc::clone(&self.volume),
            path,
            size: data.len(),
            modified: media_file::modified(data),
            inside: None,
        };
        if is_text(&file.path) || self.tells(&file) {
            let largest = if is_profile(&file.path) { LARGEST_PROFILE } else { LARGEST_TEXT };
            self.text(&file, largest);
        }
        let iso = is_image(&file.path).then(|| file.clone());
        self.add(file);
        if let Some(iso) = iso {
            self.disc(&iso);
        }
    }

    fn add(&mut self, file: MediaFile) {
        self.path_bytes = self.path_bytes.saturating_add(file.path.len());
        if self.path_bytes > LONGEST_PATHS {
            return self.stop("holds too many files with long paths; the rest was not looked at");
        }
        if self.listing.files.len() >= MOST_FILES {
            return self.stop("holds more than 25,000 files of use; the rest was not looked at");
        }
        self.listing.files.push(file);
    }

    /// What is wanted of an ISO.
    fn disc(&mut self, iso: &MediaFile) {
        let wants = |path: &str| self.names.may_hold(path) && any_wants(&self.profiles, path);
        let (files, fault) = discs::wanted_files(iso, &wants, self.deadline);
        if let Some(fault) = fault {
            self.problem(&iso.path, &fault.to_string());
        }
        for file in files {
            if !self.may_go_on(0) {
                return;
            }
            if self.tells(&file) {
                self.text(&file, LARGEST_FACTS);
            }
            self.add(file);
        }
    }

    fn text(&mut self, file: &MediaFile, largest: u64) {
        if file.size > largest || self.text_bytes > LARGEST_TEXTS {
            return self.problem(&file.path, "too large for a text file; not read");
        }
        let mut bytes = Vec::new();
        let read = file.open().and_then(|mut open| open.read_to_end(&mut bytes));
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

/// The stick's own profiles, which say what else of it is of interest. What is wrong with
/// them is said where they are read for good.
fn own_profiles(volume: &Path, deadline: Instant) -> Vec<Arc<Profile>> {
    let Ok(entries) = fs::read_dir(volume.join("profiles")) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| {
        let path = format!("profiles/{}", entry.ok()?.file_name().to_str()?);
        is_profile(&path).then_some(path)
    });
    let mut paths: Vec<String> = paths.take(MOST_ENTRIES).collect();
    paths.sort();
    paths.truncate(own::MOST_FILES);
    let mut own = Own::default();
    for path in paths.iter().take_while(|_| Instant::now() < deadline) {
        let mut text = String::new();
        let Ok(file) = media_file::open_beneath(volume, path) else {
            continue;
        };
        // One byte more, so that a larger one is refused and not cut.
        if file.take(LARGEST_PROFILE + 1).read_to_string(&mut text).is_ok() {
            let _ = own.add(path, &text);
        }
    }
    own.profiles()
}

/// What a person writes of a system is short.
const LARGEST_PROFILE: u64 = own::LARGEST as u64;

/// What says what an image is, is short.
const LARGEST_FACTS: u64 = 64 * 1024;

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
    path == "machines.toml" || is_profile(path) || ConfigKind::is_text(path)
}

fn is_image(path: &str) -> bool {
    let folder = path.split_once('/').map(|(folder, _)| folder);
    folder.is_some_and(|folder| folder.eq_ignore_ascii_case("images")) && iso::is_iso(path)
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
