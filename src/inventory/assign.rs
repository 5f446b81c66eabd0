//! Who gets what: machines and configs of all sticks put together, and every template tried
//! out for each machine that would get it. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::configs::check::{Fault, check};
use super::configs::{Facts, Lookup, Part, Setting};
use super::scan::is_machines;
use super::{ConfigKind, Install, Inventory, Machine, MediaFile, Problem, machine};
use crate::net::Mac;

/// A file in a folder of configs, by its place alone.
pub fn place(found: &mut Inventory, folder: &str, name: &str, file: &MediaFile) {
    let Some(kind) = ConfigKind::of_folder(folder) else {
        return;
    };
    if kind == ConfigKind::CloudConfig && name.eq_ignore_ascii_case("install.sh") {
        found.install_script.get_or_insert_with(|| file.clone());
    } else if let Err(message) = found.configs.place(kind, name, file) {
        found.problems.push(Problem::new(&file.path, message));
    }
}

/// The text of a file. An error refuses the whole inventory.
pub fn read(found: &mut Inventory, file: &MediaFile, text: &str) -> Result<(), Problem> {
    if is_machines(&file.path) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let roster = machine::parse(&file.path, text)?;
        return found.roster.join(roster).map_err(|what| {
            Problem::new(&file.path, format!("{what} stands on another stick too"))
        });
    }
    let Some((folder, name)) = file.path.split_once('/') else {
        return Ok(());
    };
    if let Some(kind) = ConfigKind::of_folder(folder)
        && let Err(fault) = found.configs.read(kind, name, file, text)
    {
        found.problems.push(problem(&file.path, &fault));
    }
    Ok(())
}

