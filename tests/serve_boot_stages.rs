//! How far a machine's boot came, and what to check where it stopped: as the log, the status
//! and the page say it. The machine is crafted, its DHCP, TFTP and HTTP are real packets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::{IMAGE, INITRD, KERNEL, NODE_1, NODE_2, Stick};
use net::{Appliance, Ask, Firmware, Kind, Lan, Machine, Server, isolated};

/// A box whose loaders are its own: only what is written here is there.
fn with_loaders(names: &[&str]) -> Appliance {
    for name in names {
        Stick::empty("/run/loaders".as_ref()).write(name, vec![7; 40_000]);
    }
    Appliance::new("server", "boot.loaders = \"/run/loaders\"")
}

/// The same with a stick, serving, and the machine that the stick names.
fn node_1(lan: &Lan) -> (Appliance, Server, Machine) {
    let appliance = with_loaders(&["snponly.efi", "ipxe-amd64.efi"]);
    appliance.sample_stick();
    let server = appliance.serves();
    (appliance, server, lan.machine(NODE_1))
}

/// Firmware gets an address and loads what it is told, as far as it goes.
fn loads(machine: &Machine) -> String {
    let file = machine.boots(Firmware::EfiX64).file;
    machine.tftp(&file).unwrap();
    file
}

/// The iPXE that was loaded asks.
fn ipxe_runs(machine: &Machine) {
    let ask = Ask::new(Kind::Discover, machine.mac).with(&Firmware::IpxeEfiX64.options());
    machine.port.ask(&ask).expect("no OFFER");
}

