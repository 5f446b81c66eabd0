//! One machine from its first boot to its own disk, and everything that can come between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::{IMAGE, NODE_1, NODE_2, STRANGER};
use net::{Appliance, Firmware, Machine, Server, isolated};

const SCRIPT: &str = "/cloud-configs/install.sh";

/// What a machine is told to boot by PXELINUX.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Install,
    Disk,
}

fn told(machine: &Machine) -> Told {
    let text = machine.tftp_text("pxelinux.cfg/default");
    match (text.contains("KERNEL "), text.contains("APPEND hd0")) {
        (true, false) => Told::Install,
        (false, true) => Told::Disk,
        _ => panic!("{text}"),
    }
}

/// Power on, and what PXELINUX is told.
fn boots(machine: &Machine) -> Told {
    machine.boots(Firmware::Bios);
    told(machine)
}

/// The path of a report in the script that the machine is given now.
fn report(machine: &Machine, event: &str) -> String {
    let script = String::from_utf8(machine.get(SCRIPT)).unwrap();
    let token = script.split("token='").nth(1).and_then(|rest| rest.split('\'').next());
    format!("/v1/event?token={}&event={event}", token.unwrap_or_else(|| panic!("{script}")))
}

fn image() -> String {
    format!("/1185.3.0/{IMAGE}")
}

/// The sample stick is served, and this is its node-1.
fn scene(lan: &net::Lan) -> (Appliance, Server, Machine) {
    let appliance = Appliance::server();
    appliance.sample_stick();
    let server = appliance.serves();
    (appliance, server, lan.machine(NODE_1))
}

/// The machine boots the installer, takes its image and says that it is done.
fn installs(machine: &Machine) {
    assert_eq!(boots(machine), Told::Install);
    let path = report(machine, "installed");
    machine.get(&image());
    assert_eq!(machine.get(&path), b"ok");
}

fn state(appliance: &Appliance) -> String {
    appliance.machine(NODE_1).0
}

#[test]
fn a_named_machine_installs_once_and_then_boots_its_disk() {
    isolated(|lan| {
        let (appliance, server, machine) = scene(&lan);
        assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0));
        assert_eq!(boots(&machine), Told::Install);
        assert_eq!(appliance.machine(NODE_1), ("installing".into(), 1));
        server.log.wait_for("node-1 (52:54:00:00:00:01): installing, attempt 1");
        let installed = report(&machine, "installed");
        assert_eq!(appliance.machine(NODE_1), ("installing".into(), 1), "one boot, one attempt");
        machine.get(&image());
        assert_eq!(state(&appliance), "delivered");
        assert_eq!(machine.get(&installed), b"ok");
        assert_eq!(machine.get(&installed), b"ok", "a report may come twice");
        assert_eq!(state(&appliance), "installed");
        server.log.wait_for("node-1 (52:54:00:00:00:01): installed, it boots its own disk now");
        for _ in 0..2 {
            assert_eq!(boots(&machine), Told::Disk);
        }
        let script = String::from_utf8(machine.get(SCRIPT)).unwrap();
        assert!(!script.contains("coreos-install") && script.contains("nothing is installed"));
    });
}

#[test]
fn an_image_is_delivered_when_all_of_it_was_taken_in_whatever_parts() {
    isolated(|lan| {
        let (appliance, _server, machine) = scene(&lan);
        assert_eq!(boots(&machine), Told::Install);
        let takes = |part: &str| {
            let range = format!("Range: bytes={part}");
            let answer = machine.connect(8080).ask("GET", &image(), &[&range]);
            assert_eq!(answer.status, 206, "{part}");
            state(&appliance)
        };
        assert_eq!(takes("1000000-"), "installing", "the end alone is not the image");
        assert_eq!(takes("0-499999"), "installing");
        assert_eq!(takes("500000-500009"), "installing");
        assert_eq!(takes("400000-999999"), "delivered");
    });
}

#[test]
fn a_report_needs_the_token_of_this_installation() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let [one, two] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        assert_eq!(boots(&one), Told::Install);
        let old = report(&one, "installed");
        for path in [
            "/v1/event?token=0123456789abcdef0123456789abcdef&event=installed",
            "/v1/event?token=&event=installed",
            "/v1/event?event=installed",
            "/v1/event",
            &old.replace("event=installed", "event=armed"),
        ] {
            assert_eq!(one.curl(path).0, 403, "{path}");
        }
        assert_eq!(state(&appliance), "installing");
        // Armed anew, the former token is worth nothing.
        appliance.tell(&["arm", NODE_1]).good();
        assert_eq!(one.curl(&old).0, 403);
        // One machine's report is not another's.
        assert_eq!(boots(&two), Told::Install);
        two.get(&report(&two, "installed"));
        assert_eq!(state(&appliance), "armed");
    });
}

