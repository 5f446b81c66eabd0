//! How it becomes known that a machine is installed. Pure.

use std::net::Ipv4Addr;

use super::assign::{Served, WORTHLESS_TOKEN, added, serve};
use super::configs::reporting::Left;
use super::configs::{Lookup, Part, Setting};
use super::profile::{Purpose, Reports};
use super::{ConfigKind, Image, Inventory, Machine};
use crate::net::Mac;

/// By what a machine's installation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It runs in memory.
    None,
    /// The generated `install.sh` reports.
    InstallScript,
    /// Its installer reports, as its configuration says.
    Installer,
    /// It has taken its configuration and boots again; its own system confirms that.
    InstalledSystem,
    /// It has taken its configuration and boots again.
    Config,
    /// It has taken the image for its disk and boots again.
    DiskImage,
}

impl Ending {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Ending::None => "It runs in memory: nothing ends.",
            Ending::InstallScript => "It is installed when its install.sh reports so.",
            Ending::Installer => {
                "It is installed when its installer reports so, as its configuration says."
            }
            Ending::InstalledSystem => {
                "It is installed when it has taken its configuration and boots again; its own \
                 system confirms that."
            }
            Ending::Config => {
                "Its configuration reports nothing: it is installed when it has taken that and \
                 boots again, also where its installer has failed."
            }
            Ending::DiskImage => {
                "Nothing reports: it is installed when it has taken its image and boots again, \
                 also where its installer has failed."
            }
        }
    }
}

/// By what an installation of this image ends on this machine,
/// with `[http] add_report`, or without it.
pub fn ending(
    found: &Inventory,
    machine: &Machine,
    image: &Image,
    mac: Mac,
    add_report: bool,
) -> Ending {
    let profile = &image.profile;
    match profile.reports {
        _ if profile.purpose == Purpose::Live => Ending::None,
        Reports::InstallScript if found.install_script.is_none() => Ending::InstallScript,
        Reports::InstallScript | Reports::DiskImage => Ending::DiskImage,
        Reports::Config => match found.config_for(image, machine, mac) {
            Some(kind) if !reports(found, kind, mac, add_report) => Ending::Config,
            Some(kind) if kind.is_for_the_installed_system() => Ending::InstalledSystem,
            Some(_) => Ending::Installer,
            // It waits for a person.
            None => Ending::None,
        },
    }
}

/// Good for nothing, too: what differs from what the other one makes holds the token.
pub const OTHER_TOKEN: &str = "ffffffffffffffffffffffffffffffff";

/// The configuration that an installation of this image ends with, if it reports nothing and
/// nothing can be added to it: its file, and why.
pub fn left_alone<'a>(
    found: &'a Inventory,
    machine: &Machine,
    image: &Image,
    mac: Mac,
) -> Option<(&'a str, Left)> {
    let kind = found.config_for(image, machine, mac)?;
    let part = kind.main_part();
    let Lookup::File(config) = found.configs.find(kind, part, mac, Some(machine)) else {
        return None;
    };
    let (token, add_report) = (WORTHLESS_TOKEN, false);
    let setting = Setting { server: "http://x", ip: Ipv4Addr::LOCALHOST, token, add_report };
    let made = match (&config.template, serve(found, (kind, part), mac, setting)) {
        (None, _) => config.text.as_deref().map(str::to_owned),
        (Some(_), Served::Text(text)) if !text.contains(token) => Some(text),
        // It reports, or is broken.
        (Some(_), _) => return None,
    };
    let setting = Setting { add_report: true, ..setting };
    let outcome = added(found, made.as_deref(), (kind, part), mac, setting)?;
    Some((config.file.path.as_str(), outcome.err()?))
}

/// Whether the configuration that this machine gets holds what it takes to report.
fn reports(found: &Inventory, kind: ConfigKind, mac: Mac, add_report: bool) -> bool {
    let made = |part: Part, token: &str| {
        let setting = Setting { server: "http://x", ip: Ipv4Addr::LOCALHOST, token, add_report };
        match serve(found, (kind, part), mac, setting) {
            Served::Text(text) | Served::Added(text, _) => Some(text),
            Served::File(_) | Served::Broken(_) | Served::Nothing => None,
        }
    };
    let machine = found.machine(mac);
    let mut parts = found.configs.parts(kind, mac, machine).map(|(part, _)| part);
    parts.any(|part| made(part, WORTHLESS_TOKEN) != made(part, OTHER_TOKEN))
}
