//! Whose configuration each file of a stick is. Pure.
//!
//! A request never becomes a path: it is looked up by kind and machine, in what the scan
//! has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::{BUTANE, Fault, check};
use super::{ConfigKind, Part, Template, reporting};
use crate::inventory::{Machine, MediaFile};
use crate::net::Mac;

/// A file of a configuration.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Where it is.
    pub file: MediaFile,
    /// Set if the machine gets what this makes, not the file.
    pub template: Option<Template>,
    /// Its text, if a report could be added to that and there is room to keep it.
    pub text: Option<Arc<str>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its text was not seen yet, or cannot be.
    Unread,
    Good,
    Broken,
}

/// What a machine has for an installer.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'a> {
    /// This.
    File(&'a ConfigFile),
    /// Something that must not be used. What would serve others is not its own.
    Broken(&'a MediaFile),
    /// Nothing.
    Nothing,
}

/// Whose a configuration is. Names are kept in lower case: FAT keeps none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Card(Mac),
    Name(String),
    Default,
}

/// The configurations of all sticks.
#[derive(Debug, Default)]
pub struct Configs {
    folders: BTreeMap<(ConfigKind, Owner), Parts>,
    /// Of which there is any: all are asked for of every machine, and sticks have one or two.
    kinds: BTreeSet<ConfigKind>,
    /// Bytes of texts that are kept.
    kept: usize,
}

/// Texts of configurations that are kept: of a thousand machines, each with 4 KiB of its own.
const MOST_KEPT: usize = 4 * 1024 * 1024;

impl Configs {
    /// Takes a file in; `name` is its path in the folder of `kind`. The error is for people.
    pub fn place(&mut self, kind: ConfigKind, name: &str, file: &MediaFile) -> Result<(), String> {
        let lower = name.to_ascii_lowercase();
        if kind == ConfigKind::Ignition && [".bu", ".butane"].iter().any(|e| lower.ends_with(e)) {
            return Err(BUTANE.to_owned());
        }
        let Some((key, part, is_template)) = key(kind, name) else {
            return Err(format!("not used: name it {}", how_to_name(kind)));
        };
        let state = if kind == ConfigKind::Answers { State::Good } else { State::Unread };
        let parts = self.folders.entry(key).or_default();
        if parts.get(part).is_some() {
            return Err("not used: another file is the same machine's configuration".to_owned());
        }
        // A template that cannot be read is none: broken, and never served as it is.
        let state = if is_template { State::Broken } else { state };
        parts.insert(part, ConfigFile { file: file.clone(), template: None, text: None, state });
        self.kinds.insert(kind);
        Ok(())
    }

    /// Takes in the text of a file that was placed.
    pub fn read(
        &mut self,
        kind: ConfigKind,
        name: &str,
        file: &MediaFile,
        text: &str,
    ) -> Result<(), Fault> {
        let Some((key, part, is_template)) = key(kind, name) else {
            return Ok(());
        };
        let parts = self.folders.get_mut(&key);
        let Some(config) = parts.and_then(|parts| parts.get_mut(part)) else {
            return Ok(());
        };
        if config.file != *file {
            return Ok(());
        }
        config.state = State::Broken;
        match is_template {
            true => config.template = Some(Template::new(text)?),
            false => check(kind, part, text)?,
        }
        let may_report = !is_template && part == kind.main_part() && reporting::is_for(kind);
        if may_report && text.len() <= reporting::LONGEST && self.kept + text.len() <= MOST_KEPT {
            self.kept += text.len();
            config.text = Some(text.into());
        }
        config.state = State::Good;
        Ok(())
    }

