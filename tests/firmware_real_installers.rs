//! Debian's own netboot installers and memtest86+, from their packages, on real firmware and
//! through the real server: from power on to what only they say, with the preseed that the
//! stick has for this machine, and no other.
//!
//! Beside an installer, the stick has that part of Debian's archive which it runs from, as
//! Debian signs it. The installer checks that and runs until the disk is partitioned; the
//! packages of the system that it would install are not there. What an installer runs at its
//! very end, the report among it, is therefore run behind the partitioning, by the installer's
//! own program for it. Where the archive that the udebs come from lacks some, others stand in
//! for them, as tests/support/installers/stand-ins.table says, and nobody signs that; the test
//! says which. Where even those lack, a stand-in with the first file of an archive is asked
//! what it has for this processor, and that is all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::firmware::{Board, Parts, Pc, loaders_of_the_image};
use net::log::Log;
use net::stick::{NODE_1, NODE_2};
use net::{Appliance, Lan, Machine, Server, Stick, isolated, tools};
use pxeberry::fleet::timeline::Source;

/// The computer that plays a mirror of Debian's archive, and its address, as preseeds have it.
const MIRROR: (&str, &str) = ("52:54:00:00:00:50", "10.10.10.3");

/// An installer on one busy core takes two to six minutes to its mirror, and as long again
/// until the disk is partitioned.
const PATIENCE: Duration = Duration::from_secs(900);

/// Its disk, in MiB.
const DISK: u64 = 3000;

/// No question is left until the disk is partitioned. One name on it is the machine's.
const PRESEED: &str = "\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_domain string example.invalid
d-i mirror/country string manual
d-i mirror/protocol string http
d-i mirror/http/hostname string {mirror}
d-i mirror/http/directory string {directory}
d-i mirror/http/proxy string
d-i passwd/make-user boolean false
d-i passwd/root-password password secret
d-i passwd/root-password-again password secret
d-i clock-setup/utc boolean true
d-i clock-setup/ntp boolean false
d-i time/zone string Etc/UTC
d-i partman-auto/disk string {{ disk }}
d-i partman-auto/method string regular
d-i partman-auto/expert_recipe string {recipe}
d-i partman-partitioning/confirm_write_new_label boolean true
d-i partman/choose_partition select finish
d-i partman/confirm boolean true
d-i partman/confirm_nooverwrite boolean true
";

/// With a partition for the firmware where that is UEFI, and one for the system that fills
/// the rest of the disk.
const RECIPE: &str = "here :: {efi} \
    64 64 64 linux-swap method{ swap } format{ } . \
    500 1000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } \
    mountpoint{ / } label{ {{ hostname }} } .";

/// The last of partman's steps is what would be the installer's last step.
const ENDING: &str = "d-i partman/early_command string \
    ln -s /usr/lib/finish-install.d/*preseed /lib/partman/finish.d/99preseed\n";

/// With all that a shell quotes with, and a line that goes on.
const OWNERS_LAST: &str = "d-i preseed/late_command string logger -t owner \"it's\" 'all' \\\n\
    \x20   \"$(echo done)\"; exit 0 # at last\n";

const UNAUTHENTICATED: &str = "d-i debian-installer/allow_unauthenticated boolean true\n";

const EFI: &str = "40 40 40 free $iflabel{ gpt } method{ efi } format{ } .";

/// One of Debian's packages of installers.
struct Installer {
    board: Board,
    version: &'static str,
    suite: &'static str,
    arch: &'static str,
    /// Text on the serial console, which is the first one on ARM by itself.
    args: &'static str,
}

