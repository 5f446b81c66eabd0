//! A LAN in network namespaces, for scenarios with the real server and real clients.
//!
//! Every scenario runs alone in namespaces of its own (network, mounts, processes), which
//! `unshare` makes with or without root. When it ends, however it ends, the kernel takes
//! everything away with it: interfaces, files in /run, daemons.

#![allow(dead_code, unused_imports, reason = "each scenario uses the part that it needs")]

pub mod api;
pub mod appliance;
pub mod avahi;
pub mod client;
pub mod client_lan;
pub mod firmware;
pub mod http;
pub mod lan;
pub mod log;
pub mod namespace;
pub mod packet;
pub mod recorder;
pub mod rival;
pub mod stick;
pub mod tftp;
pub mod tools;
pub mod transcript;

pub use appliance::{Appliance, Server};
pub use lan::{Lan, Machine};
pub use packet::{Ask, Firmware, Heard, Kind};
pub use stick::Stick;
pub use transcript::Transcript;

use std::process::Command;
use std::time::Duration;

/// Longer than anything here takes on two busy cores; a scenario that waits for an event
/// fails after it.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Says to the second run of a scenario that it is inside.
const INSIDE: &str = "PXEBERRY_TEST_INSIDE";

/// Daemons are not on everybody's PATH.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which of its cases a test is run for, inside.
const CASE: &str = "PXEBERRY_TEST_CASE";

/// Runs a scenario in namespaces of its own. The test runs itself again under `unshare`;
/// its name is that of the function that the closure stands in.
pub fn isolated<F: FnOnce(Lan)>(scenario: F) {
    if let Some((_, lan)) = inside() {
        scenario(lan);
        return;
    }
    let path = std::any::type_name::<F>();
    let name = path.trim_end_matches("::{{closure}}").split_once("::").map_or(path, |(_, n)| n);
    let told = again(name, "").unwrap_or_else(|told| panic!("{name}:\n{told}"));
    // Figures are of interest without a failure, too.
    for figures in measured(&told) {
        println!("measured: {figures}");
    }
}

/// The figures in what a scenario printed.
pub fn measured(told: &str) -> impl Iterator<Item = &str> {
    told.lines().filter_map(|line| Some(line.split_once("measured: ")?.1))
}

/// Runs the test called `name` once more, in namespaces of its own, for one of its cases:
/// what it printed, or why it failed.
pub fn again(name: &str, case: &str) -> Result<String, String> {
    tools::need("unshare");
    let rootless = !rustix::process::geteuid().is_root();
    let outcome = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(rootless.then_some("--map-root-user"))
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env(CASE, case)
        .env("PATH", PATH)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&outcome.stdout).into_owned()
        + &String::from_utf8_lossy(&outcome.stderr);
    match (outcome.status.success(), told.contains("1 passed")) {
        (true, true) => Ok(told),
        (true, false) => Err(format!("it did not run:\n{told}")),
        (false, _) => Err(told),
    }
}

/// In a test that runs in namespaces of its own: for which case, and the LAN there.
pub fn inside() -> Option<(String, Lan)> {
    std::env::var_os(INSIDE)?;
    prepare();
    Some((std::env::var(CASE).unwrap_or_default(), Lan::new()))
}

/// A folder for files that nobody else sees, and this namespace's interfaces in /sys.
fn prepare() {
    for (kind, place) in [("tmpfs", "/run"), ("sysfs", "/sys")] {
        tools::run("mount", &["-t", kind, kind, place]);
    }
    tools::run("ip", &["link", "set", "lo", "up"]);
}
