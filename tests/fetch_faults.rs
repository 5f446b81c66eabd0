//! `pxeberry fetch` and what servers, networks and sticks do to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/fetch/mod.rs"]
mod fetch;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use fetch::layout::{LARGE, X86_64, container_linux, content};
use fetch::{Fault, Layout, Place, Publisher, Ran, Signer, finish, layouts};

/// Flatcar's publisher, and a stick that trusts it.
struct Scene {
    place: Place,
    publisher: Publisher,
    signer: Signer,
    layout: Layout,
}

const CURRENT: &str = "/flatcar/amd64-usr/current/version.txt";

impl Scene {
    fn new(name: &str) -> Scene {
        let place = Place::new(name);
        let publisher = Publisher::start();
        let signer = Signer::new("publisher");
        let layout = container_linux(&publisher, &signer, "flatcar", "4081.2.1", X86_64);
        place.trust(&signer);
        Scene { place, publisher, signer, layout }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.place.command(&format!("{}/flatcar", self.publisher.url()), arguments)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments).spawn().unwrap())
    }

    #[track_caller]
    fn holds_all(&self) {
        let mut expected = self.layout.files.clone();
        expected.sort();
        assert!(self.place.files() == expected, "{:#?}", self.place.names());
    }

    fn asked(&self) -> Vec<String> {
        let get = format!("GET {}", self.layout.large);
        let log = self.publisher.log().into_iter();
        let own = log.filter(|line| *line == get || line.starts_with(&format!("{get} ")));
        own.map(|line| line.replace(&self.layout.large, "it")).collect()
    }
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let scene = Scene::new("no-range");
    scene.publisher.fail(&scene.layout.large, &[Fault::Cut(1_000_000), Fault::NoRange]);
    scene.run(&["flatcar"]).good();
    scene.holds_all();
    assert_eq!(scene.asked(), ["GET it", "GET it from 1000000"]);
}

/// A part has come when the publisher has another file, with its signature, in its place.
fn replaced_after_a_part(scene: &Scene) -> Vec<u8> {
    let large = &scene.layout.large;
    scene.publisher.fail(large, &[Fault::Cut(1_000_000), Fault::Status(403)]);
    scene.run(&["flatcar"]).bad(&["403"]);
    let new = content(99, LARGE);
    scene.publisher.put(large, new.clone());
    scene.publisher.put(&format!("{large}.sig"), scene.signer.sign(&new, false));
    new
}

fn has_become(scene: &Scene, new: Vec<u8>) {
    let name = format!("images/flatcar/4081.2.1/{}", scene.layout.part);
    assert!(scene.place.files().contains(&(name, new)));
}

#[test]
fn a_part_of_a_file_that_was_replaced_is_not_gone_on_with() {
    let scene = Scene::new("replaced");
    let new = replaced_after_a_part(&scene);
    scene.publisher.always(&scene.layout.large, Fault::Replaced);
    scene.asked();
    scene.run(&["flatcar"]).good();
    assert_eq!(scene.asked(), ["GET it from 1000000"], "the answer is the whole new file");
    has_become(&scene, new);
}

#[test]
fn a_part_that_says_to_be_of_another_file_is_not_taken() {
    let scene = Scene::new("part");
    let new = replaced_after_a_part(&scene);
    scene.publisher.fail(&scene.layout.large, &[Fault::ReplacedPart]);
    scene.asked();
    let ran = scene.run(&["flatcar"]);
    ran.good();
    assert_eq!(scene.asked(), ["GET it from 1000000", "GET it"]);
    // Known before the rest of it came, not by its signature.
    assert!(ran.err.contains("cannot be gone on with"), "{}", ran.err);
    has_become(&scene, new);
}

#[test]
fn parts_that_do_not_belong_together_are_fetched_again_in_one_piece() {
    let scene = Scene::new("mixed");
    // Under the same ETag: a server that makes it of the name, say.
    let new = replaced_after_a_part(&scene);
    scene.asked();
    scene.run(&["flatcar"]).good();
    assert_eq!(scene.asked(), ["GET it from 1000000", "GET it"]);
    has_become(&scene, new);
}

#[test]
fn what_stays_damaged_is_fetched_twice_at_most() {
    let scene = Scene::new("twice");
    let damaged = [Fault::Cut(1_000_000), Fault::Flip(2_000_000)];
    scene
        .publisher
        .fail(&scene.layout.large, &[damaged.clone(), damaged.clone(), damaged].concat());
    scene.run(&["flatcar"]).bad(&[&scene.layout.large, "nothing of it was kept"]);
    let once = ["GET it", "GET it from 1000000"];
    assert_eq!(scene.asked(), once.repeat(2));
    // Nothing of it is of an earlier try, so it is of one piece.
    scene.publisher.fail(&scene.layout.large, &[Fault::Status(503), Fault::Flip(2_000_000)]);
    scene.run(&["flatcar"]).bad(&[&scene.layout.large, "nothing of it was kept"]);
    assert_eq!(scene.asked(), ["GET it", "GET it"]);
}

