//! From listings to the inventory: what the files of the sticks mean. Pure.

use std::sync::Arc;

use super::iso::is_iso;
use super::profile::own::Own;
use super::{Image, Inventory, Listing, MediaFile, Problem, Profile, Start, assign, find};

/// Makes one inventory of all sticks. An error means that the new content must not
/// replace what serves now: half a list of machines is worse than yesterday's whole one.
pub fn inventory(
    listings: &[Listing],
    profiles: &[Arc<Profile>],
) -> Result<Inventory, Vec<Problem>> {
    let mut found = Inventory::default();
    let mut refused = Vec::new();
    for listing in listings {
        found.problems.extend(listing.problems.iter().cloned());
        refused.extend(listing.refused.iter().cloned());
        for file in &listing.files {
            place(&mut found, file);
        }
        for (index, text) in &listing.texts {
            if let Some(file) = listing.files.get(*index)
                && let Err(problem) = assign::read(&mut found, file, text)
            {
                refused.push(problem);
            }
        }
        let mut all = own_profiles(listing, &mut found.problems);
        let own = all.len();
        all.extend(profiles.iter().cloned());
        let most = find::MOST_IMAGES - found.images.len();
        let (images, problems, unsaid) = find::images(listing, &all, own, most);
        found.images.extend(images);
        found.problems.extend(problems);
        found.unsaid += unsaid;
    }
    if !refused.is_empty() {
        refused.iter_mut().for_each(Problem::shorten);
        return Err(refused);
    }
    assign::known_by_config(&mut found);
    found.images.sort_by(|a, b| a.system.cmp(&b.system).then_with(|| b.version.cmp(&a.version)));
    found.images = put_together(std::mem::take(&mut found.images));
    assign::try_out(&mut found);
    missing_pieces(&mut found);
    found.cut_problems();
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
        "images" if is_iso(name) && file.inside.is_none() => {
            found.isos.entry(file.path.to_ascii_lowercase()).or_insert_with(|| file.clone());
        }
        _ => assign::place(found, folder, name, file),
    }
}

/// The stick's own profiles. A mistake in one refuses only that one.
fn own_profiles(listing: &Listing, problems: &mut Vec<Problem>) -> Vec<Arc<Profile>> {
    let mut own = Own::default();
    for (index, text) in &listing.texts {
        let Some(file) = listing.files.get(*index).filter(|file| is_profile(&file.path)) else {
            continue;
        };
        problems.extend(own.add(&file.path, text).err());
    }
    own.profiles()
}

/// `profiles/<name>.toml`
pub(super) fn is_profile(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let name = lower.strip_prefix("profiles/").and_then(|name| name.strip_suffix(".toml"));
    name.is_some_and(|name| !name.contains('/'))
}

/// The same system in the same version from two places is one image: what the second one
/// adds, like the files for another processor, is put to the first.
fn put_together(images: Vec<Image>) -> Vec<Image> {
    let mut whole: Vec<Image> = Vec::new();
    for image in images {
        // They stand side by side: the list is in order.
        let same =
            |other: &&mut Image| other.system == image.system && other.version == image.version;
        match whole.last_mut().filter(same) {
            None => whole.push(image),
            Some(first) => {
                let kind = |start: &Start| (start.cpu, start.layout);
                let mut starts = image.starts;
                starts.retain(|start| {
                    first.files.get(&start.kernel).is_none()
                        && !first.starts.iter().any(|own| kind(own) == kind(start))
                });
                if !starts.is_empty() {
                    first.starts.extend(starts);
                    first.files.add(image.files);
                }
            }
        }
    }
    whole
}

/// What is missing so that what is there can work.
fn missing_pieces(found: &mut Inventory) {
    let mut problems = Vec::new();
    for image in &found.images {
        for name in image.starts.iter().flat_map(|start| &start.missing) {
            if !found.tftp.contains_key(&name.to_ascii_lowercase()) {
                let message = format!("{} needs this file beside the others", image.title);
                problems.push(Problem::new(format!("{}/{name}", image.name()), message));
            }
        }
    }
    let lonely = found.images.iter().filter(|image| image.profile.written);
    for image in lonely.filter(|_| found.writers().next().is_none()) {
        let files = image.starts.iter().map(|start| format!("{}/{}", start.root, start.kernel));
        problems.extend(files.map(|file| Problem::new(file, NO_WRITER)));
    }
    found.problems.extend(problems);
}

