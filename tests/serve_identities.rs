//! Machines that are known by what their firmware says, and network cards that go from one
//! machine to another: who is installed, and who is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::{NODE_2, STRANGER};
use net::{Appliance, Firmware, Lan, Machine, isolated};

/// `4c4c4544-0051-3410-8051-b5c04f375931`, as firmware stores it.
const UUID: [u8; 17] = [
    0, 0x44, 0x45, 0x4c, 0x4c, 0x51, 0x00, 0x10, 0x34, 0x80, 0x51, 0xb5, 0xc0, 0x4f, 0x37, 0x59,
    0x31,
];

/// Another one.
const OTHER: [u8; 17] = {
    let mut other = UUID;
    other[16] = 0x32;
    other
};

/// All F: it names nobody.
const JUNK: [u8; 17] = {
    let mut junk = [0xff; 17];
    junk[0] = 0;
    junk
};

const DEFAULT: &str = "#cloud-config\nhostname: anybody\n";

/// Powers on a machine with this card, whose firmware says this UUID or none.
fn boots(machine: &Machine, uuid: Option<&[u8]>) {
    let mut options = Firmware::IpxeBios.options();
    options.retain(|(code, _)| *code != 97);
    options.extend(uuid.map(|uuid| (97, uuid.to_vec())));
    let ack = machine.leases(&options);
    machine.use_address(ack.yiaddr);
}

/// Says that it is installed.
fn reports(card: &Machine) {
    let text = String::from_utf8(card.get("/cloud-configs/install.sh")).unwrap();
    let token = text.split("token='").nth(1).unwrap().split('\'').next().unwrap();
    card.get(&format!("/v1/event?token={token}&event=installed"));
}

fn script(machine: &Machine, mac: &str, query: &str) -> String {
    let path = format!("/boot/{}.ipxe{query}", mac.replace(':', "-"));
    String::from_utf8(machine.get(&path)).unwrap()
}

#[test]
fn a_card_that_goes_to_another_machine_leaves_the_name_of_the_first_behind() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", DEFAULT);
        stick.write(
            "machines.toml",
            "[[machine]]\nname = \"a\"\n\
             match = { uuid = \"4c4c4544-0051-3410-8051-b5c04f375931\" }\n",
        );
        let server = appliance.serves();
        let card = lan.machine(STRANGER);
        // A peer's packet, or the machine that the card was in before.
        boots(&card, Some(&UUID));
        boots(&card, Some(&OTHER));
        let told = script(&card, STRANGER, "");
        assert!(told.contains("own disk"), "{told}");
        // What it is not any more it is not after a restart, either.
        server.dies();
        let _server = appliance.serves();
        let told = script(&card, STRANGER, "");
        assert!(told.contains("own disk"), "{told}");
        boots(&card, Some(&UUID));
        assert!(script(&card, STRANGER, "").contains("installing CoreOS"));
    });
}

#[test]
fn a_machine_that_lost_its_card_to_another_stays_installed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", DEFAULT);
        let machine = |name: &str, last| {
            format!(
                "[[machine]]\nname = \"{name}\"\n\
                 match = {{ uuid = \"4c4c4544-0051-3410-8051-b5c04f37593{last}\" }}\n"
            )
        };
        stick.write("machines.toml", machine("a", 1) + &machine("b", 2));
        let server = appliance.serves();
        let [adapter, other] = ["52:54:00:00:00:99", "52:54:00:00:00:98"];
        let card = lan.machine(adapter);
        let installs = |card: &Machine, mac: &str, uuid: &[u8]| {
            boots(card, Some(uuid));
            script(card, mac, "").contains("installing CoreOS")
        };
        // One adapter installs a room of machines that have no card of their own.
        for uuid in [&UUID, &OTHER] {
            assert!(installs(&card, adapter, uuid));
            reports(&card);
        }
        server.dies();
        let _server = appliance.serves();
        let second = lan.machine(other);
        for uuid in [&UUID, &OTHER] {
            assert!(!installs(&card, adapter, uuid), "it is installed");
            assert!(!installs(&second, other, uuid), "with another adapter, too");
        }
    });
}

