//! Programs of other people, and the packages that they come from.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// No client here runs longer; one that does hangs.
const LONGEST_RUN: &str = "30";

/// Debian's packages; `tests/packages.txt` lists the same.
const PACKAGES: &[(&str, &str)] = &[
    ("avahi-browse", "avahi-utils"),
    ("avahi-daemon", "avahi-daemon"),
    ("avahi-resolve", "avahi-utils"),
    ("bash", "bash"),
    ("bridge", "iproute2"),
    ("busybox", "busybox"),
    ("bzip2", "bzip2"),
    ("chromium", "chromium"),
    ("cat", "coreutils"),
    ("cp", "coreutils"),
    ("curl", "curl"),
    ("dash", "dash"),
    ("dbus-daemon", "dbus-daemon"),
    ("dhclient", "isc-dhcp-client"),
    ("dhcpcd", "dhcpcd-base"),
    ("dhcrelay", "isc-dhcp-relay"),
    ("dnsmasq", "dnsmasq-base"),
    ("env", "coreutils"),
    ("gzip", "gzip"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("mv", "coreutils"),
    ("networkctl", "systemd"),
    ("nsenter", "util-linux"),
    ("python3", "python3"),
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("sfdisk", "fdisk"),
    ("sh", "dash"),
    ("setpriv", "util-linux"),
    ("script", "bsdutils"),
    ("tcpdump", "tcpdump"),
    ("sha256sum", "coreutils"),
    ("tftp", "tftp-hpa"),
    ("tmux", "tmux"),
    ("unshare", "util-linux"),
    ("wget", "wget"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
];

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Fails the test unless the program ended well.
    #[track_caller]
    pub fn good(self) -> Ran {
        assert_eq!(self.code, Some(0), "{}\n{}", self.text(), self.err);
        self
    }
}

/// Fails with one line if a program is missing.
#[track_caller]
pub fn need(program: &str) {
    let folders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".split(':');
    let package = PACKAGES.iter().find(|(name, _)| *name == program);
    let (_, package) = package.unwrap_or_else(|| panic!("tools.rs does not know {program}"));
    let there = folders.into_iter().any(|folder| Path::new(folder).join(program).exists());
    assert!(there, "{program} is missing; `apt-get install {package}` brings it");
}

/// Fails with one line if a loader or firmware of Debian's is missing.
#[track_caller]
pub fn need_loader(path: &str, package: &str) {
    assert!(Path::new(path).exists(), "{path} is missing; `apt-get install {package}` brings it");
}

/// Runs a set-up step that cannot fail on a healthy machine.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) {
    need(program);
    let ran = finish(Command::new(program).args(arguments));
    assert_eq!(ran.code, Some(0), "{program} {}: {}", arguments.join(" "), ran.err);
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let err = String::from_utf8_lossy(&stderr).into_owned();
    Ran { code: status.code(), out: stdout, err }
}

/// What a program writes that cannot fail on a healthy machine.
#[track_caller]
pub fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    need(program);
    finish(Command::new(program).args(arguments)).good().out
}

/// The arguments that stop `program` after a while, with those before and behind them.
pub fn limited<'a>(program: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    need(program);
    [&["timeout", LONGEST_RUN, program], arguments].concat()
}
