//! From a publisher's layout to what is fetched: which URL becomes which file.

use serde_json::Value;

use super::newest;
use super::publisher::{self, Newest, Publisher};
use super::url::{Url, is_safe_path};
use crate::inventory::Version;
use crate::verify::sums::Digest;

/// The release that a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `stable`
    pub channel: String,
    /// None means the newest.
    pub version: Option<String>,
}

/// What the templates of a publisher are filled with.
#[derive(Debug, Clone)]
pub struct Words {
    /// `stable`
    pub channel: String,
    /// The publisher's word.
    pub arch: String,
    /// Empty while it is not known.
    pub version: String,
}

/// What is fetched.
#[derive(Debug)]
pub struct Plan {
    /// Which release it is.
    pub version: String,
    /// Below the stick's folder.
    pub folder: String,
    /// Lists of checksums, the first one first.
    pub sums: Vec<Sums>,
    /// The files.
    pub items: Vec<Item>,
}

/// A list of checksums.
#[derive(Debug)]
pub struct Sums {
    /// Where it is.
    pub url: Url,
    /// Where its signature is.
    pub signature: Option<Url>,
    /// Its name in the list before it.
    pub listed_as: String,
    /// Its name on the stick.
    pub name: String,
    /// How it says itself of which version it is, if it does.
    pub newest: Option<Newest>,
}

/// A file.
#[derive(Debug)]
pub struct Item {
    /// Where it is.
    pub url: Url,
    /// Its path in the image's folder, and in the last list of checksums.
    pub name: String,
    /// Where its signature is, and what that one's name adds.
    pub signature: Option<(Url, String)>,
    /// Its checksum, if a list in JSON says it.
    pub sha256: Option<Digest>,
    /// What is taken out of it.
    pub unpack: Vec<String>,
}

/// Reads the version on the command line: nothing, a channel, a version, `channel/version`,
/// or a version that stands for a channel.
pub fn wanted(publisher: &Publisher, word: Option<&str>) -> Result<Wanted, String> {
    let first = || publisher.channels.first().cloned().unwrap_or_default();
    let Some(word) = word else {
        return Ok(Wanted { channel: first(), version: None });
    };
    let is_channel = |word: &str| publisher.channels.iter().any(|channel| channel == word);
    if is_channel(word) {
        return Ok(Wanted { channel: word.to_owned(), version: None });
    }
    let (channel, version) = match word.split_once('/') {
        Some((channel, version)) if is_channel(channel) => (channel.to_owned(), version),
        Some(_) => return Err(unknown(publisher, word)),
        None => (first(), word.strip_prefix('v').unwrap_or(word)),
    };
    if Version::new(version).is_none() {
        return Err(unknown(publisher, word));
    }
    let major = version.split('.').next().unwrap_or_default();
    match publisher.aliases.get(major) {
        Some(alias) => {
            let version = (version != major).then(|| version.to_owned());
            Ok(Wanted { channel: alias.clone(), version })
        }
        None => Ok(Wanted { channel, version: Some(version.to_owned()) }),
    }
}

fn unknown(publisher: &Publisher, word: &str) -> String {
    let channels = publisher.channels.join(", ");
    let shown = word.escape_debug();
    format!("\"{shown}\" is no version of {}; its channels are {channels}", publisher.title)
}

impl Words {
    /// Fills a template of a publisher's file.
    pub fn fill(&self, template: &str) -> String {
        let mut parts = self.version.split('.');
        let branch: Vec<&str> = parts.by_ref().take(2).collect();
        template
            .replace("{channel}", &self.channel)
            .replace("{arch}", &self.arch)
            .replace("{version}", &self.version)
            .replace("{branch}", &branch.join("."))
    }
}

/// Plans the fetch of one release. `arch` is our word; `listing` is the publisher's list in
/// JSON, if it has one, with the pointer to its files.
pub fn plan(
    publisher: &Publisher,
    base: &Url,
    words: &Words,
    arch: &str,
    listing: Option<(&str, &Value)>,
) -> Result<Plan, String> {
    let version = Version::new(&words.version)
        .ok_or_else(|| format!("\"{}\" cannot be a folder's name", words.version.escape_debug()))?;
    // Some systems' files have the same names on every architecture.
    let place = if arch == "x86_64" { String::new() } else { format!("/{arch}") };
    let folder = format!("images/{}/{version}{place}", publisher.name);
    let items: Result<Vec<Item>, String> = publisher
        .file
        .iter()
        .map(|file| match (&file.path, &file.listed, listing) {
            (Some(path), _, _) => named(publisher, base, words, file, path),
            (None, Some(place), Some((files, list))) => {
                from_list(publisher, base, words, &format!("{files}{place}"), list)
            }
            _ => Err(format!("the list of {} is missing", publisher.title)),
        })
        .collect();
    let version = words.version.clone();
    Ok(Plan { version, folder, sums: sums(publisher, base, words)?, items: items? })
}

