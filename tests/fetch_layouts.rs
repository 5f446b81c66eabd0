//! `pxeberry fetch` from a stand-in for each publisher: whole, interrupted, corrupted,
//! signed by somebody else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/fetch/mod.rs"]
mod fetch;

use std::io::{BufRead, BufReader};

use fetch::{Fault, Layout, Place, Publisher, Signer, finish, layouts};

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

    fn command(&self, layout: &Layout) -> std::process::Command {
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
        }
        scene.holds(layout);
        assert_eq!(scene.asked(layout), ["GET it"], "{}", layout.system);
        scene.run(layout).good();
        scene.holds(layout);
        assert!(scene.asked(layout).is_empty(), "{}", layout.system);
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

#[test]
fn the_check_of_the_stick_finds_what_was_fetched() {
    let scene = Scene::new("check");
    scene.place.trust(&scene.signer);
    for layout in &scene.layouts {
        scene.run(layout).good();
    }
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_pxeberry"));
    let output = check.arg("check").arg(scene.place.stick()).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    for image in ["coreos/1185.3.0", "flatcar/4081.2.1"] {
        assert!(table.contains(image), "{table}");
    }
    assert!(!table.contains("problem"), "{table}");
}
