//! The URLs that installers ask for, with the clients that ask for them: curl and wget.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;

use net::stick::{IMAGE, KERNEL, NODE_1, NODE_2, STRANGER, Stick, strangers_signature};
use net::{Appliance, Firmware, Machine, isolated};

/// The machine `mac` with an address that the appliance gave it.
fn booted(lan: &net::Lan, mac: &str) -> Machine {
    let machine = lan.machine(mac);
    machine.boots(Firmware::Bios);
    machine
}

#[test]
fn every_url_of_the_old_box_leads_to_its_file() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let _server = appliance.serves();
        let machine = booted(&lan, NODE_1);
        for name in [IMAGE, &format!("{IMAGE}.sig"), "version.txt", KERNEL] {
            let expected = stick.image_file(name);
            for path in [
                format!("/1185.3.0/{name}"),
                format!("//1185.3.0/{name}"),
                format!("/1185%2e3.0/{name}"),
                format!("/current/{name}"),
                format!("/images/coreos/1185.3.0/{name}"),
            ] {
                assert!(machine.get(&path) == expected, "{path}");
            }
        }
        assert!(machine.get(&format!("/boot/{KERNEL}")) == stick.image_file(KERNEL));
        let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
        assert!(script.starts_with("#!/bin/sh\n"), "{script}");
    });
}

#[test]
fn port_80_serves_the_same() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let _server = appliance.serves();
        let machine = booted(&lan, NODE_1);
        let url = format!("http://10.10.10.1/1185.3.0/{IMAGE}");
        assert!(machine.run("curl", &["-sSf", &url]).good().out == stick.image_file(IMAGE));
    });
}

#[test]
fn an_image_in_a_version_folder_at_the_top_of_the_stick_is_served_too() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = Stick::empty(&appliance.media().join("sda1"));
        stick.write(&format!("1185.3.0/{IMAGE}"), "the image");
        stick.write(&format!("1185.3.0/{IMAGE}.sig"), strangers_signature());
        stick.write(&format!("1235.9.0/{IMAGE}"), "a newer image");
        let _server = appliance.serves();
        let machine = booted(&lan, NODE_1);
        assert_eq!(machine.get(&format!("/1185.3.0/{IMAGE}")), b"the image");
        assert_eq!(machine.get(&format!("//1185.3.0/{IMAGE}.sig")), strangers_signature());
        assert_eq!(machine.get("/current/version.txt"), b"COREOS_VERSION=1235.9.0\n");
    });
}

#[test]
fn a_config_is_found_in_every_spelling_of_its_mac_whatever_its_file_is_called() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = Stick::empty(&appliance.media().join("sda1"));
        let macs = ["52:54:00:00:0a:01", "52:54:00:00:0a:02", "52:54:00:00:0a:03"];
        let files = ["52:54:00:00:0A:01.yml", "52-54-00-00-0a-02.yml", "525400000A03.YML"];
        for (mac, file) in macs.iter().zip(files) {
            stick.write(
                &format!("cloud-configs/{file}"),
                format!("#cloud-config\nhostname: {mac}\n"),
            );
        }
        let _server = appliance.serves();
        for mac in macs {
            let machine = booted(&lan, mac);
            let spellings = [
                mac.to_owned(),
                mac.to_uppercase(),
                mac.replace(':', "-"),
                mac.replace(':', "-").to_uppercase(),
                mac.replace(':', "%3A"),
                mac.replace(':', "%3a"),
                mac.replace(':', ""),
            ];
            for name in
                spellings.iter().flat_map(|mac| [format!("{mac}.yml"), format!("{mac}.YML")])
            {
                let text =
                    String::from_utf8(machine.get(&format!("/cloud-configs/{name}"))).unwrap();
                assert_eq!(text, format!("#cloud-config\nhostname: {mac}\n"), "{name}");
            }
        }
    });
}

#[test]
fn a_config_is_given_to_the_machine_itself_and_to_nobody_else() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let [one, two] = [NODE_1, NODE_2].map(|mac| booted(&lan, mac));
        let guest = lan.machine(STRANGER);
        guest.use_address("10.10.10.9".parse().unwrap());
        let path = |mac: &str| format!("/cloud-configs/{mac}.yml");
        assert_eq!(one.get(&path(NODE_1)), b"#cloud-config\nhostname: node-1\n");
        assert_eq!(two.get(&path(NODE_2)), b"#cloud-config\nhostname: node-2\n");
        assert_eq!(two.curl(&path(NODE_1)).0, 403);
        let line = server.log.wait_for("asked for the configuration of node-1");
        assert!(line.contains(&format!("warning: http: {NODE_2} asked")), "{line}");
        // An address that was taken, not given, is nobody's.
        assert_eq!(guest.curl(&path(NODE_1)).0, 403);
        let line = format!("http: 10.10.10.9 ({STRANGER}) asked for the configuration of node-1");
        server.log.wait_for(&line);
        // Nor does its name say whether there is one.
        assert_eq!(guest.curl(&path("52:54:00:00:00:7f")).0, 403);
    });
}