/// A machine is known by its config alone; a config alone must be somebody's.
pub fn known_by_config(found: &mut Inventory) {
    found.configs.cards().for_each(|mac| found.roster.add_by_config(mac));
    let uses = |machine: &Machine, name: &str| {
        let own = machine.config.as_ref().or(machine.name.as_ref());
        own.is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    let unused: Vec<Problem> = found
        .configs
        .named()
        .filter(|(name, _)| !found.roster.list().iter().any(|machine| uses(machine, name)))
        .map(|(name, file)| {
            let message = format!(
                "not used: no machine is named {name:?} (a MAC is written 00-25-90-c0-f7-86)"
            );
            Problem::new(&file.path, message)
        })
        .collect();
    found.problems.extend(unused);
}

/// Tries out what each machine would get, and notes whose config has a mistake.
pub fn try_out(found: &mut Inventory) {
    let mut faults: BTreeMap<(String, Fault), Vec<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut unfit: BTreeMap<usize, Vec<ConfigKind>> = BTreeMap::new();
    for (place, machine) in found.roster.list().iter().enumerate() {
        if machine.install == Install::Never {
            continue;
        }
        if let Some(config) =
            machine.config.as_deref().filter(|name| !found.configs.has_named(name))
        {
            let message =
                format!("{}: there is no config named {config:?} on the stick", machine.words());
            problems.push(Problem::new("machines.toml", message));
            unfit.entry(place).or_default().extend(ConfigKind::ALL);
            continue;
        }
        let card = some_card(machine);
        for kind in ConfigKind::ALL {
            let outcome = card.ok_or(None).and_then(|mac| try_kind(found, machine, kind, mac));
            if outcome.is_err() {
                unfit.entry(place).or_default().push(kind);
            }
            if let Err(Some((path, fault))) = outcome {
                faults.entry((path, fault)).or_default().push(machine.words());
            }
        }
    }
    problems.extend(faults.into_iter().map(|((path, mut fault), who)| {
        let others = who.len().saturating_sub(1);
        let first = who.first().map(String::as_str).unwrap_or_default();
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        fault.message = format!("for {first}{others}: {}", fault.message);
        problem(&path, &fault)
    }));
    found.problems.extend(problems);
    found.unfit = unfit;
}

/// Kinds of which there is a mistake in what the machine has under the MAC of this card.
pub(super) fn unfit_of_card(found: &Inventory, machine: &Machine, mac: Mac) -> Vec<ConfigKind> {
    let own = ConfigKind::ALL.into_iter();
    own.filter(|kind| {
        found.configs.is_of_card(*kind, mac, machine)
            && try_kind(found, machine, *kind, mac).is_err()
    })
    .collect()
}

/// The error is none if it was said when the file was read.
fn try_kind(
    found: &Inventory,
    machine: &Machine,
    kind: ConfigKind,
    mac: Mac,
) -> Result<(), Option<(String, Fault)>> {
    let image = found.image_for(machine, mac);
    // Somebody else's default says nothing about this machine.
    let takes = image.is_none_or(|image| image.config_kinds().contains(&kind));
    if !takes && !found.configs.is_own(kind, mac, Some(machine)) {
        return Ok(());
    }
    for (part, config) in found.configs.parts(kind, mac, Some(machine)) {
        if !matches!(found.configs.find(kind, part, mac, Some(machine)), Lookup::File(_)) {
            return Err(None);
        }
        let Some(template) = &config.template else {
            continue;
        };
        let setting = Setting {
            server: "http://10.10.10.1:8080",
            ip: machine.address.unwrap_or(Ipv4Addr::new(10, 10, 10, 100)),
            token: WORTHLESS_TOKEN,
        };
        let failed = |fault| Some((config.file.path.clone(), fault));
        let facts = Facts::new(mac, machine, image, setting);
        let text = template.render(&facts).map_err(failed)?;
        check(kind, part, &text).map_err(|fault| failed(in_what_it_makes(&fault)))?;
    }
    Ok(())
}

/// Of the length of a real one.
pub const WORTHLESS_TOKEN: &str = "00000000000000000000000000000000";

/// One of its cards; made up for a machine that is named by something else, and has not said
/// which it has.
pub fn some_card(machine: &Machine) -> Option<Mac> {
    machine.macs.first().copied().or_else(sample_card)
}

/// For machines whose cards nobody knows yet.
fn sample_card() -> Option<Mac> {
    Mac::new([2, 0, 0, 0, 0, 1])
}

/// Lines of what a template makes are not lines of the template.
fn in_what_it_makes(fault: &Fault) -> Fault {
    let line = fault.line.map(|line| format!("line {line}, ")).unwrap_or_default();
    Fault::new(format!("what it makes, {line}{}", fault.with_column()))
}

fn problem(path: &str, fault: &Fault) -> Problem {
    Problem { line: fault.line, ..Problem::new(path, fault.with_column()) }
}

/// What one file of a config is for a machine.
pub enum Served {
    /// The file as it is on the stick.
    File(MediaFile),
    /// What its template makes.
    Text(String),
    /// It must not be used: a mistake was found in it.
    Broken(String),
    /// There is nothing.
    Nothing,
}

/// What the machine with `mac` gets.
pub fn serve(
    found: &Inventory,
    (kind, part): (ConfigKind, Part),
    mac: Mac,
    setting: Setting,
) -> Served {
    let config = match found.config(kind, part, mac) {
        Lookup::File(config) => config,
        Lookup::Broken(file) => return Served::Broken(file.path.clone()),
        Lookup::Nothing => return Served::Nothing,
    };
    let Some(template) = &config.template else {
        return Served::File(config.file.clone());
    };
    let machine = found.machine_or_stranger(mac);
    let facts = Facts::new(mac, &machine, found.image_for(&machine, mac), setting);
    let made = template.render(&facts).and_then(|text| {
        check(kind, part, &text).map_err(|fault| in_what_it_makes(&fault))?;
        Ok(text)
    });
    match made {
        Ok(text) => Served::Text(text),
        Err(fault) => Served::Broken(problem(&config.file.path, &fault).to_string()),
    }
}

#[cfg(test)]
mod tests;