#[test]
fn a_machine_whose_card_was_in_another_one_for_a_while_stays_installed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", DEFAULT);
        stick.write(
            "machines.toml",
            "[[machine]]\nname = \"x\"\n\
             match = { uuid = \"4c4c4544-0051-3410-8051-b5c04f375931\" }\n",
        );
        let server = appliance.serves();
        let card = lan.machine(NODE_2);
        let installs = || script(&card, NODE_2, "").contains("installing CoreOS");
        // Its configuration makes it known; no rule means it.
        boots(&card, Some(&OTHER));
        assert!(installs());
        reports(&card);
        boots(&card, Some(&OTHER));
        assert!(!installs(), "it is installed");
        // One packet with the other's number, made up or not.
        boots(&card, Some(&UUID));
        assert!(installs(), "the other one is not");
        server.dies();
        let _server = appliance.serves();
        boots(&card, Some(&OTHER));
        assert!(!installs(), "its card is back, and its life, too");
    });
}

#[test]
fn a_serial_number_counts_for_the_boot_at_which_it_was_told() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", DEFAULT);
        let rule = "[[machine]]\nname = \"a\"\nmatch = { serial = \"5Q4Q7Y1\" }\n\
                    install = \"always\"\n";
        stick.write("machines.toml", rule);
        let _server = appliance.serves();
        let card = lan.machine(STRANGER);
        // Two machines of one maker, which gives all of them one UUID.
        for (serial, what) in [("5Q4Q7Y1", "installing CoreOS"), ("5Q4Q7Y2", "own disk")] {
            boots(&card, Some(&JUNK));
            let asked = script(&card, STRANGER, "");
            assert!(asked.contains("?uuid="), "{serial} is asked who it is: {asked}");
            let told = script(&card, STRANGER, &format!("?uuid=&serial={serial}"));
            assert!(told.contains(what), "{serial}: {told}");
        }
    });
}

#[test]
fn a_config_under_its_mac_installs_no_machine_that_a_rule_may_mean() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write(
            "machines.toml",
            "[[machine]]\nmatch = { uuid = \"4c4c4544-0051-3410-8051-b5c04f375931\" }\n\
             install = \"never\"\n",
        );
        let _server = appliance.serves();
        let machine = lan.machine(NODE_2);
        let pxelinux = || machine.tftp_text("pxelinux.cfg/default");
        boots(&machine, None);
        assert!(!pxelinux().contains("KERNEL"), "who it is it has not said: {}", pxelinux());
        let asked = script(&machine, NODE_2, "");
        assert!(asked.contains("?uuid="), "{asked}");
        boots(&machine, Some(&UUID));
        assert!(!pxelinux().contains("KERNEL"), "{}", pxelinux());
        let told = script(&machine, NODE_2, "");
        assert!(told.contains("install = \"never\""), "{told}");
        boots(&machine, Some(&OTHER));
        let told = script(&machine, NODE_2, "");
        assert!(told.contains("installing CoreOS"), "{told}");
    });
}

#[test]
fn a_machine_known_by_its_serial_is_installed_once_whatever_its_rom_says() {
    isolated(|lan| is_installed_once(&lan, "serial = \"5Q4Q7Y1\""));
}

#[test]
fn a_machine_known_by_a_pattern_is_installed_once_whatever_its_rom_says() {
    isolated(|lan| is_installed_once(&lan, "serial = \"5Q4*\""));
}

#[test]
fn a_machine_known_by_its_uuid_is_installed_once_whatever_its_rom_says() {
    isolated(|lan| is_installed_once(&lan, "uuid = \"4c4c4544-0051-3410-8051-b5c04f375932\""));
}

/// Of a machine whose ROM tells another UUID than the loader that it fetches.
fn is_installed_once(lan: &Lan, rule: &str) {
    let appliance = Appliance::server();
    let stick = appliance.sample_stick();
    stick.write("cloud-configs/default.yml", DEFAULT);
    stick.write("machines.toml", format!("[[machine]]\nmatch = {{ {rule} }}\n"));
    let server = appliance.serves();
    let card = lan.machine(STRANGER);
    let installs = || {
        boots(&card, Some(&UUID));
        boots(&card, Some(&OTHER));
        let told = "?uuid=4c4c4544-0051-3410-8051-b5c04f375932&serial=5Q4Q7Y1";
        script(&card, STRANGER, told).contains("installing CoreOS")
    };
    assert!(installs());
    reports(&card);
    assert!(!installs(), "it is installed");
    server.dies();
    let _server = appliance.serves();
    assert!(!installs(), "after a restart, too");
}
