//! `machines.toml` as a person writes it: machines, groups of them, and defaults. Pure.
//!
//! What stands at the machine goes before its group, the group before the defaults. One
//! mistake refuses the file: half a list of machines to wipe is worse than none.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::disk::Written;
use super::identity::Rule;
use super::{Disk, ImageChoice, Install, Machine, Roster};
use crate::config::{UefiLoader, nearest_key};
use crate::inventory::Problem;
use crate::net::Mac;

/// Longer than any kernel takes beside the image's own arguments (x86: 2048 in all).
const LONGEST_ARGS: usize = 1024;

/// The host name limit of Linux.
const LONGEST_NAME: usize = 64;

/// Enough for a sentence or a key; templates are for longer texts.
const LONGEST_LABEL: usize = 1024;

/// More than anybody keeps apart.
const MOST_LABELS: usize = 64;

/// More than any few racks have.
const MOST_MACHINES: usize = 5_000;

/// Those and three more in each: its disk, its labels and what it is known by.
const MOST_TABLES: usize = 4 * MOST_MACHINES;

/// Twenty for each.
const MOST_VALUES: usize = 20 * MOST_MACHINES;

/// The same.
const MOST_GROUPS: usize = 1_000;

/// Each may be compared with what every machine says of itself, at each of its boots.
const MOST_PATTERNS: usize = 256;

/// Of the groups that there are, where one is named that is not there.
const MOST_NAMED: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    defaults: Option<Spanned<Entry>>,
    #[serde(default, deserialize_with = "groups")]
    group: Vec<Spanned<Entry>>,
    #[serde(default, deserialize_with = "machines")]
    machine: Vec<Spanned<Entry>>,
}

/// A machine, a group or the defaults: settings mean the same in each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<Spanned<String>>,
    mac: Option<Mac>,
    #[serde(default)]
    macs: Vec<Mac>,
    #[serde(rename = "match")]
    rule: Option<Spanned<WrittenRule>>,
    group: Option<Spanned<String>>,
    image: Option<Spanned<String>>,
    install: Option<Install>,
    disk: Option<Spanned<Written>>,
    ip: Option<Ipv4Addr>,
    hostname: Option<Spanned<String>>,
    args: Option<Spanned<String>>,
    labels: Option<Spanned<BTreeMap<String, String>>>,
    loader: Option<UefiLoader>,
    config: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    serial: Option<String>,
    uuid: Option<String>,
}

/// A place in the file, and what is wrong there.
type Fault = (usize, String);

/// Reads `machines.toml`, found at `path` on its stick.
pub fn parse(path: &str, text: &str) -> Result<Roster, Problem> {
    read(text).map_err(|(offset, message)| Problem {
        file: path.to_owned(),
        line: text.get(..offset).map(|before| before.matches('\n').count() + 1),
        message,
    })
}

fn groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Spanned<Entry>>, D::Error> {
    from.deserialize_seq(AtMost(MOST_GROUPS, "groups"))
}

fn machines<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Spanned<Entry>>, D::Error> {
    from.deserialize_seq(AtMost(MOST_MACHINES, "machines"))
}

