use std::path::Path;

use crate::inventory::*;

const NODE: &str = "52:54:00:00:00:01";

const YML: &str = "#cloud-config\nhostname: node-1\n";

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

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

fn stick(files: &[(&str, &str)]) -> Inventory {
    inventory(&[listing(files)], &Profile::built_in()).unwrap()
}

#[test]
fn defaults_hold_for_machines_that_their_config_alone_makes_known_and_for_strangers() {
    let found = stick(&[
        (
            "machines.toml",
            "[defaults]\ninstall = \"never\"\ndisk = \"/dev/vdb\"\nlabels = { a = \"b\" }\n",
        ),
        ("cloud-configs/52-54-00-00-00-01.yml", YML),
    ]);
    let known = found.machine(mac(NODE)).unwrap();
    let stranger = found.machine_or_stranger(mac("52:54:00:00:00:09"));
    for machine in [known, &*stranger] {
        assert_eq!(machine.install, Install::Never);
        assert_eq!(machine.disk.device(), Some("/dev/vdb"));
        assert_eq!(machine.labels["a"], "b");
    }
    assert_eq!((known.macs[0], stranger.macs[0]), (mac(NODE), mac("52:54:00:00:00:09")));
}

#[test]
fn a_config_of_its_own_goes_before_the_one_that_the_defaults_name() {
    let found = stick(&[
        ("machines.toml", "[defaults]\nconfig = \"web\"\n"),
        ("cloud-configs/52-54-00-00-00-01.yml", YML),
        ("cloud-configs/web.yml", YML),
    ]);
    let path = |card| match found.config(ConfigKind::CloudConfig, Part::Whole, mac(card)) {
        Lookup::File(config) => config.file.path.as_str(),
        other => panic!("{other:?}"),
    };
    assert_eq!(path(NODE), "cloud-configs/52-54-00-00-00-01.yml");
}

#[test]
fn two_sticks_whose_defaults_differ_are_refused_and_one_holds_for_what_is_on_the_other() {
    let never = ("machines.toml", "[defaults]\ninstall = \"never\"\n");
    let always = ("machines.toml", "[defaults]\ninstall = \"always\"\n");
    let config = ("cloud-configs/52-54-00-00-00-01.yml", YML);
    for other in [vec![config], vec![never, config], vec![("machines.toml", ""), config]] {
        for listings in [[listing(&[never]), listing(&other)], [listing(&other), listing(&[never])]]
        {
            let found = inventory(&listings, &[]).unwrap();
            assert_eq!(found.machine(mac(NODE)).unwrap().install, Install::Never, "{other:?}");
        }
    }
    let refused = inventory(&[listing(&[never]), listing(&[always, config])], &[]).unwrap_err();
    assert!(refused[0].message.contains("[defaults] with other settings"), "{refused:?}");
}
