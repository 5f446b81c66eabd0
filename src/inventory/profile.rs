//! What makes a folder an operating system, as data: one TOML file per system.
//!
//! A profile names files and kernel arguments; the Rust code knows no system by name.

use serde::Deserialize;

/// How a system's machines are told to install, and say that they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `cloud-config-url=` points at `install.sh`, which runs `coreos-install`.
    CloudConfigScript,
}

/// One operating system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The folder under `images/`, and the name in `machines.toml`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The kernel's file name.
    pub kernel: String,
    /// Initial RAM disks in order.
    pub initrds: Vec<String>,
    /// What the installer writes to the disk; with it a folder is an image even where the
    /// kernel lies elsewhere (the old box kept it in its TFTP root).
    pub disk_image: String,
    /// Program that writes it.
    pub installer: String,
    /// How machines install.
    pub method: Method,
    /// Kernel arguments; `{server}` becomes `http://10.10.10.1:8080`.
    pub args: Vec<String>,
    /// Key in `version.txt` by which installers find the newest version.
    pub version_key: String,
}

/// The systems that the product knows by itself.
const BUILT_IN: [&str; 2] =
    [include_str!("profiles/coreos.toml"), include_str!("profiles/flatcar.toml")];

impl Profile {
    /// Every built-in profile. A test holds that all of them parse.
    pub fn built_in() -> Vec<Profile> {
        BUILT_IN.iter().filter_map(|text| toml::from_str(text).ok()).collect()
    }

    /// Whether a folder with these files is one of this system's images.
    pub fn fits<'a>(&self, mut files: impl Iterator<Item = &'a str>) -> bool {
        files.any(|file| file == self.kernel || file == self.disk_image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_well_formed() {
        for text in BUILT_IN {
            let profile: Profile = toml::from_str(text).unwrap();
            assert!(!profile.initrds.is_empty(), "{}", profile.name);
        }
    }
}
