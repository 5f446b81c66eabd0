//! Debian's own netboot installers and memtest86+, from their packages, on real firmware and
//! through the real server: from power on to what only they say, with the preseed that the
//! stick has for this machine, and no other.
//!
//! There is no archive on this LAN, but a stand-in with the first file of one: the installer
//! asks it what the archive has for this processor, and gets no further.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::firmware::{Board, Parts, Pc, loaders_of_the_image};
use net::log::Log;
use net::stick::{NODE_1, NODE_2};
use net::{Appliance, Lan, Machine, Server, Stick, isolated, tools};
use pxeberry::fleet::timeline::Source;

/// The computer that plays a mirror of Debian's archive, and its address, as preseeds have it.
const MIRROR: (&str, &str) = ("52:54:00:00:00:50", "10.10.10.3");

/// An installer on one busy core takes two to six minutes to its mirror.
const PATIENCE: Duration = Duration::from_secs(900);

/// No question is left until the mirror, which sees by the path whose preseed was read.
const PRESEED: &str = "\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_domain string example.invalid
d-i mirror/country string manual
d-i mirror/protocol string http
d-i mirror/http/hostname string 10.10.10.3:8080
d-i mirror/http/directory string /for-{{ hostname }}
d-i mirror/http/proxy string
";

/// One of Debian's packages of installers.
struct Installer {
    board: Board,
    version: &'static str,
    suite: &'static str,
    arch: &'static str,
    /// Text on the serial console, which is the first one on ARM by itself.
    args: &'static str,
}

const DEBIAN_12: Installer = Installer {
    board: Board::Bios,
    version: "12",
    suite: "bookworm",
    arch: "amd64",
    args: "console=ttyS0 DEBIAN_FRONTEND=text",
};

const DEBIAN_13: Installer =
    Installer { board: Board::EfiX64, version: "13", suite: "trixie", ..DEBIAN_12 };

const DEBIAN_13_ARM64: Installer =
    Installer { board: Board::EfiArm64, arch: "arm64", args: "DEBIAN_FRONTEND=text", ..DEBIAN_13 };

#[test]
#[ignore = "takes some minutes: tests/run --all"]
fn debian_12_on_a_pc_with_a_bios_takes_its_preseed_and_asks_the_mirror_that_it_names() {
    isolated(|lan| asks_its_mirror(&lan, &DEBIAN_12));
}

#[test]
#[ignore = "takes some minutes: tests/run --all"]
fn debian_13_on_uefi_x64_takes_its_preseed_and_asks_the_mirror_that_it_names() {
    isolated(|lan| asks_its_mirror(&lan, &DEBIAN_13));
}

#[test]
#[ignore = "takes some minutes: tests/run --all"]
fn debian_13_on_uefi_arm64_takes_its_preseed_and_asks_the_mirror_that_it_names() {
    isolated(|lan| asks_its_mirror(&lan, &DEBIAN_13_ARM64));
}

#[test]
fn memtest86_starts_on_a_pc_with_a_bios() {
    isolated(|lan| memtest_starts(&lan, Board::Bios));
}

#[test]
#[ignore = "takes a minute: tests/run --all"]
fn memtest86_starts_on_uefi_x64() {
    isolated(|lan| memtest_starts(&lan, Board::EfiX64));
}

fn asks_its_mirror(lan: &Lan, installer: &Installer) {
    let Installer { suite, arch, .. } = installer;
    let mirror = Mirror::new(lan);
    let folder = mirror.folder(&format!("for-node-1/dists/{suite}"));
    fs::create_dir_all(&folder).unwrap();
    let release = format!(
        "Origin: a stand-in\nSuite: {suite}\nCodename: {suite}\nComponents: main\n\
         Architectures: {arch}\n"
    );
    fs::write(folder.join("Release"), release).unwrap();
    let room = Room::new(installer, "cfg", |name| PRESEED.replace("{{ hostname }}", name));
    let pc = room.starts(lan);
    mirror.is_asked_by(&pc, &format!("/for-node-1/dists/{suite}/main/binary-{arch}/Release"));
    let taken: Vec<String> = room.server.log.lines();
    let taken: Vec<&String> = taken.iter().filter(|line| line.contains("preseed/")).collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    let address = pc.talk().address();
    assert!(taken[0].contains(&format!("http: {address} takes ")), "{taken:?}");
    assert_took_its_preseed(&pc, &mirror);
    // Its own log lines are in its story: it was told where to send them.
    let lines = flight::of(NODE_1, Source::Syslog);
    assert!(lines.iter().any(|line| line.starts_with("main-menu[")), "{lines:#?}");
}