    /// The configuration of the machine that has `mac`; `machine` is what the stick says of
    /// it. The config that it names goes before that of its card, of its name, and the
    /// default.
    pub fn find(
        &self,
        kind: ConfigKind,
        part: Part,
        mac: Mac,
        machine: Option<&Machine>,
    ) -> Lookup<'_> {
        let Some((_, parts)) = self.owner(kind, mac, machine) else {
            return Lookup::Nothing;
        };
        match parts.get(part) {
            Some(config) if config.state == State::Good => Lookup::File(config),
            Some(config) => Lookup::Broken(&config.file),
            None => Lookup::Nothing,
        }
    }

    /// Whether it is what stands under the MAC of this card that the machine gets.
    pub fn is_of_card(&self, kind: ConfigKind, mac: Mac, machine: &Machine) -> bool {
        self.owner(kind, mac, Some(machine)).is_some_and(|(owner, _)| *owner == Owner::Card(mac))
    }

    /// Whether what the machine gets is not the default, but its own.
    pub fn is_own(&self, kind: ConfigKind, mac: Mac, machine: Option<&Machine>) -> bool {
        self.owner(kind, mac, machine).is_some_and(|(owner, _)| *owner != Owner::Default)
    }

    /// The files that the machine gets, with what each is.
    pub fn parts(
        &self,
        kind: ConfigKind,
        mac: Mac,
        machine: Option<&Machine>,
    ) -> impl Iterator<Item = (Part, &ConfigFile)> {
        let parts = self.owner(kind, mac, machine).map(|(_, parts)| parts);
        let parts = parts.map(|parts| parts.0.as_slice()).unwrap_or_default();
        parts.iter().map(|(part, config)| (*part, config))
    }

    /// Cards that have a usable configuration of their own.
    pub fn cards(&self) -> impl Iterator<Item = Mac> {
        self.folders.iter().filter_map(|((kind, owner), parts)| match owner {
            Owner::Card(mac) => {
                let main = parts.get(kind.main_part())?;
                (main.state == State::Good).then_some(*mac)
            }
            _ => None,
        })
    }

    /// Cards that would be known by their configuration, if it had no mistake and was read.
    pub fn broken_cards(&self) -> impl Iterator<Item = Mac> {
        self.folders.iter().filter_map(|((kind, owner), parts)| match owner {
            Owner::Card(mac) => {
                let main = parts.get(kind.main_part())?;
                (main.state != State::Good).then_some(*mac)
            }
            _ => None,
        })
    }

    /// Whether a file has this name in any folder.
    pub fn has_named(&self, name: &str) -> bool {
        let owner = Owner::Name(name.to_ascii_lowercase());
        ConfigKind::ALL.into_iter().any(|kind| self.folders.contains_key(&(kind, owner.clone())))
    }

    /// Files under the name of a machine, with that name.
    pub fn named(&self) -> impl Iterator<Item = (&str, &MediaFile)> {
        self.folders.iter().filter_map(|((_, owner), parts)| match owner {
            Owner::Name(name) => Some((name.as_str(), &parts.0.first()?.1.file)),
            _ => None,
        })
    }

    fn owner(
        &self,
        kind: ConfigKind,
        mac: Mac,
        machine: Option<&Machine>,
    ) -> Option<(&Owner, &Parts)> {
        if !self.kinds.contains(&kind) {
            return None;
        }
        let owned_by = |owner: Owner| {
            let found = self.folders.get_key_value(&(kind, owner))?;
            // Without its main part a folder is none.
            found.1.get(kind.main_part()).is_some().then_some((&found.0.1, found.1))
        };
        let named = |name: &str| owned_by(Owner::Name(name.to_ascii_lowercase()));
        if let Some(config) = machine.and_then(|machine| machine.config.as_deref()) {
            return named(config);
        }
        let cards = machine.map(|machine| machine.macs.as_slice()).unwrap_or_default();
        let others = cards.iter().filter(|card| **card != mac);
        let mut cards = std::iter::once(&mac).chain(others);
        cards
            .find_map(|card| owned_by(Owner::Card(*card)))
            .or_else(|| named(machine?.name.as_deref()?))
            .or_else(|| owned_by(Owner::Default))
    }
}

/// The files of one configuration: nearly always one, so the list takes no more room than
/// that; a map would take eleven times as much for each of thousands of machines.
#[derive(Debug, Default)]
struct Parts(Vec<(Part, ConfigFile)>);

impl Parts {
    fn get(&self, part: Part) -> Option<&ConfigFile> {
        self.0.iter().find(|(own, _)| *own == part).map(|(_, config)| config)
    }

    fn get_mut(&mut self, part: Part) -> Option<&mut ConfigFile> {
        self.0.iter_mut().find(|(own, _)| *own == part).map(|(_, config)| config)
    }

    fn insert(&mut self, part: Part, config: ConfigFile) {
        self.0.reserve_exact(1);
        self.0.push((part, config));
        self.0.sort_by_key(|(part, _)| *part);
    }
}

fn key(kind: ConfigKind, name: &str) -> Option<((ConfigKind, Owner), Part, bool)> {
    let (owner, part, is_template) = kind.parse_name(name)?;
    let owner = match owner.parse() {
        Ok(mac) => Owner::Card(mac),
        Err(_) if owner.eq_ignore_ascii_case("default") => Owner::Default,
        Err(_) if owner.is_empty() => return None,
        Err(_) => Owner::Name(owner.to_ascii_lowercase()),
    };
    Some(((kind, owner), part, is_template))
}

