//! `pxeberry fetch` from a stand-in for each publisher: whole, interrupted, corrupted,
//! signed by somebody else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/fetch/mod.rs"]
mod fetch;
#[path = "support/tree.rs"]
mod tree;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use fetch::layout::{ARM64, layouts_for};
use fetch::{Fault, Layout, Place, Publisher, Signer, finish, layouts};
use pxeberry::boot::plan::Plan;
use pxeberry::fleet::life::Phase;
use pxeberry::inventory::profile::Purpose;
use tree::{Client, Stick};

struct Scene {
    place: Place,
    publisher: Publisher,
    signer: Signer,
    layouts: Vec<Layout>,
}

impl Scene {
    fn new(name: &str) -> Scene {
        let place = Place::new(name);
        let publisher = Publisher::start();
        let signer = Signer::new("publisher");
        let layouts = layouts(&place, &publisher, &signer);
        Scene { place, publisher, signer, layouts }
    }

    /// Talos signs nothing, which has to be accepted aloud.
    fn arguments(layout: &Layout) -> Vec<&'static str> {
        if layout.signature.is_some() {
            vec![layout.system]
        } else {
            vec![layout.system, "--accept-unsigned"]
        }
    }

    fn command(&self, layout: &Layout) -> Command {
        let base = format!("{}/{}", self.publisher.url(), layout.system);
        self.place.command(&base, &Scene::arguments(layout))
    }

    fn run(&self, layout: &Layout) -> fetch::Ran {
        finish(self.command(layout).spawn().unwrap())
    }

    /// The stick holds this layout's files and nothing else of its system.
    #[track_caller]
    fn holds(&self, layout: &Layout) {
        let folder = format!("images/{}/", layout.system);
        let mut found = self.place.files();
        found.retain(|(name, _)| name.starts_with(&folder));
        let mut expected = layout.files.clone();
        expected.sort();
        let names = |files: &[(String, Vec<u8>)]| {
            files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&found), names(&expected));
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            assert!(found == expected, "{name} has another content");
        }
    }

    /// Bytes of the large file that are there.
    fn part(&self, layout: &Layout) -> usize {
        let name = format!("/{}.part", layout.part);
        let files = self.place.files();
        files.iter().find(|(path, _)| path.ends_with(&name)).map_or(0, |(_, bytes)| bytes.len())
    }

    /// Requests for the large file since the last call.
    fn asked(&self, layout: &Layout) -> Vec<String> {
        let get = format!("GET {}", layout.large);
        let mut log = self.publisher.log();
        log.retain(|line| *line == get || line.starts_with(&format!("{get} ")));
        log.iter().map(|line| line.replace(&layout.large, "it")).collect()
    }
}

#[test]
fn a_release_is_fetched_whole_once_and_not_again() {
    let scene = Scene::new("whole");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        let ran = scene.run(layout);
        ran.good();
        if layout.signature.is_some() {
            assert!(ran.out.contains(scene.signer.fingerprint()), "{}", ran.out);
            // Fedora's keys are not listed: they change with each release.
            let says = ran.out.contains("no key of its publisher's");
            assert_eq!(says, layout.system != "fedora-coreos", "{}", ran.out);
        }
        scene.holds(layout);
        assert_eq!(scene.asked(layout), ["GET it"], "{}", layout.system);
        let ran = scene.run(layout);
        ran.good();
        scene.holds(layout);
        assert!(scene.asked(layout).is_empty(), "{}", layout.system);
        // What Alpine signs is gone when its files are taken out.
        let (unchanged, signed) = ("unchanged since an earlier fetch", "good signature");
        let is_signed = layout.signature.is_some() && layout.system != "alpine";
        assert_eq!(ran.out.contains(unchanged), layout.system == "alpine", "{}", ran.out);
        assert_eq!(ran.out.contains(signed), is_signed, "{}", ran.out);
    }
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let scene = Scene::new("cut");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        scene.publisher.fail(&layout.large, &[Fault::Cut(1_000_000), Fault::Cut(500_000)]);
        scene.run(layout).good();
        scene.holds(layout);
        let expected = ["GET it", "GET it from 1000000", "GET it from 1500000"];
        assert_eq!(scene.asked(layout), expected, "{}", layout.system);
    }
}

#[test]
fn a_killed_fetch_goes_on_where_it_stopped() {
    let scene = Scene::new("killed");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        scene.publisher.fail(&layout.large, &[Fault::Stall(1_000_000)]);
        let mut child = scene.command(layout).spawn().unwrap();
        scene.publisher.stalled();
        // Sent is not received: the first line about it says that something is on the stick.
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let large = layout.part.rsplit('/').next().unwrap();
        let mut shown = lines.map_while(Result::ok);
        assert!(shown.any(|line| line.starts_with(&format!("{large}  "))), "{}", layout.system);
        child.kill().unwrap();
        child.wait().unwrap();
        let there = scene.part(layout);
        assert!(there > 0);
        scene.publisher.log();
        scene.run(layout).good();
        scene.holds(layout);
        assert_eq!(scene.asked(layout), [format!("GET it from {there}")], "{}", layout.system);
    }
}

