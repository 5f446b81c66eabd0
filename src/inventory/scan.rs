//! Walking a stick: bounded in entries, depth, memory and time, following nothing.
//!
//! What says which machines may be overwritten, and with what, is read first: `machines.toml`,
//! then the configurations. If any of it is there and cannot be seen, the stick is refused:
//! the rest of it alone would mean something else.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::detect::is_profile;
use super::media_file::MediaFile;
use super::profile::names::Names;
use super::profile::{self, Profile, any_reads, any_wants};
use super::quota::{Quotas, Verdict};
use super::{ConfigKind, Problem, discs, iso, media_file};

/// What a walk found: regular files, and the text of the small ones that say something.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// In the order in which they were found.
    pub files: Vec<MediaFile>,
    /// Text of `machines.toml`, `version.txt` and configs, by index into `files`.
    pub texts: Vec<(usize, String)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Why nothing of the stick may serve: what says who is to be installed, and with what,
    /// is there and was not seen.
    pub refused: Vec<Problem>,
}

/// A stick of 200 systems has a few thousand files; past this it is no install stick.
const MOST_ENTRIES: usize = 50_000;

/// `images/debian/13/dists/trixie/main/installer-amd64/…` is 10 deep.
const DEEPEST: usize = 12;

/// A slow or broken stick must not keep the others waiting: with what is left to do after it,
/// a scan ends within ten seconds.
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
    let profiles: Vec<Arc<Profile>> =
        own_profiles(volume).into_iter().chain(Profile::built_in()).collect();
    let mut walk = Walk {
        volume: volume.into(),
        listing: Listing::default(),
        entries: 0,
        text_bytes: 0,
        name_bytes: 0,
        path_bytes: 0,
        deadline: Instant::now() + LONGEST_SCAN,
        stopped: false,
        has_configs: false,
        quotas: Quotas::default(),
        names: Names::of(&profiles),
        profiles,
    };
    walk.machines();
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
    /// Whether every folder of configs was walked.
    has_configs: bool,
    quotas: Quotas,
    profiles: Vec<Arc<Profile>>,
    names: Names,
}

impl Walk {
    /// Reads `machines.toml`: what it forbids holds for every other file of the stick.
    fn machines(&mut self) {
        let entries = match fs::read_dir(&self.volume) {
            Ok(entries) => entries,
            Err(error) => return self.refuse("the stick", &format!("cannot be read: {error}")),
        };
        let mut found: Vec<(String, fs::DirEntry)> = Vec::new();
        let mut misnamed = None;
        for entry in entries {
            if self.is_too_late() {
                return;
            }
            match entry {
                Ok(entry) => match entry.file_name().to_str() {
                    Some(name) if is_machines(name) => found.push((name.to_owned(), entry)),
                    // Windows hides how a file's name ends, and its editor adds this.
                    Some(name) if name.eq_ignore_ascii_case("machines.toml.txt") => {
                        misnamed = Some(name.to_owned());
                    }
                    _ => {}
                },
                Err(error) => {
                    return self.refuse("the stick", &format!("cannot be read: {error}"));
                }
            }
        }
        let mut found = found.into_iter();
        let Some((path, entry)) = found.next() else {
            let misnamed = misnamed.iter();
            return misnamed.for_each(|name| self.refuse(name, "name it machines.toml"));
        };
        if let Some((other, _)) = found.next() {
            return self.refuse(&path, &format!("{other} is there, too; which one is meant?"));
        }
        match entry.metadata() {
            Ok(data) if data.is_file() => self.file(path, &data),
            Ok(_) => self.refuse(&path, "is no file; links are not followed"),
            Err(error) => self.refuse(&path, &format!("cannot be read: {error}")),
        }
    }