fn how_to_name(kind: ConfigKind) -> String {
    let example = "00-25-90-c0-f7-86";
    match kind.extensions().first() {
        Some(end) if kind == ConfigKind::CloudConfig => {
            format!("<mac>.{end} ({example}.{end}), default.{end} or install.sh")
        }
        Some(end) => format!("<mac>.{end} ({example}.{end}) or default.{end}"),
        None => format!("<mac>/user-data ({example}/user-data) or default/user-data"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn mac() -> Mac {
        "52:54:00:00:00:01".parse().unwrap()
    }

    fn file(path: &str) -> MediaFile {
        MediaFile {
            volume: Path::new("/media/sda1").into(),
            path: path.to_owned(),
            size: 1,
            modified: 0,
            inside: None,
        }
    }

    fn configs(kind: ConfigKind, files: &[(&str, &str)]) -> Configs {
        let mut configs = Configs::default();
        for (name, text) in files {
            let file = file(&format!("{}/{name}", kind.folder()));
            configs.place(kind, name, &file).unwrap();
            let _ = configs.read(kind, name, &file, text);
        }
        configs
    }

    fn found(configs: &Configs, kind: ConfigKind, machine: Option<&Machine>) -> String {
        match configs.find(kind, kind.main_part(), mac(), machine) {
            Lookup::File(config) => config.file.path.clone(),
            Lookup::Broken(file) => format!("broken {}", file.path),
            Lookup::Nothing => String::new(),
        }
    }

    #[test]
    fn a_machine_has_the_config_that_it_names_else_its_cards_its_names_or_the_default() {
        let kind = ConfigKind::Kickstart;
        let mut files = vec![
            ("web.ks", "text"),
            ("52:54:00:00:00:01.KS", "text"),
            ("Node-1.cfg", "text"),
            ("default.ks", "text"),
        ];
        let mut machine = Machine { name: Some("node-1".into()), ..Machine::known_by(mac()) };
        machine.config = Some("web".into());
        let expected = ["web.ks", "52:54:00:00:00:01.KS", "Node-1.cfg", "default.ks"];
        assert_eq!(found(&configs(kind, &files), kind, Some(&machine)), "kickstart/web.ks");
        machine.config = None;
        for name in expected.iter().skip(1) {
            files.remove(0);
            let path = format!("kickstart/{name}");
            assert_eq!(found(&configs(kind, &files), kind, Some(&machine)), path);
        }
        machine.config = Some("nothing".into());
        assert_eq!(found(&configs(kind, &files), kind, Some(&machine)), "");
    }

    #[test]
    fn a_broken_config_is_never_replaced_by_the_default_one() {
        let kind = ConfigKind::Ignition;
        let files = [("52-54-00-00-00-01.ign", "{"), ("default.ign", GOOD)];
        let configs = configs(kind, &files);
        assert_eq!(found(&configs, kind, None), "broken ignition/52-54-00-00-00-01.ign");
        assert_eq!(configs.cards().count(), 0, "and makes nobody known");
    }

    #[test]
    fn a_config_that_could_not_be_read_is_missed_as_a_broken_one_is() {
        let mut configs = Configs::default();
        let path = "52-54-00-00-00-01.ks";
        configs.place(ConfigKind::Kickstart, path, &file(path)).unwrap();
        assert_eq!(found(&configs, ConfigKind::Kickstart, None), format!("broken {path}"));
        assert_eq!((configs.cards().count(), configs.broken_cards().count()), (0, 1));
    }

    const GOOD: &str = "{\"ignition\": {\"version\": \"3.4.0\"}}";

    #[test]
    fn a_folder_of_autoinstall_is_taken_as_one() {
        let kind = ConfigKind::Autoinstall;
        let user = "#cloud-config\nautoinstall: {version: 1}\n";
        let files = [
            ("52-54-00-00-00-01/meta-data", ""),
            ("default/user-data.j2", user),
            ("default/vendor-data", ""),
        ];
        let configs = configs(kind, &files);
        // The machine's own folder has no user-data, so it is none.
        assert_eq!(found(&configs, kind, None), "autoinstall/default/user-data.j2");
        let meta = configs.find(kind, Part::MetaData, mac(), None);
        assert!(matches!(meta, Lookup::Nothing), "{meta:?}");
    }

    #[test]
    fn what_is_no_config_is_said_with_the_right_name() {
        let mut configs = Configs::default();
        for (kind, name, reason) in [
            (ConfigKind::Ignition, "x.bu", "butane --strict"),
            (ConfigKind::Ignition, "x.yaml", "<mac>.ign"),
            (ConfigKind::CloudConfig, "notes.txt", "install.sh"),
            (ConfigKind::Kickstart, "sub/x.ks", "<mac>.ks"),
            (ConfigKind::Kickstart, ".ks", "<mac>.ks"),
            (ConfigKind::Autoinstall, "x.yaml", "user-data"),
            (ConfigKind::Answers, "x.apkovl.tar.gz.j2", "apkovl.tar.gz"),
        ] {
            let error = configs.place(kind, name, &file(name)).unwrap_err();
            assert!(error.contains(reason), "{name}: {error}");
        }
        configs.place(ConfigKind::Talos, "default.yaml", &file("a")).unwrap();
        let error = configs.place(ConfigKind::Talos, "default.yml.j2", &file("b")).unwrap_err();
        assert!(error.contains("another file"), "{error}");
    }
}
