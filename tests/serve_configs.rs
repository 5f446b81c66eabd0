//! Configurations of all kinds over HTTP: who gets whose, what templates make of a machine,
//! and how its report comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::{IMAGE, NODE_1, NODE_2, STRANGER};
use net::{Appliance, Firmware, Lan, Machine, Server, Stick, isolated};

/// Of each kind: what its URL is, the file behind it, and a text that is a good one.
const KINDS: [(&str, &str, &str); 9] = [
    ("/cloud-configs/MAC.yml", "cloud-configs/MAC.yml", "#cloud-config\na: 1\n"),
    ("/ignition/MAC.ign", "ignition/MAC.ign", "{\"ignition\": {\"version\": \"3.4.0\"}}"),
    ("/preseed/MAC.cfg", "preseed/MAC.cfg", "d-i x string y\n"),
    ("/kickstart/MAC.ks", "kickstart/MAC.ks", "text\n"),
    ("/autoinstall/MAC/user-data", "autoinstall/MAC/user-data", "#cloud-config\nautoinstall: {}\n"),
    ("/autoyast/MAC.xml", "autoyast/MAC.xml", "<profile/>\n"),
    ("/agama/MAC.json", "agama/MAC.json", "{}\n"),
    ("/talos/MAC.yaml", "talos/MAC.yaml", "machine: {}\n"),
    ("/scripts/MAC.sh", "scripts/MAC.sh", "#!/bin/sh\ntrue\n"),
];

fn dashed(text: &str, mac: &str) -> String {
    text.replace("MAC", &mac.replace(':', "-"))
}

/// A stick with an image and these files.
fn serve(files: &[(&str, &str)]) -> (Appliance, Stick, Server) {
    let appliance = Appliance::server();
    let stick = Stick::empty(&appliance.media().join("sda1"));
    stick.image("1185.3.0");
    for (path, text) in files {
        stick.write(path, text);
    }
    let server = appliance.serves();
    (appliance, stick, server)
}

fn booted(lan: &Lan, mac: &str) -> Machine {
    let machine = lan.machine(mac);
    machine.boots(Firmware::Bios);
    machine
}

fn text(machine: &Machine, path: &str) -> String {
    String::from_utf8(machine.get(path)).unwrap()
}

#[test]
fn a_config_of_every_kind_goes_to_its_machine_and_to_nobody_else() {
    isolated(|lan| {
        let mut files: Vec<(String, &str)> = Vec::new();
        for (_, file, text) in KINDS {
            files.push((dashed(file, NODE_1), text));
        }
        files.push((dashed("alpine/MAC.apkovl.tar.gz", NODE_1), "an archive"));
        let borrowed: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), *b)).collect();
        let (_appliance, _stick, server) = serve(&borrowed);
        let [one, two] = [NODE_1, NODE_2].map(|mac| booted(&lan, mac));
        let guest = lan.machine(STRANGER);
        guest.use_address("10.10.10.9".parse().unwrap());
        let urls = KINDS.map(|(url, _, text)| (url, text));
        let archive = [("/alpine/MAC.apkovl.tar.gz", "an archive")];
        for (number, (url, expected)) in urls.into_iter().chain(archive).enumerate() {
            let spellings = [dashed(url, NODE_1), url.replace("MAC", &NODE_1.to_uppercase())];
            for path in &spellings {
                assert_eq!(one.get(path), expected.as_bytes(), "{path}");
            }
            for other in [&two, &guest] {
                assert_eq!(other.curl(&spellings[0]).0, 403, "{url}");
            }
            let line = format!("{NODE_2} asked for the configuration of {NODE_1} and did not");
            server.log.wait_for_nth(&line, number + 1);
        }
        // No folder is listed.
        for path in ["/autoinstall/", "/kickstart/", "/ignition", "/scripts/..", "/autoinstall/x/"]
        {
            assert_eq!(one.curl(path).0, 404, "{path}");
        }
        let folder = dashed("/autoinstall/MAC/", NODE_1);
        assert_eq!(one.curl(&folder).0, 404);
    });
}

