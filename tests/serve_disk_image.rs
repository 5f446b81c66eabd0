//! The image of a whole disk is written by a system in memory: our script, run by real shells
//! with real programs, and a file for a disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/installing.rs"]
mod installing;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::os::unix::fs::symlink;

use installing::{PATH, Scene, calls};
use net::stick::{NODE_1, Stick};
use net::tools::{self, Ran};
use net::{Lan, isolated};

/// The image's folder on the stick.
const FOLDER: &str = "images/homeassistant/12.4";

/// In the machine's own memory: nobody else's disk.
const DISK: &str = "/dev/shm/disk";

/// More than the image, and not blank.
const DISK_SIZE: usize = 3_000_000;

/// What the script calls beside what every script of ours does.
const PROGRAMS: [&str; 9] =
    ["dd", "head", "ip", "mkdir", "mkfifo", "rm", "sha256sum", "tail", "tee"];

/// What shall be on the disk.
fn system() -> Vec<u8> {
    (0..1_234_567_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 & 15).collect()
}

/// As its publisher packs it, by this program.
fn packed(packer: &str) -> Vec<u8> {
    fs::write("/run/system", system()).unwrap();
    match packer {
        "" => system(),
        packer => tools::output(packer, &["-c", "/run/system"]),
    }
}

/// node-1 is to get the image that is called `name` on the stick.
fn scene(lan: &Lan, name: &str, image: &[u8], list: Option<&str>, programs: &[&str]) -> Scene {
    let prepare = |stick: &Stick| {
        stick.write(
            "machines.toml",
            format!(
                "[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\n\
                 image = \"homeassistant/12.4\"\ndisk = \"{DISK}\"\n"
            ),
        );
        stick.write(&format!("{FOLDER}/{name}"), image);
        if let Some(list) = list {
            stick.write(&format!("{FOLDER}/SHA256SUMS"), list);
        }
    };
    let scene = Scene::new(lan, prepare, &[&PROGRAMS, programs].concat());
    scene.machine.run("mount", &["-t", "tmpfs", "tmpfs", "/dev/shm"]).good();
    let fill = format!("head -c {DISK_SIZE} /dev/zero | tr '\\0' x >{DISK}");
    scene.machine.run("sh", &["-c", &fill]).good();
    scene
}

fn disk(scene: &Scene) -> Vec<u8> {
    scene.machine.run("cat", &[DISK]).good().out
}

fn list(name: &str, image: &[u8]) -> String {
    fs::write("/run/listed", image).unwrap();
    let sum = tools::output("sha256sum", &["/run/listed"]);
    let sum = String::from_utf8(sum).unwrap();
    format!("{}  other.img\n{} *{name}\r\n", "0".repeat(64), &sum[..64])
}

/// The image is on the disk, the rest of the disk is as it was, and the server knows.
#[track_caller]
fn assert_written(scene: &Scene, ran: &Ran) {
    let (disk, system) = (disk(scene), system());
    assert!(disk[..system.len()] == system, "another system is on the disk");
    assert!(disk[system.len()..].iter().all(|byte| *byte == b'x'), "more was written");
    assert_eq!(disk.len(), DISK_SIZE);
    assert_eq!(ran.err, "", "a shell complained");
    assert_eq!(calls(), "reboot\n");
    assert_eq!(scene.state(), "installed");
}

/// Nothing that could start is on the disk, and the machine said why.
#[track_caller]
fn assert_spoilt(scene: &Scene, ran: &Ran, reason: &str) {
    assert_eq!(ran.code, Some(1), "{}", ran.text());
    assert!(ran.text().contains(reason), "{}", ran.text());
    assert!(disk(scene)[..1 << 20].iter().all(|byte| *byte == 0), "it could start");
    assert_eq!(calls(), "", "a reboot would hide the message");
    scene.server.log.wait_for("reports that installing failed");
    assert_eq!(scene.state(), "installing");
}

/// The same before anything was written.
#[track_caller]
fn assert_untouched(scene: &Scene, ran: &Ran, reason: &str) {
    assert_eq!(ran.code, Some(1), "{}", ran.text());
    assert!(ran.text().contains(reason), "{}", ran.text());
    assert!(disk(scene).iter().all(|byte| *byte == b'x'), "the disk was touched");
    assert_eq!(calls(), "");
    scene.server.log.wait_for("reports that installing failed");
}

fn is_unpacked(lan: &Lan, name: &str, packer: &str) {
    let programs = if packer.is_empty() { vec!["wget"] } else { vec!["wget", packer] };
    let scene = scene(lan, name, &packed(packer), None, &programs);
    let ran = scene.installs("dash").good();
    assert_written(&scene, &ran);
    assert!(ran.text().contains(&format!("no list of checksums names {name}")), "{}", ran.text());
}

