//! A report for a configuration that has none: the installer says how it has ended, and its
//! machine is installed when it does. Pure.
//!
//! What is added runs last, fails nothing, and is tried again for two minutes. Whatever gives
//! rise to doubt leaves a configuration as its owner wrote it.

mod autoinstall;
mod autoyast;
mod json;
mod kickstart;
mod preseed;

use super::check::check;
use super::{ConfigKind, Setting};

/// What reports are made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reports {
    /// The URL that says "installed".
    pub installed: String,
    /// The URL that says "failed".
    pub failed: String,
    /// Whether the installer has nothing but busybox, as ESXi's.
    pub busybox: bool,
    /// The first number of the system's version, if it begins with one.
    pub release: Option<u64>,
}

impl Reports {
    /// Those of one installation of this version.
    pub fn new(setting: Setting, version: &str) -> Reports {
        let digits = version.split(|letter: char| !letter.is_ascii_digit()).next();
        Reports {
            installed: setting.report("installed"),
            failed: setting.report("failed"),
            busybox: false,
            release: digits.and_then(|digits| digits.parse().ok()),
        }
    }
}

/// Why a configuration is left as it is, for people.
pub type Left = &'static str;

/// A longer one is left as it is. It is read and checked again for each machine that takes it.
pub const LONGEST: usize = 64 * 1024;

/// Whether a report can be added to configurations of this kind.
pub fn is_for(kind: ConfigKind) -> bool {
    use ConfigKind::{Agama, AutoYast, Autoinstall, Ignition, Kickstart, Preseed};
    matches!(kind, Agama | AutoYast | Autoinstall | Ignition | Kickstart | Preseed)
}

/// The main part of a configuration with a report at its end.
pub fn add(kind: ConfigKind, text: &str, reports: &Reports) -> Result<String, Left> {
    if text.len() > LONGEST {
        return Err("it is longer than 64 KiB");
    }
    let urls = [&reports.installed, &reports.failed];
    if !urls.into_iter().all(|url| is_plain(url)) {
        return Err("this box has no address that can be written everywhere");
    }
    let added = match kind {
        ConfigKind::Kickstart => kickstart::add(text, reports),
        ConfigKind::Preseed => preseed::add(text, reports),
        ConfigKind::Autoinstall => autoinstall::add(text, reports),
        ConfigKind::Ignition => json::add_unit(text, reports),
        ConfigKind::AutoYast => autoyast::add(text, reports),
        ConfigKind::Agama => json::add_script(text, reports),
        ConfigKind::CloudConfig | ConfigKind::Talos | ConfigKind::Answers | ConfigKind::Script => {
            Err(NOTHING)
        }
    }?;
    match check(kind, kind.main_part(), &added) {
        Ok(()) => Ok(added),
        Err(_) => Err("with it, it could not be read any more"),
    }
}

/// Of a kind that has no place for it.
const NOTHING: Left = "configurations of this kind hold nothing that could report";

/// One word for every shell, and a text for JSON, XML and YAML without escapes. XML alone has
/// another way to write `&`.
fn is_plain(url: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:/?=&_".contains(&b);
    url.starts_with("http://") && url.bytes().all(plain)
}

/// As a text in JSON, which is YAML, too.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The pauses between tries, in seconds: those of `install.sh`.
const PAUSES: &str = "1 2 4 8 15 30 30 30 0";

/// One line of shell that asks for the URL until it is heard. It ends well whatever comes, and
/// no try takes longer than 20 s. Installers have one of the two programs.
fn until_heard(url: &str) -> String {
    format!(
        "for pause in {PAUSES}; do curl -fsS -m 10 -o /dev/null '{url}' || \
         wget -q -T 10 -t 1 -O /dev/null '{url}' && break; sleep $pause; done; true"
    )
}

#[cfg(test)]
mod tests;
