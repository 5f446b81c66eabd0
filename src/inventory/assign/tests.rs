use std::path::Path;
use std::sync::Arc;

use super::*;

use crate::inventory::ending::left_alone;
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
        assert_eq!(machine.labels.all()["a"], "b");
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
fn made_up_cards_of_its_machine_do_not_make_a_card_its_configs_again() {
    let own = ("cloud-configs/52-54-00-00-00-01.yml", YML);
    let toml = format!("{RULE}install = \"never\"\n");
    let found = stick(&[THREE.as_slice(), &[own, ("machines.toml", &toml)]].concat());
    let made_up = |last| Mac::new([2, 0, 0, 0, 0, last]).unwrap();
    (0..15).for_each(|last| assert!(found.roster.learn(made_up(last), &says(UUID))));
    assert!(found.roster.learn(mac(NODE), &says(UUID)));
    assert!(!found.roster.may_be_another(mac(NODE), &says(UUID)));
    assert!(found.roster.learn(made_up(15), &says(UUID)));
    assert!(found.roster.is_by_config(mac(NODE)), "it lost its place");
    assert!(found.roster.may_be_another(mac(NODE), &says(UUID)), "and is not armed for that");
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

const SETTING: Setting = Setting {
    server: "http://10.10.10.1:8080",
    ip: Ipv4Addr::LOCALHOST,
    token: WORTHLESS_TOKEN,
    add_report: true,
};

/// What the machine is served of its preseed: the text with a report, the file, or why.
fn preseed(files: &[(&str, &str)], setting: Setting) -> String {
    let [linux, initrd, ..] = THREE;
    let found = stick(&[files, &[linux, initrd]].concat());
    match serve(&found, (ConfigKind::Preseed, Part::Whole), mac(NODE), setting) {
        Served::Added(text, plain) => {
            match *plain {
                Served::File(file) => assert!(file.path.starts_with("preseed/")),
                Served::Text(plain) => assert!(text.starts_with(&plain)),
                _ => panic!("{text}"),
            }
            text
        }
        Served::Text(text) => format!("made {text}"),
        Served::File(file) => file.path,
        Served::Broken(why) => why,
        Served::Nothing => String::new(),
    }
}

#[test]
fn a_config_that_ends_an_installation_is_served_with_a_report_unless_nobody_wants_that() {
    let own = ("preseed/52-54-00-00-00-01.cfg", "d-i a/b string c\n");
    let added = preseed(&[own], SETTING);
    assert!(added.starts_with("d-i a/b string c\nd-i preseed/late_command string "), "{added}");
    let token = "http://10.10.10.1:8080/v1/event?token=00000000000000000000000000000000&event=";
    assert!(added.contains(token), "{added}");
    assert_eq!(preseed(&[own], Setting { add_report: false, ..SETTING }), own.0);
    // A stranger's default one is installed with, too.
    assert!(preseed(&[("preseed/default.cfg", own.1)], SETTING).contains(token));
    // What a template makes reports nothing by itself either, unless it says so.
    let name = "preseed/52-54-00-00-00-01.cfg.j2";
    assert_eq!(preseed(&[(name, own.1)], SETTING), added);
    let reports = "d-i preseed/late_command string wget {{ report_installed }}\n";
    let made = preseed(&[(name, reports)], SETTING);
    assert!(made.starts_with("made d-i preseed/late_command string wget http://"), "{made}");
}

#[test]
fn a_config_is_served_as_it_is_where_a_report_could_do_harm() {
    let own = ("preseed/52-54-00-00-00-01.cfg", "d-i a/b string c\n");
    let machine = |more: &str| format!("[[machine]]\nmac = \"{NODE}\"\n{more}\n");
    let told = machine("args = \"preseed/late_command=reboot\"");
    assert_eq!(preseed(&[("machines.toml", &told), own], SETTING), own.0);
    let other = machine("image = \"coreos\"");
    let [_, _, coreos @ ..] = THREE;
    let of_another = [[("machines.toml", other.as_str()), own].as_slice(), &coreos].concat();
    assert_eq!(preseed(&of_another, SETTING), own.0, "it is not installed with it");
    let twice = "d-i preseed/late_command string a\nd-i preseed/late_command string b\n";
    assert_eq!(preseed(&[(own.0, twice)], SETTING), own.0);
    let profile = "name = \"mine\"\ntitle = \"Mine\"\nconfigs = [\"preseed\"]\n[[layout]]\n\
                   kernel = \"bzImage\"\nnamed = true\n";
    for (more, path) in [("", own.0), ("add_report = \"yes\"\n", "")] {
        let profile = profile.replace("[[layout]]", &format!("{more}[[layout]]"));
        let profile =
            Arc::new(crate::inventory::profile::read::parse("", &profile).unwrap().remove(0));
        let listing = listing(&[own, ("images/mine/1/bzImage", "")]);
        let found = inventory(&[listing], &[profile]).unwrap();
        let what = (ConfigKind::Preseed, Part::Whole);
        match serve(&found, what, mac(NODE), SETTING) {
            Served::File(file) => assert_eq!(file.path, path, "its installer is unknown"),
            Served::Added(..) => assert_eq!(path, ""),
            _ => panic!("{more}"),
        }
    }
}

#[test]
fn what_reports_nothing_and_is_left_alone_is_named_and_nothing_else() {
    let [linux, initrd, ..] = THREE;
    let left = |name: &str, text: &str| {
        let found = stick(&[(name, text), linux, initrd]);
        let machine = found.machine(mac(NODE)).unwrap().clone();
        let image = found.image_for(&machine, mac(NODE)).unwrap();
        left_alone(&found, &machine, image, mac(NODE)).map(|(path, _)| path.to_owned())
    };
    let (file, template) = ("preseed/52-54-00-00-00-01.cfg", "preseed/52-54-00-00-00-01.cfg.j2");
    let more = "d-i preseed/run string x.sh\n";
    let reports =
        format!("{more}d-i preseed/late_command string wget {{{{ report_installed }}}}\n");
    assert_eq!(left(file, more).as_deref(), Some(file));
    assert_eq!(left(template, more).as_deref(), Some(template));
    assert_eq!(left(template, &reports), None, "it reports");
    assert_eq!(left(template, "d-i a/b string c\n"), None, "a report is added");
}

#[test]
fn texts_are_kept_only_as_many_as_there_is_room_for() {
    let [linux, initrd, ..] = THREE;
    let long = "#\n".repeat(crate::inventory::configs::reporting::LONGEST / 2);
    let paths: Vec<String> =
        (0..65).map(|number| format!("preseed/52-54-00-00-00-{number:02x}.cfg")).collect();
    let mut files = vec![linux, initrd];
    files.extend(paths.iter().map(|path| (path.as_str(), long.as_str())));
    let found = stick(&files);
    let kept = |number: usize| {
        let card = mac(&format!("52:54:00:00:00:{number:02x}"));
        let text = match found.config(ConfigKind::Preseed, Part::Whole, card) {
            Lookup::File(config) => config.text.is_some(),
            _ => false,
        };
        let served = serve(&found, (ConfigKind::Preseed, Part::Whole), card, SETTING);
        assert_eq!(matches!(served, Served::Added(..)), text, "{number}");
        text
    };
    assert!((0..64).all(kept) && !kept(64));
}
