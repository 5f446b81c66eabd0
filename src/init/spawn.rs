//! Starting a child process of the appliance: this same binary in another role.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::Pid;

use crate::{heartbeat, logging};

/// Inherited descriptors start here, as with systemd.
const FIRST_FD: RawFd = 3;

/// As many as a child can get: four or five sockets, the heartbeat, and room to grow.
const MOST_FDS: RawFd = 16;

/// Keeps the numbers of inherited descriptors free in PID 1. Without it, a pipe that the
/// standard library opens between fork and exec could lie on one of them.
#[derive(Debug)]
pub struct Reserved {
    _places: Vec<OwnedFd>,
}

impl Reserved {
    /// Occupies the numbers. Must be called before anything else is opened.
    pub fn take() -> io::Result<Reserved> {
        let null = std::fs::File::open("/dev/null")?;
        let mut places = Vec::new();
        loop {
            let place = fcntl_dupfd_cloexec(&null, FIRST_FD)?;
            if place.as_raw_fd() >= FIRST_FD + MOST_FDS {
                return Ok(Reserved { _places: places });
            }
            places.push(place);
        }
    }
}

/// What a child is started with.
#[derive(Debug, Default)]
pub struct Order<'a> {
    /// `serve`, `--config`, …
    pub arguments: &'a [OsString],
    /// Listening sockets with their names.
    pub listeners: Vec<(&'a str, BorrowedFd<'a>)>,
    /// The end of a pipe that the child writes to while it lives.
    pub heartbeat: Option<BorrowedFd<'a>>,
}

/// Starts the child.
pub fn spawn(order: &Order<'_>) -> io::Result<Pid> {
    let sources = sources(order)?;
    let mut command = Command::new(program());
    command.arg0("pxeberry").args(order.arguments).stdin(Stdio::null()).process_group(0);
    command.env_clear().envs(environment(order));
    let numbers: Vec<RawFd> = sources.iter().map(AsRawFd::as_raw_fd).collect();
    // SAFETY: between fork and exec `inherit` only makes system calls that are safe there,
    // and allocates nothing.
    unsafe { command.pre_exec(move || inherit(&numbers)) };
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("no process number"))
}

/// Copies of all descriptors at numbers above those that the child will see them at, so
/// that putting one in its place cannot overwrite another.
fn sources(order: &Order<'_>) -> io::Result<Vec<OwnedFd>> {
    let listeners = order.listeners.iter().map(|(_, fd)| *fd);
    let copy =
        |fd: BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, FIRST_FD + MOST_FDS).map_err(io::Error::from);
    listeners
        .chain(order.heartbeat)
        .take(usize::try_from(MOST_FDS).unwrap_or_default())
        .map(copy)
        .collect()
}

fn environment(order: &Order<'_>) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = order.listeners.iter().map(|(name, _)| *name).collect();
    let mut variables = vec![
        (logging::TARGET_VARIABLE, "kmsg".to_owned()),
        ("PATH", String::new()),
        ("LISTEN_FDS", names.len().to_string()),
        ("LISTEN_FDNAMES", names.join(":")),
    ];
    if order.heartbeat.is_some() {
        let number = usize::try_from(FIRST_FD).unwrap_or_default() + names.len();
        variables.push((heartbeat::FD_VARIABLE, number.to_string()));
    }
    variables
}

/// Runs in the child before exec.
fn inherit(sources: &[RawFd]) -> io::Result<()> {
    for (source, target) in sources.iter().zip(FIRST_FD..) {
        // SAFETY: both numbers are plain integers; the copy survives exec, the source not.
        if unsafe { libc::dup2(*source, target) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: an empty set is a valid set; PID 1 blocks signals, its children must not.
    // SIGHUP and SIGUSR2 are ignored until the child handles them, so that an early one
    // does not end it.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
    }
    Ok(())
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "/init".into())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_child_learns_its_descriptors_as_under_systemd() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let order = Order {
            arguments: &[],
            listeners: vec![("dhcp", file.as_fd()), ("http-80", file.as_fd())],
            heartbeat: Some(file.as_fd()),
        };
        let variables = environment(&order);
        let value = |name| variables.iter().find(|(key, _)| *key == name).unwrap().1.clone();
        assert_eq!(value("LISTEN_FDS"), "2");
        assert_eq!(value("LISTEN_FDNAMES"), "dhcp:http-80");
        assert_eq!(value("PXEBERRY_HEARTBEAT_FD"), "5");
        assert_eq!(value("PXEBERRY_LOG"), "kmsg");
    }

    #[test]
    fn reserved_numbers_are_those_of_inherited_descriptors() {
        let reserved = Reserved::take().unwrap();
        let inherited = FIRST_FD..FIRST_FD + MOST_FDS;
        assert!(reserved._places.iter().all(|place| inherited.contains(&place.as_raw_fd())));
    }
}
