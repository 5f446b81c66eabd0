//! `machines.toml`: who is who.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Deserialize;

use super::{Problem, Version};
use crate::config::UefiLoader;
use crate::net::Mac;

/// Whether, and how often, a machine is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Install {
    /// Once; again only when a person arms it.
    #[default]
    Once,
    /// Every time it boots from the network: test benches.
    Always,
    /// Never; it only has a name, and perhaps an address.
    Never,
}

/// The image that a machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ImageChoice {
    /// The newest that there is.
    #[default]
    Newest,
    /// `flatcar/latest`: the newest of one system.
    NewestOf(String),
    /// `coreos/1185.3.0`.
    Exactly(String, Version),
}

impl ImageChoice {
    /// `coreos/1185.3.0`, `coreos/latest` or `coreos`.
    fn parse(text: &str) -> Option<ImageChoice> {
        let (system, version) = text.split_once('/').unwrap_or((text, "latest"));
        if system.is_empty() {
            return None;
        }
        if version == "latest" {
            return Some(ImageChoice::NewestOf(system.to_owned()));
        }
        Some(ImageChoice::Exactly(system.to_owned(), Version::new(version)?))
    }

    /// Whether an image of this system and version is meant.
    pub fn fits(&self, system: &str, version: &Version) -> bool {
        match self {
            ImageChoice::Newest => true,
            ImageChoice::NewestOf(wanted) => wanted == system,
            ImageChoice::Exactly(wanted, exactly) => wanted == system && exactly == version,
        }
    }
}

/// A machine that the stick names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// All its network cards, never empty: it is one machine whichever it boots from.
    pub macs: Vec<Mac>,
    /// For people; unnamed machines show their MAC.
    pub name: Option<String>,
    /// What it gets.
    pub image: ImageChoice,
    /// How often.
    pub install: Install,
    /// The whole disk that is overwritten.
    pub disk: String,
    /// Its address, always.
    pub address: Option<Ipv4Addr>,
    /// Kernel arguments behind the image's own.
    pub args: String,
    /// What its UEFI firmware loads first, if not what `[boot]` says.
    pub loader: Option<UefiLoader>,
}

impl Machine {
    /// A machine of which only one network card is known: it is named by its config file
    /// alone, or by nothing.
    pub fn known_by(mac: Mac) -> Machine {
        Machine {
            macs: vec![mac],
            name: None,
            image: ImageChoice::Newest,
            install: Install::Once,
            disk: DEFAULT_DISK.to_owned(),
            address: None,
            args: String::new(),
            loader: None,
        }
    }
}

/// What the old box's install.sh wrote to.
const DEFAULT_DISK: &str = "/dev/sda";

/// Longer than any kernel takes beside the image's own arguments (x86: 2048 in all).
const LONGEST_ARGS: usize = 1024;

/// The host name limit of Linux.
const LONGEST_NAME: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    machine: Vec<toml::Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    mac: Option<Mac>,
    #[serde(default)]
    macs: Vec<Mac>,
    image: Option<String>,
    #[serde(default)]
    install: Install,
    disk: Option<String>,
    ip: Option<Ipv4Addr>,
    #[serde(default)]
    args: String,
    loader: Option<UefiLoader>,
}

/// Reads `machines.toml`, found at `path` on its stick. One mistake refuses the file:
/// half a list of machines to wipe is worse than none.
pub fn parse(path: &str, text: &str) -> Result<BTreeMap<Mac, Machine>, Problem> {
    let line_of = |offset: usize| text.get(..offset).map(|before| before.matches('\n').count() + 1);
    let problem = |offset: usize, message: String| Problem {
        file: path.to_owned(),
        line: line_of(offset),
        message,
    };
    let file: File = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        problem(start, error.message().trim().replace('\n', "; "))
    })?;
    let mut machines = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for entry in file.machine {
        let start = entry.span().start;
        let (macs, machine) = entry.into_inner().check().map_err(|text| problem(start, text))?;
        if let Some(address) = machine.address
            && addresses.insert(address, ()).is_some()
        {
            return Err(problem(start, format!("ip {address} stands at another machine too")));
        }
        for mac in macs {
            if machines.insert(mac, machine.clone()).is_some() {
                return Err(problem(start, format!("mac {mac} stands at another machine too")));
            }
        }
    }
    Ok(machines)
}

