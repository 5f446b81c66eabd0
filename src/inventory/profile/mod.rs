//! What makes a folder an operating system, as data: one TOML file per system.
//!
//! A profile names files and kernel arguments; the Rust code knows no system by name. The
//! built-in ones are in `src/inventory/profiles/`, a stick's own in its `profiles/`.

pub mod names;
pub mod own;
pub mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::ConfigKind;
use super::cpu::{Cpu, Firmware, Loader};
use super::pattern::Pattern;

/// One operating system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The folder under `images/`, and the name in `machines.toml`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Other systems that differ in nothing but their names.
    #[serde(default)]
    pub also: Vec<Sibling>,
    /// What `{family}` in [`Profile::facts`] says if it is this one.
    pub family: Option<String>,
    /// What it is there for.
    #[serde(default)]
    pub purpose: Purpose,
    /// Taken only where no other profile fits; the folder gives the system's name.
    #[serde(default)]
    pub general: bool,
    /// It is no system that starts, but the image of a whole disk: its layouts' kernels are
    /// what another system writes.
    #[serde(default)]
    pub written: bool,
    /// It is such another system: it runs our `install.sh` in memory.
    #[serde(default)]
    pub writes_images: bool,
    /// Least memory of a machine, in MiB.
    pub ram: Option<u32>,
    /// The processor of its images, where neither names nor texts say it.
    #[serde(default = "x86_64")]
    pub arch: Cpu,
    /// Kinds of configuration that it takes; the first one that a machine has is used.
    #[serde(default)]
    pub configs: Vec<ConfigKind>,
    /// It is of use on a machine that has no configuration for it.
    #[serde(default)]
    pub works_without_config: bool,
    /// How a finished installation is known.
    #[serde(default)]
    pub reports: Reports,
    /// Whether its installer runs what is added to a configuration of it that reports nothing.
    #[serde(default)]
    pub add_report: AddReport,
    /// How many minutes its installer may be silent before it reports, if that is more than
    /// half an hour: one that takes its packages from a mirror.
    pub report_within: Option<u16>,
    /// What the installer writes to the disk; with it a folder is an image even where the
    /// kernel lies elsewhere (the old box kept it in its TFTP root).
    pub disk_image: Option<Pattern>,
    /// Program that writes it, run by our `install.sh`.
    pub installer: Option<String>,
    /// Key in `version.txt` by which installers find the newest version.
    pub version_key: Option<String>,
    /// Code names and the versions that they stand for.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Names of ISOs and folders that tell version and processor.
    #[serde(default)]
    pub names: Vec<Pattern>,
    /// Small texts beside the kernel that tell version and processor.
    #[serde(default)]
    pub facts: Vec<Facts>,
    /// Where its files can lie.
    pub layout: Vec<Layout>,
    /// Kernel arguments in their order.
    #[serde(default)]
    pub args: Vec<Arguments>,
    /// Files that look like the system's, and why they are no use here.
    #[serde(default)]
    pub refuse: Vec<Refusal>,
    /// How its publisher signs.
    #[serde(default)]
    pub verify: Verify,
}

/// A system with the same files and arguments as the one whose profile names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sibling {
    /// The folder under `images/`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What `{family}` says of it.
    pub family: Option<String>,
}

/// What an image is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It overwrites a disk: a machine gets it once.
    #[default]
    Install,
    /// It runs in memory: a machine gets it each time, while it is named for it.
    Live,
}

/// How a finished installation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reports {
    /// Our `install.sh` runs the installer and reports.
    InstallScript,
    /// The machine's own configuration reports; else it was taken, and the machine booted
    /// again.
    #[default]
    Config,
    /// The whole of [`Profile::disk_image`] was taken, and the machine booted again.
    DiskImage,
}

/// What an installer runs of what is added to its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddReport {
    /// It is not known.
    #[default]
    No,
    /// What its kind of configuration is known for.
    Yes,
    /// The same for busybox, which has no curl. Sections of its kickstart have no `%end`.
    Busybox,
}

/// Small texts that say what an image is: `.treeinfo`, `.disk/info`, `version.txt`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The file, seen from the folder that a layout begins in.
    pub file: Pattern,
    /// Lines with holes; each hole is filled by the first line that fits.
    #[serde(deserialize_with = "read::lines")]
    pub lines: Vec<Pattern>,
}

/// One arrangement of files, seen from the folder that it begins in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// What is started first; a folder with it is an image.
    pub kernel: Pattern,
    /// Initial RAM disks in order.
    #[serde(default)]
    pub initrds: Vec<Pattern>,
    /// Those that are used if they are there, behind the others.
    #[serde(default)]
    pub optional_initrds: Vec<Pattern>,
    /// Further files that it does not work without.
    #[serde(default)]
    pub needs: Vec<Pattern>,
    /// Files that arguments name by a short name (`{file:NAME}`), if they are there.
    #[serde(default)]
    pub files: BTreeMap<String, Pattern>,
    /// The ISO that it does not work without: the one that it is in, or one beside.
    pub iso: Option<Pattern>,
    /// Its processor, where no name says it.
    pub arch: Option<Cpu>,
    /// The only firmware that it starts from.
    pub firmware: Option<Firmware>,
    /// The only loaders that can start it.
    #[serde(default)]
    pub loaders: Vec<Loader>,
    /// The kernel is not Linux: no `initrd=` or `BOOTIF=` is put before its arguments.
    #[serde(default)]
    pub program: bool,
    /// Its names say little: only in a folder that is named as the system.
    #[serde(default)]
    pub named: bool,
    /// Machines ask for its files by their bare names, as on the old box.
    #[serde(default)]
    pub bare_names: bool,
    /// A file with more kernel arguments: plain text, or an iPXE script with a `kernel` line.
    pub args_file: Option<Pattern>,
    /// A file that each machine gets with other lines in it.
    pub rewrite: Option<Rewrite>,
}