#[test]
fn a_silent_server_is_left_and_asked_again() {
    let scene = Scene::new("silent");
    scene.publisher.fail(&scene.layout.large, &[Fault::Stall(1_000_000)]);
    // Long enough that a publisher on a busy host is not the silent one.
    scene.run(&["flatcar", "--timeout", "4"]).good();
    scene.holds_all();
    assert_eq!(scene.asked(), ["GET it", "GET it from 1000000"]);
}

#[test]
fn a_server_in_trouble_is_asked_five_times_and_the_next_run_goes_on() {
    let scene = Scene::new("trouble");
    let trouble = vec![Fault::Status(503); 5];
    let faults = [vec![Fault::Cut(1_000_000)], trouble].concat();
    scene.publisher.fail(&scene.layout.large, &faults);
    scene.run(&["flatcar"]).bad(&["503", "goes on where it stopped"]);
    assert_eq!(scene.asked().len(), 6);
    scene.run(&["flatcar"]).good();
    scene.holds_all();
    assert_eq!(scene.asked(), ["GET it from 1000000"]);
}

#[test]
fn redirects_in_a_circle_end() {
    let scene = Scene::new("circle");
    scene.publisher.redirect(CURRENT, CURRENT);
    scene.run(&["flatcar"]).bad(&["redirects more than 5 times"]);
    assert_eq!(scene.publisher.log().len(), 6);
}

#[test]
fn a_release_that_is_not_there_leaves_nothing_on_the_stick() {
    let scene = Scene::new("missing");
    scene.run(&["flatcar", "1.2.3"]).bad(&["/1.2.3/", "404"]);
    assert!(!scene.place.stick().join("images").exists());
    scene.run(&["windows"]).bad(&["no publisher of \"windows\"", "flatcar"]);
    scene.run(&["coreos", "--arch", "arm64"]).bad(&["x86_64 only"]);
}

#[test]
fn a_file_that_does_not_fit_is_refused_before_anything_is_fetched() {
    let scene = Scene::new("full");
    scene.publisher.always(&scene.layout.large, Fault::Says(1 << 50));
    scene.run(&["flatcar"]).bad(&["are needed", "are free"]);
    assert!(scene.asked().is_empty());
    assert!(scene.place.names().is_empty());
}

#[test]
fn small_files_that_do_not_end_are_left() {
    let scene = Scene::new("endless");
    for path in [CURRENT.to_owned(), format!("{}.sig", scene.layout.large)] {
        scene.publisher.always(&path, Fault::Endless);
        scene.run(&["flatcar"]).bad(&[&path, "too large"]);
        scene.publisher.heal();
    }
}

#[test]
fn a_version_that_is_no_folders_name_is_refused() {
    let scene = Scene::new("hostile");
    for version in ["../../../etc", "1/../../x", "1\u{7}", "1;reboot", ""] {
        scene.publisher.put(CURRENT, format!("FLATCAR_VERSION={version}\n"));
        scene.run(&["flatcar"]).bad(&[]);
        assert_eq!(scene.publisher.log(), [format!("GET {CURRENT}")], "nothing of that name");
    }
    assert!(!scene.place.stick().join("images").exists());
}

