//! Debian's installer, which is signed in three steps: a key signs `Release`, that names
//! `SHA256SUMS`, and that names the files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/gpg.rs"]
mod gpg;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::time::{Duration, Instant};

use gpg::{Form, Gpg};
use net::stick::NODE_1;
use net::{Appliance, Firmware, Machine, PATIENCE, Stick, isolated};
use pxeberry::verify::check::{Surroundings, check};
use pxeberry::verify::keys::keyring;
use pxeberry::verify::{Progress, Verdict};
use pxeberry::world::media;
use sha2::{Digest, Sha256};

/// As `pxeberry fetch` lays it on a stick.
const FOLDER: &str = "images/debian/13.2";
const NETBOOT: &str = "netboot/debian-installer/amd64";
/// Where the archive has the list of checksums.
const IMAGES: &str = "main/installer-amd64/current/images";
const SCRIPT: &str = "/boot/52-54-00-00-00-01.ipxe";

/// A stick with the chain, and who can sign it.
struct Bench {
    gpg: Gpg,
    key: String,
    stick: Stick,
}

impl Bench {
    fn new(stick: Stick) -> Bench {
        let gpg = Gpg::new();
        let key = gpg.key("Archive <a@example.invalid>", "ed25519", "never");
        stick.write("keys/archive.asc", gpg.public(&key));
        let bench = Bench { gpg, key, stick };
        bench.lay(FOLDER, FOLDER);
        bench
    }

    /// The files and their list in `images`, `Release` and its signature in `top`.
    fn lay(&self, top: &str, images: &str) {
        let (linux, initrd) = ("a small kernel", "a small initrd");
        self.stick.write(&format!("{images}/{NETBOOT}/linux"), linux);
        self.stick.write(&format!("{images}/{NETBOOT}/initrd.gz"), initrd);
        let sums =
            format!("{}  ./{NETBOOT}/initrd.gz\n{}  ./{NETBOOT}/linux\n", sum(initrd), sum(linux));
        let release = format!(
            "Origin: Debian\nCodename: trixie\nSHA256:\n {} {} {IMAGES}/SHA256SUMS\n",
            sum(&sums),
            sums.len()
        );
        self.stick.write(&format!("{images}/SHA256SUMS"), &sums);
        self.stick.write(&format!("{top}/Release"), &release);
        let signature = self.gpg.sign(&self.key, release.as_bytes(), Form::Binary);
        self.stick.write(&format!("{top}/Release.gpg"), signature);
    }

    /// What is known of a kernel.
    fn verdict_of(&self, kernel: &str) -> Verdict {
        let (_, jobs) = media::check(self.stick.folder()).unwrap();
        let job = jobs.iter().find(|job| job.file.file.path == kernel).unwrap();
        let (keyring, _) = keyring(&job.keys, &|| true).unwrap();
        let (progress, goes_on) = (Progress::default(), |_| true);
        let surroundings =
            Surroundings { keyring: &keyring, now: 0, progress: &progress, goes_on: &goes_on };
        check(job, &surroundings).unwrap()
    }

    fn verdict(&self) -> Verdict {
        self.verdict_of(&format!("{FOLDER}/{NETBOOT}/linux"))
    }

    #[track_caller]
    fn says(&self, words: &str) {
        let verdict = self.verdict().to_string();
        assert!(verdict.contains(words), "{verdict}");
    }
}

