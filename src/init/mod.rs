//! PID 1 of the appliance: mounts, modules, watchdog, disks, network interface, listening
//! sockets and the two children, `serve` and `panel`.
//!
//! It reads nothing from the network, has one thread, and waits for nobody. What blocks is
//! done by a helper process; what fails is one line in the kernel's log, and the box goes
//! on with what is left. Even a mistake in here ends in a restart and not in a dead box.
//!
//! Signals, as in busybox: TERM restarts, USR2 powers off, USR1 halts.

mod appliance;
mod blkid;
mod clock;
mod cmdline;
mod file;
mod helper;
mod modules;
mod mount;
mod network;
mod nobody;
mod power;
mod process;
mod prompts;
mod release;
mod safe_mode;
mod settings;
mod signals;
mod spawn;
mod sticks;
mod supervise;
mod uevent;
mod volumes;
mod watchdog;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use log::{error, info, warn};
use rustix::process::{Pid, getpid};

use crate::logging;
use appliance::{Appliance, Start};
use clock::Clock;
use network::Network;
use power::End;
use signals::Signals;
use spawn::Reserved;
use sticks::Disks;
use uevent::Uevents;
use watchdog::Watchdog;

/// Runs the appliance; returns only where it is not PID 1.
pub fn run() -> ExitCode {
    if getpid() != Pid::INIT {
        eprintln!("pxeberry: error: only the first process of a box can be its init");
        return ExitCode::FAILURE;
    }
    let end = catch_unwind(live).unwrap_or_else(|_| {
        // The panic's own line is in the log by now.
        rustix::fs::sync();
        End::Restart
    });
    info!("{end}");
    power::end(end)
}

/// The boot story. What takes long goes on in the background (disks, links) or in turns of
/// the loop (late modules), so that the servers are there as soon as they can be.
fn live() -> End {
    let started = Instant::now();
    let failures = mount::kernel_file_systems();
    let reserved = Reserved::take();
    logging::start_on_kernel_log();
    std::panic::set_hook(Box::new(|panic| error!("PID 1: {}", one_line(&panic.to_string()))));
    let release = release::load();
    info!("pxeberry {} starts", release.version);
    failures.iter().for_each(|failure| error!("{failure}"));
    if let Err(error) = &reserved {
        error!("/dev/null: {error}; the servers may get wrong sockets");
    }
    let switches = cmdline::read();
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            error!("signals cannot be received: {error}");
            return End::Restart;
        }
    };
    power::catch_ctrl_alt_del();
    let uevents =
        Uevents::open().map_err(|error| warn!("sticks are only seen at start: {error}")).ok();
    let mut order = modules::load_order();
    modules::load_all(&modules::folder(), &mut order.early);
    let watchdog = Watchdog::start(switches.watchdog, started);
    let clock = Clock::start(release.built, started);
    Disks::watch_readers();
    let network = Network::start();
    info!("hardware is waking up, {:.2} s after PID 1", started.elapsed().as_secs_f32());
    let late = order.late;
    Appliance::new(Start { started, signals, uevents, watchdog, clock, late, network }).run()
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
