//! End to end, on emulated hardware: the finished image on a Raspberry Pi, real firmware in
//! PCs that install themselves from it. One scenario a file.
//!
//! They need `image/build` and `tests/support/pc/build` to have run, and QEMU; `tests/run`
//! sees to that. Each takes minutes and two cores, so they run one after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[path = "../support/browser.rs"]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests fail so")]
#[allow(clippy::indexing_slicing, reason = "tests fail so")]
mod browser;
#[path = "../support/lab/mod.rs"]
#[allow(dead_code, reason = "the demo uses some of it alone")]
mod lab;
#[path = "../support/net/mod.rs"]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]
mod net;
#[path = "../support/tap.rs"]
mod tap;

mod a_machine_installed_through_pxelinux;
mod a_machine_installed_through_uefi;
mod first_offer;
mod first_paint;
mod held_at_power_on;
mod hung_processes;
mod leds_and_button;
mod no_stick_and_a_broken_config;
mod office;
mod panel_cost;
mod screen;
mod simulated_pins;
mod sizes;
mod two_machines_at_once_through_ipxe;
mod work_by_hand_and_a_pulled_stick;

/// The appliance is up and its stick is read; 15 s on an idle machine.
const APPLIANCE_START: Duration = Duration::from_secs(120);

/// From one line of a PC's console to the next one that is waited for; the longest, a
/// download beside another one, takes three minutes on two cores.
const STAGE: Duration = Duration::from_secs(480);

/// Two scenarios at once would be slower than one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static LAB: Mutex<()> = Mutex::new(());
    // A scenario that panicked has ended its emulators, too.
    LAB.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits through an unattended installation until the machine runs from its disk.
fn installs_itself(pc: &lab::Pc, name: &str) -> lab::Result<()> {
    for line in [
        "stand-in: CoreOS stand-in 1185.3.0: started",
        "stand-in: running user-data script",
        "Good signature from",
        "Success! CoreOS 1185.3.0 is installed",
        "stand-in: rebooting",
    ] {
        pc.console.wait_for(line, STAGE)?;
    }
    runs_from_disk(pc, &format!("I am {name} (from user_data, version 1185.3.0)"))
}

/// Waits until the machine runs from its disk and has an address.
fn runs_from_disk(pc: &lab::Pc, who: &str) -> lab::Result<()> {
    pc.console.wait_for(&format!("installed system: {who}"), STAGE)?;
    pc.console.wait_for("installed system: address 10.10.10.", STAGE)?;
    Ok(())
}
