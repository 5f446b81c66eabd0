//! Installers that are not CoreOS's: when they are done, and what a restart of the servers in
//! the middle of an installation must not change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::{NODE_1, STRANGER};
use net::{Appliance, Firmware, Machine, Server, Stick, isolated};

const PRESEED: &str = "d-i debian-installer/locale string en_US.UTF-8\n";

fn script(machine: &Machine, mac: &str, firmware: Firmware) -> String {
    machine.boots(firmware);
    let path = format!("/boot/{}.ipxe", mac.replace(':', "-"));
    String::from_utf8(machine.get(&path)).unwrap()
}

fn debian(appliance: &Appliance) -> Stick {
    let stick = Stick::empty(&appliance.media().join("stick"));
    stick.write("images/debian/13/linux", "kernel");
    stick.write("images/debian/13/initrd.gz", "initrd");
    stick
}

/// A box with Debian, this preseed, and a machine that its stick names.
fn with_a_preseed(more: &str) -> (Appliance, Stick, Server) {
    let appliance = Appliance::new("server", more);
    let stick = debian(&appliance);
    stick.write("preseed/default.cfg", PRESEED);
    stick.write("machines.toml", format!("[[machine]]\nmac = \"{NODE_1}\"\n"));
    let server = appliance.serves();
    (appliance, stick, server)
}

#[test]
fn an_installer_that_reports_nothing_is_done_when_it_took_its_config_and_boots_again() {
    isolated(|lan| {
        let more = "boot.unknown = \"install\"\nhttp.add_report = false";
        let (appliance, _stick, _server) = with_a_preseed(more);
        // A machine that the stick names, and one that it does not.
        for mac in [NODE_1, STRANGER] {
            let machine = lan.machine(mac);
            assert!(script(&machine, mac, Firmware::IpxeBios).contains("installing Debian"));
            let path = format!("/preseed/{}.cfg", mac.replace(':', "-"));
            assert_eq!(machine.get(&path), PRESEED.as_bytes());
            let shown = appliance.tell(&["machines"]).good().text();
            assert!(shown.contains("has its configuration"), "{shown}");
            let told = script(&machine, mac, Firmware::IpxeBios);
            assert!(told.contains("own disk (it is installed)"), "{mac}: {told}");
        }
    });
}

#[test]
fn an_installer_that_got_its_report_from_us_is_done_when_it_reports_or_its_disk_starts() {
    isolated(|lan| {
        let (appliance, _stick, _server) = with_a_preseed("boot.unknown = \"install\"");
        for mac in [NODE_1, STRANGER] {
            let machine = lan.machine(mac);
            let path = format!("/preseed/{}.cfg", mac.replace(':', "-"));
            let given = || String::from_utf8(machine.get(&path)).unwrap();
            machine.boots(Firmware::IpxeBios);
            for attempt in 1..=2 {
                if attempt == 2 {
                    // Nobody knows whether what was added works there.
                    for reason in ["its disk is tried", "its installation failed"] {
                        let told = script(&machine, mac, Firmware::IpxeBios);
                        assert!(told.contains(reason), "{mac}: {told}");
                    }
                    appliance.tell(&["arm", mac]).good();
                }
                let told = script(&machine, mac, Firmware::IpxeBios);
                assert!(told.contains("installing Debian"), "{mac}, {attempt}: {told}");
                // Who asks for the head alone hears how long it is, and takes nothing.
                let head = machine.connect(8080).ask("HEAD", &path, &[]);
                let text = given();
                assert_eq!(head.header("Content-Length").unwrap(), text.len().to_string());
                assert!(text.starts_with(PRESEED), "{text}");
                assert_eq!(text, given(), "whoever fetches it twice");
                assert_eq!(appliance.machine(mac).0, "delivered");
            }
            let text = given();
            let url = text.split('\'').find_map(|word| word.strip_prefix("http://10.10.10.1:8080"));
            assert_eq!(machine.curl(url.unwrap()), (200, b"ok".to_vec()), "{text}");
            let told = script(&machine, mac, Firmware::IpxeBios);
            assert!(told.contains("own disk (it is installed)"), "{mac}: {told}");
            // What is over has nothing to report.
            assert_eq!(given(), PRESEED);
        }
    });
}

#[test]
fn whoever_looks_at_a_plain_configuration_on_an_armed_machine_leaves_it_armed() {
    isolated(|lan| {
        let (appliance, _stick, _server) = with_a_preseed("");
        let machine = lan.machine(NODE_1);
        // A system runs there, and none of its boots was ours.
        let ack = machine.leases(&[]);
        machine.use_address(ack.yiaddr);
        let path = format!("/preseed/{}.cfg", NODE_1.replace(':', "-"));
        assert_eq!(machine.get(&path), PRESEED.as_bytes());
        assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0));
        let told = script(&machine, NODE_1, Firmware::IpxeBios);
        assert!(told.contains("installing Debian"), "{told}");
    });
}

#[test]
fn a_restart_of_the_servers_takes_no_installation_its_token() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = Stick::empty(&appliance.media().join("stick"));
        // For ARM only, and the servers hear what a machine is at its next boot alone.
        for name in ["vmlinuz-arm64", "initramfs-arm64.xz"] {
            stick.write(&format!("images/talos/1.8.0/{name}"), name);
        }
        let config = "machine:\n  type: worker\n# {{ report_installed }}\n";
        stick.write("talos/default.yaml.j2", config);
        stick.write("machines.toml", format!("[[machine]]\nmac = \"{NODE_1}\"\n"));
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let told = script(&machine, NODE_1, Firmware::EfiArm64);
        assert!(told.contains("installing Talos"), "{told}");
        server.dies();
        let _server = appliance.serves();
        let text = machine.get("/talos/52-54-00-00-00-01.yaml");
        let text = String::from_utf8(text).unwrap();
        let url = text.lines().find_map(|line| line.strip_prefix("# http://10.10.10.1:8080"));
        assert_eq!(machine.curl(url.unwrap()), (200, b"ok".to_vec()), "{text}");
        assert_eq!(appliance.machine(NODE_1).0, "installed");
    });
}

#[test]
fn who_may_be_named_by_its_serial_number_is_no_stranger_to_a_loader_that_cannot_tell_it() {
    isolated(|lan| {
        let appliance = Appliance::new("server", "boot.unknown = \"install\"");
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", "#cloud-config\nhostname: anybody\n");
        let rule = "[[machine]]\nmatch = { serial = \"5Q4Q7Y1\" }\ninstall = \"never\"\n";
        stick.write("machines.toml", rule);
        let _server = appliance.serves();
        let machine = lan.machine(STRANGER);
        machine.boots(Firmware::Bios);
        let told = machine.tftp_text("pxelinux.cfg/default");
        assert!(!told.contains("KERNEL"), "{told}");
        // iPXE tells the number, and it is nobody's.
        let path = format!("/boot/{}.ipxe?uuid=&serial=OTHER", STRANGER.replace(':', "-"));
        let told = String::from_utf8(machine.get(&path)).unwrap();
        assert!(told.contains("installing CoreOS"), "{told}");
    });
}