/// A file of lines like `key=value` that is changed for each machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// Which.
    pub file: Pattern,
    /// Values that are set.
    #[serde(default)]
    pub set: BTreeMap<String, Vec<Arguments>>,
    /// Keys whose values are names of files, which lose their leading slashes.
    #[serde(default)]
    pub relative: Vec<String>,
}

/// What people take for an image that is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// By this file.
    pub file: Pattern,
    /// What to do instead.
    pub because: String,
}

/// Kernel arguments, and when they are given. One with a placeholder that there is nothing
/// for is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Each with placeholders, which `boot::args` fills.
    pub give: Vec<String>,
    /// Only to machines with this firmware.
    pub firmware: Option<Firmware>,
    /// Only to this processor.
    pub arch: Option<Cpu>,
    /// Only to a machine whose configuration is of this kind.
    pub config: Option<ConfigKind>,
    /// Only to a machine that has none, or (false) that has one.
    pub without_config: Option<bool>,
    /// Only if one of the layout's files with these short names is there.
    #[serde(default)]
    pub has: Vec<String>,
    /// Only if none of them is.
    #[serde(default)]
    pub has_not: Vec<String>,
}

/// How a publisher signs, with `{file}` for a file's name. What checks them is elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Detached signatures beside each file: `{file}.sig`.
    #[serde(default)]
    pub signatures: Vec<String>,
    /// Lists of checksums: `SHA256SUMS`, `{file}.sha256`.
    #[serde(default)]
    pub sums: Vec<String>,
    /// Detached signatures of those lists: `SHA256SUMS.gpg`.
    #[serde(default)]
    pub sums_signatures: Vec<String>,
}

impl Profile {
    /// Whether a file of this name, or at the end of this path, is what its installer writes.
    pub fn writes(&self, name: &str) -> bool {
        let images = self.layout.iter().filter(|_| self.written).map(|layout| &layout.kernel);
        self.disk_image.iter().chain(images).any(|file| file.at_end_of(name).is_some())
    }

    /// The systems that the product knows by itself.
    pub fn built_in() -> Vec<Arc<Profile>> {
        read::built_in().to_vec()
    }

    /// Whether a file inside an ISO, by its path there, is one that detection could use.
    pub fn wants(&self, path_inside: &str) -> bool {
        self.reads(path_inside)
            || self.refuse.iter().any(|refusal| refusal.file.is(path_inside))
            || self.disk_image.iter().chain(self.files()).any(|file| file.is(path_inside))
    }

    /// Whether detection needs the text of the file with this path on the stick, or inside
    /// an ISO.
    pub fn reads(&self, path: &str) -> bool {
        let of_layouts = self.layout.iter().flat_map(Layout::texts);
        let mut texts = self.facts.iter().map(|facts| &facts.file).chain(of_layouts);
        texts.any(|file| file.at_end_of(path).is_some())
    }

    /// Every pattern that [`Profile::wants`] and [`Profile::reads`] look at.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let texts = self.facts.iter().map(|facts| &facts.file);
        let texts = texts.chain(self.layout.iter().flat_map(Layout::texts));
        let refused = self.refuse.iter().map(|refusal| &refusal.file);
        texts.chain(refused).chain(&self.disk_image).chain(self.files())
    }

    /// How much it holds: each name, line, argument and version counts.
    pub fn pieces(&self) -> usize {
        let words = |it: &Arguments| 1 + it.give.len() + it.has.len() + it.has_not.len();
        let of_rewrite = |it: &Rewrite| {
            let set = it.set.values().map(|list| 1 + list.iter().map(words).sum::<usize>());
            set.sum::<usize>() + it.relative.len()
        };
        let rewrites = self.layout.iter().filter_map(|layout| layout.rewrite.as_ref());
        let verify = &self.verify;
        let verify = [&verify.signatures, &verify.sums, &verify.sums_signatures];
        self.patterns().count()
            + self.names.len()
            + self.versions.len()
            + self.facts.iter().map(|facts| facts.lines.len()).sum::<usize>()
            + self.args.iter().map(words).sum::<usize>()
            + rewrites.map(of_rewrite).sum::<usize>()
            + verify.iter().map(|list| list.len()).sum::<usize>()
    }

    /// Every file that a layout names.
    fn files(&self) -> impl Iterator<Item = &Pattern> {
        self.layout.iter().flat_map(|layout| std::iter::once(&layout.kernel).chain(layout.others()))
    }
}

impl Layout {
    /// Files without which it cannot start, beside the kernel.
    pub fn required(&self) -> impl Iterator<Item = &Pattern> {
        self.initrds.iter().chain(&self.needs)
    }

    /// Files whose text is needed.
    pub fn texts(&self) -> impl Iterator<Item = &Pattern> {
        self.args_file.iter().chain(self.rewrite.iter().map(|rewrite| &rewrite.file))
    }

    fn others(&self) -> impl Iterator<Item = &Pattern> {
        self.required().chain(&self.optional_initrds).chain(self.files.values())
    }
}

/// Whether any of `profiles` wants a file inside an ISO.
pub fn any_wants(profiles: &[Arc<Profile>], path_inside: &str) -> bool {
    profiles.iter().any(|profile| profile.wants(path_inside))
}

/// Whether any of `profiles` needs the text of a file.
pub fn any_reads(profiles: &[Arc<Profile>], path: &str) -> bool {
    profiles.iter().any(|profile| profile.reads(path))
}

fn x86_64() -> Cpu {
    Cpu::X86_64
}
