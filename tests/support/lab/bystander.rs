//! Programs that run beside the appliance's own, for what cannot be done from outside: the
//! image has no shell.
//!
//! An archive is put behind the image's initramfs, and the kernel is told to start the
//! script in it first. What the image brings is not touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure::{Failure, Result};
use super::workshop::{Workshop, repository, run};

/// What the kernel starts, by its command line.
pub const START: &str = "rdinit=/bystander/init";

/// The archives of an initramfs begin at multiples of it.
const ALIGNMENT: usize = 512;

/// Builds the archive of `tests/support/bystander/<script>`, with busybox and `files` (name
/// in the folder `bystander`, source), and puts it behind `initramfs` in a new file.
pub fn behind(
    workshop: &Workshop,
    initramfs: Option<&Path>,
    script: &str,
    files: &[(&str, &Path)],
) -> Result<PathBuf> {
    let sources = repository().join("tests/support/bystander");
    let built = repository().join("target/bystander");
    run(Command::new(sources.join("build")).arg(&built))?;
    let tree = workshop.file("bystander");
    let folder = tree.join("bystander");
    fs::create_dir_all(&folder).map_err(Failure::at(folder.display()))?;
    let busybox = built.join("busybox");
    let own = [("busybox", busybox.clone()), ("sh", busybox), ("init", sources.join(script))];
    let own = own.iter().map(|(name, source)| (*name, source.as_path()));
    for (name, source) in own.chain(files.iter().copied()) {
        fs::copy(source, folder.join(name)).map_err(Failure::at(source.display()))?;
    }
    let archive = workshop.file("bystander.cpio");
    let pack = repository().join("image/lib/initramfs.py");
    run(Command::new("python3").arg("-B").arg(pack).arg(&tree).arg(&archive).arg("0"))?;
    let mut both = match initramfs {
        Some(path) => fs::read(path).map_err(Failure::at(path.display()))?,
        None => Vec::new(),
    };
    both.resize(both.len().next_multiple_of(ALIGNMENT), 0);
    both.extend(fs::read(&archive).map_err(Failure::at(archive.display()))?);
    let path = workshop.file("initramfs");
    fs::write(&path, both).map_err(Failure::at(path.display()))?;
    Ok(path)
}