const NO_WRITER: &str = "another system writes this image to disks, and none that can is on the \
     stick; put kernel and initrd of Flatcar or CoreOS into images/flatcar/<version>/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::ConfigKind;
    use crate::inventory::cpu::Cpu;
    use std::path::Path;

    fn listing(files: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        for (path, text) in files {
            if ConfigKind::is_text(path) || *path == "machines.toml" {
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
    fn a_processor_gets_its_own_file_or_none() {
        let folder = "images/flatcar/4081.2.1";
        let [kernel, written] =
            ["pxe.vmlinuz", "image.bin.bz2"].map(|end| format!("flatcar_production_{end}"));
        let [pc, pc_image] = [&kernel, &written].map(|name| format!("{folder}/{name}"));
        let [arm, arm_image] = [&kernel, &written].map(|name| format!("{folder}/arm64/{name}"));
        for (files, of_pc, of_arm) in [
            (vec![&pc, &pc_image, &arm, &arm_image], Some(&pc_image), Some(&arm_image)),
            (vec![&pc, &pc_image, &arm], Some(&pc_image), None),
            (vec![&pc, &arm, &arm_image], None, Some(&arm_image)),
            (vec![&pc, &pc_image], Some(&pc_image), None),
        ] {
            let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "")).collect();
            let found = inventory_of(&files).unwrap();
            let [image] = found.images.as_slice() else { panic!("{:?}", found.images) };
            let file = |cpu| image.file_for(cpu, &written).map(|file| &file.path);
            assert_eq!((file(Cpu::X86_64), file(Cpu::Arm64)), (of_pc, of_arm), "{files:?}");
        }
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
            let mac = "52:54:00:00:00:01".parse().unwrap();
            assert!(!found.has_config(ConfigKind::CloudConfig, mac), "{text:?}");
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
    fn of_two_sticks_the_first_ones_install_script_serves() {
        let [mut first, mut second] =
            [(); 2].map(|()| listing(&[("cloud-configs/install.sh", "")]));
        first.files[0].size = 10;
        second.files[0].size = 20;
        let found = inventory(&[first, second], &[]).unwrap();
        assert_eq!(found.install_script.unwrap().size, 10);
    }

    #[test]
    fn a_path_into_an_iso_is_divided_where_the_iso_is() {
        let found = inventory_of(&[
            ("images/Debian-13.ISO", ""),
            ("images/old.iso/13/x.iso", ""),
            ("images/old.iso/13/kernel", ""),
            ("somewhere.iso", ""),
        ])
        .unwrap();
        let divided = |path| found.iso(path).map(|(iso, inside)| (iso.path.as_str(), inside));
        let debian = "images/Debian-13.ISO";
        assert_eq!(divided("images/debian-13.iso/a/b"), Some((debian, "a/b")));
        assert_eq!(divided("images/Debian-13.ISO"), Some((debian, "")));
        let folder = "images/old.iso/13/x.iso";
        assert_eq!(divided("images/old.iso/13/x.iso/a.iso/b"), Some((folder, "a.iso/b")));
        for path in ["images/old.iso/13/kernel", "images/x.iso/a", "somewhere.iso", "", "/"] {
            assert_eq!(divided(path), None, "{path}");
        }
    }

    #[test]
    fn of_many_problems_the_first_and_the_last_are_said_and_the_rest_is_counted() {
        let broken: Vec<String> = (0..150).map(|at| format!("kickstart/x{at:03}/y.ks")).collect();
        let mut files: Vec<(&str, &str)> = broken.iter().map(|path| (path.as_str(), "")).collect();
        let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\n";
        files.push(("machines.toml", machines));
        let found = inventory_of(&files).unwrap();
        let said: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 101);
        assert!(said[0].starts_with("kickstart/x000") && said[99].contains("no image for it"));
        assert_eq!(said[100], "the stick: and 51 more problems");
        let long = format!("[[machine]]\nmac = \"52:54:00:00:00:01\"\nx{} = 1\n", "y".repeat(9000));
        let refused = inventory_of(&[("machines.toml", &long)]).unwrap_err();
        assert!(refused[0].message.len() < 1100, "{}", refused[0].message.len());
    }

    #[test]
    fn a_machine_without_an_image_is_said_aloud() {
        let found = inventory_of(&[("cloud-configs/52-54-00-00-00-01.yml", YML)]).unwrap();
        assert!(found.problems.iter().any(|p| p.message.contains("no image for it")));
    }
}