#[test]
fn head_equals_get_and_only_reading_works() {
    isolated(|lan| {
        let template = "d-i x string {{ name }} {{ report_installed }}\n";
        let (_appliance, _stick, _server) = serve(&[
            ("machines.toml", &format!("[[machine]]\nname = \"a\"\nmac = \"{NODE_1}\"\n")),
            ("preseed/default.cfg.j2", template),
            ("kickstart/a.ks", "text\n"),
        ]);
        let one = booted(&lan, NODE_1);
        for url in ["/preseed/MAC.cfg", "/kickstart/MAC.ks"] {
            let path = dashed(url, NODE_1);
            let mut connection = one.connect(8080);
            let head = connection.ask("HEAD", &path, &[]);
            let get = connection.ask("GET", &path, &[]);
            assert_eq!(get.status, 200);
            assert_eq!(head.head_without_date(), get.head_without_date());
            assert_eq!(connection.ask("PUT", &path, &[]).status, 405);
        }
    });
}

#[test]
fn ubuntus_installer_finds_its_four_files() {
    isolated(|lan| {
        let user = "#cloud-config\nautoinstall:\n  identity: {hostname: {{ hostname|tojson }}}\n";
        let (_appliance, _stick, _server) = serve(&[
            ("machines.toml", &format!("[[machine]]\nname = \"a\"\nmac = \"{NODE_1}\"\n")),
            ("autoinstall/default/user-data.j2", user),
        ]);
        let one = booted(&lan, NODE_1);
        let path = |name: &str| dashed(&format!("/autoinstall/MAC/{name}"), NODE_1);
        assert!(text(&one, &path("user-data")).contains("{hostname: \"a\"}"));
        assert_eq!(text(&one, &path("meta-data")), "");
        assert_eq!(text(&one, &path("vendor-data")), "");
        assert_eq!(one.curl(&path("network-config")).0, 404);
        assert_eq!(one.curl(&path("other")).0, 404);
    });
}

#[test]
fn a_template_knows_its_machine_and_its_report_ends_the_installation() {
    isolated(|lan| {
        let machines = format!(
            "[[group]]\nname = \"web\"\nlabels = {{ role = \"it's <web>\" }}\n\
             [[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\ngroup = \"web\"\n\
             hostname = \"www\"\n[[machine]]\nname = \"node-2\"\nmac = \"{NODE_2}\"\n"
        );
        let template = "# {{ name }} {{ hostname }} {{ ip }} {{ image }} {{ group }}\n\
                        echo {{ labels.role|default('none')|quote }}\n\
                        installed {{ report_installed }}\nfailed {{ report_failed }}\n";
        let (appliance, _stick, server) =
            serve(&[("machines.toml", &machines), ("kickstart/default.ks.j2", template)]);
        let [one, two] = [NODE_1, NODE_2].map(|mac| booted(&lan, mac));
        let path = dashed("/kickstart/MAC.ks", NODE_1);
        one.tftp_text("pxelinux.cfg/default");
        let mine = text(&one, &path);
        let expected =
            format!("# node-1 www {} coreos/1185.3.0 web\necho 'it'\\''s <web>'\n", one.address());
        assert!(mine.starts_with(&expected), "{mine}");
        let url = |text: &str, word: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap();
            line.trim().strip_prefix("http://10.10.10.1:8080").unwrap().to_owned()
        };
        let theirs = text(&two, &dashed("/kickstart/MAC.ks", NODE_2));
        assert!(theirs.contains("echo 'none'\n"), "{theirs}");
        assert_ne!(url(&mine, "installed"), url(&theirs, "installed"));
        // Its whole image and a restart are not enough for a machine that will report.
        one.get(&format!("/1185.3.0/{IMAGE}"));
        one.boots(Firmware::Bios);
        assert_eq!(appliance.machine(NODE_1).0, "delivered");
        one.get(&url(&mine, "failed"));
        server.log.wait_for("node-1 (52:54:00:00:00:01): reports that installing failed");
        one.tftp_text("pxelinux.cfg/default");
        assert_eq!(one.get(&url(&mine, "installed")), b"ok");
        assert_eq!(appliance.machine(NODE_1).0, "installed");
        // Afterwards the same template holds a token that is good for nothing.
        let later = text(&one, &path);
        assert_eq!(one.curl(&url(&later, "installed")).0, 403);
        assert_eq!(appliance.machine(NODE_2).0, "installing");
    });
}

