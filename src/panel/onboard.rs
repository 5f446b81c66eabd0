//! The board's own LED shows the same rhythm, so the box tells its state with nothing wired.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the kernel lists LEDs.
pub const LEDS: &str = "/sys/class/leds";

/// How older kernels call the activity LED, whatever the board.
const OLDER_NAME: &str = "led0";

/// The driver is a module that comes after us; and an LED that failed may come back.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The LED, once it is there.
#[derive(Debug)]
pub struct OwnLed {
    folders: Vec<PathBuf>,
    led: Option<Led>,
    look_at: Duration,
    lit: Option<bool>,
}

#[derive(Debug)]
struct Led {
    brightness: File,
    full: String,
}

impl OwnLed {
    /// Looks in `folder` for the first of `names` from the first [`OwnLed::set`] on.
    pub fn new(folder: &Path, names: &[&str]) -> OwnLed {
        let names = names.iter().copied().chain([OLDER_NAME]);
        let folders = names.map(|name| folder.join(name)).collect();
        OwnLed { folders, led: None, look_at: Duration::ZERO, lit: None }
    }

    /// Lights it or not; if there is none, looks for one now and then.
    pub fn set(&mut self, lit: bool, now: Duration) {
        if self.led.is_none() && now >= self.look_at {
            self.look_at = now.saturating_add(LOOK_AGAIN);
            self.led = self.folders.iter().find_map(|folder| Led::open(folder).ok());
            self.lit = None;
        }
        if self.lit == Some(lit) {
            return;
        }
        if self.led.as_ref().is_some_and(|led| led.set(lit).is_err()) {
            self.led = None;
        }
        self.lit = Some(lit);
    }
}

impl Led {
    fn open(folder: &Path) -> io::Result<Led> {
        let full = fs::read_to_string(folder.join("max_brightness"))?;
        let brightness = OpenOptions::new().write(true).open(folder.join("brightness"))?;
        // Else the kernel's heartbeat or card activity would write beside us.
        fs::write(folder.join("trigger"), "none")?;
        log::info!("panel: the board's own LED {} shows the state too", folder.display());
        Ok(Led { brightness, full: full.trim().to_owned() })
    }

    fn set(&self, lit: bool) -> io::Result<()> {
        let level = if lit { self.full.as_str() } else { "0" };
        self.brightness.write_all_at(level.as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let name = format!("pxeberry-{}-{test}", std::process::id());
            Folder(std::env::temp_dir().join(name))
        }

        fn add(&self, led: &str) {
            let folder = self.0.join(led);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("max_brightness"), "1\n").unwrap();
            fs::write(folder.join("brightness"), "0").unwrap();
            fs::write(folder.join("trigger"), "none [heartbeat]\n").unwrap();
        }

        fn read(&self, file: &str) -> String {
            fs::read_to_string(self.0.join(file)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_takes_the_activity_led_from_the_kernel_and_drives_it() {
        let folder = Folder::new("activity");
        folder.add("PWR");
        folder.add("ACT");
        let mut led = OwnLed::new(&folder.0, &["ACT", "PWR"]);
        led.set(true, Duration::ZERO);
        assert_eq!(folder.read("ACT/trigger"), "none");
        assert_eq!(folder.read("ACT/brightness"), "1");
        led.set(false, Duration::from_millis(20));
        assert_eq!(folder.read("ACT/brightness"), "0");
        assert_eq!(folder.read("PWR/trigger"), "none [heartbeat]\n");
    }

    #[test]
    fn an_led_whose_driver_comes_late_is_found_and_shows_what_holds_then() {
        let folder = Folder::new("late");
        let mut led = OwnLed::new(&folder.0, &["ACT", "PWR"]);
        led.set(true, Duration::ZERO);
        folder.add("ACT");
        led.set(true, Duration::from_secs(4));
        assert_eq!(folder.read("ACT/brightness"), "0");
        led.set(true, Duration::from_secs(5));
        assert_eq!(folder.read("ACT/brightness"), "1");
    }
}
