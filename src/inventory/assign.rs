//! Who gets what: machines and configs of all sticks put together, and every template tried
//! out for each machine that would get it. Pure.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

use super::configs::check::{Fault, check};
use super::configs::reporting::{self, Left, Reports};
use super::configs::{Facts, Lookup, Part, Setting};
use super::profile::{self, AddReport, Purpose};
use super::scan::is_machines;
use super::{ConfigKind, Image, Install, Inventory, Machine, MediaFile, Problem, machine};
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
    let used = found.roster.list().iter().filter_map(|machine| {
        let own = machine.config.as_ref().or(machine.name.as_ref());
        own.map(|own| own.to_ascii_lowercase())
    });
    let used: HashSet<String> = used.collect();
    let unused: Vec<Problem> = found
        .configs
        .named()
        .filter(|(name, _)| !used.contains(*name))
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
    let mut faults: BTreeMap<(String, Fault), (String, usize)> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut unfit: BTreeMap<usize, Vec<ConfigKind>> = BTreeMap::new();
    let (mut left, mut untried) = (MOST_TRIED, 0);
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
        let image = card.and_then(|mac| found.image_for(machine, mac));
        if image.is_none() {
            let who = machine.words();
            let message =
                format!("{who}: there is no image for it on the stick; it boots its own disk");
            problems.push(Problem::new("machines.toml", message));
        }
        if left == 0 {
            untried += 1;
            continue;
        }
        for kind in ConfigKind::ALL {
            let outcome = card
                .ok_or(None)
                .and_then(|mac| try_kind(found, (machine, mac), image, kind, &mut left));
            if outcome.is_err() {
                unfit.entry(place).or_default().push(kind);
            }
            if let Err(Some((path, fault))) = outcome {
                let (_, count) =
                    faults.entry((path, fault)).or_insert_with(|| (machine.words(), 0));
                *count += 1;
            }
        }
    }
    if untried > 0 {
        let message = format!(
            "the templates of {untried} machines were not tried out: too much work; each is \
             checked when its machine asks for it"
        );
        problems.push(Problem::new("the stick", message));
    }
    problems.extend(faults.into_iter().map(|((path, mut fault), (first, count))| {
        let others = count.saturating_sub(1);
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        fault.message = format!("for {first}{others}: {}", fault.message);
        problem(&path, &fault)
    }));
    found.problems.extend(problems);
    found.unfit = unfit;
}

/// Work with templates for all machines of the sticks: 1.5 KiB each for 2,000 of them.
const MOST_TRIED: u64 = 350_000;

/// Kinds of which there is a mistake in what the machine has under the MAC of this card.
pub(super) fn unfit_of_card(found: &Inventory, machine: &Machine, mac: Mac) -> Vec<ConfigKind> {
    let own = |kind: &ConfigKind| found.configs.is_of_card(*kind, mac, machine);
    let mut kinds: Vec<ConfigKind> = ConfigKind::ALL.into_iter().filter(own).collect();
    if !kinds.is_empty() {
        let image = found.image_for(machine, mac);
        // Of one machine it is little, and it is not left out.
        let mut left = MOST_TRIED;
        kinds.retain(|kind| try_kind(found, (machine, mac), image, *kind, &mut left).is_err());
    }
    kinds
}

/// The error is none if it was said when the file was read.
fn try_kind(
    found: &Inventory,
    (machine, mac): (&Machine, Mac),
    image: Option<&Image>,
    kind: ConfigKind,
    left: &mut u64,
) -> Result<(), Option<(String, Fault)>> {
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
            add_report: false,
        };
        let failed = |fault| Some((config.file.path.clone(), fault));
        let facts = Facts::new(mac, machine, image, setting);
        let (made, work) = template.try_out(&facts);
        *left = left.saturating_sub(work);
        let text = made.map_err(failed)?;
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
    /// That with a report added, for a machine that is being installed; the file or the text
    /// without it for every other one.
    Added(String, Box<Served>),
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
        let added = added(found, config.text.as_deref(), (kind, part), mac, setting);
        return with(added, Served::File(config.file.clone()));
    };
    let machine = found.machine_or_stranger(mac);
    let facts = Facts::new(mac, &machine, found.image_for(&machine, mac), setting);
    let made = template.render(&facts).and_then(|text| {
        check(kind, part, &text).map_err(|fault| in_what_it_makes(&fault))?;
        Ok(text)
    });
    match made {
        // It reports.
        Ok(text) if text.contains(setting.token) => Served::Text(text),
        Ok(text) => {
            let added = added(found, Some(&text), (kind, part), mac, setting);
            with(added, Served::Text(text))
        }
        Err(fault) => Served::Broken(problem(&config.file.path, &fault).to_string()),
    }
}

fn with(added: Option<Result<String, Left>>, plain: Served) -> Served {
    match added {
        Some(Ok(text)) => Served::Added(text, Box::new(plain)),
        Some(Err(_)) | None => plain,
    }
}

/// A text that reports nothing, with a report added; an error says why there is none. None: its
/// machine's installation does not end with it, or nobody wants that. `text`: none of a file
/// that is too long to be kept.
pub fn added(
    found: &Inventory,
    text: Option<&str>,
    (kind, part): (ConfigKind, Part),
    mac: Mac,
    setting: Setting,
) -> Option<Result<String, Left>> {
    let machine = found.machine_or_stranger(mac);
    let image = found.image_for(&machine, mac)?;
    let profile = &image.profile;
    let ends = profile.reports == profile::Reports::Config
        && profile.purpose == Purpose::Install
        && found.config_for(image, &machine, mac) == Some(kind)
        && part == kind.main_part();
    if !setting.add_report || !ends || !reporting::is_for(kind) {
        return None;
    }
    // What the kernel is told is there before the file, and would be replaced by ours.
    let told = machine.args.contains("late_command");
    let busybox = profile.add_report == AddReport::Busybox;
    let reports = Reports { busybox, ..Reports::new(setting, image.version.as_str()) };
    Some(match text {
        _ if profile.add_report == AddReport::No => Err("its system's profile has no add_report"),
        _ if told => Err("its kernel arguments hold a late_command"),
        Some(text) => reporting::add(kind, text, &reports),
        None => Err("it is longer than 64 KiB, or one of too many"),
    })
}

#[cfg(test)]
mod tests;