fn sum(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folder_of_its_own() -> Stick {
    Stick::empty("/run/debian".as_ref())
}

#[test]
fn a_kernel_is_verified_by_the_key_that_signed_release() {
    isolated(|_| {
        let bench = Bench::new(folder_of_its_own());
        let (stick, key) = (&bench.stick, &bench.key);
        let verified = format!("verified by {key} (Archive <a@example.invalid>)");
        bench.says(&verified);
        let at = |name: &str| format!("{FOLDER}/{name}");
        let release = stick.read(&at("Release"));
        let proof = stick.read(&at("Release.gpg"));
        // Its own signature inside.
        stick.remove(&at("Release"));
        stick.remove(&at("Release.gpg"));
        bench.says("checksum only");
        stick.write(&at("InRelease"), bench.gpg.sign(key, &release, Form::Clear));
        bench.says(&verified);
        stick.remove(&at("InRelease"));
        // Nobody signed what names it.
        stick.write(&at("Release"), &release);
        bench.says("checksum only");
        stick.write(&at("Release.gpg"), &proof);
        stick.remove("keys/archive.asc");
        bench.says(&format!("signed by the key {key}, which is not on the stick"));
        stick.write("keys/archive.asc", bench.gpg.public(key));
        // A list of its own making, which fits the changed kernel.
        let evil = "another kernel";
        stick.write(&at(&format!("{NETBOOT}/linux")), evil);
        stick.write(&at("SHA256SUMS"), format!("{}  ./{NETBOOT}/linux\n", sum(evil)));
        bench.says("SHA256SUMS is not the one that images/debian/13.2/Release names");
        stick.remove("keys/archive.asc");
        bench.says("SHA256SUMS is not the one that images/debian/13.2/Release names");
    });
}

#[test]
fn the_archives_own_tree_is_verified_too() {
    isolated(|_| {
        let bench = Bench::new(folder_of_its_own());
        let top = "images/debian/13/dists/trixie";
        let images = format!("{top}/{IMAGES}");
        bench.lay(top, &images);
        let kernel = format!("{images}/{NETBOOT}/linux");
        let verdict = || bench.verdict_of(&kernel);
        assert!(matches!(verdict(), Verdict::Good { .. }), "{}", verdict());
        let mut sums = bench.stick.read(&format!("{images}/SHA256SUMS"));
        sums.push(b'\n');
        bench.stick.write(&format!("{images}/SHA256SUMS"), sums);
        assert!(matches!(verdict(), Verdict::Bad(_)), "{}", verdict());
    });
}

#[test]
fn one_bit_anywhere_in_the_chain_is_refused() {
    isolated(|_| {
        let bench = Bench::new(folder_of_its_own());
        assert!(matches!(bench.verdict(), Verdict::Good { .. }), "{}", bench.verdict());
        let mut tried = 0;
        for name in ["Release", "Release.gpg", "SHA256SUMS", &format!("{NETBOOT}/linux")] {
            let path = bench.stick.folder().join(FOLDER).join(name);
            let right = fs::read(&path).unwrap();
            let flipped = (0..right.len() * 8).map(|bit| {
                let mut wrong = right.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                wrong
            });
            for wrong in flipped.chain((0..right.len()).map(|length| right[..length].to_vec())) {
                fs::write(&path, wrong).unwrap();
                let verdict = bench.verdict();
                assert!(matches!(verdict, Verdict::Bad(_)), "{name}: {verdict}");
                tried += 1;
            }
            fs::write(&path, right).unwrap();
        }
        assert!(matches!(bench.verdict(), Verdict::Good { .. }), "{}", bench.verdict());
        println!("measured: {tried} flipped bits and cut files, all refused");
    });
}

/// Waits until `pxeberry status` says this of the image.
#[track_caller]
fn wait_for_origin(appliance: &Appliance, words: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = appliance.tell(&["status"]).good().text();
        let mut origins = text.lines().filter(|line| line.starts_with("origin "));
        if origins.any(|line| line.contains(words)) {
            return;
        }
        assert!(Instant::now() < end, "{words:?}: {text}");
        // Verdicts on files make no event outside of the server.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn script(machine: &Machine) -> String {
    String::from_utf8(machine.get(SCRIPT)).unwrap()
}

#[test]
fn a_box_that_requires_signatures_gives_it_out_and_not_once_the_chain_is_broken() {
    isolated(|lan| {
        let appliance = Appliance::new("server", "media.verify = \"required\"");
        let bench = Bench::new(Stick::empty(&appliance.media().join("stick")));
        let stick = &bench.stick;
        stick.write(
            "machines.toml",
            format!("[[machine]]\nmac = \"{NODE_1}\"\nimage = \"debian/13.2\"\n"),
        );
        stick.write("preseed/default.cfg", "d-i partman-auto/method string regular\n");
        let server = appliance.serves();
        wait_for_origin(&appliance, &format!("verified by {}", bench.key));
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::IpxeBios);
        let kernel = format!("/{FOLDER}/{NETBOOT}/linux");
        let text = script(&machine);
        assert!(text.contains(&format!("kernel http://10.10.10.1:8080/boot{kernel} ")), "{text}");
        assert_eq!(machine.get(&kernel), b"a small kernel");
        assert_eq!(machine.get(&format!("/boot{kernel}")), b"a small kernel");
        stick.remove(&format!("{FOLDER}/Release.gpg"));
        server.hangup();
        wait_for_origin(&appliance, "checksum only");
        let text = script(&machine);
        assert!(text.contains("is not signed") && !text.contains("kernel "), "{text}");
        assert_eq!(machine.curl(&kernel).0, 403);
    });
}
