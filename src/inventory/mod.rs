//! What the sticks hold: images, machines and their configs, as one immutable snapshot.
//!
//! `scan` walks a stick into a [`Listing`]; everything after that is pure: `detect` finds
//! images by their [`profile`], `machine` reads `machines.toml` and the per-machine
//! configs. A new snapshot replaces the old one whole, or not at all.

mod detect;
pub mod machine;
pub mod media_file;
pub mod profile;
pub mod scan;
pub mod version;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::Ipv4Addr;

use crate::config;
use crate::dhcp::site::Reservations;
use crate::net::Mac;

pub use detect::inventory;
pub use machine::{Install, Machine};
pub use media_file::{Inside, MediaFile};
pub use profile::Profile;
pub use scan::{Listing, list};
pub use version::Version;

/// One operating system in one version.
#[derive(Debug, Clone)]
pub struct Image {
    /// What kind of system it is.
    pub profile: Profile,
    /// The name of its folder.
    pub version: Version,
    /// Its files by name, in the publisher's spelling.
    pub files: BTreeMap<String, MediaFile>,
}

impl Image {
    /// `coreos/1185.3.0`, as `machines.toml` names it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.profile.name, self.version)
    }

    /// A file of this image by its published name; some ROMs ask in capitals.
    pub fn file(&self, name: &str) -> Option<&MediaFile> {
        let is_it = |(known, _): &(&String, &MediaFile)| known.eq_ignore_ascii_case(name);
        let second_chance = || self.files.iter().find(is_it).map(|(_, file)| file);
        self.files.get(name).or_else(second_chance)
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
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Newest version first within one system.
    pub images: Vec<Image>,
    /// Every machine that a stick names, under each of its addresses.
    machines: BTreeMap<Mac, Machine>,
    /// Who has an address by name; asked for each address that is considered for a client.
    reserved: HashMap<Ipv4Addr, Mac>,
    /// `cloud-configs/<mac>.yml`.
    pub cloud_configs: BTreeMap<Mac, MediaFile>,
    /// `cloud-configs/default.yml`.
    pub default_config: Option<MediaFile>,
    /// The stick's own `cloud-configs/install.sh`; else it is generated.
    pub install_script: Option<MediaFile>,
    /// `tftp/`, by lower-case path: real files that win over generated ones.
    pub tftp: BTreeMap<String, MediaFile>,
    /// What is wrong with the sticks.
    pub problems: Vec<Problem>,
}

impl Inventory {
    /// The machine that has `mac`.
    pub fn machine(&self, mac: Mac) -> Option<&Machine> {
        self.machines.get(&mac)
    }

    /// Every machine with each of its addresses.
    pub fn machines(&self) -> impl Iterator<Item = (Mac, &Machine)> {
        self.machines.iter().map(|(mac, machine)| (*mac, machine))
    }

    /// The image that a machine shall get: the named one, else the newest that can be
    /// installed.
    pub fn image_for(&self, machine: &Machine) -> Option<&Image> {
        self.images.iter().find(|image| machine.image.fits(&image.profile.name, &image.version))
    }

    /// Notes the addresses that no machine can have where we give them.
    pub fn note_addresses_outside(&mut self, server: &config::Server) {
        let lendable =
            |address: Ipv4Addr| server.networks().any(|network| network.subnet.can_lend(address));
        let networks: Vec<String> =
            server.networks().map(|network| network.subnet.to_string()).collect();
        let outside = self.machines().filter_map(|(mac, machine)| {
            let address = machine.address.filter(|address| !lendable(*address))?;
            let who = machine.name.clone().unwrap_or_else(|| mac.to_string());
            let message = format!(
                "{who}: no machine can have ip {address} in the network of {}; it gets one from \
                 the pool",
                networks.join(" or ")
            );
            Some(Problem::new("machines.toml", message))
        });
        let outside: Vec<Problem> = outside.collect();
        self.problems.extend(outside);
    }

    /// The newest image of `profile`.
    pub fn newest(&self, profile: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.profile.name == profile)
    }

    /// A config for `mac`: its own, else the default one.
    pub fn cloud_config(&self, mac: Mac) -> Option<&MediaFile> {
        self.cloud_configs.get(&mac).or(self.default_config.as_ref())
    }
}

impl Reservations for Inventory {
    fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.machine(mac)?.address
    }

    fn holder_of(&self, address: Ipv4Addr) -> Option<Mac> {
        self.reserved.get(&address).copied()
    }

    fn names(&self, mac: Mac) -> bool {
        self.machines.contains_key(&mac)
    }
}