/// A list that is not read on past its limit: an entry takes hundreds of times the memory of
/// its text.
struct AtMost(usize, &'static str);

impl<'de> Visitor<'de> for AtMost {
    type Value = Vec<Spanned<Entry>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list of {}", self.1)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let AtMost(most, what) = self;
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() >= most {
                return Err(serde::de::Error::custom(format!("more than {most} {what}")));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// "unknown `seriall`, expected …", with the nearest right one.
pub(super) fn unknown_key(what: &str, key: &str, known: &[&str]) -> String {
    let listed: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    let of_all =
        |listed: &[String]| format!("unknown key `{key}`, expected one of {}", listed.join(", "));
    let message = of_all(&listed);
    let hint = nearest_key(&message).map(|hint| format!(" (did you mean {hint}?)"));
    let more = match listed.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = of_all(listed.get(..MOST_NAMED).unwrap_or(&listed));
    format!("{what}: {message}{more}{}", hint.unwrap_or_default())
}

/// What no list of machines has; its reader takes a hundred times the room of a number, and
/// a kilobyte for a table.
fn is_too_much(text: &str) -> bool {
    let tables = text.matches("[[").count() + text.matches('{').count();
    tables > MOST_TABLES || text.matches(['=', ',', '[', '{']).count() > MOST_VALUES
}

fn read(text: &str) -> Result<Roster, Fault> {
    if is_too_much(text) {
        return Err((0, "too large: more than 5,000 machines with what belongs to them".into()));
    }
    let file: File = toml::from_str(text).map_err(|error| {
        let mut message = error.message().trim().replace('\n', "; ");
        if let Some(hint) = nearest_key(&message) {
            message = format!("{message} (did you mean `{hint}`?)");
        }
        (error.span().map_or(0, |span| span.start), message)
    })?;
    let mut roster = Roster::default();
    let mut base = Machine::default();
    if let Some(defaults) = file.defaults {
        base = settings_only("[defaults]", defaults, base)?.1;
        roster.set_defaults(base.clone());
    }
    let mut patterns = 0;
    let mut groups = BTreeMap::new();
    for entry in file.group {
        let start = entry.span().start;
        let (name, settings) = settings_only("a group", entry, base.clone())?;
        let name = name.ok_or_else(|| (start, "a group needs name = \"…\"".to_owned()))?;
        if !is_group_name(&name) {
            return Err((start, format!("group: {GROUP_HELP}")));
        }
        if groups.insert(name.clone(), settings).is_some() {
            return Err((start, format!("there are two groups named {name:?}")));
        }
    }
    for entry in file.machine {
        let start = entry.span().start;
        let entry = entry.into_inner();
        let base = match &entry.group {
            Some(name) => group(&groups, name)?.clone(),
            None => base.clone(),
        };
        let machine = entry.machine(start, base)?;
        patterns += usize::from(machine.rule.as_ref().is_some_and(Rule::holds_pattern));
        if patterns > MOST_PATTERNS {
            return Err((start, format!("more than {MOST_PATTERNS} machines match a pattern")));
        }
        roster
            .add(machine)
            .map_err(|text| (start, format!("{text} stands at another machine too")))?;
    }
    Ok(roster)
}

fn group<'a>(
    groups: &'a BTreeMap<String, Machine>,
    name: &Spanned<String>,
) -> Result<&'a Machine, Fault> {
    // First: a name without an end takes hours to compare, and much room to repeat.
    if !is_group_name(name.get_ref()) {
        return Err((name.span().start, format!("group: {GROUP_HELP}")));
    }
    groups.get(name.get_ref()).ok_or_else(|| {
        let known: Vec<&str> = groups.keys().map(String::as_str).collect();
        (name.span().start, unknown_key("group", name.get_ref(), &known))
    })
}

/// Settings without anything that names one machine. Gives the name of the group, too.
fn settings_only(
    what: &str,
    entry: Spanned<Entry>,
    base: Machine,
) -> Result<(Option<String>, Machine), Fault> {
    let start = entry.span().start;
    let entry = entry.into_inner();
    let of_one = [
        ("mac", entry.mac.is_some() || !entry.macs.is_empty()),
        ("match", entry.rule.is_some()),
        ("ip", entry.ip.is_some()),
        ("hostname", entry.hostname.is_some()),
        ("group", entry.group.is_some()),
    ];
    if let Some((key, _)) = of_one.into_iter().find(|(_, given)| *given) {
        return Err((start, format!("{key} names one machine; it cannot stand in {what}")));
    }
    let name = entry.name.clone().map(Spanned::into_inner);
    let mut settings = base;
    entry.put_into(&mut settings)?;
    settings.labels = settings.labels.shared();
    Ok((name, settings))
}

impl Entry {
    fn machine(self, start: usize, base: Machine) -> Result<Machine, Fault> {
        let fault = |text: &str| Err((start, text.to_owned()));
        let mut machine = base;
        machine.macs.clone_from(&self.macs);
        machine.macs.extend(self.mac);
        machine.address = self.ip;
        machine.group = self.group.as_ref().map(|name| name.get_ref().clone());
        machine.name = checked(&self.name, "name", is_host_name, NAME_HELP)?;
        machine.hostname = checked(&self.hostname, "hostname", is_host_name, NAME_HELP)?;
        if let Some(rule) = &self.rule {
            let WrittenRule { serial, uuid } = rule.get_ref();
            let parsed = Rule::parse(serial.as_deref(), uuid.as_deref());
            machine.rule = Some(parsed.map_err(|text| (rule.span().start, text))?);
        }
        self.put_into(&mut machine)?;
        if machine.macs.is_empty() && machine.rule.is_none() {
            return fault(
                "a machine needs mac = \"00:25:90:c0:f7:86\", or match = { serial = \"…\" }",
            );
        }
        if machine.address.is_some() && machine.macs.len() > 1 {
            return fault("ip goes with one mac; a machine with two needs two entries");
        }
        let one = !machine.macs.is_empty() || machine.name.is_some() || machine.hostname.is_some();
        let pattern = machine.rule.as_ref().is_some_and(Rule::is_pattern);
        if pattern && (one || machine.address.is_some()) {
            return fault(
                "match with a pattern stands for every machine that fits; name, hostname, mac and \
                 ip belong to one machine, so write its whole serial or uuid",
            );
        }
        Ok(machine)
    }

    /// Puts the settings that stand here over those that are there.
    fn put_into(&self, machine: &mut Machine) -> Result<(), Fault> {
        if let Some(image) = &self.image {
            let text = image.get_ref();
            machine.image = ImageChoice::parse(text).ok_or_else(|| {
                let help = "write it like \"coreos/1185.3.0\" or \"coreos/latest\"";
                (image.span().start, format!("image {:?}: {help}", beginning(text)))
            })?;
        }
        if let Some(disk) = &self.disk {
            machine.disk =
                Disk::parse(disk.get_ref().clone()).map_err(|text| (disk.span().start, text))?;
        }
        if let Some(args) = checked(&self.args, "args", is_arguments, ARGS_HELP)? {
            machine.args = args;
        }
        if let Some(config) = checked(&self.config, "config", is_config_name, CONFIG_HELP)? {
            machine.config = Some(config);
        }
        if let Some(labels) = &self.labels {
            let fault = |text: String| (labels.span().start, text);
            for (key, value) in labels.get_ref() {
                check_label(key, value).map_err(fault)?;
                machine.labels.insert(key.clone(), value.clone());
            }
            if machine.labels.all().len() > MOST_LABELS {
                return Err(fault(format!("more than {MOST_LABELS} labels")));
            }
        }
        machine.install = self.install.unwrap_or(machine.install);
        machine.loader = self.loader.or(machine.loader);
        Ok(())
    }
}

/// Of a text of any length.
fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST_NAME).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

