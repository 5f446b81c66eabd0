//! From listings to the inventory: what the files of the sticks mean. Pure.

use std::collections::BTreeMap;

use super::{
    Image, Install, Inventory, Listing, Machine, MediaFile, Problem, Profile, Version, machine,
};
use crate::net::Mac;

/// Makes one inventory of all sticks. An error means that the new content must not
/// replace what serves now: half a list of machines is worse than yesterday's whole one.
pub fn inventory(listings: &[Listing], profiles: &[Profile]) -> Result<Inventory, Vec<Problem>> {
    let mut found = Inventory::default();
    let mut refused = Vec::new();
    for listing in listings {
        found.problems.extend(listing.problems.iter().cloned());
        for file in &listing.files {
            place(&mut found, file);
        }
        for (index, text) in &listing.texts {
            if let Some(file) = listing.files.get(*index)
                && let Err(problem) = read_text(&mut found, file, text)
            {
                refused.push(problem);
            }
        }
        images(&mut found, listing, profiles);
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    // A machine is known by its config alone.
    for mac in found.cloud_configs.keys() {
        found.machines.entry(*mac).or_insert_with(|| Machine::known_by(*mac));
    }
    // Backwards: of several cards of one machine the first stands for it.
    let reserved = found.machines.iter().rev();
    found.reserved = reserved.filter_map(|(mac, machine)| Some((machine.address?, *mac))).collect();
    found.images.sort_by(|a, b| {
        a.profile.name.cmp(&b.profile.name).then_with(|| b.version.cmp(&a.version))
    });
    found.images.dedup_by(|later, earlier| {
        later.profile.name == earlier.profile.name && later.version == earlier.version
    });
    missing_pieces(&mut found);
    Ok(found)
}

/// Files that mean something by their place alone.
fn place(found: &mut Inventory, file: &MediaFile) {
    let Some((folder, name)) = file.path.split_once('/') else {
        return;
    };
    match folder.to_ascii_lowercase().as_str() {
        "tftp" => {
            found.tftp.entry(name.to_ascii_lowercase()).or_insert_with(|| file.clone());
        }
        "cloud-configs" => match config_name(name) {
            ConfigName::Script => found.install_script = Some(file.clone()),
            ConfigName::Default => found.default_config = Some(file.clone()),
            ConfigName::Machine(mac) => {
                found.cloud_configs.entry(mac).or_insert_with(|| file.clone());
            }
            ConfigName::Other => found.problems.push(Problem::new(
                &file.path,
                "not used: name it <mac>.yml (00-25-90-c0-f7-86.yml), default.yml or install.sh",
            )),
        },
        _ => {}
    }
}

enum ConfigName {
    Script,
    Default,
    Machine(Mac),
    Other,
}

fn config_name(name: &str) -> ConfigName {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "install.sh" => ConfigName::Script,
        "default.yml" => ConfigName::Default,
        _ => match lower.strip_suffix(".yml").map(str::parse) {
            Some(Ok(mac)) => ConfigName::Machine(mac),
            _ => ConfigName::Other,
        },
    }
}

fn read_text(found: &mut Inventory, file: &MediaFile, text: &str) -> Result<(), Problem> {
    if file.path == "machines.toml" {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (mac, machine) in machine::parse(&file.path, text)? {
            if found.machines.insert(mac, machine).is_some() {
                let message = format!("mac {mac} stands on another stick too");
                return Err(Problem::new(&file.path, message));
            }
        }
    } else if let Some(message) = cloud_config_fault(text) {
        // An empty or cut config is accepted by the real installer, and makes a machine
        // that nobody can log into.
        found.problems.push(Problem::new(&file.path, message));
        let broken = |config: &MediaFile| config.path == file.path && config.volume == file.volume;
        found.cloud_configs.retain(|_, config| !broken(config));
        found.default_config.take_if(|config| broken(config));
    }
    Ok(())
}

/// What `coreos-cloudinit` would stumble over, seen before a machine does.
fn cloud_config_fault(text: &str) -> Option<&'static str> {
    let first = text.lines().next().unwrap_or_default().trim_end();
    if text.trim().is_empty() {
        Some("is empty; a machine installed with it could not be logged into")
    } else if text.starts_with('\u{feff}') {
        Some("starts with a byte-order mark; save it as UTF-8 without one")
    } else if first == "#cloud-config" && text.lines().count() == 1 {
        Some("ends after its first line; is it cut off?")
    } else if first != "#cloud-config" && !first.starts_with("#!") {
        Some("must start with the line #cloud-config")
    } else {
        None
    }
}

