//! More than one card in a machine, more than one machine on the LAN: each gets its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::firmware::{Board, Parts, Pc, kernel, loaders_of_the_image};
use net::stick::{NODE_1, NODE_2, STRANGER};
use net::{Appliance, Lan, isolated};

#[test]
fn a_pc_with_a_bios_boots_from_its_second_card_and_its_kernel_is_told_which() {
    isolated(|lan| boots_from_its_second_card(&lan, Board::Bios));
}

#[test]
fn uefi_on_x64_boots_from_its_second_card_and_its_kernel_is_told_which() {
    isolated(|lan| boots_from_its_second_card(&lan, Board::EfiX64));
}

fn boots_from_its_second_card(lan: &Lan, board: Board) {
    let appliance = Appliance::new("server", &loaders_of_the_image());
    let stick = appliance.sample_stick();
    kernel::put_on(&stick, board);
    kernel::give_to(&stick, &[(NODE_2, "pxeberry.machine=2")]);
    let _server = appliance.serves();
    let parts = computer(board, NODE_2).behind_another_card(STRANGER);
    let pc = parts.starts(lan);
    assert_eq!(told(&pc), ["BOOTIF=01-52-54-00-00-00-02", "pxeberry.machine=2"]);
}

#[test]
#[ignore = "takes two cores for a minute: tests/run --all"]
fn two_pcs_that_differ_in_their_address_alone_boot_at_once_and_each_gets_its_own() {
    isolated(|lan| {
        let appliance = Appliance::new("server", &loaders_of_the_image());
        let stick = appliance.sample_stick();
        kernel::put_on(&stick, Board::Bios);
        let machines = [(NODE_1, "pxeberry.machine=1"), (NODE_2, "pxeberry.machine=2")];
        kernel::give_to(&stick, &machines);
        let _server = appliance.serves();
        // Cheap boards of one series have the same number.
        let uuid = "03000200-0400-0500-0006-000700080009";
        let pcs = machines.map(|(mac, _)| computer(Board::Bios, mac).uuid(uuid).starts(&lan));
        assert_eq!(told(&pcs[0]), ["BOOTIF=01-52-54-00-00-00-01", "pxeberry.machine=1"]);
        assert_eq!(told(&pcs[1]), ["BOOTIF=01-52-54-00-00-00-02", "pxeberry.machine=2"]);
        assert_ne!(pcs[0].talk().address(), pcs[1].talk().address());
    });
}

fn computer(board: Board, mac: &str) -> Parts {
    Parts::new(board, mac).memory(kernel::memory(board))
}

/// What the kernel was told of its card and its machine.
fn told(pc: &Pc) -> Vec<String> {
    pc.reaches("the kernel", kernel::STARTS);
    let line = pc.reaches("its command line", kernel::COMMAND_LINE);
    let ours = |word: &&str| word.starts_with("BOOTIF=") || word.starts_with("pxeberry.");
    let mut words: Vec<String> = line.split_whitespace().filter(ours).map(str::to_owned).collect();
    words.sort();
    words
}