const GROUP_HELP: &str = "a name in one line, at most 64 letters";
const NAME_HELP: &str = "letters, digits, dots and dashes, at most 64";
const ARGS_HELP: &str = "one line of plain text, at most 1024 letters";
const CONFIG_HELP: &str = "the name of a config file without its ending, like \"web\"";

fn checked(
    value: &Option<Spanned<String>>,
    key: &str,
    fits: fn(&str) -> bool,
    help: &str,
) -> Result<Option<String>, Fault> {
    match value {
        Some(text) if fits(text.get_ref()) => Ok(Some(text.get_ref().clone())),
        Some(text) => Err((text.span().start, format!("{key}: {help}"))),
        None => Ok(None),
    }
}

/// Goes into boot scripts: printable, and free of what iPXE or PXELINUX would expand.
fn is_arguments(args: &str) -> bool {
    args.len() <= LONGEST_ARGS
        && args.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !args.contains("${")
        && !args.contains("||")
        && !args.contains("&&")
}

fn is_host_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// People may call a group what they like.
fn is_group_name(name: &str) -> bool {
    (1..=4 * LONGEST_NAME).contains(&name.len())
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control)
}

/// A file's name without its ending; never a way out of the folder.
fn is_config_name(name: &str) -> bool {
    is_host_name(name) && !name.starts_with('.')
}

fn check_label(key: &str, value: &str) -> Result<(), String> {
    let starts = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !starts || !plain || key.len() > LONGEST_NAME {
        return Err(format!("labels: {key:?}: a key is letters, digits and _, like \"role\""));
    }
    if value.len() > LONGEST_LABEL || value.chars().any(char::is_control) {
        return Err(format!("labels: {key}: one line, at most {LONGEST_LABEL} letters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
