//! `pxeberry check`: what it says of a stick, as text and as data, its exit status, and that
//! what it explains is what the real server sends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::path::Path;
use std::process::Command;

use net::appliance::PROGRAM;
use net::lan::octets;
use net::stick::{INITRD, KERNEL, NODE_1, NODE_2, STRANGER};
use net::tools::{Ran, finish};
use net::{Appliance, Ask, Firmware, Heard, Kind, Stick, isolated};
use serde_json::Value;

fn stick() -> Stick {
    Stick::sample(Path::new("/run/stick"))
}

fn check(stick: &Stick, options: &[&str]) -> Ran {
    finish(Command::new(PROGRAM).arg("check").arg(stick.folder()).args(options))
}

#[track_caller]
fn data(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.text()))
}

#[track_caller]
fn json(stick: &Stick, code: i32, options: &[&str]) -> Value {
    let ran = check(stick, &[&["--json"], options].concat());
    assert_eq!(ran.code, Some(code), "{}{}", ran.text(), ran.err);
    data(&ran)
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn the_table_fits_into_80_columns_and_tells_firmware_apart_only_where_it_matters() {
    isolated(|_| {
        let stick = stick();
        let machines = format!(
            "[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\n\
             [[machine]]\nmatch = {{ serial = \"5Q4Q*\" }}\n\
             install = \"always\"\ndisk = {{ serial = \"S5P2*\" }}\n\
             [[machine]]\nname = \"nas\"\nmacs = [\"{NODE_2}\", \"{STRANGER}\"]\ninstall = \"never\"\n"
        );
        stick.write("machines.toml", machines);
        stick.write("cloud-configs/default.yml", "#cloud-config\na: b\n");
        let ran = check(&stick, &[]);
        let text = ran.text();
        assert_eq!(ran.code, Some(0), "{text}");
        let tables = text.split("\norigin ").next().unwrap();
        let expected = "\
IMAGE            FOR     FILES  ORIGIN
coreos/1185.3.0  x86_64  5      signed, key not on the stick

MACHINE  KNOWN BY           IMAGE            DISK
node-1   52:54:00:00:00:01  coreos/1185.3.0  /dev/sda
    BIOS, UEFI x64: installs it, once
    UEFI arm64: its own disk (its image is for 64-bit x86, and this machine is
    not)
-        serial 5q4q*       coreos/1185.3.0  serial S5P2*
    BIOS, UEFI x64: installs it, every time
    UEFI arm64: its own disk (its image is for 64-bit x86, and this machine is
    not)
nas      52:54:00:00:00:02  coreos/1185.3.0  /dev/sda
    also known by 52:54:00:00:00:99
    its own disk (install = \"never\")
";
        assert_eq!(tables, expected, "{text}");
        assert!(tables.lines().all(|line| line.chars().count() <= 80), "{text}");
    });
}

#[test]
fn the_same_is_there_as_data_with_names_that_stay() {
    isolated(|_| {
        let stick = stick();
        std::os::unix::fs::symlink("/etc/passwd", stick.folder().join("link")).unwrap();
        let found = json(&stick, 0, &[]);
        assert_eq!(found["good"], true);
        assert_eq!(found["refused"], Value::Array(vec![]));
        let image = &found["images"][0];
        assert_eq!(image["system"], "coreos");
        assert_eq!(image["version"], "1185.3.0");
        assert_eq!(image["title"], "CoreOS Container Linux");
        assert_eq!(strings(&image["processors"]), ["x86_64"]);
        assert_eq!(image["files"], 5);
        assert_eq!(image["origin"]["verdict"], "no-key");
        assert_eq!(found["machines"].as_array().unwrap().len(), 2);
        let machine = &found["machines"][0];
        assert_eq!(machine["name"], "node-1");
        assert_eq!(machine["image"], "coreos/1185.3.0");
        assert_eq!(strings(&machine["macs"]), [NODE_1]);
        assert_eq!(machine["disk"], "/dev/sda");
        assert_eq!(machine["install"], "once");
        assert!(machine["match"].is_null() && machine["address"].is_null());
        let boots = machine["boots"].as_array().unwrap();
        assert_eq!(boots.len(), 2);
        assert_eq!(strings(&boots[0]["platforms"]), ["bios", "efi64"]);
        assert!(boots[0]["what"] == "install" && boots[0]["reason"].is_null());
        assert_eq!(strings(&boots[1]["platforms"]), ["efi-arm64"]);
        assert_eq!(boots[1]["what"], "own-disk");
        assert!(boots[1]["reason"].as_str().unwrap().contains("64-bit x86"));
        assert_eq!(found["origins"].as_array().unwrap().len(), 3);
        assert_eq!(found["problems"][0]["file"], "link");
        // A refused stick has the reasons alone, with the line.
        stick.write("machines.toml", "[[machine]]\nimmage = \"x\"\n");
        let refused = json(&stick, 1, &[]);
        assert_eq!(refused["good"], false);
        assert_eq!(refused["refused"][0]["file"], "machines.toml");
        assert_eq!(refused["refused"][0]["line"], 2);
    });
}

#[test]
fn the_status_is_1_when_a_machine_would_not_get_what_it_should() {
    isolated(|_| {
        let stick = stick();
        let status = || {
            let ran = check(&stick, &["--json"]);
            assert_eq!(data(&ran)["good"] == true, ran.code == Some(0), "{}", ran.text());
            ran.code
        };
        assert_eq!(status(), Some(0));
        stick.write("cloud-configs/node-9.yml", "#cloud-config\na: b\n");
        assert_eq!(status(), Some(0), "a file that keeps nobody from anything");
        let initrd = stick.image_file(INITRD);
        let path = format!("images/coreos/1185.3.0/{INITRD}");
        stick.remove(&path);
        let text = check(&stick, &[]).text();
        assert!(text.contains("in vain: not on the stick:"), "{text}");
        assert_eq!(status(), Some(1), "a file that machines would ask for in vain");
        stick.write(&format!("tftp/{INITRD}"), &initrd);
        assert_eq!(status(), Some(0), "it is where the old box had it");
        stick.write(&path, &initrd);
        let config = "cloud-configs/52-54-00-00-00-02.yml";
        stick.write(config, "#cloud-config\n{\n");
        assert_eq!(status(), Some(1), "only its config makes it known, and has a mistake");
        stick.remove(config);
        assert_eq!(status(), Some(0));
        let machine = format!("[[machine]]\nmac = \"{NODE_1}\"\n");
        let wants = format!("{machine}image = \"coreos/2.0.0\"\n");
        stick.write("machines.toml", &wants);
        assert_eq!(status(), Some(1), "its image is not there");
        stick.write("machines.toml", format!("{wants}install = \"never\"\n"));
        assert_eq!(status(), Some(0), "it is to get nothing");
        stick.write("machines.toml", &machine);
        stick.write(&format!("images/coreos/1185.3.0/{KERNEL}.sig"), "");
        assert_eq!(status(), Some(1), "an image that is not what was published");
    });
}

#[test]
fn the_status_is_2_when_it_is_used_wrongly() {
    isolated(|_| {
        let stick = stick();
        std::fs::write("/run/bad.toml", "mode = \"both\"\n").unwrap();
        for options in [
            &["--explain", "node-1"][..],
            &["--explain"],
            &["--jsn"],
            &["/run/other"],
            &["--config", "/run/nowhere.toml"],
            &["--config", "/run/bad.toml"],
        ] {
            let ran = check(&stick, options);
            assert_eq!((ran.code, ran.text().as_str()), (Some(2), ""), "{options:?}");
            assert!(ran.err.starts_with("pxeberry: error: "), "{}", ran.err);
        }
    });
}

#[test]
fn a_stick_is_judged_by_the_settings_that_it_would_be_served_with() {
    isolated(|_| {
        let stick = stick();
        let with = ["--config", "/run/a.toml", "--explain", NODE_1];
        std::fs::write("/run/a.toml", "media.verify = \"required\"\n").unwrap();
        assert_eq!(json(&stick, 1, &with)["boots"][0]["what"], "own-disk");
        std::fs::write("/run/a.toml", "boot.uefi_loader = \"shim\"\n").unwrap();
        let explained = json(&stick, 0, &with);
        assert_eq!(told(&explained, "UEFI x64 ROM")["file"], "shimx64.efi");
        assert_eq!(script(&explained, "grub", "efi64")["used"], true);
        assert_eq!(script(&explained, "ipxe", "efi64")["used"], false);
    });
}

#[test]
fn why_a_machine_boots_its_own_disk_is_explained() {
    isolated(|_| {
        let stick = stick();
        let text = check(&stick, &["--explain", STRANGER]).good().text();
        for part in [
            "The stick does not name this card.",
            "BIOS, UEFI x64, UEFI arm64: its own disk (the stick does not name this\n  machine)",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let text = check(&stick, &["--explain", NODE_1]).good().text();
        for part in [
            "node-1 (52:54:00:00:00:01), as if it were armed\n",
            "UEFI arm64: its own disk (its image is for 64-bit x86",
            "   54 server             10.10.10.1\n",
            "kernel command line: initrd=",
            "the stick's cloud-configs/52-54-00-00-00-01.yml, 31 bytes\n  | #cloud-config\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    });
}

fn told<'a>(explained: &'a Value, client: &str) -> &'a Value {
    let all = explained["dhcp"].as_array().unwrap();
    all.iter().find(|told| told["client"] == client).unwrap()
}

fn script<'a>(explained: &'a Value, loader: &str, platform: &str) -> &'a Value {
    let fits = |script: &&Value| {
        script["loader"] == loader && strings(&script["platforms"]).contains(&platform)
    };
    explained["scripts"].as_array().unwrap().iter().find(fits).unwrap()
}

/// Each field of an offer as it is explained: the option's number or the field's name.
fn explained_fields(told: &Value) -> Vec<(String, String)> {
    let fields = told["offer"].as_array().unwrap().iter();
    let text = |field: &Value, key: &str| field[key].as_str().unwrap().to_owned();
    let mut fields: Vec<(String, String)> = fields
        .filter(|field| field["name"] != "sname")
        .map(|field| match field["option"].as_u64() {
            Some(code) => (code.to_string(), text(field, "hex")),
            None => (text(field, "name"), text(field, "value")),
        })
        .collect();
    fields.sort();
    fields
}

/// The same of an offer that was heard. Option 97 is the machine's own, sent back.
fn heard_fields(heard: &Heard) -> Vec<(String, String)> {
    let hex = |data: &[u8]| data.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let options = heard.options.iter().filter(|(code, _)| **code != 97);
    let mut fields: Vec<(String, String)> =
        options.map(|(code, data)| (code.to_string(), hex(data))).collect();
    fields.push(("yiaddr".to_owned(), heard.yiaddr.to_string()));
    fields.push(("siaddr".to_owned(), heard.siaddr.to_string()));
    fields.push(("file".to_owned(), heard.file.clone()));
    fields.sort();
    fields
}

const CLIENTS: [(&str, Firmware); 6] = [
    ("BIOS ROM", Firmware::Bios),
    ("UEFI x64 ROM", Firmware::EfiX64),
    ("UEFI arm64 ROM", Firmware::EfiArm64),
    ("UEFI x64 HTTP boot", Firmware::HttpX64),
    ("iPXE on a BIOS", Firmware::IpxeBios),
    ("iPXE on UEFI x64", Firmware::IpxeEfiX64),
];

/// The scripts that a machine takes of the real server after its firmware has asked it.
const SCRIPTS: [(&str, &str, Firmware); 7] = [
    ("ipxe", "bios", Firmware::Bios),
    ("ipxe", "efi64", Firmware::EfiX64),
    ("ipxe", "efi-arm64", Firmware::EfiArm64),
    ("pxelinux", "bios", Firmware::Bios),
    ("pxelinux", "efi64", Firmware::EfiX64),
    ("grub", "efi64", Firmware::EfiX64),
    ("grub", "efi-arm64", Firmware::EfiArm64),
];

/// A stick with a template, a reservation and somebody's own file.
fn mixed_stick(appliance: &Appliance) -> Stick {
    let stick = appliance.sample_stick();
    let machines = format!(
        "[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\nargs = \"console=ttyS0\"\n\
         [[machine]]\nname = \"node-2\"\nmac = \"{NODE_2}\"\nip = \"10.10.10.20\"\n"
    );
    stick.write("machines.toml", machines);
    stick.remove("cloud-configs/52-54-00-00-00-01.yml");
    let template = "#cloud-config\nhostname: {{ name }}\na: {{ ip }} {{ server }}\n";
    stick.write("cloud-configs/default.yml.j2", template);
    stick.write("tftp/pxelinux.cfg/01-52-54-00-00-00-02", "# mine\n");
    stick
}

#[test]
fn what_is_explained_is_what_the_server_sends() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = mixed_stick(&appliance);
        let config = appliance.config();
        let explained = [NODE_1, NODE_2, STRANGER].map(|mac| {
            let options = ["--config", config.to_str().unwrap(), "--explain", mac];
            (mac, json(&stick, 0, &options))
        });
        let _server = appliance.serves();
        let (mut scripts, mut configs) = (0, 0);
        for (mac, explained) in &explained {
            let machine = lan.machine(mac);
            for (client, firmware) in CLIENTS {
                let ask = Ask::new(Kind::Discover, octets(mac)).with(&firmware.options());
                let offer = machine.port.ask(&ask).expect("no offer");
                let told = told(explained, client);
                assert_eq!(explained_fields(told), heard_fields(&offer), "{mac} {client}");
                assert_eq!(told["file"], offer.file.as_str());
            }
            for (loader, platform, firmware) in SCRIPTS {
                // Armed anew: a boot too many would be its last.
                if *mac != STRANGER {
                    appliance.tell(&["arm", mac]).good();
                }
                machine.boots(firmware);
                let script = script(explained, loader, platform);
                let path = script["path"].as_str().unwrap();
                let expected = script["text"].as_str().unwrap();
                assert_eq!(machine.tftp_text(path), expected, "{mac} {platform} {path}");
                let by_http = String::from_utf8(machine.get(&format!("/boot/{path}"))).unwrap();
                assert_eq!(by_http, expected, "{mac} {platform} {path}");
                scripts += 1;
            }
            configs += compare_configs(&machine, explained);
        }
        assert_eq!((scripts, configs), (21, 3), "each was compared");
        let own = script(&explained[1].1, "pxelinux", "bios");
        assert!(own["text"] == "# mine\n" && own["command_line"].is_null(), "{own}");
        let named = script(&explained[0].1, "ipxe", "bios");
        let line = named["command_line"].as_str().unwrap();
        assert!(line.ends_with(" console=ttyS0"), "{line}");
        assert!(named["text"].as_str().unwrap().contains(&format!(" {line} || goto failed")));
    });
}

