//! What the sticks hold: images, machines and their configs, as one immutable snapshot.
//!
//! `scan` walks a stick into a [`Listing`]; everything after that is pure: `detect` finds
//! images by their [`profile`], `machine` reads `machines.toml` and the per-machine
//! configs. A new snapshot replaces the old one whole, or not at all.

pub mod assign;
pub mod configs;
pub mod cpu;
mod detect;
pub mod discs;
pub mod ending;
mod find;
pub mod iso;
pub mod machine;
pub mod media_file;
pub mod pattern;
pub mod profile;
mod quota;
pub mod scan;
mod tree;
pub mod version;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::config;
use crate::dhcp::site::Reservations;
use crate::net::Mac;
use configs::{Lookup, Part};

pub use configs::{ConfigKind, Configs};
use cpu::Cpu;
pub use detect::inventory;
use machine::ImageChoice;
pub use machine::{Install, Machine, Roster};
pub use media_file::{Inside, MediaFile};
pub use profile::Profile;
use profile::Purpose;
pub use scan::{Listing, list};
pub use tree::Tree;
pub use version::Version;

/// One operating system in one version.
#[derive(Debug, Clone)]
pub struct Image {
    /// What kind of system it is.
    pub profile: Arc<Profile>,
    /// The system's name: its profile's, or that of its folder if any kernel will do.
    pub system: String,
    /// What people call it.
    pub title: String,
    /// The name of its folder.
    pub version: Version,
    /// Its files by their paths from the image's folder, in the publisher's spelling.
    pub files: Tree,
    /// The ways to start it: one for each processor and firmware that it is made for.
    pub starts: Vec<Start>,
}

/// One way to start an image. Paths are seen from the image's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The processor that it is for.
    pub cpu: Cpu,
    /// Which of the profile's layouts it is.
    pub layout: usize,
    /// The image's folder on its stick.
    pub root: String,
    /// The folder that the layout begins in; empty if it is the image's own.
    pub base: String,
    /// What is started first.
    pub kernel: String,
    /// Initial RAM disks in order.
    pub initrds: Vec<String>,
    /// The layout's other files by their short names.
    pub files: BTreeMap<String, String>,
    /// The ISO that it is in, or that it needs.
    pub iso: Option<String>,
    /// What stands in its arguments file.
    pub args: Vec<String>,
    /// The file that each machine gets with other lines in it, and its text.
    pub rewrite: Option<(String, String)>,
    /// Files that are not there, and without which it does not work.
    pub missing: Vec<String>,
}

impl Image {
    /// `coreos/1185.3.0`, as `machines.toml` names it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.system, self.version)
    }

    /// The kinds of configuration that its installer takes.
    pub fn config_kinds(&self) -> &[ConfigKind] {
        &self.profile.configs
    }

    /// Names of what machines boot and write to their disks: kernels, initial RAM disks, what
    /// their installers fetch, and disk images.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        let of_starts = self.starts.iter().flat_map(|start| {
            let boot = std::iter::once(&start.kernel).chain(&start.initrds);
            boot.chain(start.files.values()).chain(&start.iso)
        });
        let names = self.files.iter().map(|(name, _)| name);
        let written = names.filter(|name| self.profile.writes(name));
        of_starts.map(String::as_str).chain(written)
    }

    /// Whether what a machine boots of it is here.
    pub fn boots(&self, start: &Start) -> bool {
        let layout = self.profile.layout.get(start.layout);
        self.files.get(&start.kernel).is_some()
            && layout.is_some_and(|layout| start.initrds.len() >= layout.initrds.len())
    }

    /// A file of this image by its published name; some ROMs ask in capitals.
    pub fn file(&self, name: &str) -> Option<&MediaFile> {
        let is_it = |(known, _): &(&str, &MediaFile)| known.eq_ignore_ascii_case(name);
        let second_chance = || self.files.iter().find(is_it).map(|(_, file)| file);
        self.files.get(name).or_else(second_chance)
    }

    /// The same of one for this processor: such files may lie in a folder of their own.
    pub fn file_for(&self, cpu: Cpu, name: &str) -> Option<&MediaFile> {
        let start = self.starts.iter().find(|start| start.cpu == cpu)?;
        match start.base.as_str() {
            "" => self.file(name),
            base => self.file(&format!("{base}/{name}")),
        }
    }
}

