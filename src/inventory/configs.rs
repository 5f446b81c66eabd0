//! The kinds of configuration that installers take, and where the sticks and our URLs have
//! them. Pure.

use crate::net::Mac;

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
            ConfigKind::Agama => &["json", "jsonnet"],
            ConfigKind::Talos => &["yaml", "yml"],
            ConfigKind::Answers => &["apkovl.tar.gz"],
            ConfigKind::Script => &["sh"],
        }
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
