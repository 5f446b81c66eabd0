//! `machines.toml`: who is who. Pure.
//!
//! `file` reads it, `identity` holds what firmware says of itself, `disk` which disk is
//! overwritten, and [`Roster`] knows which network card belongs to which machine.

mod disk;
mod file;
pub mod identity;
mod labels;
mod learned;
mod roster;
mod rules;
pub mod shell;

use std::net::Ipv4Addr;

use serde::Deserialize;

use super::Version;
use crate::config::UefiLoader;
use crate::net::Mac;

pub use disk::{Disk, DiskRule};
pub use file::parse;
pub use labels::Labels;
pub use roster::Roster;

/// Whether, and how often, a machine is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Install {
    /// Once; again only when a person arms it.
    #[default]
    Once,
    /// Every time it boots from the network: test benches.
    Always,
    /// Never; it only has a name, and perhaps an address.
    Never,
}

/// The image that a machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ImageChoice {
    /// The newest that there is.
    #[default]
    Newest,
    /// `flatcar/latest`: the newest of one system.
    NewestOf(String),
    /// `coreos/1185.3.0`.
    Exactly(String, Version),
}

/// The names of systems and versions are shorter.
const LONGEST_CHOICE: usize = 128;

impl ImageChoice {
    /// `coreos/1185.3.0`, `coreos/latest` or `coreos`.
    fn parse(text: &str) -> Option<ImageChoice> {
        if text.len() > LONGEST_CHOICE {
            return None;
        }
        let (system, version) = text.split_once('/').unwrap_or((text, "latest"));
        if system.is_empty() {
            return None;
        }
        if version == "latest" {
            return Some(ImageChoice::NewestOf(system.to_owned()));
        }
        Some(ImageChoice::Exactly(system.to_owned(), Version::new(version)?))
    }

    /// Whether an image of this system and version is meant.
    pub fn fits(&self, system: &str, version: &Version) -> bool {
        match self {
            ImageChoice::Newest => true,
            ImageChoice::NewestOf(wanted) => wanted == system,
            ImageChoice::Exactly(wanted, exactly) => wanted == system && exactly == version,
        }
    }
}

/// A machine that the stick names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The network cards that the stick names: it is one machine whichever it boots from.
    /// Empty if it is only known by what its firmware says ([`Machine::rule`]).
    pub macs: Vec<Mac>,
    /// What its firmware says of itself. A pattern stands for all machines that fit.
    pub rule: Option<identity::Rule>,
    /// For people; unnamed machines show their MAC.
    pub name: Option<String>,
    /// The name that it shall give itself, if not the one for people.
    pub hostname: Option<String>,
    /// The group whose settings it has.
    pub group: Option<String>,
    /// What it gets.
    pub image: ImageChoice,
    /// How often.
    pub install: Install,
    /// The whole disk that is overwritten.
    pub disk: Disk,
    /// Its address, always.
    pub address: Option<Ipv4Addr>,
    /// Kernel arguments behind the image's own.
    pub args: String,
    /// Words of the stick's owner, for templates.
    pub labels: Labels,
    /// The name of its config file, without what it ends in; else its MAC or its name.
    pub config: Option<String>,
    /// What its UEFI firmware loads first, if not what `[boot]` says.
    pub loader: Option<UefiLoader>,
}

impl Machine {
    /// A machine of which only one network card is known: it is named by its config file
    /// alone, or by nothing.
    pub fn known_by(mac: Mac) -> Machine {
        Machine { macs: vec![mac], ..Machine::default() }
    }

    /// Its name, a card, or what it is known by: for people.
    pub fn words(&self) -> String {
        let card = || self.macs.first().map(Mac::to_string);
        let name = self.name.clone().or_else(card);
        name.or_else(|| self.rule.as_ref().map(|rule| rule.words())).unwrap_or_default()
    }

    /// The name that it shall give itself.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().or(self.name.as_deref())
    }
}

impl Default for Machine {
    /// What a machine is of which nothing is said.
    fn default() -> Machine {
        Machine {
            macs: Vec::new(),
            rule: None,
            name: None,
            hostname: None,
            group: None,
            image: ImageChoice::Newest,
            install: Install::Once,
            disk: Disk::default(),
            address: None,
            args: String::new(),
            labels: Labels::default(),
            config: None,
            loader: None,
        }
    }
}