/// It asked once for a preseed, for its own, and did as that says.
#[track_caller]
fn assert_took_its_preseed(pc: &Pc, mirror: &Mirror) {
    let talk = pc.talk();
    let preseeds: Vec<&str> =
        talk.asked().into_iter().filter(|asked| asked.contains("/preseed/")).collect();
    assert_eq!(preseeds, ["GET /preseed/52-54-00-00-00-01.cfg"]);
    assert_eq!(mirror.log.count("/for-node-2"), 0);
}

/// The appliance with an installer for two machines on its stick.
struct Room {
    server: Server,
    board: Board,
}

impl Room {
    /// Each machine has a preseed of this kind, written for its name.
    fn new(installer: &Installer, ending: &str, preseed: impl Fn(&str) -> String) -> Room {
        let Installer { board, version, arch, args, .. } = installer;
        let appliance = Appliance::new("server", &loaders_of_the_image());
        let stick = Stick::empty(&appliance.media().join("stick"));
        let mut machines = String::new();
        for (name, mac) in [("node-1", NODE_1), ("node-2", NODE_2)] {
            machines += &format!(
                "[[machine]]\nname = \"{name}\"\nmac = \"{mac}\"\nimage = \"debian/{version}\"\n\
                 disk = \"/dev/vda\"\nargs = \"{args}\"\n"
            );
            let file = format!("preseed/{}.{ending}", mac.replace(':', "-"));
            stick.write(&file, preseed(name));
        }
        stick.write("machines.toml", machines);
        copy(
            &package(&format!("debian-{version}-{arch}")).join("usr"),
            &stick.folder().join(format!("images/debian/{version}/usr")),
        );
        let server = appliance.serves();
        Room { server, board: *board }
    }

    /// Power on, for the first of them.
    fn starts(&self, lan: &Lan) -> Pc {
        Parts::new(self.board, NODE_1).memory(1024).starts(lan)
    }
}

/// A computer that serves a folder, and what is asked of it.
struct Mirror {
    _machine: Machine,
    _server: Server,
    log: Log,
}

impl Mirror {
    fn new(lan: &Lan) -> Mirror {
        let machine = lan.machine(MIRROR.0);
        machine.use_address(MIRROR.1.parse().unwrap());
        tools::need("busybox");
        fs::create_dir_all("/run/mirror").unwrap();
        let address = format!("{}:8080", MIRROR.1);
        let words = ["busybox", "httpd", "-f", "-vv", "-p", &address, "-h", "/run/mirror"];
        let server = Server::spawn(&mut machine.namespace.command(&words));
        let log = server.log.clone().patient(PATIENCE);
        Mirror { _machine: machine, _server: server, log }
    }

    fn folder(&self, name: &str) -> PathBuf {
        Path::new("/run/mirror").join(name)
    }

    /// Waits until this computer asks for a file.
    #[track_caller]
    fn is_asked_by(&self, pc: &Pc, path: &str) {
        let line = self.log.wait_for(path);
        let talk = pc.talk();
        assert!(line.contains(&talk.address().to_string()), "{line}\n{talk}");
    }
}

fn memtest_starts(lan: &Lan, board: Board) {
    let appliance = Appliance::new("server", &loaders_of_the_image());
    let stick = Stick::empty(&appliance.media().join("stick"));
    stick.write(
        "machines.toml",
        format!(
            "[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\n\
             image = \"memtest86+\"\nargs = \"console=ttyS0,115200\"\n"
        ),
    );
    copy(&package("memtest86+").join("boot"), &stick.folder().join("images/memtest86+/6.10"));
    let _server = appliance.serves();
    let pc: Pc = Parts::new(board, NODE_1).drawing().starts(lan);
    pc.reaches("its title", "Memtest86+ v6.10");
    pc.reaches("its first test", "Status: Testing");
    assert_eq!(appliance.machine(NODE_1), ("armed".to_owned(), 0), "it installs nothing");
}

/// What the script made of a package.
#[track_caller]
fn package(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/installers").join(name);
    let build = "run tests/support/installers/build --all target/installers";
    assert!(folder.exists(), "{} is missing: {build}", folder.display());
    folder
}

/// As a person copies it to a stick.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    tools::run("cp", &["-r", from.to_str().unwrap(), to.to_str().unwrap()]);
}