#[test]
fn a_corrupted_download_never_gets_its_name() {
    let scene = Scene::new("corrupt");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        scene.publisher.always(&layout.large, Fault::Flip(2_000_000));
        scene.run(layout).bad(&[&layout.large]);
        let names = scene.place.names();
        let kept = names.iter().any(|name| name.contains(&layout.part));
        assert!(!kept, "{names:#?}");
        scene.publisher.heal();
        scene.run(layout).good();
        scene.holds(layout);
    }
}

#[test]
fn what_another_key_signed_waits_unverified_for_the_right_one() {
    let scene = Scene::new("stranger");
    let stranger = Signer::new("stranger");
    scene.place.trust(&stranger);
    for layout in scene.layouts.iter().filter(|layout| layout.signature.is_some()) {
        scene.run(layout).bad(&["no key that signed it", "--accept-unsigned", "keys"]);
        let folder = format!("images/{}/", layout.system);
        let names = scene.place.names();
        let mut own = names.iter().filter(|name| name.starts_with(&folder));
        assert!(own.all(|name| name.ends_with(".unverified")), "{names:#?}");
    }
    scene.publisher.log();
    scene.place.trust(&scene.signer);
    for layout in scene.layouts.iter().filter(|layout| layout.signature.is_some()) {
        scene.run(layout).good();
        scene.holds(layout);
        assert!(scene.asked(layout).is_empty(), "{}", layout.system);
    }
}

#[test]
fn a_signature_of_something_else_is_refused() {
    let scene = Scene::new("forged");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        let Some(signature) = &layout.signature else {
            continue;
        };
        let armored = !signature.ends_with(".sig");
        let forged = scene.signer.sign(b"something else", armored);
        let good = scene.publisher.file(signature);
        scene.publisher.put(signature, forged);
        scene.run(layout).bad(&["signature"]);
        let names = scene.place.names();
        assert!(!names.iter().any(|name| name.contains(&layout.part)), "{names:#?}");
        scene.publisher.put(signature, good);
    }
}

#[test]
fn a_list_that_debians_release_does_not_vouch_for_is_refused() {
    let scene = Scene::new("chain");
    scene.place.trust(&scene.signer);
    let debian = scene.layouts.iter().find(|layout| layout.system == "debian").unwrap();
    let list = "/debian/dists/stable/main/installer-amd64/current/images/SHA256SUMS";
    let mut sums = scene.publisher.file(list);
    sums.extend(b"\n");
    scene.publisher.put(list, sums);
    scene.run(debian).bad(&["SHA256SUMS", "not what the signed list says"]);
    assert!(scene.place.names().is_empty());
}

#[test]
fn a_release_that_is_no_longer_the_newest_is_found_in_its_own_list() {
    let scene = Scene::new("older");
    scene.place.trust(&scene.signer);
    let stream = scene.publisher.file("/fedora-coreos/streams/stable.json");
    let stream: serde_json::Value = serde_json::from_slice(&stream).unwrap();
    let files = &stream["architectures"]["x86_64"]["artifacts"]["metal"]["formats"];
    let older = "41.20250101.3.0";
    let release = serde_json::json!({
        "release": older,
        "architectures": {"x86_64": {"media": {"metal": {"artifacts": files}}}},
    });
    let path = format!("/fedora-coreos/prod/streams/stable/builds/{older}/release.json");
    scene.publisher.put(&path, release.to_string());
    let base = format!("{}/fedora-coreos", scene.publisher.url());
    let run =
        |version| finish(scene.place.command(&base, &["fedora-coreos", version]).spawn().unwrap());
    run(older).good();
    let names = scene.place.names();
    assert!(names.iter().all(|name| name.starts_with(&format!("images/fedora-coreos/{older}/"))));
    assert_eq!(names.len(), 6, "{names:#?}");
    run("40.1.1.1").bad(&["40.1.1.1", "404"]);
}

#[test]
fn what_nobody_signs_is_taken_only_when_told_to() {
    let scene = Scene::new("unsigned");
    let talos = scene.layouts.iter().find(|layout| layout.system == "talos").unwrap();
    let base = format!("{}/talos", scene.publisher.url());
    let ran = finish(scene.place.command(&base, &["talos"]).spawn().unwrap());
    ran.bad(&["signs nothing", "plain HTTP", "--accept-unsigned", ".unverified"]);
    let names = scene.place.names();
    assert!(names.iter().all(|name| name.ends_with(".unverified")), "{names:#?}");
    scene.publisher.log();
    let ran = scene.run(talos);
    ran.good();
    assert!(ran.out.contains("NOT VERIFIED"), "{}", ran.out);
    scene.holds(talos);
    assert!(scene.asked(talos).is_empty(), "what is there is not fetched again");
}

/// What is fetched, each given to the machine with the number of its place.
const IMAGES: [&str; 6] = [
    "coreos/1185.3.0",
    "flatcar/4081.2.1",
    "fedora-coreos/42.20250705.3.0",
    "debian/13.2",
    "alpine/3.22.1",
    "talos/1.11.5",
];