impl Installer {
    /// What the script made of its package.
    fn folder(&self) -> PathBuf {
        package(&format!("debian-{}-{}", self.version, self.arch))
    }
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
#[ignore = "takes about ten minutes: tests/run --all"]
fn debian_12_on_a_pc_with_a_bios_partitions_the_disk_as_its_preseed_says() {
    isolated(|lan| partitions(&lan, &DEBIAN_12));
}

#[test]
#[ignore = "takes about ten minutes: tests/run --all"]
fn debian_13_on_uefi_x64_partitions_the_disk_as_its_preseed_says() {
    isolated(|lan| partitions(&lan, &DEBIAN_13));
}

#[test]
#[ignore = "takes about ten minutes: tests/run --all"]
fn debian_13_on_uefi_arm64_partitions_the_disk_as_its_preseed_says() {
    isolated(|lan| partitions(&lan, &DEBIAN_13_ARM64));
}

#[test]
fn memtest86_starts_on_a_pc_with_a_bios() {
    isolated(|lan| memtest_starts(&lan, Board::Bios));
}

#[test]
fn memtest86_starts_on_uefi_x64() {
    isolated(|lan| memtest_starts(&lan, Board::EfiX64));
}

/// The installer partitions the disk as the preseed says that was written for this machine.
fn partitions(lan: &Lan, installer: &Installer) {
    let Installer { version, suite, board, .. } = installer;
    tools::need("sfdisk");
    if let Ok(why) = fs::read_to_string(installer.folder().join("no-archive")) {
        println!("measured: only as far as the mirror, for want of a udeb: {}", why.trim());
        return asks_its_mirror(lan, installer);
    }
    let unsigned = fs::read_to_string(installer.folder().join("unsigned")).ok();
    for line in unsigned.iter().flat_map(|why| why.lines()) {
        println!("measured: with an archive that nobody signed: {line}");
    }
    let efi = if *board == Board::Bios { "" } else { EFI };
    let trusting = if unsigned.is_some() { UNAUTHENTICATED } else { "" };
    let last = if *board == Board::Bios { OWNERS_LAST } else { "" };
    let preseed = format!("{PRESEED}{ENDING}{last}{trusting}")
        .replace("{mirror}", "10.10.10.1:8080")
        .replace("{directory}", &format!("/images/debian/{version}"))
        .replace("{recipe}", &RECIPE.replace("{efi}", efi));
    let room = Room::new(installer, "cfg.j2", |_| preseed.clone());
    let pc = room.starts(lan);
    let log = room.server.log.clone().patient(PATIENCE);
    let archive = format!("images/debian/{version}/dists/{suite}");
    let first = if unsigned.is_some() { "Release" } else { "Release.gpg" };
    log.wait_for(&format!("{archive}/{first}"));
    // partman's own programs come from the archive.
    log.wait_for("/partman-base");
    // The stick's preseed says nothing of a report.
    log.wait_for("installed, it boots its own disk now");
    if ends_with_partman(unsigned.as_deref()) {
        pc.console.clone().patient(PATIENCE).wait_for("Debian installer main menu");
    } else {
        // The next step behind partman looks there for the packages of the system.
        log.wait_for(&format!("{archive}/InRelease"));
    }
    assert_took_its_preseed(&pc);
    assert_partitioned(&pc.disk, *board, "node-1");
    if !last.is_empty() {
        let lines = flight::of(NODE_1, Source::Syslog);
        assert!(lines.iter().any(|line| line == "owner: it's all done"), "{lines:#?}");
    }
}

/// Whether the archive lacks what the next step is made of: the installer then asks what to do.
fn ends_with_partman(unsigned: Option<&str>) -> bool {
    let left_out = unsigned.and_then(|why| why.lines().find(|line| line.starts_with("left out:")));
    left_out.is_some_and(|line| line.split(' ').any(|name| name == "bootstrap-base"))
}

/// What stands on the disk, read from outside: the partitions of the recipe, in their order,
/// and this machine's name on the file system.
#[track_caller]
fn assert_partitioned(disk: &Path, board: Board, label: &str) {
    let bytes = tools::output("sfdisk", &["--json", disk.to_str().unwrap()]);
    let table: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let table = &table["partitiontable"];
    println!("measured: {table}");
    let partitions = table["partitions"].as_array().unwrap();
    let types: Vec<&str> = partitions.iter().map(|one| one["type"].as_str().unwrap()).collect();
    if board == Board::Bios {
        assert_eq!(table["label"], "dos");
        let kinds: Vec<&str> = types.into_iter().filter(|kind| *kind != "5").collect();
        assert_eq!(kinds, ["82", "83"], "swap and Linux");
    } else {
        assert_eq!(table["label"], "gpt");
        assert_eq!(types, [GPT_EFI, GPT_SWAP, GPT_LINUX]);
    }
    let system = partitions.last().unwrap();
    let sectors = |key: &str| system[key].as_u64().unwrap();
    assert!(sectors("size") * SECTOR > (DISK - 200) << 20, "it does not fill the disk: {table}");
    let mut name = [0; 16];
    let at = sectors("start") * SECTOR + EXT4_LABEL;
    fs::File::open(disk).unwrap().read_exact_at(&mut name, at).unwrap();
    assert_eq!(String::from_utf8_lossy(&name).trim_end_matches('\0'), label);
}

const SECTOR: u64 = 512;

const GPT_EFI: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
const GPT_SWAP: &str = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F";
const GPT_LINUX: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

/// Where ext4 has its label: the superblock begins after 1024 bytes.
const EXT4_LABEL: u64 = 1024 + 0x78;

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
    // The mirror sees by the path whose preseed was read.
    let preseed = PRESEED
        .replace("{mirror}", "10.10.10.3:8080")
        .replace("{directory}", "/for-{{ hostname }}")
        .replace("{recipe}", "")
        .replace("{{ disk }}", "/dev/vda");
    let room = Room::new(installer, "cfg", |name| preseed.replace("{{ hostname }}", name));
    let pc = room.starts(lan);
    mirror.is_asked_by(&pc, &format!("/for-node-1/dists/{suite}/main/binary-{arch}/Release"));
    let taken: Vec<String> = room.server.log.lines();
    let taken: Vec<&String> = taken.iter().filter(|line| line.contains("preseed/")).collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    let address = pc.talk().address();
    assert!(taken[0].contains(&format!("http: {address} takes ")), "{taken:?}");
    assert_took_its_preseed(&pc);
    assert_eq!(mirror.log.count("/for-node-2"), 0);
    // Its own log lines are in its story: it was told where to send them.
    let lines = flight::of(NODE_1, Source::Syslog);
    assert!(lines.iter().any(|line| line.starts_with("main-menu[")), "{lines:#?}");
}

/// It asked once for a preseed, for its own.
#[track_caller]
fn assert_took_its_preseed(pc: &Pc) {
    let talk = pc.talk();
    let preseeds: Vec<&str> =
        talk.asked().into_iter().filter(|asked| asked.contains("/preseed/")).collect();
    assert_eq!(preseeds, ["GET /preseed/52-54-00-00-00-01.cfg"]);
}

/// The appliance with an installer for two machines on its stick.
struct Room {
    server: Server,
    board: Board,
}

impl Room {
    /// Each machine has a preseed of this kind, written for its name.
    fn new(installer: &Installer, ending: &str, preseed: impl Fn(&str) -> String) -> Room {
        let Installer { board, version, args, .. } = installer;
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
        copy(&installer.folder(), &stick.folder().join(format!("images/debian/{version}")));
        let server = appliance.serves();
        Room { server, board: *board }
    }

    /// Power on, for the first of them.
    fn starts(&self, lan: &Lan) -> Pc {
        Parts::new(self.board, NODE_1).memory(1024).with_an_empty_disk(DISK).starts(lan)
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