#[test]
fn after_three_boots_without_an_end_it_has_failed_until_somebody_arms_it() {
    isolated(|lan| {
        let (appliance, server, machine) = scene(&lan);
        for attempt in 1..=3 {
            assert_eq!(boots(&machine), Told::Install, "attempt {attempt}");
            assert_eq!(appliance.machine(NODE_1), ("installing".into(), attempt));
            report(&machine, "installed");
        }
        assert_eq!(boots(&machine), Told::Disk);
        let line = server.log.wait_for("not installed after 3 attempts");
        assert!(line.contains("error: node-1") && line.contains("arm it again"), "{line}");
        assert_eq!(state(&appliance), "failed");
        let ran = appliance.tell(&["arm", NODE_1]).good();
        assert!(ran.text().contains("52:54:00:00:00:01 is armed"), "{}", ran.text());
        installs(&machine);
        assert_eq!(boots(&machine), Told::Disk);
    });
}

#[test]
fn a_failure_that_is_reported_is_tried_again_at_the_next_boot() {
    isolated(|lan| {
        let (appliance, server, machine) = scene(&lan);
        assert_eq!(boots(&machine), Told::Install);
        machine.get(&report(&machine, "failed"));
        server.log.wait_for("warning: node-1 (52:54:00:00:00:01): reports that installing failed");
        assert_eq!(boots(&machine), Told::Install);
        assert_eq!(appliance.machine(NODE_1).1, 2);
    });
}

#[test]
fn an_image_sent_whole_is_not_an_end_when_the_script_would_have_said_so() {
    isolated(|lan| {
        let (_appliance, _server, machine) = scene(&lan);
        assert_eq!(boots(&machine), Told::Install);
        machine.get(SCRIPT);
        machine.get(&image());
        // It came back without a report: a signature was wrong, or the power went.
        assert_eq!(boots(&machine), Told::Install);
    });
}

#[test]
fn with_the_sticks_own_script_image_and_next_boot_mean_installed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let own = "#!/bin/bash\necho mine\n";
        stick.write("cloud-configs/install.sh", own);
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        assert_eq!(boots(&machine), Told::Install);
        assert_eq!(machine.get(SCRIPT), own.as_bytes());
        // Half an image is no image.
        let half = "http://10.10.10.1:8080/1185.3.0/coreos_production_image.bin.bz2";
        machine.run("curl", &["-sS", "-r", "0-1000000", "-o", "/dev/null", half]).good();
        assert_eq!(boots(&machine), Told::Install);
        assert_eq!(appliance.machine(NODE_1), ("installing".into(), 2));
        machine.get(SCRIPT);
        machine.get(&image());
        assert_eq!(state(&appliance), "delivered");
        assert_eq!(boots(&machine), Told::Disk);
        assert_eq!(state(&appliance), "installed");
    });
}

#[test]
fn looking_at_a_script_changes_nothing() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let [machine, neighbour] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        machine.boots(Firmware::Bios);
        neighbour.boots(Firmware::Bios);
        neighbour.tftp_text("pxelinux.cfg/01-52-54-00-00-00-01");
        neighbour.get("/boot/52-54-00-00-00-01.ipxe");
        neighbour.get(&image());
        for path in [SCRIPT, "/boot/52-54-00-00-00-01.ipxe", &image()] {
            machine.connect(8080).ask("HEAD", path, &[]);
        }
        assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0));
    });
}

#[test]
fn ipxe_is_given_the_same_answers() {
    isolated(|lan| {
        let (appliance, _server, machine) = scene(&lan);
        machine.boots(Firmware::EfiX64);
        let ack = machine.boots(Firmware::IpxeEfiX64);
        let path = ack.file.strip_prefix("http://10.10.10.1:8080").unwrap();
        let script = String::from_utf8(machine.get(path)).unwrap();
        assert!(script.starts_with("#!ipxe\n"), "{script}");
        assert!(
            script.contains("cloud-config-url=http://10.10.10.1:8080/cloud-configs/install.sh")
        );
        assert_eq!(appliance.machine(NODE_1), ("installing".into(), 1));
        machine.get(&report(&machine, "installed"));
        machine.boots(Firmware::EfiX64);
        machine.boots(Firmware::IpxeEfiX64);
        let script = String::from_utf8(machine.get(path)).unwrap();
        assert!(!script.contains("cloud-config-url") && script.contains("sanboot"), "{script}");
    });
}