#[test]
fn an_image_as_it_is() {
    isolated(|lan| is_unpacked(&lan, "haos.img", ""));
}

#[test]
fn an_image_that_gzip_packed() {
    isolated(|lan| is_unpacked(&lan, "haos.img.gz", "gzip"));
}

#[test]
fn an_image_that_zstd_packed() {
    isolated(|lan| is_unpacked(&lan, "haos.raw.zst", "zstd"));
}

#[test]
fn an_image_that_bzip2_packed() {
    isolated(|lan| is_unpacked(&lan, "haos.raw.bz2", "bzip2"));
}

#[test]
fn an_image_that_a_list_names_is_written_and_found_to_be_that() {
    isolated(|lan| {
        let (name, image) = ("haos.img.xz", packed("xz"));
        let list = list(name, &image);
        let scene = scene(&lan, name, &image, Some(&list), &["curl", "xz"]);
        let ran = scene.installs("bash").good();
        assert_written(&scene, &ran);
        assert!(ran.text().contains("haos.img.xz is what SHA256SUMS says"), "{}", ran.text());
        assert!(ran.text().contains("installed on /dev/shm/disk, rebooting"), "{}", ran.text());
    });
}

#[test]
fn busybox_alone_is_enough() {
    isolated(|lan| {
        tools::need("busybox");
        let scene = scene(&lan, "haos.img.xz", &packed("xz"), None, &[]);
        for applet in [&PROGRAMS[..], &["wget", "xz", "cat", "tr", "sed", "sync", "uname"]].concat()
        {
            let _ = fs::remove_file(format!("{PATH}/{applet}"));
            symlink("/bin/busybox", format!("{PATH}/{applet}")).unwrap();
        }
        symlink("/bin/busybox", "/run/sh").unwrap();
        fs::write("/run/install.sh", scene.machine.get("/cloud-configs/install.sh")).unwrap();
        let path = format!("PATH={PATH}");
        let ran = scene.machine.run("env", &["-i", &path, "/run/sh", "/run/install.sh"]).good();
        assert_written(&scene, &ran);
    });
}

/// A client that has `image` of the pictures that it is asked for, and all else from the server.
fn bad_client(scene: &Scene, image: &str) {
    let text =
        format!("#!/bin/sh\ncase $* in *.img*) {image} ;; *) exec /usr/bin/wget \"$@\" ;; esac\n");
    fs::remove_file(format!("{PATH}/wget")).unwrap();
    scene.program("wget", &text);
}

#[test]
fn what_comes_as_something_else_than_its_list_says_does_not_start() {
    isolated(|lan| {
        let (name, image) = ("haos.img", packed(""));
        let scene = scene(&lan, name, &image, Some(&list(name, &image)), &["wget"]);
        bad_client(&scene, "/usr/bin/wget \"$@\" | tr '\\3' '\\4'");
        let ran = scene.installs("dash");
        assert_spoilt(&scene, &ran, "haos.img came as something else than SHA256SUMS says");
    });
}

#[test]
fn what_is_cut_off_on_its_way_does_not_start() {
    isolated(|lan| {
        let scene = scene(&lan, "haos.img", &packed(""), None, &["wget"]);
        bad_client(&scene, "/usr/bin/wget \"$@\" | head -c 600000; exit 4");
        let ran = scene.installs("dash");
        assert_spoilt(&scene, &ran, "haos.img was cut off on its way");
    });
}

#[test]
fn what_cannot_be_unpacked_to_its_end_does_not_start() {
    isolated(|lan| {
        let image = packed("xz");
        let half = &image[..image.len() / 2];
        let scene = scene(&lan, "haos.img.xz", half, None, &["wget", "xz"]);
        let ran = scene.installs("dash");
        assert_spoilt(&scene, &ran, "haos.img.xz cannot be unpacked");
    });
}

#[test]
fn without_a_program_that_unpacks_it_the_disk_is_left_alone() {
    isolated(|lan| {
        let scene = scene(&lan, "haos.img.xz", &packed("xz"), None, &["wget"]);
        let ran = scene.installs("dash");
        assert_untouched(&scene, &ran, "the system in memory has no xz, so nothing is installed");
    });
}

#[test]
fn without_the_disk_that_is_named_nothing_is_made_in_its_place() {
    isolated(|lan| {
        let scene = scene(&lan, "haos.img", &packed(""), None, &["wget"]);
        scene.machine.run("mv", &[DISK, "/dev/shm/other"]).good();
        let ran = scene.installs("dash");
        scene.machine.run("mv", &["/dev/shm/other", DISK]).good();
        assert_untouched(&scene, &ran, "there is no /dev/shm/disk, so nothing is installed");
    });
}
