//! What is mounted where, and how.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::Path;

use log::warn;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::blkid::FileSystem;

/// The card's FAT partition.
pub const BOOT: &str = "/boot";
/// The card's own writable partition.
pub const STATE: &str = "/state";
/// Each folder in it is one stick.
pub const MEDIA: &str = "/media";
/// Where the processes of the appliance meet.
pub const RUN: &str = "/run/pxeberry";

/// Without a card to write to, the state lives in memory; a full one must not eat it all.
const STATE_IN_MEMORY: &CStr = c"size=16m,mode=0755";

/// Data from outside: nothing on it can become a program, a device or another user.
const FOREIGN: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC)
    .union(MountFlags::NOATIME);

/// Mounts what the kernel itself provides. Returns what went wrong, because before `/dev`
/// is there nothing can be logged.
pub fn kernel_file_systems() -> Vec<String> {
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    let device = MountFlags::NOSUID | MountFlags::NOEXEC;
    let table: [(&str, &str, MountFlags, &CStr); 5] = [
        ("proc", "/proc", safe, c""),
        ("sysfs", "/sys", safe, c""),
        ("devtmpfs", "/dev", device, c"mode=0755"),
        ("tmpfs", "/run", safe, c"mode=0755,size=16m"),
        ("tmpfs", "/tmp", safe, c"mode=1777,size=64m"),
    ];
    let mut failures = Vec::new();
    for (kind, target, flags, data) in table {
        if let Err(error) = mount_at(kind, Path::new(target), kind, flags, data) {
            failures.push(format!("{target}: cannot be mounted: {error}"));
        }
    }
    if let Err(error) = fs::create_dir_all(RUN) {
        failures.push(format!("{RUN}: cannot be made: {error}"));
    }
    failures
}

/// Mounts `source` read-only at `target`, making the folder.
pub fn read_only(source: &Path, target: &Path, system: FileSystem) -> io::Result<()> {
    let flags = FOREIGN | MountFlags::RDONLY;
    let data = match system {
        // Names as the stick has them, in UTF-8 like everywhere else.
        FileSystem::Fat => c"utf8,shortname=mixed",
        // A journal is not replayed: that would write to the stick.
        FileSystem::Ext => c"noload",
        FileSystem::Exfat | FileSystem::Ntfs => c"iocharset=utf8",
        FileSystem::Iso9660 => c"",
    };
    let driver = match system {
        FileSystem::Ntfs if !has_driver("ntfs3") => "ntfs",
        other => other.driver(),
    };
    match mount_at(source, target, driver, flags, data) {
        // A driver that does not know an option may know the file system all the same.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
            mount_at(source, target, driver, flags, c"")
        }
        result => result,
    }
}

fn has_driver(name: &str) -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.lines().any(|line| line.split_whitespace().next_back() == Some(name))
}

/// Mounts the state partition for writing. After a damage it turns read-only, so that the
/// damage does not grow.
pub fn state(source: &Path, system: FileSystem) -> io::Result<()> {
    mount_at(source, Path::new(STATE), system.driver(), FOREIGN, c"errors=remount-ro")
}

/// A state folder in memory, for as long as the power is on.
pub fn state_in_memory() -> io::Result<()> {
    mount_at("tmpfs", Path::new(STATE), "tmpfs", FOREIGN, STATE_IN_MEMORY)
}

/// Takes a mount away even if files on it are open; their readers get errors, nobody hangs.
pub fn detach(target: &Path) -> io::Result<()> {
    match unmount(target, UnmountFlags::DETACH) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The folder of a stick that is gone.
pub fn remove_folder(target: &Path) {
    if let Err(error) = fs::remove_dir(target)
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!("{}: the empty folder cannot be removed: {error}", target.display());
    }
}

fn mount_at<S: rustix::path::Arg>(
    source: S,
    target: &Path,
    driver: &str,
    flags: MountFlags,
    data: &CStr,
) -> io::Result<()> {
    fs::create_dir_all(target)?;
    let data = (!data.is_empty()).then_some(data);
    Ok(mount(source, target, driver, flags, data)?)
}
