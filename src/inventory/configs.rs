//! The kinds of configuration that installers take, and where the sticks and our URLs have
//! them. Pure.
//!
//! `folders` knows whose each file is, `check` what is wrong with one, `template` renders
//! those that end in `.j2`.

pub mod check;
mod facts;
mod folders;
pub mod reporting;
mod template;
mod yaml;

use crate::net::Mac;

pub use facts::{Facts, Setting};
pub use folders::{ConfigFile, Configs, Lookup};
pub use template::Template;

/// A file of a configuration: most are one, autoinstall's is a folder of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The only one.
    Whole,
    /// `user-data`
    UserData,
    /// `meta-data`; one that is not there is served empty.
    MetaData,
    /// `vendor-data`, the same.
    VendorData,
    /// `network-config`
    NetworkConfig,
}

impl Part {
    /// Of a folder's file.
    pub fn of_name(name: &str) -> Option<Part> {
        match name.to_ascii_lowercase().as_str() {
            "user-data" => Some(Part::UserData),
            "meta-data" => Some(Part::MetaData),
            "vendor-data" => Some(Part::VendorData),
            "network-config" => Some(Part::NetworkConfig),
            _ => None,
        }
    }
}

/// A kind of configuration: one folder of the stick, one family of URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigKind {
    /// cloud-config of CoreOS Container Linux and Flatcar.
    CloudConfig,
    /// Ignition of Flatcar and Fedora CoreOS.
    Ignition,
    /// Preseed of the Debian installer.
    Preseed,
    /// Kickstart of Anaconda and ESXi.
    Kickstart,
    /// Autoinstall of Ubuntu's live installer: a folder of four files.
    Autoinstall,
    /// AutoYaST of openSUSE and SLES.
    #[serde(rename = "autoyast")]
    AutoYast,
    /// Agama of openSUSE and SLES from 16 on.
    Agama,
    /// Machine configuration of Talos.
    Talos,
    /// Overlay archive of Alpine, which holds its answers.
    #[serde(rename = "alpine")]
    Answers,
    /// A plain shell script.
    Script,
}

impl ConfigKind {
    /// Every kind.
    pub const ALL: [ConfigKind; 10] = [
        ConfigKind::CloudConfig,
        ConfigKind::Ignition,
        ConfigKind::Preseed,
        ConfigKind::Kickstart,
        ConfigKind::Autoinstall,
        ConfigKind::AutoYast,
        ConfigKind::Agama,
        ConfigKind::Talos,
        ConfigKind::Answers,
        ConfigKind::Script,
    ];