#[test]
fn nothing_is_written_where_a_link_on_the_stick_leads() {
    let scene = Scene::new("link");
    let outside = scene.place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, scene.place.stick().join("images")).unwrap();
    scene.run(&["flatcar"]).bad(&["images/flatcar/4081.2.1"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn two_fetches_of_the_same_file_do_not_mix() {
    let scene = Scene::new("two");
    scene.publisher.fail(&scene.layout.large, &[Fault::Stall(1_000_000)]);
    let mut first = scene.command(&["flatcar"]).spawn().unwrap();
    scene.publisher.stalled();
    scene.run(&["flatcar"]).bad(&["another pxeberry fetch"]);
    first.kill().unwrap();
    first.wait().unwrap();
    scene.run(&["flatcar"]).good();
    scene.holds_all();
}

#[test]
fn a_damaged_file_on_the_stick_is_fetched_again() {
    let scene = Scene::new("damaged");
    scene.run(&["flatcar"]).good();
    let path = scene.place.stick().join("images/flatcar/4081.2.1").join(&scene.layout.part);
    let mut bytes = fs::read(&path).unwrap();
    bytes[LARGE / 2] ^= 1;
    fs::write(&path, bytes).unwrap();
    scene.asked();
    scene.run(&["flatcar"]).good();
    scene.holds_all();
    assert_eq!(scene.asked(), ["GET it"]);
}

#[test]
fn a_missing_key_is_named_with_the_place_where_the_publisher_shows_it() {
    let scene = Scene::new("keyless");
    fs::remove_dir_all(scene.place.stick().join("keys")).unwrap();
    let fingerprint = "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A";
    scene.run(&["flatcar"]).bad(&[fingerprint, "https://www.flatcar.org/", "stick/keys"]);
    // The key may lie elsewhere.
    let keys = scene.place.path().join("other-keys");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("publisher.asc"), scene.signer.public()).unwrap();
    scene.run(&["flatcar", "--keys", keys.to_str().unwrap()]).good();
    scene.holds_all();
}

#[test]
fn fetch_takes_the_keys_that_the_box_takes() {
    let scene = Scene::new("places");
    let stick = scene.place.stick();
    fs::remove_dir_all(stick.join("keys")).unwrap();
    for (path, taken) in [
        ("Keys/b.GPG", true),
        ("keys/deeper/d.pgp", true),
        ("keys/e.key", true),
        ("keys/f.txt", false),
        ("g.asc", false),
    ] {
        let path = stick.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, scene.signer.public()).unwrap();
        scene.run(&["flatcar", "--accept-unsigned"]).good();
        let check = Command::new(env!("CARGO_BIN_EXE_pxeberry")).arg("check").arg(&stick).output();
        let box_says = String::from_utf8(check.unwrap().stdout).unwrap();
        assert_eq!(box_says.contains("verified by"), taken, "{path:?}: {box_says}");
        let ran = scene.run(&["flatcar"]);
        if taken {
            ran.good()
        } else {
            ran.bad(&["holds no key that signed it"])
        }
        fs::remove_dir_all(stick.join("images")).unwrap();
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn debian_keeps_the_newest_point_release_only() {
    let place = Place::new("points");
    let publisher = Publisher::start();
    let signer = Signer::new("publisher");
    layouts(&place, &publisher, &signer);
    place.trust(&signer);
    let base = format!("{}/debian", publisher.url());
    let run = |version| finish(place.command(&base, &["debian", version]).spawn().unwrap());
    run("stable").good();
    let release = publisher.file("/debian/dists/stable/Release");
    publisher.put("/debian/dists/trixie/Release", release);
    run("13.1").bad(&["13.2", "no other"]);
}

#[test]
fn the_version_that_names_debians_folder_is_the_signed_one() {
    let place = Place::new("named");
    let publisher = Publisher::start();
    let signer = Signer::new("publisher");
    layouts(&place, &publisher, &signer);
    place.trust(&signer);
    let base = format!("{}/debian", publisher.url());
    let release = "/debian/dists/stable/Release";
    let text = String::from_utf8(publisher.file(release)).unwrap();
    let forged = text.replace("Version: 13.2", "Version: 99.9");
    publisher.fail(release, &[Fault::Instead(forged.into_bytes())]);
    let ran = finish(place.command(&base, &["debian"]).spawn().unwrap());
    ran.bad(&["Release: is of version 13.2", "99.9"]);
    assert!(place.names().is_empty(), "{:#?}", place.names());
}

#[test]
fn a_log_gets_plain_lines_and_a_terminal_a_bar() {
    let scene = Scene::new("screen");
    let plain = scene.run(&["flatcar"]);
    assert!(plain.err.contains("image.bin.bz2  100 %  3.1 MB"), "{}", plain.err);
    assert!(!plain.err.contains('\r'), "{}", plain.err);
    fs::remove_dir_all(scene.place.stick().join("images")).unwrap();
    let command = scene.command(&["flatcar"]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
    let drawn = Command::new("script").args(["-qec", &line.join(" "), "/dev/null"]).output();
    let drawn = String::from_utf8_lossy(&drawn.unwrap().stdout).into_owned();
    assert!(drawn.contains("\rflatcar_pr"), "{drawn:?}");
    assert!(drawn.contains("[############] 100 %  3.1 MB"), "{drawn:?}");
}

#[test]
fn https_is_proven_and_never_left() {
    let scene = Scene::new("https");
    let place = scene.place.path();
    let (key, certificate) = (place.join("key.pem"), place.join("cert.pem"));
    let settings = place.join("openssl.cnf");
    let text = "[req]\ndistinguished_name = who\nx509_extensions = ext\n[who]\n[ext]\n\
                subjectAltName = DNS:localhost\nbasicConstraints = critical, CA:FALSE\n";
    fs::write(&settings, text).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"])
        .arg("-config")
        .arg(&settings)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "`apt-get install openssl` brings openssl");
    let served = place.join("flatcar/amd64-usr/current");
    fs::create_dir_all(&served).unwrap();
    let away =
        format!("HTTP/1.0 302 Found\r\nLocation: {}{CURRENT}\r\n\r\n", scene.publisher.url());
    fs::write(served.join("version.txt"), away).unwrap();
    let mut server = Command::new("openssl")
        .args(["s_server", "-HTTP", "-accept", "127.0.0.1:0", "-naccept", "2", "-key"])
        .arg(&key)
        .arg("-cert")
        .arg(&certificate)
        .current_dir(place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, port)) = line.split_once("ACCEPT 127.0.0.1:") {
            break port.to_owned();
        }
    };
    let base = format!("https://localhost:{port}/flatcar");
    let stranger = finish(scene.place.command(&base, &["flatcar"]).spawn().unwrap());
    stranger.bad(&[&base, "certificate"]);
    let mut command = scene.place.command(&base, &["flatcar"]);
    let known = finish(command.env("SSL_CERT_FILE", &certificate).spawn().unwrap());
    server.kill().unwrap();
    server.wait().unwrap();
    known.bad(&["redirects from https to http://", "not followed"]);
    assert!(scene.publisher.log().is_empty());
}