/// A file that the publisher's layout names.
fn named(
    publisher: &Publisher,
    base: &Url,
    words: &Words,
    file: &publisher::File,
    path: &str,
) -> Result<Item, String> {
    let name = words.fill(path);
    let url = base.below(&format!("{}/{name}", words.fill(&publisher.folder)))?;
    let signature = file.signature.as_ref().map(|add| (url.with_suffix(add), add.clone()));
    Ok(Item { url, name: safe(&name)?, signature, sha256: None, unpack: file.unpack.clone() })
}

/// A file that a list in JSON names. Its URLs must lie below the publisher's base; they
/// are fetched from the base in use.
fn from_list(
    publisher: &Publisher,
    base: &Url,
    words: &Words,
    pointer: &str,
    list: &Value,
) -> Result<Item, String> {
    let listed = newest::listed(list, pointer).ok_or_else(|| {
        format!(
            "the list of {} has no location, signature and sha256 at {pointer}",
            publisher.title
        )
    })?;
    let official = words.fill(publisher.base.as_deref().unwrap_or_default());
    let local = |location: &str| {
        let own = base.to_string();
        let rest = Url::strip(location, &official).or_else(|| Url::strip(location, &own));
        let rest = rest.ok_or_else(|| {
            let shown = location.escape_debug();
            format!("the list of {} names a file elsewhere: \"{shown}\"", publisher.title)
        })?;
        base.below(&rest)
    };
    let name = listed.location.rsplit('/').next().unwrap_or_default();
    let url = local(&listed.location)?;
    let add = listed.signature.strip_prefix(listed.location.as_str()).unwrap_or(".sig");
    let signature = Some((local(&listed.signature)?, format!(".{}", add.trim_start_matches('.'))));
    let sha256 = Some(listed.sha256);
    if let Some((_, add)) = &signature {
        safe(&format!("{name}{add}"))?;
    }
    Ok(Item { url, name: safe(name)?, signature, sha256, unpack: Vec::new() })
}

fn sums(publisher: &Publisher, base: &Url, words: &Words) -> Result<Vec<Sums>, String> {
    let mut before = String::new();
    let mut chain = Vec::new();
    for sums in &publisher.sums {
        let path = words.fill(&sums.path);
        let url = base.below(&path)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        chain.push(Sums {
            signature: sums.signature.as_ref().map(|add| url.with_suffix(add)),
            listed_as: path.strip_prefix(&before).unwrap_or(&path).to_owned(),
            name: safe(name)?,
            newest: publisher.newest.clone().filter(|newest| newest.file == sums.path),
            url,
        });
        before = format!("{folder}/");
    }
    Ok(chain)
}