#[test]
fn a_machine_without_a_config_of_its_own_is_given_the_default_one() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", "#cloud-config\nhostname: anybody\n");
        stick.remove("cloud-configs/52-54-00-00-00-01.yml");
        let _server = appliance.serves();
        let path = |mac: &str| format!("/cloud-configs/{mac}.yml");
        let [one, two] = [NODE_1, NODE_2].map(|mac| booted(&lan, mac));
        assert_eq!(one.get(&path(NODE_1)), b"#cloud-config\nhostname: anybody\n");
        assert_eq!(two.get(&path(NODE_2)), b"#cloud-config\nhostname: node-2\n");
    });
}

#[test]
fn what_is_not_there_is_404_at_once_when_the_stick_is_read() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("secret.txt", "not exported");
        fs::write(appliance.media().join("outside"), "not exported").unwrap();
        let _server = appliance.serves();
        let machine = booted(&lan, STRANGER);
        let own = format!("/cloud-configs/{STRANGER}.yml");
        let started = std::time::Instant::now();
        for path in [
            &own,
            "/1.2.3/coreos_production_image.bin.bz2",
            "/1185.3.0/no-such-file",
            "/images/flatcar/1185.3.0/version.txt",
            "/machines.toml",
            "/secret.txt",
            "/../outside",
            "/1185.3.0/../../../outside",
            "/1185.3.0/..%2f..%2f..%2fsecret.txt",
            "/%2e%2e/outside",
            "/cloud-configs/",
            "/etc/passwd",
            "/status",
            "/arm?mac=52:54:00:00:00:01",
        ] {
            assert_eq!(machine.curl(path).0, 404, "{path}");
        }
        assert!(started.elapsed().as_secs() < 4, "a 404 must not wait");
    });
}

#[test]
fn wget_looks_before_it_fetches_as_coreos_install_does() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let _server = appliance.serves();
        let machine = booted(&lan, NODE_1);
        let url = format!("http://10.10.10.1:8080//1185.3.0/{IMAGE}");
        let sig = format!("{url}.sig");
        for url in [&url, &sig] {
            machine.run("wget", &["--spider", "--quiet", url]).good();
        }
        let missing = format!("{url}.asc");
        assert_eq!(machine.run("wget", &["--spider", "--quiet", &missing]).code, Some(8));
        let ran = machine.run("wget", &["--no-verbose", "-O", "-", &sig]).good();
        assert!(ran.out == stick.image_file(&format!("{IMAGE}.sig")));
        let ran = machine.run("wget", &["--no-verbose", "-O", "-", &url]).good();
        assert!(ran.out == stick.image_file(IMAGE));
    });
}

#[test]
fn wget_resumes_a_download_that_was_cut() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        let machine = booted(&lan, NODE_1);
        let whole = stick.image_file(IMAGE);
        fs::write("/run/download", &whole[..777_777]).unwrap();
        let url = format!("http://10.10.10.1:8080/1185.3.0/{IMAGE}");
        machine.run("wget", &["-q", "-c", "-O", "/run/download", &url]).good();
        assert!(fs::read("/run/download").unwrap() == whole);
        server.log.wait_for(&format!("({} bytes)", whole.len() - 777_777));
    });
}

#[test]
fn a_download_ends_with_an_error_when_the_stick_is_pulled_and_serving_goes_on() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        // Larger than what fits the buffers on the way.
        let large = vec![7; 64 * 1024 * 1024];
        stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), &large);
        let server = appliance.serves();
        let machine = booted(&lan, NODE_1);
        let mut slow = machine.connect(8080);
        slow.send(format!("GET /1185.3.0/{IMAGE} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        server.log.wait_for("takes images/coreos/1185.3.0");
        // A file that ends early is how a file system tells of a stick that is gone.
        stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), &large[..1000]);
        assert!(slow.rest().len() < large.len(), "the download looks whole");
        let stick = stick.moved_to("/run/pulled".as_ref());
        server.hangup();
        server.log.wait_for("no stick is there");
        assert_eq!(machine.curl(&format!("/1185.3.0/{IMAGE}")).0, 503);
        stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), "as before");
        stick.moved_to(&appliance.media().join("sdb1"));
        server.hangup();
        assert_eq!(machine.get(&format!("/1185.3.0/{IMAGE}")), b"as before");
    });
}