impl Entry {
    fn check(self) -> Result<(Vec<Mac>, Machine), String> {
        let mut macs = self.macs;
        macs.extend(self.mac);
        if macs.is_empty() {
            return Err("a machine needs mac = \"00:25:90:c0:f7:86\"".to_owned());
        }
        if self.ip.is_some() && macs.len() > 1 {
            return Err("ip goes with one mac; a machine with two needs two entries".to_owned());
        }
        let image = match self.image.as_deref() {
            Some(text) => ImageChoice::parse(text).ok_or_else(|| {
                format!("image {text:?}: write it like \"coreos/1185.3.0\" or \"coreos/latest\"")
            })?,
            None => ImageChoice::Newest,
        };
        let disk = self.disk.unwrap_or_else(|| DEFAULT_DISK.to_owned());
        if !is_device(&disk) {
            return Err(format!("disk {disk:?}: write a whole disk like \"/dev/sda\""));
        }
        if !is_arguments(&self.args) {
            return Err("args: one line of plain text, at most 1024 letters".to_owned());
        }
        if self.name.as_deref().is_some_and(|name| !is_host_name(name)) {
            return Err("name: letters, digits, dots and dashes, at most 64".to_owned());
        }
        let machine = Machine {
            macs: macs.clone(),
            name: self.name,
            image,
            install: self.install,
            disk,
            address: self.ip,
            args: self.args,
            loader: self.loader,
        };
        Ok((macs, machine))
    }
}

/// Goes into a shell script unquoted-safe: nothing but the letters of device names.
fn is_device(disk: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b':');
    disk.strip_prefix("/dev/").is_some_and(|name| !name.is_empty() && !name.contains(".."))
        && disk.bytes().all(plain)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        parse("machines.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_machine_is_found_under_each_of_its_addresses() {
        let text = "
            [[machine]]
            name = \"node-1\"
            macs = [\"52:54:00:00:00:01\", \"52-54-00-00-00-02\"]
            image = \"coreos/latest\"
            disk = \"/dev/vda\"
            args = \"console=ttyS0\"
            loader = \"shim\"
        ";
        let machines = parse("machines.toml", text).unwrap();
        assert_eq!(machines.len(), 2);
        for machine in machines.values() {
            assert_eq!(machine.name.as_deref(), Some("node-1"));
            assert_eq!(machine.image, ImageChoice::NewestOf("coreos".to_owned()));
            assert_eq!(machine.disk, "/dev/vda");
            assert_eq!(machine.loader, Some(UefiLoader::Shim));
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimmage = \"x\"\n";
        assert!(problem(text).starts_with("machines.toml:3: unknown field `immage`"));
        let text = "[[machine]]\nmac = \"52:54:00:00:00\"\n";
        assert!(problem(text).contains("not a MAC address"), "{}", problem(text));
    }

    #[test]
    fn two_machines_never_share_a_mac_or_an_address() {
        let one = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nip = \"10.10.10.20\"\n";
        assert!(problem(&one.repeat(2)).contains("stands at another machine too"));
        let other = one.replace(":01", ":02");
        assert!(problem(&format!("{one}{other}")).contains("ip 10.10.10.20 stands"));
    }

    #[test]
    fn nothing_from_the_stick_can_break_out_of_a_script() {
        let entry = |line: &str| format!("[[machine]]\nmac = \"52:54:00:00:00:01\"\n{line}\n");
        for line in [
            "disk = \"/dev/sda; reboot\"",
            "disk = \"/dev/../etc/passwd\"",
            "disk = \"sda\"",
            "args = \"a\\nb\"",
            "args = \"${net0/mac}\"",
            "args = \"x || shell\"",
            "name = \"a b\"",
            "image = \"coreos/$(x)\"",
        ] {
            assert!(parse("machines.toml", &entry(line)).is_err(), "{line}");
        }
    }
}