/// Folders that hold an image: `images/<system>/<version>/`, or `<version>/` at the top as
/// the old box's web server had it.
fn images(found: &mut Inventory, listing: &Listing, profiles: &[Profile]) {
    let mut folders: BTreeMap<&str, Vec<&MediaFile>> = BTreeMap::new();
    for file in &listing.files {
        if let Some((folder, _)) = file.path.rsplit_once('/') {
            folders.entry(folder).or_default().push(file);
        }
    }
    for (folder, files) in folders {
        let names = || files.iter().filter_map(|file| file.path.rsplit('/').next());
        let version = folder.rsplit('/').next().and_then(Version::new);
        let fits = |profile: &&Profile| {
            let parents: Vec<&str> = folder.split('/').collect();
            let right_place = match parents.as_slice() {
                [_] => true,
                [images, system, _] => {
                    images.eq_ignore_ascii_case("images")
                        && system.eq_ignore_ascii_case(&profile.name)
                }
                _ => false,
            };
            right_place && profile.fits(names())
        };
        if let (Some(version), Some(profile)) = (version, profiles.iter().find(fits)) {
            let named = files.iter().filter_map(|file| {
                Some((file.path.rsplit('/').next()?.to_owned(), (*file).clone()))
            });
            found.images.push(Image { profile: profile.clone(), version, files: named.collect() });
        }
    }
}

/// What is missing so that what is there can work.
fn missing_pieces(found: &mut Inventory) {
    let mut problems = Vec::new();
    for image in &found.images {
        let needed = std::iter::once(&image.profile.kernel).chain(&image.profile.initrds);
        for name in needed.chain([&image.profile.disk_image]) {
            if image.file(name).is_none() && !found.tftp.contains_key(&name.to_ascii_lowercase()) {
                let message = format!("{} needs this file beside the others", image.profile.title);
                problems.push(Problem::new(format!("{}/{name}", image.name()), message));
            }
        }
    }
    for (mac, machine) in &found.machines {
        if machine.install != Install::Never && found.image_for(machine).is_none() {
            let who = machine.name.clone().unwrap_or_else(|| mac.to_string());
            problems.push(Problem::new(
                "machines.toml",
                format!("{who}: there is no image for it on the stick; it boots its own disk"),
            ));
        }
    }
    found.problems.extend(problems);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn listing(files: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        for (path, text) in files {
            if path.ends_with(".yml") || *path == "machines.toml" {
                listing.texts.push((listing.files.len(), (*text).to_owned()));
            }
            listing.files.push(MediaFile {
                volume: Path::new("/media/sda1").into(),
                path: (*path).to_owned(),
                size: 1,
                modified: 0,
                inside: None,
            });
        }
        listing
    }

    fn inventory_of(files: &[(&str, &str)]) -> Result<Inventory, Vec<Problem>> {
        inventory(&[listing(files)], &Profile::built_in())
    }

    const YML: &str = "#cloud-config\nhostname: node-1\n";

    #[test]
    fn images_are_found_in_both_layouts_newest_first() {
        let found = inventory_of(&[
            ("images/coreos/1185.3.0/coreos_production_pxe.vmlinuz", ""),
            ("1235.9.0/coreos_production_image.bin.bz2", ""),
            ("images/flatcar/4081.2.1/flatcar_production_image.bin.bz2", ""),
            ("images/windows/11/boot.wim", ""),
        ])
        .unwrap();
        let names: Vec<String> = found.images.iter().map(Image::name).collect();
        assert_eq!(names, ["coreos/1235.9.0", "coreos/1185.3.0", "flatcar/4081.2.1"]);
    }

    #[test]
    fn a_machine_is_known_by_its_config_in_any_spelling() {
        let found = inventory_of(&[
            ("cloud-configs/52-54-00-00-00-01.yml", YML),
            ("cloud-configs/52:54:00:00:00:0A.yml", YML),
            ("Cloud-Configs/525400000003.YML", YML),
        ])
        .unwrap();
        let macs: Vec<String> = found.machines().map(|(mac, _)| mac.to_string()).collect();
        assert_eq!(macs, ["52:54:00:00:00:01", "52:54:00:00:00:03", "52:54:00:00:00:0a"]);
    }

    #[test]
    fn a_config_that_would_lock_people_out_is_not_served() {
        for text in ["", "  \n", "#cloud-config", "hostname: x\n", "\u{feff}#cloud-config\na: b\n"]
        {
            let found = inventory_of(&[("cloud-configs/52-54-00-00-00-01.yml", text)]).unwrap();
            assert!(found.cloud_configs.is_empty(), "{text:?}");
            assert_eq!(found.machines().count(), 0, "{text:?}");
            assert_eq!(found.problems.len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_broken_machines_toml_refuses_the_whole_inventory() {
        let problems = inventory_of(&[
            ("machines.toml", "[[machine]]\nmac = 5\n"),
            ("cloud-configs/52-54-00-00-00-01.yml", YML),
        ])
        .unwrap_err();
        assert_eq!(problems.first().unwrap().line, Some(2));
    }

    #[test]
    fn files_under_tftp_are_found_whatever_their_case() {
        let found = inventory_of(&[("TFTP/pxelinux.cfg/01-AA", "")]).unwrap();
        assert!(found.tftp.contains_key("pxelinux.cfg/01-aa"));
    }

    #[test]
    fn a_machine_without_an_image_is_said_aloud() {
        let found = inventory_of(&[("cloud-configs/52-54-00-00-00-01.yml", YML)]).unwrap();
        assert!(found.problems.iter().any(|p| p.message.contains("no image for it")));
    }
}