/// Something on a stick that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Path on the stick.
    pub file: String,
    /// Counted from 1, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with a whole file.
    pub fn new(file: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { file: file.into(), line: None, message: message.into() }
    }

    /// Cuts what repeats half a stick.
    fn shorten(&mut self) {
        if let Some((end, _)) = self.message.char_indices().nth(LONGEST_MESSAGE) {
            self.message.truncate(end);
            self.message.push('…');
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// The snapshot of all sticks.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Newest version first within one system.
    pub images: Vec<Image>,
    /// Every machine that a stick names, or that has a config.
    pub roster: Roster,
    /// What installers are told.
    pub configs: Configs,
    /// Machines whose configs have a mistake, by their place in the roster's list.
    unfit: BTreeMap<usize, Vec<ConfigKind>>,
    /// The stick's own `cloud-configs/install.sh`; else it is generated.
    pub install_script: Option<MediaFile>,
    /// `tftp/`, by lower-case path: real files that win over generated ones.
    pub tftp: BTreeMap<String, MediaFile>,
    /// `images/…/*.iso`, by lower-case path.
    pub isos: BTreeMap<String, MediaFile>,
    /// What is wrong with the sticks.
    pub problems: Vec<Problem>,
    /// Problems that were counted and not kept.
    unsaid: usize,
}

/// More problems than anybody reads; all of them are logged, and shown on each page.
const MOST_PROBLEMS: usize = 100;

/// The same of machines with one mistake.
const MOST_OUTSIDE: usize = 10;

/// In the words of a problem: what stands on a stick is told in part.
const LONGEST_MESSAGE: usize = 1000;

impl Inventory {
    /// The machine that has `mac`.
    pub fn machine(&self, mac: Mac) -> Option<&Machine> {
        self.roster.get(mac)
    }

    /// The same; a stranger has the settings of every machine.
    pub fn machine_or_stranger(&self, mac: Mac) -> Cow<'_, Machine> {
        let stranger = || Cow::Owned(self.roster.stranger(mac));
        self.machine(mac).map_or_else(stranger, Cow::Borrowed)
    }

    /// The machine that has `mac`, or a stranger where those are installed as well.
    pub fn to_install(&self, mac: Mac, unknown: config::Unknown) -> Option<Cow<'_, Machine>> {
        let machine = self.machine_or_stranger(mac);
        let is_known = matches!(machine, Cow::Borrowed(_));
        (is_known || unknown == config::Unknown::Install).then_some(machine)
    }

    /// Every machine with each of its cards that is known.
    pub fn machines(&self) -> impl Iterator<Item = (Mac, &Machine)> {
        self.roster.iter()
    }

    /// The image that a machine shall get when it boots from `mac`: the named one, else the
    /// newest that is installed with a configuration that the machine has, else with none.
    /// Who has one of its own gets no system that cannot take it: nobody meant that.
    pub fn image_for(&self, machine: &Machine, mac: Mac) -> Option<&Image> {
        let takes = |image: &Image, kinds: &[ConfigKind]| {
            image.config_kinds().iter().any(|kind| kinds.contains(kind))
        };
        let has_own = |kind: &ConfigKind| self.configs.is_own(*kind, mac, Some(machine));
        let own: Vec<ConfigKind> = ConfigKind::ALL.into_iter().filter(has_own).collect();
        if machine.image != ImageChoice::Newest {
            // Defaults may name one for a machine of which only its configuration is known.
            let fits = |i: &&Image| machine.image.fits(&i.system, &i.version);
            let named = self.images.iter().find(fits)?;
            return (takes(named, &own) || !self.roster.is_by_config(mac)).then_some(named);
        }
        let installs = || self.images.iter().filter(|i| i.profile.purpose == Purpose::Install);
        if !own.is_empty() {
            return installs().find(|image| takes(image, &own));
        }
        let gets = |kind: &ConfigKind| self.gets_config(*kind, machine, mac);
        let any: Vec<ConfigKind> = ConfigKind::ALL.into_iter().filter(gets).collect();
        installs()
            .find(|image| takes(image, &any))
            .or_else(|| installs().find(|image| image.profile.works_without_config))
            .or_else(|| installs().next())
    }

    /// What runs in memory to write an image of a whole disk, the newest first.
    pub fn writers(&self) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(|image| {
            image.profile.writes_images && image.starts.iter().any(|start| image.boots(start))
        })
    }

    /// The kind of configuration that a machine gets for an image.
    pub fn config_for(&self, image: &Image, machine: &Machine, mac: Mac) -> Option<ConfigKind> {
        let kinds = || image.profile.configs.iter().copied();
        let gets = |kind: &ConfigKind| self.gets_config(*kind, machine, mac);
        kinds()
            .find(|kind| self.configs.is_own(*kind, mac, Some(machine)) && gets(kind))
            .or_else(|| kinds().find(gets))
    }

    /// Whether a machine gets a configuration of this kind, its own or the default one.
    pub fn gets_config(&self, kind: ConfigKind, machine: &Machine, mac: Mac) -> bool {
        let found = self.configs.find(kind, kind.main_part(), mac, Some(machine));
        matches!(found, Lookup::File(_))
    }

    /// The image that a name in the boot tree leads into (`images/<system>/<version>/…`),
    /// and the path from its folder.
    pub fn image_of<'n>(&self, name: &'n str) -> Option<(&Image, &'n str)> {
        let (system, rest) = name.strip_prefix("images/")?.split_once('/')?;
        let (version, path) = rest.split_once('/')?;
        let fits = |i: &&Image| i.system == system && i.version.as_str() == version;
        Some((self.images.iter().find(fits)?, path))
    }

    /// The ISO that `path` names or leads into, and the rest of the path.
    pub fn iso<'a>(&self, path: &'a str) -> Option<(&MediaFile, &'a str)> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.into_iter().find_map(|end| {
            let (iso, inside) = path.split_at_checked(end)?;
            let found = iso::is_iso(iso).then(|| self.isos.get(&iso.to_ascii_lowercase()))??;
            Some((found, inside.trim_start_matches('/')))
        })
    }

    /// Notes the addresses that no machine can have where we give them.
    pub fn note_addresses_outside(&mut self, server: &config::Server) {
        let lendable =
            |address: Ipv4Addr| server.networks().any(|network| network.subnet.can_lend(address));
        let networks: Vec<String> =
            server.networks().map(|network| network.subnet.to_string()).collect();
        let outside = self.roster.list().iter().filter_map(|machine| {
            let address = machine.address.filter(|address| !lendable(*address))?;
            let who = machine.words();
            let message = format!(
                "{who}: no machine can have ip {address} in the network of {}; it gets one from \
                 the pool",
                networks.join(" or ")
            );
            Some(Problem::new("machines.toml", message))
        });
        let mut outside: Vec<Problem> = outside.collect();
        let more = outside.len().saturating_sub(MOST_OUTSIDE);
        outside.truncate(MOST_OUTSIDE);
        self.problems.extend(outside);
        if more > 0 {
            let message = format!("and {more} more with an ip that no machine can have");
            self.problems.push(Problem::new("machines.toml", message));
        }
    }

    /// Cuts the list of problems to what a person reads. Its end stays, too: what machines
    /// miss is said last.
    fn cut_problems(&mut self) {
        let more = self.problems.len().saturating_sub(MOST_PROBLEMS);
        let begin = self.problems.len().min(MOST_PROBLEMS / 2);
        self.problems.drain(begin..begin + more);
        self.unsaid += more;
        if self.unsaid > 0 {
            let message = format!("and {} more problems", self.unsaid);
            self.problems.push(Problem::new("the stick", message));
        }
        self.problems.iter_mut().for_each(Problem::shorten);
    }

    /// The newest image of `system`.
    pub fn newest(&self, system: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.system == system)
    }

    /// What the machine with `mac` has for an installer that takes this kind.
    pub fn config(&self, kind: ConfigKind, part: Part, mac: Mac) -> Lookup<'_> {
        self.configs.find(kind, part, mac, self.machine(mac))
    }

    /// Whether it has a config of this kind that can be used.
    pub fn has_config(&self, kind: ConfigKind, mac: Mac) -> bool {
        matches!(self.config(kind, kind.main_part(), mac), Lookup::File(_))
            && !self.unfit_kinds(mac).contains(&kind)
    }

    /// Whether a config of this machine has a mistake; it is not installed then.
    pub fn is_unfit(&self, mac: Mac) -> bool {
        !self.unfit_kinds(mac).is_empty()
    }

    /// The same of a machine of [`Roster::list`].
    pub fn has_fault(&self, machine: &Machine) -> bool {
        let place = self.roster.list().iter().position(|other| std::ptr::eq(other, machine));
        place.is_some_and(|place| self.unfit.contains_key(&place))
    }

    fn unfit_kinds(&self, mac: Mac) -> Vec<ConfigKind> {
        let place = self.roster.place(mac);
        let mut kinds = place.and_then(|place| self.unfit.get(&place)).cloned().unwrap_or_default();
        // What is under the MAC of a card that was learned since was not tried out for it.
        let machine = self.machine_or_stranger(mac);
        if place.is_none() || !machine.macs.contains(&mac) {
            kinds.extend(assign::unfit_of_card(self, &machine, mac));
        }
        kinds
    }
}

impl Reservations for Inventory {
    fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.roster.address(mac)
    }

    fn holder_of(&self, address: Ipv4Addr) -> Option<Mac> {
        self.roster.holder(address)?.ok()
    }

    fn is_kept(&self, address: Ipv4Addr) -> bool {
        self.roster.holder(address).is_some_and(|holder| holder.is_err())
    }

    fn names(&self, mac: Mac) -> bool {
        self.roster.get(mac).is_some()
    }
}
