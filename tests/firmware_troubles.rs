//! Real machines that come no further: the appliance says which one, where it stopped, and
//! what to look at.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{Board, Parts, kernel, secure};
use net::stick::{INITRD, KERNEL, NODE_1, VERSION};
use net::{Appliance, isolated};

#[test]
fn of_firmware_that_refuses_our_loader_it_is_said_to_look_at_secure_boot() {
    isolated(|lan| {
        let appliance = Appliance::new("server", &secure::loaders());
        appliance.sample_stick();
        let server = appliance.serves();
        let pc = Parts::new(Board::EfiX64, NODE_1).secure().without_disk().starts(&lan);
        pc.reaches("a loader that is refused", "Access Denied");
        let questions = [
            "DISCOVER by firmware 7",
            "REQUEST to 10.10.10.1 by firmware 7",
            "TFTP snponly.efi",
            "TFTP snponly.efi",
        ];
        assert_eq!(pc.talk().asked(), questions);
        // The same firmware tries its next way to boot.
        let log = server.log.clone().patient(net::firmware::PATIENCE);
        let line = log.wait_for("node-1 (52:54:00:00:00:01): was sent snponly.efi whole");
        assert!(line.contains("if its Secure Boot is on, say loader = \"shim\""), "{line}");
    });
}

#[test]
fn of_a_machine_whose_initial_ram_disk_is_missing_it_is_said_which_file_it_needs() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.remove(&format!("images/coreos/{VERSION}/{INITRD}"));
        let server = appliance.serves();
        let pc = Parts::new(Board::Bios, NODE_1).starts(&lan);
        pc.reaches("our script", "pxeberry: installing CoreOS");
        let log = server.log.clone().patient(net::firmware::PATIENCE);
        let line = log.wait_for(&format!("node-1 (52:54:00:00:00:01): needs {INITRD}"));
        assert!(line.contains("which is not there"), "{line}");
    });
}

#[test]
#[ignore = "takes a minute: tests/run --all"]
fn of_a_machine_without_a_configuration_it_is_said_where_that_belongs() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        for file in [KERNEL, INITRD] {
            stick.write(&format!("images/coreos/{VERSION}/{file}"), secure::of_the_pc(file));
        }
        stick.remove("cloud-configs/52-54-00-00-00-01.yml");
        let server = appliance.serves();
        let memory = kernel::memory(Board::Bios);
        let pc = Parts::new(Board::Bios, NODE_1).memory(memory).starts(&lan);
        pc.reaches("the installer", "stand-in: running user-data script");
        let log = server.log.clone().patient(net::firmware::PATIENCE);
        let line = log.wait_for("node-1 (52:54:00:00:00:01): has no configuration");
        assert!(line.contains("the stick needs a file for its MAC in cloud-configs/"), "{line}");
    });
}
