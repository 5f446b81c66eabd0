//! Which configuration is in force: the card's, else the last good one, else the defaults.
//!
//! A mistake in `pxeberry.toml` never locks anyone out; it is named in the log and in
//! `/run/pxeberry/config-problem`, and the box works as it did before the mistake.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use log::{error, info, warn};

use super::file;
use crate::config::{self, Config, ConfigError};

/// Windows hides `.txt`, and then Notepad adds it.
const NAMES: [&str; 2] = ["pxeberry.toml", "pxeberry.toml.txt"];
const LAST_GOOD: &str = "pxeberry.last-good.toml";
const PROBLEM: &str = "config-problem";

/// What the children are started with, and what PID 1 needs itself.
#[derive(Debug)]
pub struct Settings {
    /// The checked configuration.
    pub config: Config,
    /// The file that holds it.
    pub file: PathBuf,
}

/// The folders that a configuration can come from and goes to.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// The card's FAT partition.
    pub boot: &'a Path,
    /// The state partition.
    pub state: &'a Path,
    /// Where the file in force is put.
    pub run: &'a Path,
}

/// Decides, logs the decision, and writes the file in force. None only if not even the
/// defaults hold, which a test excludes.
pub fn load(folders: Folders<'_>) -> Option<Settings> {
    let (config, text) = decide(folders)?;
    let file = folders.run.join("pxeberry.toml");
    if let Err(error) = fs::write(&file, &text) {
        error!("{}: cannot be written: {error}", file.display());
    }
    Some(Settings { config, file })
}

/// The defaults, whatever the card says, for safe mode; none where they are in force anyway.
/// In a file of their own: a panel that starts later finds its pins in the card's.
pub fn defaults_instead_of(current: &Settings) -> Option<Settings> {
    let (config, text) = defaults().filter(|(config, _)| *config != current.config)?;
    let file = current.file.with_file_name("safe-mode.toml");
    if let Err(error) = fs::write(&file, &text) {
        error!("{}: cannot be written: {error}", file.display());
    }
    Some(Settings { config, file })
}

fn decide(folders: Folders<'_>) -> Option<(Config, Vec<u8>)> {
    let last_good = folders.state.join(LAST_GOOD);
    match from_card(folders.boot) {
        Ok(Some((config, text))) => {
            if let Err(error) = file::replace_if_changed(&last_good, &text) {
                warn!("{}: cannot be kept: {error}", last_good.display());
            }
            Some((config, text))
        }
        Ok(None) => {
            info!("no pxeberry.toml on the card: using the default settings");
            defaults()
        }
        Err(problem) => {
            error!("pxeberry.toml: {problem}; correct the file on the card and restart");
            if let Err(error) = fs::write(folders.run.join(PROBLEM), format!("{problem}\n")) {
                warn!("{PROBLEM}: cannot be written: {error}");
            }
            match read(&last_good) {
                Ok(found) => {
                    warn!("going on with the last good settings");
                    Some(found)
                }
                Err(_) => {
                    warn!("going on with the default settings");
                    defaults()
                }
            }
        }
    }
}

/// None where the card has no such file: that is fine, every key has a default.
fn from_card(boot: &Path) -> Result<Option<(Config, Vec<u8>)>, ConfigError> {
    for name in NAMES {
        match read(&boot.join(name)) {
            Err(ConfigError::Read { source }) if source.kind() == io::ErrorKind::NotFound => {}
            Ok(found) => {
                info!("settings from {name}");
                return Ok(Some(found));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The configuration with the very bytes that it was read from.
fn read(path: &Path) -> Result<(Config, Vec<u8>), ConfigError> {
    let config = config::load(path)?;
    let text = fs::read(path).map_err(|source| ConfigError::Read { source })?;
    Ok((config, text))
}

fn defaults() -> Option<(Config, Vec<u8>)> {
    let config = config::parse("").map_err(|error| error!("default settings: {error}")).ok()?;
    Some((config, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;

    struct Card(PathBuf);

    impl Card {
        fn new(name: &str) -> Card {
            let root = std::env::temp_dir().join(format!("pxeberry-{name}-{}", std::process::id()));
            for folder in ["boot", "state", "run"] {
                fs::create_dir_all(root.join(folder)).unwrap();
            }
            Card(root)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn exists(&self, name: &str) -> bool {
            self.0.join(name).exists()
        }

        fn load(&self) -> Settings {
            let (boot, state, run) =
                (self.0.join("boot"), self.0.join("state"), self.0.join("run"));
            load(Folders { boot: &boot, state: &state, run: &run }).unwrap()
        }
    }

    impl Drop for Card {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_card_without_a_file_has_the_defaults_and_no_problem() {
        let card = Card::new("defaults");
        let settings = card.load();
        assert_eq!(settings.config.mode, Mode::Auto);
        assert_eq!(fs::read(&settings.file).unwrap(), b"");
        assert!(!card.exists("run/config-problem"));
    }

    #[test]
    fn a_good_file_is_in_force_and_kept_under_either_name() {
        for name in ["pxeberry.toml", "pxeberry.toml.txt"] {
            let card = Card::new("good");
            card.write(&format!("boot/{name}"), "mode = \"server\"\r\n");
            assert_eq!(card.load().config.mode, Mode::Server);
            assert!(card.exists("state/pxeberry.last-good.toml"));
        }
    }

    #[test]
    fn a_bad_file_leaves_the_last_good_one_in_force_and_its_mistake_is_written_down() {
        let card = Card::new("bad");
        card.write("boot/pxeberry.toml", "mode = \"proxy\"\n");
        card.load();
        card.write("boot/pxeberry.toml", "mod = \"server\"\n");
        assert_eq!(card.load().config.mode, Mode::Proxy);
        let problem = fs::read_to_string(card.0.join("run/config-problem")).unwrap();
        assert!(problem.contains("line 1: unknown field `mod`"), "{problem}");
    }

    #[test]
    fn in_safe_mode_the_defaults_take_the_place_of_what_the_card_says() {
        let card = Card::new("safe");
        card.write("boot/pxeberry.toml", "mode = \"proxy\"\n");
        let settings = defaults_instead_of(&card.load()).unwrap();
        assert_eq!(settings.config.mode, Mode::Auto);
        assert_eq!(config::load(&settings.file).unwrap(), settings.config);
        let cards = config::load(&card.0.join("run/pxeberry.toml")).unwrap();
        assert_eq!(cards.mode, Mode::Proxy);
        assert!(defaults_instead_of(&settings).is_none());
    }

    #[test]
    fn a_bad_file_and_no_good_one_leave_the_defaults() {
        let card = Card::new("worst");
        card.write("boot/pxeberry.toml", "\u{1}");
        card.write("state/pxeberry.last-good.toml", "also bad");
        assert_eq!(card.load().config.mode, Mode::Auto);
    }
}