/// Machines, and something that passes for their configurations.
fn give_machines(stick: &Path) {
    let mut machines = String::new();
    for (number, image) in (1..).zip(IMAGES) {
        machines += &format!(
            "[[machine]]\nmac = \"52:54:00:00:00:0{number}\"\nimage = \"{image}\"\n\
             disk = \"/dev/vda\"\n"
        );
    }
    for (path, content) in [
        ("machines.toml", machines.as_str()),
        ("cloud-configs/default.yml", "#cloud-config\nhostname: x\n"),
        ("ignition/default.ign", r#"{"ignition": {"version": "3.4.0"}}"#),
        ("preseed/default.cfg", "d-i partman-auto/method string regular\n"),
        ("alpine/default.apkovl.tar.gz", "an overlay"),
        ("talos/default.yaml", "version: v1alpha1\nmachine:\n  type: worker\n"),
    ] {
        let path = stick.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// The files on the stick that a machine fetches to start, if it is installed.
fn boots(stick: &Stick, client: Client, number: u8) -> Result<Vec<String>, &'static str> {
    let install = match stick.plan(client, number, Some(Phase::Armed)) {
        Plan::Install(install) => install,
        Plan::LocalBoot(why) => return Err(why),
        other => panic!("{other:?}"),
    };
    assert_eq!(install.purpose, Purpose::Install, "{}", install.image);
    let image = stick.found().images.iter().find(|image| image.name() == install.image).unwrap();
    let on_stick = |name: &str| {
        let found = stick.found().image_of(name).map(|(image, path)| image.file(path));
        let file = found.unwrap_or_else(|| image.file(name));
        file.unwrap_or_else(|| panic!("{name} is not on the stick")).path.clone()
    };
    let urls =
        install.args.split(' ').filter_map(|word| word.split_once("http://10.10.10.1:8080/"));
    let named = urls.map(|(_, path)| path).filter(|path| path.starts_with("images/"));
    let started = std::iter::once(&install.kernel).chain(&install.initrds).map(String::as_str);
    let mut files: Vec<String> = started.chain(named).map(on_stick).collect();
    files.sort();
    Ok(files)
}

/// What of a layout is neither a proof nor written by `install.sh`.
fn started(layout: &Layout) -> Vec<String> {
    let is_other = |name: &str| {
        let name = name.rsplit('/').next().unwrap();
        name.ends_with(".sig")
            || name.ends_with("_image.bin.bz2")
            || ["SHA256SUMS", "sha256sum.txt", "Release", "Release.gpg"].contains(&name)
    };
    let names = layout.files.iter().map(|(name, _)| name.clone());
    let mut names: Vec<String> = names.filter(|name| !is_other(name)).collect();
    names.sort();
    names
}

#[test]
fn the_check_of_the_stick_finds_what_was_fetched() {
    let scene = Scene::new("check");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        scene.run(layout).good();
    }
    let of_arm = layouts_for(&scene.place, &scene.publisher, &scene.signer, ARM64);
    for layout in &of_arm {
        let mut command = scene.command(layout);
        finish(command.args(["--arch", ARM64.name]).spawn().unwrap()).good();
    }
    let folder = scene.place.stick();
    give_machines(&folder);
    let output = Command::new(env!("CARGO_BIN_EXE_pxeberry")).arg("check").arg(&folder).output();
    let output = output.unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !table.contains("problem"), "{table}");
    let stick = Stick::read(&folder);
    for (number, image) in (1..).zip(IMAGES) {
        assert!(table.lines().any(|line| line.starts_with(&format!("{image} "))), "{table}");
        let row = |line: &str| line.contains(&format!(" {image} ")) && line.ends_with("/dev/vda");
        assert!(table.lines().any(row), "{image}: {table}");
        let system = image.split('/').next().unwrap();
        let own =
            |layouts: &[Layout]| layouts.iter().find(|layout| layout.system == system).map(started);
        for client in Client::ALL {
            let expected = match client {
                Client::ArmIpxe => own(&of_arm),
                _ => own(&scene.layouts),
            };
            let expected = expected.ok_or("its image is for 64-bit x86, and this machine is not");
            assert_eq!(boots(&stick, client, number), expected, "{image}, {}", client.title());
        }
        origins(&scene, &table, image);
    }
}

/// What is said of each file: signed, if its publisher signs what machines boot.
#[track_caller]
fn origins(scene: &Scene, table: &str, image: &str) {
    let signed = format!("verified by {}", scene.signer.fingerprint());
    let words = match image.split('/').next().unwrap() {
        // The archive is signed, and only what is in it is here; and Talos signs nothing.
        "alpine" | "talos" => "checksum only",
        _ => &signed,
    };
    let start = format!("origin   images/{image}/");
    let mut lines = table.lines().filter(|line| line.starts_with(&start)).peekable();
    assert!(lines.peek().is_some(), "{table}");
    for line in lines {
        assert!(line.contains(words), "{line}");
    }
}
