//! Which disk of a machine is overwritten: a path, or a rule that must fit exactly one. Pure.
//!
//! A rule is evaluated by the machine itself, in a generated shell function ([`Disk::shell`]).

use std::fmt;

use serde::Deserialize;

use super::shell;

/// The disk that is overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// `/dev/sda`
    Path(String),
    /// The one that fits.
    Rule(DiskRule),
}

/// What must be true of a disk. Serial, WWN and model may be patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct DiskRule {
    /// Its serial number.
    pub serial: String,
    /// Its World Wide Name, without `0x`, `naa.` or `eui.`.
    pub wwn: String,
    /// Its model.
    pub model: String,
    /// `ata`, `mmc`, `nvme`, `sas`, `sata`, `scsi`, `usb` or `virtio`; `sata` and `ata` are
    /// the same.
    pub bus: String,
    /// Bytes; 0: any.
    pub smallest: u64,
    /// Bytes; 0: any.
    pub largest: u64,
}

/// What stands at `disk` in `machines.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "write \"/dev/sda\", or a rule like { serial = \"S5P2*\" }")]
pub enum Written {
    /// `"/dev/sda"`
    Path(String),
    /// `{ serial = "…" }`
    Rule(toml::Table),
}

/// What the old box's install.sh wrote to.
const DEFAULT_DISK: &str = "/dev/sda";

const BUSES: [&str; 8] = ["ata", "mmc", "nvme", "sas", "sata", "scsi", "usb", "virtio"];

const KEYS: [&str; 5] = ["serial", "wwn", "model", "bus", "size"];

/// As long as any disk's; what goes into scripts is bounded.
const LONGEST: usize = 64;

impl Default for Disk {
    fn default() -> Disk {
        Disk::Path(DEFAULT_DISK.to_owned())
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disk::Path(path) => f.write_str(path),
            Disk::Rule(rule) => write!(f, "the disk with {}", rule.words()),
        }
    }
}

impl Disk {
    /// Checks what is written; the error is for people.
    pub fn parse(written: Written) -> Result<Disk, String> {
        match written {
            Written::Path(path) if is_device(&path) => Ok(Disk::Path(path)),
            Written::Path(path) => {
                Err(format!("disk {path:?}: write a whole disk like \"/dev/sda\""))
            }
            Written::Rule(table) => DiskRule::parse(&table).map(Disk::Rule),
        }
    }

    /// The device, where it is named and not looked for.
    pub fn device(&self) -> Option<&str> {
        match self {
            Disk::Path(path) => Some(path),
            Disk::Rule(_) => None,
        }
    }

    /// A POSIX shell function `find_disk`: it prints the device, or says on standard error
    /// why there is not exactly one, and fails.
    pub fn shell(&self) -> String {
        match self {
            Disk::Path(path) => format!("find_disk() {{\n    echo {}\n}}\n", shell::quote(path)),
            Disk::Rule(rule) => rule.shell(),
        }
    }
}

/// A path below /dev without anything that a shell or boot loader could take otherwise.
fn is_device(disk: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b':');
    disk.strip_prefix("/dev/").is_some_and(|name| !name.is_empty() && !name.contains(".."))
        && disk.len() <= 2 * LONGEST
        && disk.bytes().all(plain)
}

impl DiskRule {
    fn parse(table: &toml::Table) -> Result<DiskRule, String> {
        let mut rule = DiskRule::default();
        for (key, value) in table {
            let text = value.as_str().ok_or_else(|| format!("disk: {key} is a text in quotes"));
            let text = text?.trim();
            let printable = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
            if text.is_empty() || text.len() > LONGEST || !printable {
                return Err(format!("disk: {key}: plain text, at most {LONGEST} letters"));
            }
            if text.bytes().all(|b| matches!(b, b'*' | b'?')) {
                return Err(format!("disk: {key} {text:?} fits every disk"));
            }
            match key.as_str() {
                "serial" => rule.serial = text.to_owned(),
                "wwn" => rule.wwn = bare_wwn(text),
                "model" => rule.model = text.to_owned(),
                "bus" if BUSES.contains(&text) => {
                    rule.bus = if text == "ata" { "sata".to_owned() } else { text.to_owned() };
                }
                "bus" => return Err(format!("disk: bus is one of {}", BUSES.join(", "))),
                "size" => (rule.smallest, rule.largest) = sizes(text)?,
                _ => return Err(super::file::unknown_key("disk", key, &KEYS)),
            }
        }
        match rule == DiskRule::default() {
            true => Err("disk: a rule needs serial, wwn, model, bus or size".to_owned()),
            false => Ok(rule),
        }
    }