#[test]
fn a_machine_whose_config_has_a_mistake_is_not_installed_and_the_line_is_named() {
    isolated(|lan| {
        let machines = format!(
            "[[machine]]\nname = \"good\"\nmac = \"{NODE_1}\"\nlabels = {{ a = \"b\" }}\n\
             [[machine]]\nname = \"bad\"\nmac = \"{NODE_2}\"\n"
        );
        let (_appliance, _stick, server) = serve(&[
            ("machines.toml", &machines),
            ("cloud-configs/default.yml.j2", "#cloud-config\nx: 1\na: {{ labels.a }}\n"),
            ("talos/default.yaml", "machine: {}\n  - x\n"),
        ]);
        let heard = server.log.wait_for("cloud-configs/default.yml.j2:3: ");
        assert!(heard.contains("for bad: uses something that this machine does not have"));
        server.log.wait_for("talos/default.yaml:2: column ");
        let [one, two] = [NODE_1, NODE_2].map(|mac| booted(&lan, mac));
        assert!(one.tftp_text("pxelinux.cfg/default").contains("KERNEL "));
        let told = two.tftp_text("pxelinux.cfg/default");
        assert!(told.contains("its configuration has a mistake"), "{told}");
        assert_eq!(
            text(&one, &format!("/cloud-configs/{NODE_1}.yml")),
            "#cloud-config\nx: 1\na: b\n"
        );
        assert_eq!(two.curl(&format!("/cloud-configs/{NODE_2}.yml")).0, 404);
    });
}

/// The UUID that is told in option 97 when the machine is on the stick by it.
const UUID: &str = "4c4c4544-0051-3410-8051-b5c04f375931";

fn with_uuid() -> Vec<(u8, Vec<u8>)> {
    let mut options = Firmware::IpxeBios.options();
    options.retain(|(code, _)| *code != 97);
    let uuid = b"\0DELL\x51\0\x10\x34\x80\x51\xb5\xc0\x4f\x37\x59\x31";
    options.push((97, uuid.to_vec()));
    options
}

#[test]
fn a_machine_is_known_by_its_uuid_from_its_first_request_on_and_after_a_restart() {
    isolated(|lan| {
        let machines = format!(
            "[[machine]]\nname = \"node-1\"\nmatch = {{ uuid = \"{UUID}\" }}\n\
             ip = \"10.10.10.20\"\nimage = \"coreos\"\n"
        );
        let files = [("machines.toml", machines.as_str()), ("kickstart/node-1.ks", "text\n")];
        let (appliance, _stick, server) = serve(&files);
        let one = lan.machine(NODE_1);
        let ack = one.leases(&with_uuid());
        assert_eq!(ack.yiaddr.to_string(), "10.10.10.20");
        one.use_address(ack.yiaddr);
        server.log.wait_for(&format!("{NODE_1} is node-1, by what its firmware says of itself"));
        let path = dashed("/boot/MAC.ipxe", NODE_1);
        assert!(text(&one, &path).contains("installing CoreOS"), "{}", text(&one, &path));
        assert_eq!(one.get(&dashed("/kickstart/MAC.ks", NODE_1)), b"text\n");
        // The power is cut. Its system asks without option 97, and is the same machine.
        server.dies();
        let server = appliance.serves();
        assert_eq!(appliance.machine(NODE_1).0, "installing");
        let system = one.leases(&[(55, vec![1, 3, 6])]);
        assert_eq!(system.yiaddr.to_string(), "10.10.10.20");
        // A second reading of the stick changes nothing of that.
        server.hangup();
        server.log.wait_for_nth(" read: ", 2);
        assert_eq!(appliance.machine(NODE_1).0, "installing");
    });
}