    /// Its folder, on the stick and in URLs.
    pub fn folder(self) -> &'static str {
        match self {
            ConfigKind::CloudConfig => "cloud-configs",
            ConfigKind::Ignition => "ignition",
            ConfigKind::Preseed => "preseed",
            ConfigKind::Kickstart => "kickstart",
            ConfigKind::Autoinstall => "autoinstall",
            ConfigKind::AutoYast => "autoyast",
            ConfigKind::Agama => "agama",
            ConfigKind::Talos => "talos",
            ConfigKind::Answers => "alpine",
            ConfigKind::Script => "scripts",
        }
    }

    /// The kind whose folder this is, whatever its case: FAT keeps none.
    pub fn of_folder(folder: &str) -> Option<ConfigKind> {
        ConfigKind::ALL.into_iter().find(|kind| kind.folder().eq_ignore_ascii_case(folder))
    }

    /// How its files end, without the dot; the first one is that of its URLs. None for a
    /// kind whose configuration is a folder.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            ConfigKind::CloudConfig => &["yml", "yaml"],
            ConfigKind::Ignition => &["ign", "json"],
            ConfigKind::Preseed => &["cfg", "preseed"],
            ConfigKind::Kickstart => &["ks", "cfg"],
            ConfigKind::Autoinstall => &[],
            ConfigKind::AutoYast => &["xml"],
            ConfigKind::Agama => &["json"],
            ConfigKind::Talos => &["yaml", "yml"],
            ConfigKind::Answers => &["apkovl.tar.gz"],
            ConfigKind::Script => &["sh"],
        }
    }

    /// The part that a configuration of this kind cannot be without.
    pub fn main_part(self) -> Part {
        match self {
            ConfigKind::Autoinstall => Part::UserData,
            _ => Part::Whole,
        }
    }

    /// Whether an installer hands it on, and only the system that it installs could report by
    /// it: when that runs, the machine has booted again. What other kinds say, the installer
    /// does before it boots again.
    pub fn is_for_the_installed_system(self) -> bool {
        use ConfigKind::{CloudConfig, Ignition, Talos};
        matches!(self, CloudConfig | Ignition | Talos)
    }

    /// Whose configuration a path in its folder is, and which part of it: the name, and
    /// whether a template makes it. None if it is no file of this kind.
    pub fn parse_name(self, path: &str) -> Option<(&str, Part, bool)> {
        let lower = path.to_ascii_lowercase();
        let (stem, is_template) = match lower.strip_suffix(".j2") {
            Some(stem) => (path.get(..stem.len())?, true),
            None => (path, false),
        };
        if self.extensions().is_empty() {
            let (owner, part) = stem.split_once('/')?;
            return Some((owner, Part::of_name(part)?, is_template));
        }
        let lower = stem.to_ascii_lowercase();
        let endings = self.extensions().iter();
        let owner = endings.filter_map(|end| lower.strip_suffix(end)?.strip_suffix('.')).next()?;
        let owner = stem.get(..owner.len()).filter(|owner| !owner.contains('/'))?;
        // An archive is no text that a template could make.
        (!is_template || self != ConfigKind::Answers).then_some((owner, Part::Whole, is_template))
    }

    /// Whether the path of a file on a stick is that of a configuration that is text.
    pub fn is_text(path: &str) -> bool {
        let parts = path.split_once('/');
        let kind = parts.and_then(|(folder, name)| Some((ConfigKind::of_folder(folder)?, name)));
        kind.is_some_and(|(kind, name)| {
            kind != ConfigKind::Answers && kind.parse_name(name).is_some()
        })
    }

    /// The path of the URL under which the machine with `mac` finds its own.
    pub fn url(self, mac: Mac) -> String {
        let folder = self.folder();
        match (self, self.extensions().first()) {
            // The old box's spelling.
            (ConfigKind::CloudConfig, Some(extension)) => format!("/{folder}/{mac}.{extension}"),
            (_, Some(extension)) => format!("/{folder}/{}.{extension}", mac.dashed()),
            (_, None) => format!("/{folder}/{}/", mac.dashed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_folder_of_its_own_and_is_found_by_it() {
        for kind in ConfigKind::ALL {
            assert_eq!(ConfigKind::of_folder(&kind.folder().to_uppercase()), Some(kind));
        }
        assert_eq!(ConfigKind::of_folder("images"), None);
    }

    #[test]
    fn urls_are_those_that_installers_are_told() {
        let mac: Mac = "00:25:90:c0:f7:86".parse().unwrap();
        let urls = ConfigKind::ALL.map(|kind| kind.url(mac));
        let expected = [
            "/cloud-configs/00:25:90:c0:f7:86.yml",
            "/ignition/00-25-90-c0-f7-86.ign",
            "/preseed/00-25-90-c0-f7-86.cfg",
            "/kickstart/00-25-90-c0-f7-86.ks",
            "/autoinstall/00-25-90-c0-f7-86/",
            "/autoyast/00-25-90-c0-f7-86.xml",
            "/agama/00-25-90-c0-f7-86.json",
            "/talos/00-25-90-c0-f7-86.yaml",
            "/alpine/00-25-90-c0-f7-86.apkovl.tar.gz",
            "/scripts/00-25-90-c0-f7-86.sh",
        ];
        assert_eq!(urls, expected);
    }
}
