//! What an image says of itself: in the names around it, and in its small texts. Pure.

use super::Files;
use super::place::{Place, version_named};
use crate::inventory::pattern::{Captures, Pattern};
use crate::inventory::profile::Profile;
use crate::inventory::{Version, cpu::Cpu};

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// By the folder first: it is what `machines.toml` names.
    pub version: Option<Version>,
    /// By names or texts.
    pub cpu: Option<Cpu>,
    /// How much says that it is this system: its name as a folder more than a text, that
    /// more than the ISO's name.
    pub evidence: u8,
}

impl Told {
    /// Reads what stands around `place`; `captures` are those of the kernel's path.
    pub fn of(files: &Files, profile: &Profile, place: &Place, captures: &Captures) -> Told {
        let given = place.given_name();
        let name = profile.names.iter().find_map(|pattern| {
            let (folder, captures) = pattern.at_end_of(given)?;
            folder.is_empty().then_some(captures)
        });
        let key = (std::ptr::from_ref(profile).addr(), place.base);
        let text = files.told_once(key, || read(files, profile, place));
        let named = |version: &str| version_named(version, profile);
        let suite = captures.suite.and_then(|suite| profile.versions.get(suite));
        let version = place
            .version(profile)
            .or_else(|| named(captures.version?))
            .or_else(|| named(suite?))
            .or_else(|| named(text.version?))
            .or_else(|| named(name?.version?));
        let archs = [captures.arch, name.and_then(|name| name.arch)];
        let cpu = archs.into_iter().flatten().find_map(Cpu::named);
        let cpu = cpu.or_else(|| place.cpu()).or_else(|| Cpu::named(text.arch?));
        let family = profile.family.as_deref();
        let is_family = text.family.is_some() && text.family.map(str::trim) == family;
        let evidence = u8::from(place.is_named(profile)) * 4
            + u8::from(is_family) * 2
            + u8::from(name.is_some());
        Told { version, cpu, evidence }
    }
}

/// The first line of each kind in the texts that the profile knows.
fn read<'a>(files: &Files<'a>, profile: &Profile, place: &Place) -> Captures<'a> {
    let mut all = Captures::default();
    for facts in &profile.facts {
        let file = [place.base, place.root]
            .into_iter()
            .find_map(|folder| files.at(folder, facts.file.as_str()));
        let text = file.and_then(|file| files.text(file)).unwrap_or_default();
        for line in text.lines().take(MOST_LINES).filter(|line| line.len() <= LONGEST_LINE) {
            let line = line.trim();
            let fits = |pattern: &&Pattern| files.spend(pattern.effort(line));
            let lines = facts.lines.iter().take_while(fits);
            for found in lines.filter_map(|pattern| pattern.in_line(line)) {
                all.version = all.version.or(found.version);
                all.arch = all.arch.or(found.arch);
                all.suite = all.suite.or(found.suite);
                all.family = all.family.or(found.family);
            }
        }
    }
    all
}

/// What says something of an image says it at the beginning.
const MOST_LINES: usize = 200;
const LONGEST_LINE: usize = 512;