#[test]
fn a_machine_on_the_stick_by_its_serial_number_is_asked_for_it_at_each_boot() {
    isolated(|lan| {
        let machines = "[[machine]]\nname = \"node-1\"\nmatch = { serial = \"5Q4Q/7Y 1\" }\n";
        let (appliance, _stick, server) = serve(&[("machines.toml", machines)]);
        let [one, two] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        for machine in [&one, &two] {
            machine.boots(Firmware::IpxeBios);
        }
        let path = dashed("/boot/MAC.ipxe", NODE_1);
        let asks = format!(
            "#!ipxe\nchain --replace http://10.10.10.1:8080{path}?uuid=${{uuid}}&serial=\
             ${{serial:uristring}}\n"
        );
        assert_eq!(text(&one, &path), asks);
        assert_eq!(text(&one, &path), asks, "until it has told");
        // Nobody tells for another machine.
        let told = format!("{path}?uuid={UUID}&serial=5Q4Q%2F7Y%201");
        assert!(text(&two, &told).contains("booting your own disk"));
        assert_eq!(text(&one, &path), asks);
        assert!(text(&one, &told).contains("installing CoreOS"));
        server.log.wait_for(&format!("{NODE_1} is node-1, by what its firmware says of itself"));
        assert_eq!(appliance.machine(NODE_1).0, "installing");
        assert_eq!(text(&one, &path), asks, "another machine may have the card now");
        // One that tells what its maker left there is nobody.
        let path = dashed("/boot/MAC.ipxe", NODE_2);
        let junk = format!("{path}?uuid=&serial=To%20Be%20Filled%20By%20O.E.M.");
        assert!(text(&two, &junk).contains("the stick does not name this machine"));
    });
}

#[test]
fn no_name_leads_to_anything_but_configs() {
    isolated(|lan| {
        let secret = "not for machines";
        let machines = format!("[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\n");
        let (_appliance, stick, _server) = serve(&[
            ("machines.toml", &machines),
            ("secret.txt", secret),
            ("kickstart/notes.txt", secret),
            ("kickstart/other.ks", secret),
            ("kickstart/sub/MAC.ks", secret),
            ("kickstart/default.ks.j2", "text {{ name }}\n"),
        ]);
        std::os::unix::fs::symlink(
            "/etc/passwd",
            stick.folder().join(dashed("kickstart/MAC.ks", NODE_1)),
        )
        .unwrap();
        let one = booted(&lan, NODE_1);
        let mac = dashed("MAC", NODE_1);
        let long = "a".repeat(4096);
        let ups =
            ["..", "%2e%2e", "%252e%252e", "..%2f", "..%5c", ".%00.", "%c0%ae%c0%ae", "....//"];
        let mut names: Vec<String> = Vec::new();
        for folder in ["kickstart", "autoinstall", "ignition", "scripts", "cloud-configs", "talos"]
        {
            for up in ups {
                for target in ["secret.txt", "etc/passwd", "machines.toml", "kickstart/other.ks"] {
                    names.push(format!("/{folder}/{up}/{target}"));
                    names.push(format!("/{folder}/{mac}/{up}/{up}/{target}"));
                    names.push(format!("/{folder}/{up}/{up}/{target}.ks"));
                }
            }
            for name in ["", "notes.txt", "other.ks", "default.ks", "default.ks.j2", "sub", &long] {
                names.push(format!("/{folder}/{name}"));
            }
            names.push(format!("/{folder}/sub/{mac}.ks"));
            names.push(format!("/{folder}/{mac}.ks.j2"));
            names.push(format!("/{folder}//etc/passwd"));
        }
        assert!(names.len() > 500, "{}", names.len());
        let mut connection = one.connect(8080);
        for name in &names {
            let answer = connection.ask("GET", name, &[]);
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(matches!(answer.status, 404 | 400 | 414 | 431), "{name}: {}", answer.status);
            assert!(!body.contains(secret) && !body.contains("root:"), "{name}: {body}");
            if answer.header("Connection") == Some("close") {
                connection = one.connect(8080);
            }
        }
        assert_eq!(text(&one, &dashed("/kickstart/MAC.ks", NODE_1)), "text node-1\n");
    });
}
