//! Kernel arguments: a profile's templates, filled in for one machine. Pure.
//!
//! | placeholder | becomes |
//! |---|---|
//! | `{server}` | `http://10.10.10.1:8080` |
//! | `{mac}` | the machine's, with dashes |
//! | `{image}`, `{tree}` | URL of the folder, or ISO, that the layout begins in; `{tree}` with a slash at its end |
//! | `{file:NAME}` | URL of the layout's file with this short name |
//! | `{iso}` | URL of the ISO that it is in, or that lies beside |
//! | `{config}`, `{config:KIND}` | URL of the machine's own configuration |
//! | `{version}`, `{release}` | the image's version; the first two numbers of it |
//! | `{disk}`, `{hostname}` | what `machines.toml` says |
//! | `{args-file}` | the arguments in the layout's `args_file` |
//! | `{syslog}` | our address, where log lines are heard (UDP port 514) |
//! | `{rewrite}` | URL of the layout's `rewrite` file, as this machine gets it |
//!
//! An argument with a placeholder that there is nothing for is left out.

use super::Endpoint;
use crate::inventory::configs::ConfigKind;
use crate::inventory::cpu::Firmware;
use crate::inventory::iso::is_iso;
use crate::inventory::profile::{Arguments, Layout};
use crate::inventory::{Image, Inventory, Machine, Start};
use crate::net::Mac;

/// All that arguments are made of.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Who has a configuration.
    pub inventory: &'a Inventory,
    /// What is started.
    pub image: &'a Image,
    /// How.
    pub start: &'a Start,
    /// Where.
    pub machine: &'a Machine,
    /// By which network card it boots.
    pub mac: Mac,
    /// From what.
    pub firmware: Firmware,
    /// The kind of configuration that it gets.
    pub config: Option<ConfigKind>,
    /// Where it reaches us.
    pub endpoint: Endpoint,
    /// It runs to write another image: by bare names, files of that one would be meant.
    pub writes: bool,
}

impl Source<'_> {
    /// The words that `all` gives to this machine.
    pub fn words(&self, all: &[Arguments]) -> Vec<String> {
        let given = all.iter().filter(|arguments| self.is_meant(arguments));
        given.flat_map(|arguments| &arguments.give).flat_map(|word| self.fill(word)).collect()
    }

    /// Whether one of these words holds a placeholder.
    pub fn mentions(&self, all: &[Arguments], placeholder: &str) -> bool {
        let given = all.iter().filter(|arguments| self.is_meant(arguments));
        given.flat_map(|arguments| &arguments.give).any(|word| word.contains(placeholder))
    }

    /// The name of a file of the image in the boot tree.
    pub fn name(&self, path: &str) -> String {
        match self.layout() {
            Some(layout) if self.has_bare_names(layout) => path.to_owned(),
            _ => self.full_name(path),
        }
    }

    /// Whether its files go by their bare names. In a folder for another processor, files have
    /// the same ones.
    pub fn has_bare_names(&self, layout: &Layout) -> bool {
        layout.bare_names && self.start.base.is_empty() && !self.writes
    }

    /// What is in an ISO has the ISO's own path before it, as on the stick.
    fn full_name(&self, path: &str) -> String {
        if path.split('/').any(is_iso) {
            return format!("{}/{path}", self.start.root);
        }
        format!("images/{}/{path}", self.image.name())
    }

    fn layout(&self) -> Option<&Layout> {
        self.image.profile.layout.get(self.start.layout)
    }

    fn is_meant(&self, arguments: &Arguments) -> bool {
        let Arguments { firmware, arch, config, without_config, has, has_not, .. } = arguments;
        let there = |name: &String| self.start.files.contains_key(name);
        firmware.is_none_or(|firmware| firmware == self.firmware)
            && arch.is_none_or(|arch| arch == self.start.cpu)
            && config.is_none_or(|config| self.config == Some(config))
            && without_config.is_none_or(|without| without == self.config.is_none())
            && (has.is_empty() || has.iter().any(there))
            && !has_not.iter().any(there)
    }

    /// None, one, or the many of an arguments file.
    fn fill(&self, template: &str) -> Vec<String> {
        if template == "{args-file}" {
            return self.start.args.clone();
        }
        self.filled(template).into_iter().collect()
    }

    fn filled(&self, template: &str) -> Option<String> {
        let mut word = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            word.push_str(before);
            word.push_str(&self.value(name)?);
            rest = after;
        }
        word.push_str(rest);
        Some(word)
    }

    fn value(&self, placeholder: &str) -> Option<String> {
        let (name, part) = placeholder.split_once(':').unwrap_or((placeholder, ""));
        match name {
            "server" => Some(self.endpoint.base()),
            "syslog" => self.endpoint.syslog.then(|| self.endpoint.address.to_string()),
            "mac" => Some(self.mac.dashed()),
            "image" => Some(self.tree()),
            "tree" => Some(format!("{}/", self.tree())),
            "file" => Some(self.url(self.start.files.get(part)?)),
            "iso" => Some(self.url(self.start.iso.as_ref()?)),
            "config" if part.is_empty() => Some(self.config_url(self.config?)),
            "config" => {
                let kind = kind_named(part)?;
                self.inventory
                    .gets_config(kind, self.machine, self.mac)
                    .then(|| self.config_url(kind))
            }
            "version" => Some(self.image.version.to_string()),
            "release" => Some(self.release()),
            "disk" => self.machine.disk.device().map(str::to_owned),
            "hostname" => self.machine.hostname().map(str::to_owned),
            "rewrite" => {
                let (path, _) = self.start.rewrite.as_ref()?;
                let name = path.rsplit('/').next()?;
                Some(format!(
                    "{}/boot/{}/{}",
                    self.endpoint.base(),
                    self.mac.dashed(),
                    encode(name)
                ))
            }
            _ => None,
        }
    }

    /// The first two numbers of the version.
    fn release(&self) -> String {
        self.image.version.as_str().split('.').take(2).collect::<Vec<&str>>().join(".")
    }

    fn config_url(&self, kind: ConfigKind) -> String {
        format!("{}{}", self.endpoint.base(), kind.url(self.mac))
    }

    fn tree(&self) -> String {
        self.url(&self.start.base).trim_end_matches('/').to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}", self.endpoint.base(), encode(&self.full_name(path)))
    }
}

/// A kind as profiles write it.
fn kind_named(name: &str) -> Option<ConfigKind> {
    use serde::Deserialize;
    use serde::de::value::{Error, StrDeserializer};
    ConfigKind::deserialize(StrDeserializer::<Error>::new(name)).ok()
}

/// A path as it stands in a URL: nothing in it is a boot script's language, or a blank.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => encoded.push(char::from(byte)),
            b'/' | b'-' | b'.' | b'_' | b'~' | b'+' | b'@' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_file_is_more_than_a_word_in_a_script() {
        assert_eq!(encode("a b;${c}||'\"/d+e~.iso"), "a%20b%3B%24%7Bc%7D%7C%7C%27%22/d+e~.iso");
        assert_eq!(encode("\u{e9}"), "%C3%A9");
    }

    #[test]
    fn a_kind_is_named_as_in_a_profile() {
        assert_eq!(kind_named("kickstart"), Some(ConfigKind::Kickstart));
        assert_eq!(kind_named("no-such"), None);
    }
}
