//! A LAN in network namespaces, for scenarios with the real server and real clients.
//!
//! Every scenario runs alone in namespaces of its own (network, mounts, processes), which
//! `unshare` makes with or without root. When it ends, however it ends, the kernel takes
//! everything away with it: interfaces, files in /run, daemons.

#![allow(dead_code, unused_imports, reason = "each scenario uses the part that it needs")]

pub mod appliance;
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

/// Runs a scenario in namespaces of its own. The test runs itself again under `unshare`;
/// its name is that of the function that the closure stands in.
pub fn isolated<F: FnOnce(Lan)>(scenario: F) {
    if std::env::var_os(INSIDE).is_some() {
        prepare();
        scenario(Lan::new());
        return;
    }
    tools::need("unshare");
    let path = std::any::type_name::<F>();
    let name = path.trim_end_matches("::{{closure}}").split_once("::").map_or(path, |(_, n)| n);
    let rootless = !rustix::process::geteuid().is_root();
    let outcome = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(rootless.then_some("--map-root-user"))
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env("PATH", PATH)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&outcome.stdout).into_owned()
        + &String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{name}:\n{told}");
    assert!(told.contains("1 passed"), "{name} did not run:\n{told}");
    // Figures are of interest without a failure, too.
    for (_, figures) in told.lines().filter_map(|line| line.split_once("measured: ")) {
        println!("measured: {figures}");
    }
}

/// A folder for files that nobody else sees, and this namespace's interfaces in /sys.
fn prepare() {
    for (kind, place) in [("tmpfs", "/run"), ("sysfs", "/sys")] {
        tools::run("mount", &["-t", kind, kind, place]);
    }
    tools::run("ip", &["link", "set", "lo", "up"]);
}
