//! The memory of who is installed is gone: nobody's disk may be wiped for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::NODE_1;
use net::{Appliance, Firmware, Machine, isolated};

/// Power on: whether the machine is told to start the installer.
fn boots_installer(machine: &Machine) -> bool {
    machine.boots(Firmware::Bios);
    machine.tftp_text("pxelinux.cfg/default").contains("KERNEL ")
}

/// It reports with the token of the script that it was given.
fn reports_installed(machine: &Machine) {
    let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
    let token = script.split("token='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    machine.get(&format!("/v1/event?token={token}&event=installed"));
}

#[test]
fn after_the_state_file_was_damaged_only_what_is_armed_anew_is_installed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        assert!(boots_installer(&machine));
        reports_installed(&machine);
        server.dies();
        std::fs::write(appliance.state().join("pxeberry.redb"), vec![7; 20_000]).unwrap();
        let server = appliance.serves();
        server.log.wait_for("it is kept as");
        assert!(!boots_installer(&machine), "an installed machine would be wiped");
        server.dies();
        // The new file is whole, and knows of nothing.
        let server = appliance.serves();
        server.log.wait_for("what machines did before was lost");
        assert!(!boots_installer(&machine), "an installed machine would be wiped");
        appliance.tell(&["arm", NODE_1]).good();
        assert!(boots_installer(&machine));
        reports_installed(&machine);
        assert!(!boots_installer(&machine));
    });
}
