//! What shim and Debian's GRUB are given: signed loaders, and a configuration of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;

use net::stick::{NODE_1, NODE_2, STRANGER};
use net::{Appliance, Firmware, Machine, isolated};

/// Every place in which a GRUB looks for the configuration of the machine that it runs on.
const PLACES: [&str; 4] =
    ["/grub/x86_64-efi/grub.cfg", "/grub/arm64-efi/grub.cfg", "/grub/grub.cfg", "/grub.cfg"];

const KERNEL: &str = "if linux '(http,10.10.10.1:8080)/boot/coreos_production_pxe.vmlinuz'";

fn attempts(appliance: &Appliance) -> (String, u64) {
    appliance.machine(NODE_1)
}

fn head(machine: &Machine, path: &str) {
    let url = format!("http://10.10.10.1:8080{path}");
    machine.run("curl", &["-sS", "--fail", "--head", &url]).good();
}

#[test]
fn an_armed_machine_is_told_to_install_and_a_stranger_to_boot_its_disk() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let [named, stranger] = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
        named.boots(Firmware::EfiX64);
        stranger.boots(Firmware::EfiX64);
        let own = |mac: &str| format!("/grub/grub.cfg-01-{}", mac.replace(':', "-"));
        for place in PLACES.map(str::to_owned).into_iter().chain([own(NODE_1)]) {
            let text = named.tftp_text(&place);
            assert!(text.contains(KERNEL), "{place}: {text}");
            assert!(text.contains("'BOOTIF=01-52-54-00-00-00-01'"), "{place}: {text}");
            let by_http = String::from_utf8(named.get(&format!("/boot{place}"))).unwrap();
            assert_eq!(by_http, text, "{place}");
        }
        for place in PLACES.map(str::to_owned).into_iter().chain([own(STRANGER)]) {
            let text = stranger.tftp_text(&place);
            assert!(text.ends_with("\nown_disk\n") && !text.contains("if linux "), "{text}");
        }
        // A GRUB that came by HTTP asks from the top.
        let text = String::from_utf8(named.get("/grub/grub.cfg")).unwrap();
        assert!(text.contains(KERNEL), "{text}");
    });
}

#[test]
fn an_attempt_is_counted_when_the_machine_itself_takes_its_configuration_and_once_in_a_boot() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let [named, other] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        named.boots(Firmware::EfiX64);
        other.boots(Firmware::EfiX64);
        other.tftp_text("/grub/grub.cfg-01-52-54-00-00-00-01");
        head(&named, "/grub/grub.cfg");
        assert_eq!(attempts(&appliance), ("armed".to_owned(), 0), "somebody only looked");
        for place in PLACES {
            named.tftp_text(place);
            assert_eq!(attempts(&appliance), ("installing".to_owned(), 1), "{place}");
        }
        named.boots(Firmware::EfiX64);
        named.get("/grub/grub.cfg");
        assert_eq!(attempts(&appliance), ("installing".to_owned(), 2));
    });
}

#[test]
fn each_machine_gets_the_loader_that_the_stick_says() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let machine = format!("[[machine]]\nmac = \"{NODE_1}\"\nloader = \"shim\"\n");
        stick.write("machines.toml", machine);
        let _server = appliance.serves();
        let [named, stranger] = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
        assert_eq!(named.boots(Firmware::EfiX64).file, "shimx64.efi");
        assert_eq!(named.boots(Firmware::EfiArm64).file, "shimaa64.efi");
        assert_eq!(named.boots(Firmware::Bios).file, "undionly.kpxe");
        assert_eq!(stranger.boots(Firmware::EfiX64).file, "snponly.efi");
    });
}

#[test]
fn signed_loaders_come_from_the_loaders_folder_under_the_names_that_shim_knows() {
    isolated(|lan| {
        let names = ["shimx64.efi", "grubx64.efi", "shimaa64.efi", "grubaa64.efi"];
        fs::create_dir_all("/run/loaders").unwrap();
        for name in names {
            fs::write(format!("/run/loaders/{name}"), format!("this is {name}")).unwrap();
        }
        let appliance = Appliance::new("server", "boot.loaders = \"/run/loaders\"");
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(STRANGER);
        machine.boots(Firmware::EfiX64);
        for name in names {
            assert_eq!(machine.tftp_text(&format!("/{name}")), format!("this is {name}"));
            assert_eq!(
                machine.get(&format!("/boot//{name}")),
                format!("this is {name}").bytes().collect::<Vec<u8>>()
            );
        }
    });
}

#[test]
fn what_shim_and_grub_can_do_without_is_refused_at_once_and_without_noise() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.serves_without_stick();
        let machine = lan.machine(STRANGER);
        machine.boots(Firmware::EfiX64);
        // Each time a line that comes behind all that was caused before.
        let settled = |nth: usize| {
            server.hangup();
            server.log.wait_for_nth("no stick is there", nth);
            server.log.lines().len()
        };
        let lines = settled(server.log.count("no stick is there") + 1);
        for name in [
            "revocations.efi",
            "revocations_sku.efi",
            "/revocations_sbat.efi",
            "shim_certificate_0.efi",
            "mmx64.efi",
            "grub/x86_64-efi/command.lst",
            "grub/fonts/unicode.pf2",
        ] {
            assert_eq!(machine.tftp(name).unwrap_err().code, 1, "{name}");
            // 503 would come after seconds of waiting for a stick.
            assert_eq!(machine.curl(&format!("/boot/{name}")).0, 404, "{name}");
        }
        let later = settled(server.log.count("no stick is there") + 1);
        assert_eq!(later, lines + 1, "{:#?}", server.log.lines());
    });
}

#[test]
fn a_real_configuration_on_the_stick_wins() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write("tftp/grub/grub.cfg", "# mine\n");
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::EfiX64);
        assert_eq!(machine.tftp_text("/grub/grub.cfg"), "# mine\n");
        assert_eq!(attempts(&appliance), ("armed".to_owned(), 0));
    });
}
