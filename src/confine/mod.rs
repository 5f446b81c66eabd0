//! The servers give up what they do not need, before the first packet is read.
//!
//! Whoever finds a fault in them gets a process that runs no program, reads nothing but the
//! sticks and the loaders, writes no file but the open database, opens no TCP connection, and
//! on the appliance is nobody in particular with three capabilities. It happens while the
//! process has one thread: each of these limits belongs to a thread and to what it starts.

mod calls;
mod files;
mod filter;
mod user;

use std::fs;
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::Serialize;

pub use user::OWN_USER;

/// Memory that the servers may ask for, in bytes. They hold a fifth of it; a leak ends in a
/// restart of theirs, not in a dead box. (The stacks of their threads count as a whole.)
const MEMORY: u64 = 256 * 1024 * 1024;

/// What is in force; what could not be had is said in `missing`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Confinement {
    /// The user that the process runs as.
    pub uid: u32,
    /// Its capabilities, `net_admin`, …; `all` is a root process.
    pub capabilities: Vec<&'static str>,
    /// It can gain no privileges by starting a program.
    pub no_new_privs: bool,
    /// It is held to its files by Landlock.
    pub landlock: bool,
    /// It is held to its system calls by seccomp.
    pub seccomp: bool,
    /// It may hold so much memory, in bytes; none: there is no limit.
    pub memory: Option<u64>,
}

/// Confines this process. `own_user`: it shall go on as a user of its own, as on the
/// appliance; on a workstation the sticks may be readable to the one who started it only.
/// What the kernel cannot do is left out and said aloud: an old kernel is no reason not to
/// serve.
pub fn confine(folders: &[PathBuf], own_user: bool) {
    let steps: [(&str, Result<(), String>); 4] = [
        ("a limit of memory", limit_memory()),
        ("a user of its own", if own_user { user::become_nobody() } else { Ok(()) }),
        ("Landlock", files::restrict(folders)),
        ("seccomp", filter::install()),
    ];
    for (what, result) in steps {
        if let Err(error) = result {
            log::warn!("the servers go on without {what}: {error}");
        }
    }
}

/// What is in force, as the kernel tells it.
pub fn in_force() -> Confinement {
    in_force_by(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// By the lines of `/proc/self/status` (proc(5)). The kernel tells nothing of Landlock there.
fn in_force_by(status: &str) -> Confinement {
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.strip_prefix(':')?.split_whitespace().next()
    };
    let effective = value("CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    Confinement {
        uid: value("Uid").and_then(|uid| uid.parse().ok()).unwrap_or(0),
        capabilities: user::names(effective.unwrap_or(u64::MAX)),
        no_new_privs: value("NoNewPrivs") == Some("1"),
        landlock: files::are_restricted(),
        seccomp: value("Seccomp") == Some("2"),
        memory: rustix::process::getrlimit(Resource::Data).current,
    }
}

impl Confinement {
    /// One line for a person.
    pub fn words(&self) -> String {
        let user = match self.uid {
            0 => "root".to_owned(),
            uid => format!("user {uid}"),
        };
        let capabilities = match self.capabilities.as_slice() {
            [] => "no capabilities".to_owned(),
            some => format!("capabilities {}", some.join(", ")),
        };
        let held = [
            (self.no_new_privs, "no new privileges"),
            (self.landlock, "Landlock"),
            (self.seccomp, "seccomp"),
        ];
        let held = held.iter().filter(|(is, _)| *is).map(|(_, name)| (*name).to_owned());
        let memory = self.memory.map(|bytes| format!("at most {} MiB", bytes / 1024 / 1024));
        let parts: Vec<String> =
            [user, capabilities].into_iter().chain(held).chain(memory).collect();
        parts.join(" · ")
    }
}

fn limit_memory() -> Result<(), String> {
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::Data, limit).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_read_as_the_kernel_tells_it() {
        let status = "Name:\tpxeberry\nUid:\t61769\t61769\t61769\t61769\n\
            CapEff:\t0000000000003400\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let found = in_force_by(status);
        assert_eq!(found.uid, 61769);
        assert_eq!(found.capabilities, ["net_bind_service", "net_admin", "net_raw"]);
        assert!(found.no_new_privs && found.seccomp);
        assert_eq!(in_force_by("CapEff:\t000001ffffffffff\n").capabilities, ["all"]);
        assert_eq!(in_force_by("CapEff:\t0000000000000000\n").capabilities, [""; 0]);
    }

    #[test]
    fn a_person_reads_one_line() {
        let confinement = Confinement {
            uid: 61769,
            capabilities: vec!["net_admin"],
            no_new_privs: true,
            landlock: false,
            seccomp: true,
            memory: Some(MEMORY),
        };
        assert_eq!(
            confinement.words(),
            "user 61769 · capabilities net_admin · no new privileges · seccomp · at most 256 MiB"
        );
    }
}