fn safe(name: &str) -> Result<String, String> {
    if is_safe_path(name) {
        return Ok(name.to_owned());
    }
    let shown: String = name.chars().take(80).collect();
    Err(format!("\"{}\" is no name for a file on a stick", shown.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(system: &str, version: &str, arch: &str) -> Plan {
        let publisher = Publisher::of(system).unwrap();
        let channel = publisher.channels[0].clone();
        let word = publisher.arch[arch].clone();
        let words = Words { channel, arch: word, version: version.to_owned() };
        let base = publisher.base.clone().unwrap_or_else(|| "https://mirror.example".to_owned());
        let base = Url::parse(&words.fill(&base)).unwrap();
        plan(&publisher, &base, &words, arch, None).unwrap()
    }

    fn urls(plan: &Plan) -> Vec<String> {
        plan.items.iter().map(|item| item.url.to_string()).collect()
    }

    #[test]
    fn each_publishers_own_urls_are_made() {
        let flatcar = planned("flatcar", "4081.2.1", "arm64");
        let at = "https://stable.release.flatcar-linux.net/arm64-usr/4081.2.1/";
        assert_eq!(urls(&flatcar)[0], format!("{at}flatcar_production_pxe.vmlinuz"));
        assert_eq!(flatcar.folder, "images/flatcar/4081.2.1/arm64");
        let alpine = planned("alpine", "3.22.1", "x86_64");
        let at = "https://dl-cdn.alpinelinux.org/alpine/v3.22/releases/x86_64/";
        assert_eq!(urls(&alpine)[0], format!("{at}alpine-netboot-3.22.1-x86_64.tar.gz"));
        let talos = planned("talos", "1.11.5", "x86_64");
        let at = "https://github.com/siderolabs/talos/releases/download/v1.11.5/";
        assert_eq!(urls(&talos)[1], format!("{at}initramfs-amd64.xz"));
        assert_eq!(talos.sums[0].url.to_string(), format!("{at}sha256sum.txt"));
    }

    #[test]
    fn debians_lists_are_found_in_one_another() {
        let debian = planned("debian", "13.2", "x86_64");
        let listed: Vec<&str> = debian.sums.iter().map(|sums| sums.listed_as.as_str()).collect();
        let images = "main/installer-amd64/current/images";
        assert_eq!(listed[1], format!("{images}/SHA256SUMS"));
        assert_eq!(debian.items[0].name, "netboot/debian-installer/amd64/linux");
        let at = format!("https://deb.debian.org/debian/dists/stable/{images}");
        assert_eq!(urls(&debian)[0], format!("{at}/netboot/debian-installer/amd64/linux"));
    }

    #[test]
    fn a_person_may_name_a_channel_a_version_or_both() {
        let flatcar = Publisher::of("flatcar").unwrap();
        let debian = Publisher::of("debian").unwrap();
        let talos = Publisher::of("talos").unwrap();
        for (publisher, word, channel, version) in [
            (&flatcar, None, "stable", None),
            (&flatcar, Some("beta"), "beta", None),
            (&flatcar, Some("4081.2.1"), "stable", Some("4081.2.1")),
            (&flatcar, Some("beta/4230.1.0"), "beta", Some("4230.1.0")),
            (&debian, Some("13"), "trixie", None),
            (&debian, Some("12.9"), "bookworm", Some("12.9")),
            (&talos, Some("v1.11.5"), "latest", Some("1.11.5")),
        ] {
            let version = version.map(str::to_owned);
            let expected = Wanted { channel: channel.to_owned(), version };
            assert_eq!(wanted(publisher, word), Ok(expected), "{word:?}");
        }
        for word in ["nightly", "stable/", "../../etc", "4081 2", "beta/../x", "1\n2"] {
            assert!(wanted(&flatcar, Some(word)).is_err(), "{word:?}");
        }
    }

    #[test]
    fn a_list_cannot_name_files_elsewhere_or_with_names_that_escape() {
        let publisher = Publisher::of("fedora-coreos").unwrap();
        let base = Url::parse("http://127.0.0.1:1/mirror").unwrap();
        let version = "42.20250705.3.0".to_owned();
        let words = Words { channel: "stable".to_owned(), arch: "x86_64".to_owned(), version };
        let sum = "0".repeat(64);
        let with = |location: &str| {
            let file = format!(
                r#"{{"location":"{location}","signature":"{location}.sig","sha256":"{sum}"}}"#
            );
            let json = format!(
                r#"{{"f":{{"pxe":{{"kernel":{file},"initramfs":{file},"rootfs":{file}}}}}}}"#
            );
            let list: Value = serde_json::from_str(&json).unwrap();
            plan(&publisher, &base, &words, "x86_64", Some(("/f", &list)))
        };
        let official = "https://builds.coreos.fedoraproject.org";
        let good = with(&format!("{official}/prod/kernel")).unwrap();
        assert_eq!(urls(&good)[0], "http://127.0.0.1:1/mirror/prod/kernel");
        for location in [
            "https://elsewhere.example/kernel".to_owned(),
            format!("{official}.evil.example/kernel"),
            format!("{official}/.."),
            format!("{official}/a/..%2f..%2fetc"),
            format!("{official}/"),
            format!("{official}/a\\\\b"),
            format!("{official}/a\\nb"),
        ] {
            assert!(with(&location).is_err(), "{location:?}");
        }
    }
}