#[test]
fn only_what_the_stick_names_can_be_armed() {
    isolated(|_| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let ran = appliance.tell(&["arm", "52:54:00:00:00:99"]);
        assert_ne!(ran.code, Some(0));
        assert!(ran.err.contains("the stick does not name it"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    });
}

/// Cuts the power and starts again; the machine keeps its address.
fn power_cut(appliance: &Appliance, server: Server) -> Server {
    server.dies();
    appliance.serves()
}

fn power_cut_without_stick(appliance: &Appliance, server: Server) -> Server {
    server.dies();
    appliance.serves_without_stick()
}

#[test]
fn a_power_cut_at_any_stage_loses_nothing() {
    isolated(|lan| {
        let (appliance, mut server, machine) = scene(&lan);

        assert_eq!(boots(&machine), Told::Install);
        server = power_cut(&appliance, server);
        assert_eq!(appliance.machine(NODE_1), ("installing".into(), 1));

        // The same boot goes on: its address and its token are still its own.
        let installed = report(&machine, "installed");
        server = power_cut(&appliance, server);
        assert_eq!(machine.get("/cloud-configs/52:54:00:00:00:01.yml").len(), 31);
        machine.get(&image());
        server = power_cut(&appliance, server);
        assert_eq!(appliance.machine(NODE_1), ("delivered".into(), 1));
        assert_eq!(machine.get(&installed), b"ok");
        server = power_cut(&appliance, server);
        assert_eq!(state(&appliance), "installed");
        assert_eq!(boots(&machine), Told::Disk);

        // Armed once more, and failed.
        appliance.tell(&["arm", NODE_1]).good();
        server = power_cut(&appliance, server);
        for attempt in 1..=3 {
            assert_eq!(boots(&machine), Told::Install, "attempt {attempt}");
            server = power_cut(&appliance, server);
        }
        assert_eq!(boots(&machine), Told::Disk);
        drop(power_cut(&appliance, server));
        let _server = appliance.serves();
        assert_eq!(state(&appliance), "failed");
        assert_eq!(boots(&machine), Told::Disk);
    });
}

#[test]
fn with_install_always_every_boot_after_an_installation_installs() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let entry = format!("[[machine]]\nmac = \"{NODE_1}\"\ninstall = \"always\"\n");
        stick.write("machines.toml", entry);
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        installs(&machine);
        installs(&machine);
    });
}

#[test]
fn a_stick_that_is_pulled_too_early_does_not_make_an_installation_unheard_of() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let mut stick = appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let (here, away) = (appliance.media().join("sda1"), std::path::Path::new("/run/pulled"));
        assert_eq!(boots(&machine), Told::Install);
        let installed = report(&machine, "installed");
        machine.get(&image());
        stick = stick.moved_to(away);
        server.hangup();
        server.log.wait_for("no stick is there");
        assert_eq!(machine.get(&installed), b"ok");
        server.log.wait_for("52:54:00:00:00:01: installed, it boots its own disk now");
        let ran = appliance.tell(&["arm", NODE_1]);
        assert_ne!(ran.code, Some(0), "nothing says what to install");
        let server = power_cut_without_stick(&appliance, server);
        stick.moved_to(&here);
        server.hangup();
        server.log.wait_for("1 stick read");
        assert_eq!(boots(&machine), Told::Disk);
        assert_eq!(state(&appliance), "installed");
    });
}

#[test]
fn with_unknown_install_a_stranger_lives_the_same_life() {
    isolated(|lan| {
        let appliance = Appliance::new("server", "boot.unknown = \"install\"");
        let stick = appliance.sample_stick();
        stick.write("cloud-configs/default.yml", "#cloud-config\nhostname: anybody\n");
        let server = appliance.serves();
        let machine = lan.machine(STRANGER);
        assert_eq!(boots(&machine), Told::Install);
        let installed = report(&machine, "installed");
        let config = machine.get(&format!("/cloud-configs/{STRANGER}.yml"));
        assert_eq!(config, b"#cloud-config\nhostname: anybody\n");
        machine.get(&image());
        assert_eq!(machine.get(&installed), b"ok");
        assert_eq!(boots(&machine), Told::Disk);
        let _server = power_cut(&appliance, server);
        assert_eq!(boots(&machine), Told::Disk, "forgotten, and wiped again");
        appliance.tell(&["arm", STRANGER]).good();
        assert_eq!(boots(&machine), Told::Install);
    });
}

#[test]
fn in_safe_mode_nothing_is_installed_and_the_next_start_is_as_before() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        // PID 1 says so when the button was held at power-on.
        std::fs::create_dir_all("/run/pxeberry").unwrap();
        std::fs::write("/run/pxeberry/safe-mode", "").unwrap();
        let server = appliance.serves();
        server.log.wait_for("warning: safe mode: nothing is installed");
        let machine = lan.machine(NODE_1);
        assert_eq!(boots(&machine), Told::Disk);
        std::fs::remove_file("/run/pxeberry/safe-mode").unwrap();
        let _server = power_cut(&appliance, server);
        assert_eq!(boots(&machine), Told::Install);
    });
}

#[test]
fn without_a_memory_nothing_is_installed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        // A file where the state folder should be.
        std::fs::write(appliance.state(), "").unwrap();
        let server = appliance.serves();
        let line = server.log.wait_for("nothing is remembered");
        assert!(line.contains("error: ") && line.contains("/run/box/state"), "{line}");
        assert_eq!(boots(&lan.machine(NODE_1)), Told::Disk);
    });
}
