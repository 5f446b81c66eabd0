//! Real firmware that cannot go on: what its iPXE reports, and what a person is told of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{Board, Parts, loaders_of_the_image, secure};
use net::stick::{INITRD, KERNEL, NODE_1, VERSION};
use net::{Appliance, Stick, isolated};

fn image(stick: &Stick, file: &str, content: impl AsRef<[u8]>) {
    stick.write(&format!("images/coreos/{VERSION}/{file}"), content);
}

#[test]
fn a_bios_machine_with_too_little_memory_says_how_much_it_has_and_tries_again() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        image(&stick, KERNEL, secure::of_the_pc(KERNEL));
        image(&stick, INITRD, vec![0; 80 << 20]);
        let server = appliance.serves();
        let pc = Parts::new(Board::Bios, NODE_1).starts(&lan);
        pc.console.wait_for("pxeberry: initrd failed, trying again in 1 s");
        server.log.wait_for("node-1 (52:54:00:00:00:01): has too little memory of 64 MiB");
        pc.console.wait_for("pxeberry: initrd failed, trying again in 2 s");
        assert_eq!(server.log.count("too little memory"), 1);
    });
}

#[test]
fn a_uefi_machine_says_that_its_kernel_is_of_another_kind() {
    isolated(|lan| {
        let appliance = Appliance::new("server", &loaders_of_the_image());
        // Its kernel is a file of noise, as good as another processor's.
        appliance.sample_stick();
        let server = appliance.serves();
        let pc = Parts::new(Board::EfiX64, NODE_1).starts(&lan);
        pc.console.wait_for("pxeberry: kernel failed, trying again in 1 s");
        let line = server.log.wait_for("cannot start the kernel that it got");
        assert!(line.contains("made for a 64-bit PC with UEFI?"), "{line}");
    });
}
