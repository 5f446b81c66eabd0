use std::path::Path;

use crate::inventory::machine::identity::Identity;
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

/// What a stick needs to have Debian, CoreOS with a default configuration, and a system that
/// is installed without any.
const THREE: [(&str, &str); 6] = [
    ("images/debian/13/linux", ""),
    ("images/debian/13/initrd.gz", ""),
    ("images/coreos/1185.3.0/coreos_production_pxe.vmlinuz", ""),
    ("images/coreos/1185.3.0/coreos_production_pxe_image.cpio.gz", ""),
    ("images/coreos/1185.3.0/coreos_production_image.bin.bz2", ""),
    ("cloud-configs/default.yml", YML),
];

fn image_of(found: &Inventory, card: &str) -> Option<String> {
    found.image_for(&found.machine_or_stranger(mac(card)), mac(card)).map(Image::name)
}

#[test]
fn who_has_a_config_of_its_own_gets_no_system_that_cannot_take_it() {
    let [debian, initrd, coreos @ ..] = THREE;
    let own = ("preseed/52-54-00-00-00-01.cfg", "# d-i\n");
    let broken = ("autoinstall/52-54-00-00-00-01/user-data", "");
    let named = ("machines.toml", "[[machine]]\nname = \"a\"\nmac = \"52:54:00:00:00:01\"\n");
    let by_name = ("kickstart/a.ks", "text\n");
    for (what, config) in [
        ("its card's", vec![own]),
        ("a broken one", vec![broken]),
        ("its name's", vec![named, by_name]),
    ] {
        let without = stick(&[coreos.as_slice(), &config].concat());
        assert_eq!(image_of(&without, NODE), None, "{what}");
        let other = image_of(&without, "52:54:00:00:00:09");
        assert_eq!(other.as_deref(), Some("coreos/1185.3.0"), "the default is others'");
    }
    let with = stick(&[coreos.as_slice(), &[own, debian, initrd]].concat());
    assert_eq!(image_of(&with, NODE).as_deref(), Some("debian/13"));
}

#[test]
fn the_image_that_defaults_name_is_none_for_a_machine_whose_config_it_cannot_take() {
    let own = ("preseed/52-54-00-00-00-01.cfg", "# d-i\n");
    for (line, gets) in [("", None), ("[[machine]]\nmac = \"52:54:00:00:00:01\"\n", Some("coreos"))]
    {
        let toml = format!("[defaults]\nimage = \"coreos\"\n{line}");
        let found = stick(&[THREE.as_slice(), &[own, ("machines.toml", &toml)]].concat());
        let image = image_of(&found, NODE);
        assert_eq!(
            image.is_some(),
            gets.is_some(),
            "who is named there has its own word: {image:?}"
        );
    }
}

const RULE: &str = "[[machine]]\nmatch = { uuid = \"4c4c4544-0051-3410-8051-b5c04f375931\" }\n\
                    disk = \"/dev/nvme0n1\"\n";

fn says(uuid: &str) -> Identity {
    Identity { uuid: Some(uuid.parse().unwrap()), serial: None }
}

const UUID: &str = "4c4c4544-0051-3410-8051-b5c04f375931";
const OTHER_UUID: &str = "4c4c4544-0051-3410-8051-b5c04f375932";

#[test]
fn a_config_under_a_mac_never_hides_the_rule_that_means_its_machine() {
    let own = ("cloud-configs/52-54-00-00-00-01.yml", YML);
    let toml = format!("{RULE}install = \"never\"\n");
    let found = stick(&[THREE.as_slice(), &[own, ("machines.toml", &toml)]].concat());
    assert!(!found.roster.names(mac(NODE)) && found.roster.is_by_config(mac(NODE)));
    assert!(found.roster.may_be_another(mac(NODE), &Identity::default()), "it may be the rule's");
    assert!(!found.roster.may_be_another(mac(NODE), &says(OTHER_UUID)), "it is not");
    assert_eq!(found.machine(mac(NODE)).unwrap().install, Install::Once);
    assert!(found.roster.learn(mac(NODE), &says(UUID)));
    let machine = found.machine(mac(NODE)).unwrap();
    assert_eq!((machine.install, machine.disk.device()), (Install::Never, Some("/dev/nvme0n1")));
    assert!(!found.roster.is_by_config(mac(NODE)));
    assert_eq!(found.machines().count(), 1, "it is one machine");
}

#[test]
fn a_machine_that_a_rule_means_has_the_config_under_its_cards_mac_and_what_takes_it() {
    let own = ("preseed/52-54-00-00-00-01.cfg", "# d-i\n");
    let found = stick(&[THREE.as_slice(), &[own, ("machines.toml", RULE)]].concat());
    for card in [NODE, "52:54:00:00:00:02"] {
        assert!(found.roster.learn(mac(card), &says(UUID)));
    }
    assert_eq!(image_of(&found, NODE).as_deref(), Some("debian/13"));
    assert_eq!(image_of(&found, "52:54:00:00:00:02").as_deref(), Some("coreos/1185.3.0"));
    // One with a mistake keeps it from being installed, as it does for any other machine.
    for (name, text, unfit) in [
        ("preseed/52-54-00-00-00-01.cfg.j2", "{{ labels.nothing }}\n", true),
        ("preseed/52-54-00-00-00-01.cfg.j2", "{{ disk }}\n", false),
        ("cloud-configs/52-54-00-00-00-01.yml", "", true),
    ] {
        let found = stick(&[THREE.as_slice(), &[(name, text), ("machines.toml", RULE)]].concat());
        assert!(found.roster.learn(mac(NODE), &says(UUID)));
        assert_eq!(found.is_unfit(mac(NODE)), unfit, "{name}: {text}");
    }
}