/// How many were the same; `install.sh` differs in its token.
fn compare_configs(machine: &net::Machine, explained: &Value) -> usize {
    let all = explained["configs"].as_array().unwrap().iter();
    let mut compared = 0;
    for given in all.filter(|given| !given["url"].as_str().unwrap().ends_with("install.sh")) {
        let url = given["url"].as_str().unwrap();
        let sent = machine.get(url.strip_prefix("http://10.10.10.1:8080").unwrap());
        assert_eq!(String::from_utf8_lossy(&sent), given["text"].as_str().unwrap(), "{url}");
        assert_eq!(sent.len() as u64, given["size"].as_u64().unwrap());
        compared += 1;
    }
    compared
}

#[test]
fn how_an_installation_ends_is_explained_for_each_kind_of_system() {
    isolated(|_| {
        let preseed = "d-i x string y\n# {{ report_installed }}\n";
        let include = "d-i preseed/include string other.cfg\n";
        let talos = "machine: {type: worker} # {{ report_installed }}\n";
        let cloud = ("cloud-configs/default.yml", "#cloud-config\na: b\n");
        let rows = [
            ("coreos/1", "coreos_production_pxe.vmlinuz", cloud, "install-script"),
            ("debian/13", "linux", ("preseed/default.cfg.j2", preseed), "installer"),
            ("debian/12", "linux", ("preseed/default.cfg", "d-i x string y\n"), "installer"),
            ("debian/11", "linux", ("preseed/default.cfg", include), "config"),
            ("talos/1", "vmlinuz-amd64", ("talos/default.yaml.j2", talos), "installed-system"),
            ("winpe/11", "wimboot", ("note", ""), "disk-image"),
            ("memtest86+/7", "memtest86+x64.bin", ("note", ""), "none"),
        ];
        for (number, (image, kernel, (config, text), ending)) in rows.into_iter().enumerate() {
            let stick = Stick::empty(Path::new(&format!("/run/stick-{number}")));
            stick.write(&format!("images/{image}/{kernel}"), "kernel");
            stick.write(config, text);
            let machine = format!("[[machine]]\nmac = \"{NODE_1}\"\nimage = \"{image}\"\n");
            stick.write("machines.toml", machine);
            let told = data(&check(&stick, &["--json", "--explain", NODE_1]));
            assert_eq!(told["ending"], ending, "{image}: {told}");
            let text = check(&stick, &["--explain", NODE_1]).text();
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let says = words.contains("It is installed when") || words.contains("it is installed");
            assert_eq!(says, ending != "none", "{image}: {text}");
            // It is left as it is, and that is no mistake.
            let ran = check(&stick, &[]);
            let is_left = words.contains("a report cannot be added: it takes in other files");
            assert_eq!(is_left, image == "debian/11", "{image}: {text}");
            let hint = "hint     preseed/default.cfg: reports nothing when it is done";
            assert_eq!(ran.text().contains(hint), is_left, "{}", ran.text());
        }
    });
}
