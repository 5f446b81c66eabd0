//! Who publishes a system, and how: one TOML file for each. The code knows none by name.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One publisher's layout.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publisher {
    /// The word on the command line, and the folder under `images/`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Where its files are; none means that only mirrors have them.
    pub base: Option<String>,
    /// Why there is no base.
    pub gone: Option<String>,
    /// Lines of releases; the first is taken when none is named.
    pub channels: Vec<String>,
    /// Versions that mean a channel.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// Where a release's files lie below the base.
    pub folder: String,
    /// Its words for our `x86_64` and `arm64`.
    pub arch: BTreeMap<String, String>,
    /// The chain of trust, for people.
    pub trust: String,
    /// How the newest version is found.
    pub newest: Option<Newest>,
    /// Lists in JSON that name files and checksums; the first that has the version counts.
    #[serde(default)]
    pub listing: Vec<Listing>,
    /// Lists of checksums: the first may be signed, each vouches for the next, the last
    /// for the files.
    #[serde(default)]
    pub sums: Vec<Sums>,
    /// What to fetch.
    pub file: Vec<File>,
    /// Who signs.
    pub key: Key,
}

/// How the newest version is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// The file that says it.
    pub file: String,
    /// How that file is read.
    pub how: How,
    /// What to look for in it.
    pub at: String,
    /// Whether a channel has no other version than its newest.
    #[serde(default)]
    pub only: bool,
}

/// Kinds of files that say a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// `KEY=VALUE`
    Assignment,
    /// `Key: value`
    Field,
    /// Records of `key: value` between lines of one dash; `at` is the flavor.
    Record,
    /// The answer redirects; the version stands behind `at`.
    Redirect,
}

/// A list in JSON; `version` and `files` point into it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Below the base.
    pub file: String,
    /// Where the version stands.
    pub version: String,
    /// Where the files stand.
    pub files: String,
}

/// A list of checksums.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Below the base.
    pub path: String,
    /// What its signature's name adds to its own.
    pub signature: Option<String>,
}

/// One file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Below the folder.
    pub path: Option<String>,
    /// Or where a listing has it.
    pub listed: Option<String>,
    /// What its signature's name adds to its own.
    pub signature: Option<String>,
    /// What is taken out of it, when it is an archive.
    #[serde(default)]
    pub unpack: Vec<String>,
}

/// Who signs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Primary keys; empty when they change with each release, or when nobody signs.
    pub fingerprints: Vec<String>,
    /// Where the publisher shows them; empty when nobody signs.
    pub shown_at: String,
}

const BUILT_IN: [&str; 6] = [
    include_str!("publishers/alpine.toml"),
    include_str!("publishers/coreos.toml"),
    include_str!("publishers/debian.toml"),
    include_str!("publishers/fedora-coreos.toml"),
    include_str!("publishers/flatcar.toml"),
    include_str!("publishers/talos.toml"),
];

impl Publisher {
    /// Every publisher that is known. A test holds that all of them parse.
    pub fn built_in() -> Vec<Publisher> {
        BUILT_IN.iter().filter_map(|text| toml::from_str(text).ok()).collect()
    }

    /// The publisher of `system`.
    pub fn of(system: &str) -> Result<Publisher, String> {
        let all = Publisher::built_in();
        let names: Vec<String> = all.iter().map(|publisher| publisher.name.clone()).collect();
        all.into_iter().find(|publisher| publisher.name == system).ok_or_else(|| {
            format!("no publisher of \"{system}\" is known; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_publisher_is_well_formed() {
        for text in BUILT_IN {
            let publisher: Publisher = toml::from_str(text).unwrap();
            let name = &publisher.name;
            assert!(publisher.base.is_some() != publisher.gone.is_some(), "{name}");
            assert!(publisher.newest.is_some() == publisher.listing.is_empty(), "{name}");
            assert!(!publisher.channels.is_empty(), "{name}");
            assert!(publisher.arch.contains_key("x86_64"), "{name}");
            for file in &publisher.file {
                assert!(file.path.is_some() != file.listed.is_some(), "{name}: {file:?}");
            }
            for fingerprint in &publisher.key.fingerprints {
                assert_eq!(fingerprint.len(), 40, "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_system_is_answered_with_those_that_are_known() {
        let message = Publisher::of("windows").unwrap_err();
        assert!(message.contains("flatcar") && message.contains("talos"), "{message}");
    }
}
