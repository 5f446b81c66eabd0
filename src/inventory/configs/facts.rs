//! What a template may say of the machine that it is rendered for. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::inventory::machine::{Disk, DiskRule};
use crate::inventory::{Image, Machine};
use crate::net::Mac;

/// The variables of a template, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The machine's name; its MAC with dashes if it has none.
    pub name: String,
    /// The name that it shall give itself.
    pub hostname: String,
    /// The group whose settings it has; empty without one.
    pub group: String,
    /// The card that it booted from, with colons.
    pub mac: String,
    /// All its cards.
    pub macs: Vec<String>,
    /// The address that it has now.
    pub ip: String,
    /// `coreos/1185.3.0`
    pub image: String,
    /// `coreos`
    pub system: String,
    /// `1185.3.0`
    pub version: String,
    /// `/dev/sda`. Not there if the disk is to be looked for: then `find_disk` does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// A shell function of that name that prints the device.
    pub find_disk: String,
    /// What the disk must be; empty texts and zeros if a path is named.
    pub disk_rule: DiskRule,
    /// From `machines.toml`.
    pub labels: BTreeMap<String, String>,
    /// `http://10.10.10.1:8080`
    pub server: String,
    /// Proves that a report comes from this installation.
    pub token: String,
    /// The URL that says "installed".
    pub report_installed: String,
    /// The URL that says "failed".
    pub report_failed: String,
    /// The URL for a webhook that posts each step, and ends nothing.
    pub report_progress: String,
}

/// Where and when a template is rendered.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Where machines reach us, without a slash at the end.
    pub server: &'a str,
    /// The asking machine's address.
    pub ip: Ipv4Addr,
    /// Its token, or one that is good for nothing.
    pub token: &'a str,
    /// `[http] add_report`: whether a configuration without a report gets one.
    pub add_report: bool,
}

impl Setting<'_> {
    /// The URL that reports this event.
    pub fn report(&self, event: &str) -> String {
        let Setting { server, token, .. } = self;
        format!("{server}/v1/event?token={token}&event={event}")
    }
}

impl Facts {
    /// Of `machine`, which booted from `mac`.
    pub fn new(mac: Mac, machine: &Machine, image: Option<&Image>, setting: Setting) -> Facts {
        let Setting { server, ip, token, .. } = setting;
        let name = machine.name.clone().unwrap_or_else(|| mac.dashed());
        let macs = if machine.macs.contains(&mac) { machine.macs.clone() } else { vec![mac] };
        let labels = machine.labels.all().into_iter();
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Facts {
            hostname: machine.hostname.clone().unwrap_or_else(|| name.clone()),
            name,
            group: machine.group.clone().unwrap_or_default(),
            mac: mac.to_string(),
            macs: macs.iter().map(Mac::to_string).collect(),
            ip: ip.to_string(),
            image: image.map(Image::name).unwrap_or_default(),
            system: image.map(|image| image.system.clone()).unwrap_or_default(),
            version: image.map(|image| image.version.to_string()).unwrap_or_default(),
            disk: machine.disk.device().map(str::to_owned),
            find_disk: machine.disk.shell(),
            disk_rule: match &machine.disk {
                Disk::Rule(rule) => rule.clone(),
                Disk::Path(_) => DiskRule::default(),
            },
            labels: labels.collect(),
            server: server.to_owned(),
            token: token.to_owned(),
            report_installed: setting.report("installed"),
            report_failed: setting.report("failed"),
            report_progress: setting.report("progress"),
        }
    }
}