    fn words(&self) -> String {
        let texts = [
            ("serial", &self.serial),
            ("WWN", &self.wwn),
            ("model", &self.model),
            ("bus", &self.bus),
        ];
        let mut words: Vec<String> = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(what, text)| format!("{what} {text}"))
            .collect();
        if self.smallest > 0 {
            words.push(format!("at least {} GB", self.smallest / GIGA));
        }
        if self.largest > 0 {
            words.push(format!("at most {} GB", self.largest / GIGA));
        }
        words.join(", ")
    }

    /// Every value is a quoted word or a number; the code around them is the same for all.
    fn shell(&self) -> String {
        let any = |text: &str| match text {
            "" => "*".to_owned(),
            text => shell::case_pattern(text),
        };
        let largest = if self.largest == 0 { u64::MAX >> 1 } else { self.largest };
        format!(
            "disk_rule={rule}\n\
             disk_fits() {{\n    \
                 case $disk_serial in {serial}) ;; *) return 1 ;; esac\n    \
                 case $disk_wwn in {wwn}) ;; *) return 1 ;; esac\n    \
                 case $disk_model in {model}) ;; *) return 1 ;; esac\n    \
                 case $disk_bus in {bus}) ;; *) return 1 ;; esac\n    \
                 [ \"$disk_size\" -ge {smallest} ] && [ \"$disk_size\" -le {largest} ]\n\
             }}\n\
             {BODY}",
            rule = shell::quote(&self.words()),
            serial = any(&self.serial),
            wwn = any(&self.wwn),
            model = any(&self.model),
            bus = any(&self.bus),
            smallest = self.smallest,
        )
    }
}

/// The part that is the same for all rules.
const BODY: &str = include_str!("find_disk.sh");

const GIGA: u64 = 1_000_000_000;

/// As sysfs and lsblk write it, without what they put in front of it.
fn bare_wwn(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let bare = ["0x", "naa.", "eui."].into_iter().find_map(|prefix| lower.strip_prefix(prefix));
    bare.unwrap_or(&lower).to_owned()
}

/// `100G..2T`, `100G..` or `..2T`.
fn sizes(text: &str) -> Result<(u64, u64), String> {
    let help = || format!("disk: size {text:?}: write a range like \"100G..2T\" or \"500GB..\"");
    let (from, to) = text.split_once("..").ok_or_else(help)?;
    let size = |text: &str| match text.trim() {
        "" => Some(0),
        text => bytes(text),
    };
    let (from, to) = size(from).zip(size(to)).ok_or_else(help)?;
    match (from, to) {
        (0, 0) => Err(help()),
        (from, to) if to != 0 && from > to => {
            Err(format!("disk: size {text:?} ends below its begin"))
        }
        range => Ok(range),
    }
}

/// `480G` is what is printed on a disk: powers of 1000. `GiB` are powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let unit = unit.trim().to_ascii_uppercase();
    let (base, unit): (u64, &str) = match unit.strip_suffix("IB") {
        Some(unit) => (1024, unit),
        None => (1000, unit.strip_suffix('B').unwrap_or(&unit)),
    };
    let power = ["", "K", "M", "G", "T", "P"].into_iter().position(|name| name == unit)?;
    let factor = base.checked_pow(u32::try_from(power).ok()?)?;
    digits.parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes <= u64::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(text: &str) -> Result<Disk, String> {
        #[derive(Deserialize)]
        struct Entry {
            disk: Written,
        }
        let entry: Entry = toml::from_str(text).map_err(|error| error.to_string())?;
        Disk::parse(entry.disk)
    }

    #[test]
    fn a_disk_is_a_path_or_a_rule() {
        assert_eq!(disk("disk = \"/dev/vda\"").unwrap().device(), Some("/dev/vda"));
        let rule = disk("disk = { serial = \"S5*\", size = \"100G..2TiB\", bus = \"ata\" }");
        let Disk::Rule(rule) = rule.unwrap() else {
            panic!("no rule");
        };
        assert_eq!((rule.smallest, rule.largest), (100_000_000_000, 2_199_023_255_552));
        assert_eq!((rule.serial.as_str(), rule.bus.as_str()), ("S5*", "sata"));
        let wwn = disk("disk = { wwn = \"0x5002538E40A1B2C3\" }").unwrap();
        assert_eq!(wwn.to_string(), "the disk with WWN 5002538e40a1b2c3");
    }

    #[test]
    fn a_rule_that_says_nothing_or_something_unknown_is_refused_with_the_fix() {
        for (text, reason) in [
            ("disk = {}", "a rule needs"),
            ("disk = { seriall = \"x\" }", "did you mean serial"),
            ("disk = { serial = \"*\" }", "fits every disk"),
            ("disk = { serial = \"\" }", "plain text"),
            ("disk = { serial = \"a\\nb\" }", "plain text"),
            ("disk = { serial = 5 }", "in quotes"),
            ("disk = { bus = \"ide\" }", "one of ata, mmc"),
            ("disk = { size = \"480G\" }", "a range"),
            ("disk = { size = \"..\" }", "a range"),
            ("disk = { size = \"2T..1T\" }", "ends below"),
            ("disk = { size = \"1X..\" }", "a range"),
            ("disk = { size = \"99999999999999T..\" }", "a range"),
            ("disk = 5", "write \"/dev/sda\""),
            ("disk = \"/dev/../etc/passwd\"", "whole disk"),
            ("disk = \"/dev/sda; reboot\"", "whole disk"),
            ("disk = \"sda\"", "whole disk"),
        ] {
            let error = disk(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_of_a_rule_breaks_out_of_the_script() {
        let hostile = "disk = { serial = \"';reboot;'$(id)`id`\", model = \"a) ;; esac; reboot\" }";
        let text = disk(hostile).unwrap().shell();
        assert!(text.contains(r"in ''\'';reboot;'\''$(id)`id`') ;;"), "{text}");
        assert!(text.contains("in 'a) ;; esac; reboot') ;;"), "{text}");
    }
}