    fn folder(&mut self, path: &str, depth: usize) {
        if depth > DEEPEST {
            return self.problem(path, "folders are nested too deep; not looked into");
        }
        let entries = match fs::read_dir(self.volume.join(path)) {
            Ok(entries) => entries,
            Err(error) => return self.lost(path, &format!("cannot be read: {error}")),
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) if self.may_go_on(entry.file_name().len()) => names.push(entry),
                Ok(_) => break,
                Err(error) => {
                    self.lost(path, &format!("cannot be read to its end: {error}"));
                    break;
                }
            }
        }
        let is_config = |name: &OsStr| name.to_str().is_some_and(is_of_configs);
        names.sort_by_cached_key(|entry| {
            let name = entry.file_name();
            (path.is_empty() && !is_config(&name), name)
        });
        for entry in names {
            self.has_configs |= path.is_empty() && !self.stopped && !is_config(&entry.file_name());
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
            match self.has_configs {
                true => self.tell_first(why),
                false => self.refuse("the stick", why),
            }
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
        if is_furniture(name) || parent.is_empty() && is_machines(name) {
            return;
        }
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        // Of the entry itself: a link is neither file nor folder here, and is passed over.
        match entry.metadata() {
            Ok(data) if data.is_dir() => self.folder(&path, depth + 1),
            Ok(data) if data.is_file() => self.file(path, &data),
            Ok(data) if data.is_symlink() => {
                self.lost(&path, "links are not followed; copy the file itself");
            }
            Ok(_) if is_of_configs(&path) => self.lost(&path, "is no file"),
            Ok(_) => {}
            Err(error) => self.lost(&path, &format!("cannot be read: {error}")),
        }
    }

    fn file(&mut self, path: String, data: &fs::Metadata) {
        match self.quotas.count(&path) {
            Verdict::Listed => {}
            Verdict::TooMany(message) if is_of_configs(&path) => {
                return self.refuse("the stick", message);
            }
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
        let text = (is_text(&file.path) || self.tells(&file)).then(|| file.clone());
        let iso = is_image(&file.path).then(|| file.clone());
        if !self.add(file) {
            return;
        }
        if let Some(text) = text {
            self.text(&text, LARGEST_TEXT);
        }
        if let Some(iso) = iso {
            self.disc(&iso);
        }
    }

    /// False if there is no room for it.
    fn add(&mut self, file: MediaFile) -> bool {
        self.path_bytes = self.path_bytes.saturating_add(file.path.len());
        if self.path_bytes > LONGEST_PATHS {
            self.stop("holds too many files with long paths; the rest was not looked at");
        } else if self.listing.files.len() >= MOST_FILES {
            self.stop("holds more than 25,000 files of use; the rest was not looked at");
        } else {
            self.listing.files.push(file);
            return true;
        }
        false
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
            let text = self.tells(&file).then(|| file.clone());
            if self.add(file)
                && let Some(text) = text
            {
                self.text(&text, LARGEST_FACTS);
            }
        }
    }

    /// Of the file that was added last.
    fn text(&mut self, file: &MediaFile, largest: u64) {
        match self.read(file, largest) {
            Ok(text) => {
                let index = self.listing.files.len().saturating_sub(1);
                self.listing.texts.push((index, text));
            }
            // A configuration without its text is known for broken, and nobody's.
            Err(message) if is_machines(&file.path) => self.refuse(&file.path, &message),
            Err(message) => self.problem(&file.path, &message),
        }
    }

    fn read(&mut self, file: &MediaFile, largest: u64) -> Result<String, String> {
        if file.size > largest || self.text_bytes > LARGEST_TEXTS {
            return Err("too large for a text file; not read".to_owned());
        }
        let mut bytes = Vec::new();
        let read = file.open().and_then(|mut open| open.read_to_end(&mut bytes));
        read.map_err(|error| format!("cannot be read: {error}"))?;
        self.text_bytes += bytes.len();
        String::from_utf8(bytes).map_err(|_| "is not UTF-8 text; save it as UTF-8".to_owned())
    }

    /// What is at `path` was not seen. Where it may be a machine's configuration, that machine
    /// must not get another one in its place.
    fn lost(&mut self, path: &str, message: &str) {
        match path.is_empty() || is_of_configs(path) {
            true => self.refuse(path, message),
            false => self.problem(path, message),
        }
    }

    fn refuse(&mut self, path: &str, message: &str) {
        let problem = Problem::new(if path.is_empty() { "the stick" } else { path }, message);
        let refused = &mut self.listing.refused;
        if refused.len() < MOST_PROBLEMS && !refused.contains(&problem) {
            refused.push(problem);
        }
    }

    fn problem(&mut self, path: &str, message: &str) {
        if self.listing.problems.len() < MOST_PROBLEMS {
            let path = if path.is_empty() { "the stick" } else { path };
            self.listing.problems.push(Problem::new(path, message));
        }
    }
}

/// Enough to see what is wrong; a broken stick has thousands.
const MOST_PROBLEMS: usize = 100;

/// The stick's own profiles, which say what else of it is of interest. What is wrong with
/// them is said where they are read for good.
fn own_profiles(volume: &Path) -> Vec<Arc<Profile>> {
    let folders = names_in(volume).filter(|name| name.eq_ignore_ascii_case("profiles"));
    let paths = folders.flat_map(|folder| {
        names_in(&volume.join(&folder)).map(move |name| format!("{folder}/{name}"))
    });
    let paths = paths.filter(|path| is_profile(path));
    let texts = paths.take(MOST_PROFILES).filter_map(|path| {
        let mut text = String::new();
        let file = media_file::open_beneath(volume, &path).ok()?;
        file.take(LARGEST_TEXT).read_to_string(&mut text).ok()?;
        Some((path, text))
    });
    let profiles = texts.filter_map(|(path, text)| profile::read::parse(&path, &text).ok());
    profiles.flatten().map(Arc::new).collect()
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST_ENTRIES);
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// More systems than anybody has.
const MOST_PROFILES: usize = 64;

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
    is_machines(path) || is_profile(path) || ConfigKind::is_text(path)
}

/// `machines.toml` in any case: FAT keeps none.
pub(super) fn is_machines(path: &str) -> bool {
    path.eq_ignore_ascii_case("machines.toml")
}

/// A folder of configs, or something in it.
fn is_of_configs(path: &str) -> bool {
    let folder = path.split_once('/').map_or(path, |(folder, _)| folder);
    ConfigKind::of_folder(folder).is_some()
}

fn is_image(path: &str) -> bool {
    let folder = path.split_once('/').map(|(folder, _)| folder);
    folder.is_some_and(|folder| folder.eq_ignore_ascii_case("images")) && iso::is_iso(path)
}

#[cfg(test)]
mod tests;
