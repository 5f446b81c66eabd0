//! What an installer would stumble over, seen before a machine does. Pure.

use roxmltree::{Document, ParsingOptions};
use serde_json::Value;

use super::yaml;
use super::{ConfigKind, Part};

/// What is wrong with a config, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Counted from 1.
    pub line: Option<usize>,
    /// Counted from 1.
    pub column: Option<usize>,
    /// For people.
    pub message: String,
}

impl Fault {
    /// One without a place.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { line: None, column: None, message: message.into() }
    }

    /// One in a line.
    pub fn at(line: usize, message: &str) -> Fault {
        Fault { line: Some(line), ..Fault::new(message) }
    }

    /// The message with the column in front of it; the line is shown elsewhere.
    pub fn with_column(&self) -> String {
        match self.column {
            Some(column) => format!("column {column}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// More than any hand-written profile has; AutoYaST's largest have some thousands.
const MOST_XML_NODES: u32 = 100_000;

/// Checks the text of a config, as the machine would get it.
pub fn check(kind: ConfigKind, part: Part, text: &str) -> Result<(), Fault> {
    if text.starts_with('\u{feff}') {
        return fault("starts with a byte-order mark; save it as UTF-8 without one");
    }
    if text.contains('\0') {
        return fault("is no text file");
    }
    // Only meta-data may be empty: an installer that takes an empty config makes a machine
    // that nobody can log into.
    let may_be_empty = matches!(part, Part::MetaData | Part::VendorData);
    if text.trim().is_empty() && !may_be_empty {
        return fault("is empty; a machine installed with it could not be logged into");
    }
    match (kind, part) {
        (ConfigKind::CloudConfig, _) => cloud_config(text),
        (ConfigKind::Autoinstall, Part::UserData) => user_data(text),
        (ConfigKind::Autoinstall, _) => yaml::check(text).map(drop),
        (ConfigKind::Ignition, _) => ignition(text),
        (ConfigKind::Agama, _) => json(text).map(drop),
        (ConfigKind::Talos, _) => talos(text),
        (ConfigKind::AutoYast, _) => xml(text),
        (ConfigKind::Script, _) => script(text),
        (ConfigKind::Preseed | ConfigKind::Kickstart | ConfigKind::Answers, _) => Ok(()),
    }
}

fn fault<T>(message: &str) -> Result<T, Fault> {
    Err(Fault::new(message))
}

fn cloud_config(text: &str) -> Result<(), Fault> {
    let first = text.lines().next().unwrap_or_default().trim_end();
    if first.starts_with("#!") {
        return Ok(());
    }
    if first != "#cloud-config" {
        return fault("must start with the line #cloud-config");
    }
    let yaml = yaml::check(text)?;
    match yaml.documents {
        0 => fault("ends after its first line; is it cut off?"),
        1 if yaml.is_mapping => Ok(()),
        1 => fault("holds no keys; is it cut off?"),
        _ => fault("holds two documents (---); a cloud-config is one"),
    }
}

fn user_data(text: &str) -> Result<(), Fault> {
    if text.lines().next().unwrap_or_default().trim_end() != "#cloud-config" {
        return fault("must start with the line #cloud-config");
    }
    let yaml = yaml::check(text)?;
    match yaml.keys.iter().any(|key| key == "autoinstall") {
        true => Ok(()),
        false => fault("has no key autoinstall: at its top; the installer would ask questions"),
    }
}

fn talos(text: &str) -> Result<(), Fault> {
    let yaml = yaml::check(text)?;
    let known = |key: &String| matches!(key.as_str(), "machine" | "apiVersion" | "kind");
    match yaml.is_mapping && yaml.keys.iter().any(known) {
        true => Ok(()),
        false => fault("has neither machine: nor kind: at its top; is it a Talos config?"),
    }
}

fn json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| {
        // "… at line 3 column 5": said where it belongs.
        let full = error.to_string();
        let what = full.split(" at line ").next().unwrap_or_default().to_owned();
        let (line, column) = (error.line(), error.column());
        Fault { line: Some(line), column: Some(column.max(1)), message: format!("JSON: {what}") }
    })
}

fn ignition(text: &str) -> Result<(), Fault> {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if !first.starts_with('{') && (text.contains("variant:") || first.starts_with('#')) {
        return fault(BUTANE);
    }
    let config = json(text)?;
    if config.get("ignitionVersion").is_some() {
        return fault("is Ignition 1, which no system of today reads; write it anew for 3.x");
    }
    let Some(version) = config.pointer("/ignition/version").and_then(Value::as_str) else {
        return fault("has no ignition.version; is it an Ignition config?");
    };
    let numbers = version.split('-').next().unwrap_or_default();
    let parts: Vec<Option<u8>> = numbers.split('.').map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [Some(2), Some(0..=5), Some(_)] | [Some(3), Some(0..=19), Some(_)] => Ok(()),
        _ => fault("has an ignition.version that is not 2.x.y or 3.x.y"),
    }
}

/// For `.bu`, and for Butane in a file that says it were Ignition.
pub const BUTANE: &str =
    "is Butane, which no machine reads; convert it: butane --strict < x.bu > x.ign";

fn xml(text: &str) -> Result<(), Fault> {
    // A few of them, each holding the next one often or one of them long, fill any memory.
    if let Some((before, _)) = text.split_once("<!ENTITY") {
        let line = before.matches('\n').count() + 1;
        return Err(Fault::at(
            line,
            "XML: has entities (<!ENTITY …>); write out what they stand for",
        ));
    }
    match parse_xml(text) {
        Ok(document) if document.root_element().tag_name().name() == "profile" => Ok(()),
        Ok(_) => fault("is XML, but its outermost element is not <profile>"),
        Err(error) => {
            let place = error.pos();
            Err(Fault {
                line: usize::try_from(place.row).ok(),
                column: usize::try_from(place.col).ok(),
                message: format!("XML: {error}"),
            })
        }
    }
}

/// Of a text without entities.
pub(super) fn parse_xml(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    // AutoYaST profiles name a DTD that nobody has.
    let options =
        ParsingOptions { allow_dtd: true, nodes_limit: MOST_XML_NODES, ..Default::default() };
    Document::parse_with_options(text, options)
}

fn script(text: &str) -> Result<(), Fault> {
    if !text.starts_with("#!") {
        return fault("must start with a line like #!/bin/sh");
    }
    match text.lines().count() {
        _ if text.contains('\r') => {
            fault("has Windows line ends, which no shell understands; save it with Unix ones")
        }
        1 => fault("ends after its first line; is it cut off?"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
