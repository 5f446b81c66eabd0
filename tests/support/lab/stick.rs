//! USB sticks: a folder with the content, and images of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure::{Failure, Result};
use super::workshop::{Workshop, client_system, repository, run};

/// Content: 27 MB; FAT32 needs 65525 clusters, so 33 MiB.
const STICK_MIB: &str = "64";

/// A stick's file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// FAT32
    Fat32,
    /// exFAT
    ExFat,
    /// ext4
    Ext4,
}

impl fmt::Display for FileSystem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            FileSystem::Fat32 => "vfat",
            FileSystem::ExFat => "exfat",
            FileSystem::Ext4 => "ext4",
        })
    }
}

/// What is on a stick.
pub struct StickContent {
    folder: PathBuf,
}

impl StickContent {
    /// The sample image, and a configuration for each machine (name, MAC).
    pub fn sample(workshop: &Workshop, machines: &[(&str, &str)]) -> Result<StickContent> {
        let folder = workshop.file("stick");
        let mut command = Command::new(repository().join("tests/support/pc/sample-stick"));
        command.arg(client_system()?).arg(&folder).arg("--machines");
        for (name, mac) in machines {
            command.arg("--name").arg(format!("{name}={mac}"));
        }
        run(&mut command)?;
        Ok(StickContent { folder })
    }

    /// Puts a file on it.
    pub fn with_file(self, path: &str, text: &str) -> Result<StickContent> {
        let file = self.folder.join(path);
        let parent = file.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(Failure::at(parent.display()))?;
        fs::write(&file, text).map_err(Failure::at(file.display()))?;
        Ok(self)
    }

    /// Makes the stick.
    pub fn image(&self, system: FileSystem) -> Result<PathBuf> {
        let image = self.folder.with_extension(format!("{system}.img"));
        run(Command::new(repository().join("tests/support/pc/make-stick"))
            .arg(&image)
            .args(["--fs", &system.to_string(), "--size", STICK_MIB, "--from"])
            .arg(&self.folder))?;
        Ok(image)
    }
}

/// The address of a name in QEMU's `key=value,…` syntax, where a comma is doubled.
pub fn quoted(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
