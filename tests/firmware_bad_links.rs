//! Real firmware whose link is bad: frames are lost, or nothing passes for the first half
//! minute. It starts its kernel all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/net/mod.rs"]
mod net;

use std::time::{Duration, Instant};

use chance::Random;
use net::firmware::{Board, Losses, Parts, Pc, kernel, loaders_of_the_image};
use net::stick::{NODE_1, STRANGER};
use net::{Appliance, Lan, Server, isolated};

/// One frame of a hundred in each direction, always the same ones.
const ONE_PERCENT: Losses = |direction| {
    let mut random = Random::of_case(chance::seed(), direction);
    Box::new(move || random.below(100) == 0)
};

#[test]
fn a_bios_starts_its_kernel_though_one_frame_of_a_hundred_is_lost() {
    isolated(|lan| loses_frames(&lan, Board::Bios));
}

#[test]
fn uefi_on_x64_starts_its_kernel_though_one_frame_of_a_hundred_is_lost() {
    isolated(|lan| loses_frames(&lan, Board::EfiX64));
}

#[test]
#[ignore = "takes a minute: tests/run --all"]
fn a_bios_starts_its_kernel_through_a_switch_that_lets_nothing_pass_for_half_a_minute() {
    isolated(|lan| waits_for_the_switch(&lan, Board::Bios));
}

#[test]
#[ignore = "takes a minute: tests/run --all"]
fn uefi_on_x64_starts_its_kernel_through_a_switch_that_lets_nothing_pass_for_half_a_minute() {
    isolated(|lan| waits_for_the_switch(&lan, Board::EfiX64));
}

fn loses_frames(lan: &Lan, board: Board) {
    let _server = serves_a_kernel(board);
    let (pc, _) = starts_its_kernel(lan, computer(board).losing(ONE_PERCENT));
    println!("measured: {} frames were lost", pc.lost());
    assert!(pc.lost() > 20, "{} frames were lost", pc.lost());
}

fn waits_for_the_switch(lan: &Lan, board: Board) {
    // Somebody's port has been up for long, so that the switch is.
    let _bystander = lan.machine(STRANGER);
    lan.begins_spanning_tree(FORWARD_DELAY);
    let _server = serves_a_kernel(board);
    let (_, took) = starts_its_kernel(lan, computer(board));
    assert!(took > FORWARD_DELAY * 2, "the switch let frames through after {took:?}");
}

/// How long a port listens, and how long it then learns (IEEE 802.1D's usual one).
const FORWARD_DELAY: Duration = Duration::from_secs(15);

fn serves_a_kernel(board: Board) -> Server {
    let appliance = Appliance::new("server", &loaders_of_the_image());
    let stick = appliance.sample_stick();
    kernel::put_on(&stick, board);
    kernel::give_to(&stick, &[(NODE_1, "")]);
    appliance.serves()
}

/// With nothing to boot but the network. A BIOS that got nowhere begins again, as in a
/// machine whose boot order holds nothing else.
fn computer(board: Board) -> Parts {
    Parts::new(board, NODE_1).memory(kernel::memory(board)).without_disk()
}

fn starts_its_kernel(lan: &Lan, computer: Parts) -> (Pc, Duration) {
    let begin = Instant::now();
    let pc = computer.starts(lan);
    pc.reaches("our configuration", "pxeberry: installing CoreOS");
    pc.reaches("the kernel", kernel::STARTS);
    let took = begin.elapsed();
    println!("measured: {:.1} s to the kernel", took.as_secs_f64());
    (pc, took)
}
