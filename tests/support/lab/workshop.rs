//! Where a scenario works: its folder, its sockets, and what was built before.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure::{Failure, Result};

/// A scenario's folder, `target/lab/<scenario>`, made anew: consoles, disks, cards. It stays
/// for whoever wants to read the logs. Sockets lie elsewhere: their paths must be short.
pub struct Workshop {
    folder: PathBuf,
    sockets: PathBuf,
}

impl Workshop {
    /// Empties the folder of `scenario`.
    pub fn open(scenario: &str) -> Result<Workshop> {
        let folder = repository().join("target/lab").join(scenario);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Failure::at(folder.display()))?;
        }
        fs::create_dir_all(&folder).map_err(Failure::at(folder.display()))?;
        Ok(Workshop { folder, sockets: sockets(scenario)? })
    }

    /// A file of this scenario.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder for sockets.
    pub fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// A disk without content.
    pub fn empty_disk(&self, name: &str) -> Result<PathBuf> {
        let path = self.file(name);
        let file = fs::File::create(&path).map_err(Failure::at(path.display()))?;
        file.set_len(DISK_SIZE).map_err(Failure::at(path.display()))?;
        Ok(path)
    }

    /// A disk with an operating system that nobody has configured.
    pub fn bootable_disk(&self, name: &str) -> Result<PathBuf> {
        let path = self.empty_disk(name)?;
        let image = client_system()?.join("coreos_production_image.bin.bz2");
        let script = "bzip2 -dc \"$0\" | dd of=\"$1\" conv=notrunc status=none";
        run(Command::new("bash").args(["-o", "pipefail", "-c", script]).arg(image).arg(&path))?;
        Ok(path)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.sockets);
    }
}

/// A new folder. Scenarios in process namespaces of their own have the same numbers.
fn sockets(scenario: &str) -> Result<PathBuf> {
    let name = format!("pxeberry-{}-{scenario}", std::process::id());
    let folders = (0..100).map(|number| std::env::temp_dir().join(format!("{name}-{number}")));
    for folder in folders {
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder.clone()).map_err(Failure::at(folder.display())),
        }
    }
    Err(Failure::new("no folder for sockets"))
}

/// The installed system fits three times.
const DISK_SIZE: u64 = 64 * 1024 * 1024;

/// The sources, with `target` in them.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file that `image/build` makes.
pub fn image_file(name: &str) -> Result<PathBuf> {
    built(repository().join("target/image").join(name), "image/build")
}

/// The folder with what the PCs run.
pub fn client_system() -> Result<PathBuf> {
    let folder = repository().join("target/pc");
    built(folder.join("version.txt"), "tests/support/pc/build target/pc")?;
    Ok(folder)
}

fn built(path: PathBuf, by: &str) -> Result<PathBuf> {
    match path.exists() {
        true => Ok(path),
        false => Err(Failure::new(format!("{} is missing: run {by}", path.display()))),
    }
}

/// Runs a tool to its end and returns what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(Failure::at(&tool))?;
    if !done.status.success() {
        let complaint = String::from_utf8_lossy(&done.stderr);
        return Err(Failure::new(format!("{tool}: {}: {}", done.status, complaint.trim())));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
