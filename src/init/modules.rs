//! Kernel modules, loaded in the order that the image's build worked out.
//!
//! No `modprobe`, no dependency resolution, no module on demand: the list is complete and
//! its order is safe. The watchdog stands first, because without it a Pi cannot reboot.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use log::{debug, info, warn};
use rustix::io::Errno;

const FOLDER: &str = "/lib/modules";
const LOAD_ORDER: &str = "/lib/modules/load-order";

/// The list of `/lib/modules/load-order`, in its two phases.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadOrder {
    /// Watchdog, then what SD card, Ethernet and USB need: loaded before anything else.
    pub early: VecDeque<String>,
    /// File systems, LEDs and the rest: loaded while the hardware of the first ones wakes up.
    pub late: VecDeque<String>,
}

/// Reads the list; without one the appliance goes on with what is built into the kernel.
pub fn load_order() -> LoadOrder {
    match fs::read_to_string(LOAD_ORDER) {
        Ok(text) => parse(&text),
        Err(error) => {
            warn!("no kernel modules: {LOAD_ORDER}: {error}; flash the card again");
            LoadOrder::default()
        }
    }
}

/// Where this kernel's modules lie.
pub fn folder() -> PathBuf {
    let release = rustix::system::uname();
    Path::new(FOLDER).join(release.release().to_string_lossy().as_ref())
}

/// Loads all of `names`, and says how many did.
pub fn load_all(folder: &Path, names: &mut VecDeque<String>) {
    let count = names.len();
    let loaded = names.drain(..).filter(|name| load(folder, name)).count();
    info!("{loaded} of {count} kernel modules for SD card, network and USB loaded");
}

/// Loads one module. One that is built in, or has no device here, is as good as loaded.
pub fn load(folder: &Path, name: &str) -> bool {
    match insert(&folder.join(name)) {
        Ok(()) => true,
        Err(error) if harmless(&error) => {
            debug!("{name}: {error}");
            true
        }
        Err(error) => {
            warn!("{name}: cannot be loaded: {error}; what needs this module will not work");
            false
        }
    }
}

fn insert(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    Ok(rustix::system::finit_module(&file, c"", 0)?)
}

fn harmless(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    matches!(code, Some(Errno::EXIST | Errno::NODEV))
}

/// Lines outside a section are early: a list without sections still boots. A name with a
/// slash would leave the folder and is passed over.
fn parse(text: &str) -> LoadOrder {
    let mut order = LoadOrder::default();
    let mut late = false;
    for line in text.lines() {
        let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
        match line {
            "" => {}
            section if section.starts_with('[') => late = section != "[early]",
            name if name.contains('/') => {}
            name if late => order.late.push_back(name.to_owned()),
            name => order.early.push_back(name.to_owned()),
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_early_and_a_late_part_in_the_order_written() {
        let order = parse(
            "# made by the build\r\n[early]\nbcm2835_wdt.ko\nfixed.ko # Pi 4\n\n[late]\nfat.ko\n",
        );
        assert_eq!(order.early, ["bcm2835_wdt.ko", "fixed.ko"]);
        assert_eq!(order.late, ["fat.ko"]);
    }

    #[test]
    fn a_list_without_sections_still_boots() {
        assert_eq!(parse("a.ko\nb.ko").early, ["a.ko", "b.ko"]);
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        assert_eq!(parse("../../evil.ko\n"), LoadOrder::default());
    }

    #[test]
    fn a_module_that_is_there_or_has_no_device_is_no_failure() {
        assert!(harmless(&Errno::EXIST.into()));
        assert!(harmless(&Errno::NODEV.into()));
        assert!(!harmless(&Errno::NOENT.into()));
        assert!(!harmless(&io::Error::other("x")));
    }
}