/// What `pxeberry machines` says of a machine below its row, as one line.
fn shown(appliance: &Appliance, mac: &str) -> String {
    let text = appliance.tell(&["machines"]).good().text();
    let below = text.lines().skip_while(|line| !line.contains(mac)).skip(1);
    let details = below.take_while(|line| line.starts_with(' '));
    // A sentence is broken where the terminal ends.
    details.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_step_of_a_boot_is_shown_when_it_is_reached() {
    isolated(|lan| {
        let (appliance, server, machine) = node_1(&lan);
        let is = |words: &str| {
            let shown = shown(&appliance, NODE_1);
            assert!(shown.contains(&format!("{words}, ")), "{words}: {shown}");
        };
        assert_eq!(shown(&appliance, NODE_1), "");
        machine.boots(Firmware::EfiX64);
        is("has taken its address");
        machine.tftp("snponly.efi").unwrap();
        is("was sent its loader");
        ipxe_runs(&machine);
        is("runs its loader");
        machine.get("/boot/52-54-00-00-00-01.ipxe");
        is("has its boot script");
        machine.get(&format!("/boot/{KERNEL}"));
        is("takes its kernel");
        machine.get(&format!("/boot/{INITRD}"));
        is("takes its initial RAM disk");
        let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
        is("has its configuration");
        machine.get(&format!("/1185.3.0/{IMAGE}"));
        is("takes the image for its disk");
        let token = script.lines().find_map(|line| line.strip_prefix("token='")).unwrap();
        let token = token.trim_end_matches('\'');
        machine.get(&format!("/v1/event?token={token}&event=installed"));
        is("has reported");
        let page = String::from_utf8(machine.get("/")).unwrap();
        assert!(page.contains("<div>Has reported <small>"), "{page}");
        assert_eq!(server.log.count("warning: "), 0, "{:#?}", server.log.lines());
    });
}

#[test]
fn a_loader_that_firmware_refuses_is_named_and_the_other_one_is_tried_and_remembered() {
    isolated(|lan| {
        let (appliance, server, machine) = node_1(&lan);
        assert_eq!(loads(&machine), "snponly.efi");
        // Its firmware comes again: perhaps somebody has pressed reset.
        assert_eq!(loads(&machine), "snponly.efi");
        let line = server.log.wait_for("started anew without running it");
        assert!(line.contains("snponly.efi") && line.contains("Secure Boot"), "{line}");
        let check = "it was sent snponly.efi whole";
        assert!(shown(&appliance, NODE_1).contains(check));
        assert_eq!(loads(&machine), "ipxe-amd64.efi");
        server.log.wait_for("did not run snponly.efi; is given ipxe-amd64.efi now");
        ipxe_runs(&machine);
        server.log.wait_for("runs ipxe-amd64.efi, and not snponly.efi");
        assert!(!shown(&appliance, NODE_1).contains("was sent"), "it runs now");
        machine.get("/boot/52-54-00-00-00-01.ipxe");
        // The power is cut.
        server.dies();
        let _server = appliance.serves();
        assert_eq!(machine.boots(Firmware::EfiX64).file, "ipxe-amd64.efi");
        let http = machine.boots(Firmware::HttpX64).file;
        assert_eq!(http, "http://10.10.10.1:8080/boot/ipxe-amd64.efi");
    });
}

#[test]
fn a_loader_sent_by_http_counts_as_one_sent_by_tftp() {
    isolated(|lan| {
        let (_appliance, server, machine) = node_1(&lan);
        for _ in 0..2 {
            machine.boots(Firmware::HttpX64);
            machine.run("curl", &["-sSfI", "http://10.10.10.1:8080/boot/snponly.efi"]).good();
            machine.get("/boot/snponly.efi");
        }
        assert_eq!(loads(&machine), "ipxe-amd64.efi");
        server.log.wait_for("did not run snponly.efi");
    });
}

#[test]
fn firmware_that_only_looks_at_its_loader_has_not_refused_it() {
    isolated(|lan| {
        let (_appliance, server, machine) = node_1(&lan);
        for _ in 0..4 {
            assert_eq!(machine.boots(Firmware::EfiX64).file, "snponly.efi");
            machine.tftp_first_answer(b"\0\x01snponly.efi\0octet\0tsize\x000\0blksize\x001468\0");
            machine.run("curl", &["-sSfI", "http://10.10.10.1:8080/boot/snponly.efi"]).good();
        }
        assert_eq!(server.log.count("anew without running"), 0);
    });
}

/// A report of the script in this machine; the status of its answer.
fn reports(machine: &Machine, mac: &str, words: &str) -> u16 {
    machine.curl(&format!("/v1/boot?mac={}&{words}", mac.replace(':', "-"))).0
}

#[test]
fn a_failed_download_is_one_line_and_stays_on_the_page_until_it_works() {
    isolated(|lan| {
        let (appliance, server, machine) = node_1(&lan);
        machine.boots(Firmware::IpxeEfiX64);
        machine.get("/boot/52-54-00-00-00-01.ipxe");
        let too_little = "stage=initrd&error=0x34182006&memory=0004-0004------";
        for _ in 0..5 {
            assert_eq!(reports(&machine, NODE_1, too_little), 200);
        }
        server.log.wait_for("node-1 (52:54:00:00:00:01): has too little memory of 2048 MiB for its image: give it more");
        assert_eq!(server.log.count("too little memory"), 1);
        let page = String::from_utf8(machine.get("/")).unwrap();
        assert!(page.contains("<div class=check>It has too little memory of 2048 MiB"), "{page}");
        machine.boots(Firmware::IpxeEfiX64);
        assert!(shown(&appliance, NODE_1).contains("too little memory"), "it is the last failure");
        machine.get("/cloud-configs/install.sh");
        assert!(!shown(&appliance, NODE_1).contains("too little memory"));
    });
}

#[test]
fn nobody_reports_for_another_machine_and_nonsense_is_not_heard() {
    isolated(|lan| {
        let (appliance, server, machine) = node_1(&lan);
        let other = lan.machine(NODE_2);
        let stranger = lan.machine("52:54:00:00:00:77");
        machine.boots(Firmware::IpxeEfiX64);
        other.boots(Firmware::IpxeEfiX64);
        stranger.use_address("10.10.10.50".parse().unwrap());
        let words = "stage=kernel&error=0x2e008001";
        assert_eq!(reports(&other, NODE_1, words), 403);
        assert_eq!(reports(&stranger, NODE_1, words), 403);
        for nonsense in ["", "stage=kernel&error=x", "stage=%0a&error=1", "stage=kernel"] {
            assert_eq!(reports(&machine, NODE_1, nonsense), 404, "{nonsense}");
        }
        assert!(!shown(&appliance, NODE_1).contains(" it "));
        assert_eq!(reports(&machine, NODE_1, words), 200);
        let line = server.log.wait_for("cannot start the kernel that it got");
        assert!(line.contains("made for a 64-bit PC with UEFI?"), "{line}");
    });
}

#[test]
fn a_file_that_is_missing_is_named_before_a_person_has_to_guess() {
    isolated(|lan| {
        let appliance = with_loaders(&["ipxe-amd64.efi"]);
        let stick = appliance.sample_stick();
        stick.remove(&format!("images/coreos/1185.3.0/{KERNEL}"));
        stick.remove("cloud-configs/52-54-00-00-00-01.yml");
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::EfiArm64);
        assert_eq!(machine.tftp("ldlinux.e32").unwrap_err().code, 1);
        assert_eq!(server.log.count("which is not there"), 0, "nothing needs that");
        // No package for this computer has it.
        assert_eq!(machine.tftp("grubaa64.efi").unwrap_err().code, 1);
        server.log.wait_for("needs grubaa64.efi, which is not there");
        let second = lan.machine(NODE_2);
        second.boots(Firmware::IpxeEfiX64);
        second.get("/boot/52-54-00-00-00-02.ipxe");
        assert_eq!(second.curl(&format!("/boot/{KERNEL}")).0, 404);
        let line = server.log.wait_for(&format!("needs {KERNEL}, which is not there"));
        assert!(line.contains(NODE_2), "{line}");
        machine.get("/cloud-configs/install.sh");
        assert_eq!(machine.curl("/cloud-configs/52:54:00:00:00:01.yml").0, 404);
        // So soon after another trouble there is no line; status and page say it.
        let check = "it has no configuration";
        assert!(shown(&appliance, NODE_1).contains(check), "{}", shown(&appliance, NODE_1));
    });
}
