//! Images whose signatures are right, wrong or missing: what machines get, and what is said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/gpg.rs"]
mod gpg;
#[path = "support/net/mod.rs"]
mod net;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use gpg::{Form, Gpg, LATE};
use net::stick::{IMAGE, INITRD, KERNEL, NODE_1, VERSION};
use net::{Appliance, Firmware, Lan, Machine, PATIENCE, Stick, isolated};

const FOLDER: &str = "images/coreos/1185.3.0";

const SCRIPT: &str = "/boot/52-54-00-00-00-01.ipxe";

fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Every file that machines need with its signature, and the key.
fn signed(stick: &Stick, gpg: &Gpg) -> String {
    let key = gpg.key("Publisher <p@example.invalid>", "ed25519", "never");
    stick.write("keys/publisher.asc", gpg.public(&key));
    for name in [KERNEL, INITRD, IMAGE] {
        sign(stick, gpg, &key, name);
    }
    key
}

fn sign(stick: &Stick, gpg: &Gpg, key: &str, name: &str) {
    let signature = gpg.sign(key, &stick.read(&path(name)), Form::Binary);
    stick.write(&path(&format!("{name}.sig")), signature);
}

/// One bit, far inside.
fn flip(stick: &Stick, path: &str) {
    let mut content = stick.read(path);
    let middle = content.len() / 2;
    content[middle] ^= 1;
    stick.write(path, content);
}

fn booted(lan: &Lan) -> Machine {
    let machine = lan.machine(NODE_1);
    machine.boots(Firmware::Bios);
    machine
}

fn text(machine: &Machine, path: &str) -> (u16, String) {
    let (status, body) = machine.curl(path);
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// The line of `pxeberry status` on the image's origin, once it holds `words`.
#[track_caller]
fn wait_for_origin(appliance: &Appliance, words: &str) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = appliance.tell(&["status"]).good().text();
        let line = text.lines().find(|line| line.starts_with("origin ")).unwrap_or_default();
        if line.contains(words) {
            return line.to_owned();
        }
        assert!(Instant::now() < end, "{words:?}: {text}");
        // Verdicts on files make no event outside of the server.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_verified_is_given_out_and_told_with_its_fingerprint() {
    isolated(|lan| {
        let gpg = Gpg::new();
        let appliance = Appliance::new("server", "media.verify = \"required\"");
        let stick = appliance.sample_stick();
        let key = signed(&stick, &gpg);
        let server = appliance.serves();
        let words = format!("verified by {key} (Publisher <p@example.invalid>)");
        wait_for_origin(&appliance, &words);
        server.log.wait_for(&format!("key on the stick: {key}"));
        let machine = booted(&lan);
        for name in [KERNEL, INITRD, IMAGE] {
            let expected = stick.image_file(name);
            assert!(machine.get(&format!("/images/coreos/{VERSION}/{name}")) == expected, "{name}");
        }
        assert!(machine.tftp(KERNEL).unwrap() == stick.image_file(KERNEL));
        assert!(text(&machine, SCRIPT).1.contains("kernel "));
        let page = text(&machine, "/").1;
        let line = format!("<li class=mono>{key} (Publisher &lt;p@example.invalid&gt;)</li>");
        assert!(page.contains(&line), "{page}");
        let status = appliance.tell(&["status"]).good().text();
        let line = format!("key      {key} (Publisher <p@example.invalid>)\n");
        assert!(status.contains(&line), "{status}");
    });
}

#[test]
fn one_changed_bit_keeps_a_file_back_and_its_machine_on_its_own_disk() {
    isolated(|lan| {
        let gpg = Gpg::new();
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        signed(&stick, &gpg);
        let server = appliance.serves();
        wait_for_origin(&appliance, "verified by");
        let machine = booted(&lan);
        flip(&stick, &path(IMAGE));
        server.hangup();
        server.log.wait_for("error: images/coreos/1185.3.0/coreos_production_image.bin.bz2: ");
        let (status, why) = text(&machine, &format!("/{VERSION}/{IMAGE}"));
        assert_eq!((status, why.contains("is not what was signed")), (403, true), "{why}");
        assert_eq!(
            machine.connect(8080).ask("HEAD", &format!("/{VERSION}/{IMAGE}"), &[]).status,
            403
        );
        // What is right is served; the machine is not begun, as it could not be ended.
        assert!(machine.get(&format!("/boot/{KERNEL}")) == stick.image_file(KERNEL));
        let script = text(&machine, SCRIPT).1;
        assert!(
            script.contains("is not what was signed") && !script.contains("kernel "),
            "{script}"
        );
        flip(&stick, &path(KERNEL));
        server.hangup();
        server.log.wait_for(&format!("{KERNEL}: does not match its signature"));
        assert!(machine.tftp(KERNEL).is_err());
        assert_eq!(machine.curl(&format!("/boot/{KERNEL}")).0, 403);
        // Right again is verified again, and served.
        for name in [IMAGE, KERNEL] {
            flip(&stick, &path(name));
        }
        server.hangup();
        wait_for_origin(&appliance, "verified by");
        assert!(machine.get(&format!("/{VERSION}/{IMAGE}")) == stick.image_file(IMAGE));
        assert!(text(&machine, SCRIPT).1.contains("kernel "));
    });
}

#[test]
fn what_nobody_signed_is_served_and_said_unless_signatures_are_required() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        // The sample image's signature is by somebody whose key is not there.
        let server = appliance.serves();
        wait_for_origin(&appliance, "which is not on the stick; put it into keys/");
        let machine = booted(&lan);
        assert!(text(&machine, SCRIPT).1.contains("kernel "));
        stick.remove(&path(&format!("{IMAGE}.sig")));
        server.hangup();
        wait_for_origin(&appliance, "not signed");
        assert!(machine.get(&format!("/{VERSION}/{IMAGE}")) == stick.image_file(IMAGE));
        drop(server);
        let strict = Appliance::new("server", "media.verify = \"required\"");
        let _server = strict.serves();
        let (status, why) = text(&machine, &format!("/{VERSION}/{IMAGE}"));
        assert_eq!((status, why.contains("is not signed")), (403, true), "{why}");
        assert!(text(&machine, SCRIPT).1.contains("is not signed"));
        // Nothing but what machines boot and write needs a signature.
        assert_eq!(machine.get(&format!("/{VERSION}/version.txt")), b"COREOS_VERSION=1185.3.0\n");
        drop(_server);
        let off = Appliance::new("server", "media.verify = \"off\"");
        flip(&stick, &path(KERNEL));
        let _server = off.serves();
        wait_for_origin(&off, "not looked at");
        assert!(text(&machine, SCRIPT).1.contains("kernel "));
    });
}

#[test]
fn a_large_file_is_waited_for_while_the_others_are_served_and_given_up_when_it_is_gone() {
    isolated(|lan| {
        let gpg = Gpg::new();
        let appliance = Appliance::new("server", "media.verify = \"required\"");
        let stick = appliance.sample_stick();
        signed(&stick, &gpg);
        let whole = stick.image_file(IMAGE);
        // Nothing but zeros, which takes no memory, and minutes to read.
        let large = File::create(stick.folder().join(path(IMAGE))).unwrap();
        large.set_len(200 << 30).unwrap();
        drop(large);
        let server = appliance.serves();
        wait_for_origin(&appliance, "being verified, ");
        let machine = booted(&lan);
        let head = machine.connect(8080).ask("HEAD", &format!("/{VERSION}/{IMAGE}"), &[]);
        assert_eq!((head.status, head.header("Retry-After")), (503, Some("5")), "{}", head.head);
        assert!(machine.get(&format!("/boot/{KERNEL}")) == stick.image_file(KERNEL));
        let script = text(&machine, SCRIPT).1;
        assert!(script.contains("one moment") && !script.contains("kernel "), "{script}");
        // A system that runs already asks again; "not armed" would be final.
        assert_eq!(machine.connect(8080).ask("HEAD", "/cloud-configs/install.sh", &[]).status, 503);
        let page = text(&machine, "/").1;
        assert!(page.contains("being verified, "), "{page}");
        assert!(page.contains("Signatures of images are being checked."), "{page}");
        stick.write(&path(IMAGE), &whole);
        server.hangup();
        wait_for_origin(&appliance, "verified by");
        assert!(machine.get(&format!("/{VERSION}/{IMAGE}")) == whole);
        assert_eq!(server.log.count("error: "), 0);
    });
}

#[test]
fn a_stick_that_is_pulled_ends_its_verification_quietly() {
    isolated(|_| {
        let gpg = Gpg::new();
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        signed(&stick, &gpg);
        let large = File::create(stick.folder().join(path(IMAGE))).unwrap();
        large.set_len(200 << 30).unwrap();
        let server = appliance.serves();
        wait_for_origin(&appliance, "being verified, ");
        let stick = stick.moved_to("/run/pulled".as_ref());
        server.hangup();
        server.log.wait_for("no stick is there");
        large.set_len(3).unwrap();
        // Another one is verified at once: the thread is free.
        let other = Stick::sample(&appliance.media().join("sdb1"));
        let key = gpg.key("Other <o@example.invalid>", "ed25519", "never");
        other.write("keys/other.asc", gpg.public(&key));
        for name in [KERNEL, INITRD, IMAGE] {
            sign(&other, &gpg, &key, name);
        }
        server.hangup();
        wait_for_origin(&appliance, &format!("verified by {key}"));
        // What the verifier had to say of the one that is gone, it has said by now.
        assert_eq!(server.log.count("error: "), 0, "{:#?}", server.log.lines());
        drop(stick);
    });
}

/// A stick with an image that has no signatures at all, and what `check` says of the kernel.
struct Bench {
    stick: Stick,
    gpg: Gpg,
}

impl Bench {
    fn new() -> Bench {
        let stick = Stick::sample(Path::new("/run/stick"));
        stick.remove(&path(&format!("{IMAGE}.sig")));
        Bench { stick, gpg: Gpg::new() }
    }

    #[track_caller]
    fn says(&self, code: i32, name: &str, words: &str) {
        let ran = Appliance::check(self.stick.folder());
        let line = format!("origin   {}: ", path(name));
        let text = ran.text();
        let found = text.lines().find_map(|found| found.strip_prefix(&line));
        assert!(found.is_some_and(|found| found.contains(words)), "{words:?}: {text}{}", ran.err);
        assert_eq!(ran.code, Some(code), "{text}");
    }
}

#[test]
fn expired_key_wrong_key_cut_file_and_cut_signature_are_four_messages() {
    isolated(|_| {
        let bench = Bench::new();
        let (stick, gpg) = (&bench.stick, &bench.gpg);
        let says = |code, name, words: &str| bench.says(code, name, words);
        let key = gpg.key("Short <s@example.invalid>", "rsa2048", "never");
        let late = gpg.sign_at(LATE, &key, &stick.image_file(KERNEL), Form::Binary);
        let early = gpg.sign(&key, &stick.image_file(KERNEL), Form::Armoured);
        gpg.expires(&key, "20201231T000000");
        let public = gpg.public(&key);
        stick.write("keys/short.asc", &public);
        stick.write(&path(&format!("{KERNEL}.sig")), &late);
        says(1, KERNEL, "had expired, on 2020-12-31; put its publisher's newer key into keys/");
        stick.remove(&path(&format!("{KERNEL}.sig")));
        stick.write(&path(&format!("{KERNEL}.asc")), &early);
        says(0, KERNEL, "whose key expired later, on 2020-12-31");
        stick.remove("keys/short.asc");
        says(0, KERNEL, &format!("signed by the key {key}, which is not on the stick"));
        stick.write("keys/short.asc", &public);
        let whole = stick.image_file(KERNEL);
        stick.write(&path(KERNEL), &whole[..200_000]);
        says(1, KERNEL, "changed, or cut off after 200000 bytes; copy it again");
        stick.write(&path(KERNEL), &whole);
        stick.write(&path(&format!("{KERNEL}.asc")), &early[..early.len() / 2]);
        says(1, KERNEL, "is damaged or cut off: its end is missing");
        stick.write(&path(&format!("{KERNEL}.asc")), "");
        says(1, KERNEL, "is damaged or cut off: it is empty");
    });
}

#[test]
fn lists_of_checksums_count_as_much_as_their_signatures() {
    isolated(|_| {
        let bench = Bench::new();
        let (stick, gpg) = (&bench.stick, &bench.gpg);
        let key = gpg.key("Lists <l@example.invalid>", "ed25519", "never");
        stick.write("keys/lists.gpg", gpg.public_binary(&key));
        let sum = |tool: &str, name: &str| {
            let path = stick.folder().join(path(name));
            let ran = net::tools::finish(std::process::Command::new(tool).arg(path)).good().text();
            ran.split(' ').next().unwrap().to_owned()
        };
        let list = format!("{}  {KERNEL}\n", sum("sha256sum", KERNEL));
        // Debian's and Ubuntu's way.
        stick.write(&path("SHA256SUMS"), &list);
        bench.says(0, KERNEL, "checksum only");
        bench.says(0, INITRD, "not signed");
        stick.write(&path("SHA256SUMS.gpg"), gpg.sign(&key, list.as_bytes(), Form::Armoured));
        bench.says(0, KERNEL, &format!("verified by {key}"));
        // Fedora's way, and from a folder above.
        let fedora = format!("SHA512 (1185.3.0/{INITRD}) = {}\n", sum("sha512sum", INITRD));
        let inline = gpg.sign(&key, fedora.as_bytes(), Form::Clear);
        stick.write("images/coreos/Fedora-CHECKSUM", &inline);
        bench.says(0, INITRD, &format!("verified by {key}"));
        // Flatcar's way.
        let digests = format!("# SHA512 HASH\n{}  {IMAGE}\n", sum("sha512sum", IMAGE));
        let clear = gpg.sign(&key, digests.as_bytes(), Form::Clear);
        stick.write(&path(&format!("{IMAGE}.DIGESTS")), &digests);
        stick.write(&path(&format!("{IMAGE}.DIGESTS.asc")), &clear);
        bench.says(0, IMAGE, &format!("verified by {key}"));
        // A list that does not name the file any more may have named it.
        stick.write(
            "images/coreos/Fedora-CHECKSUM",
            inline.iter().map(|b| if *b == b'(' { b'[' } else { *b }).collect::<Vec<u8>>(),
        );
        bench.says(1, INITRD, "does not match its signature");
        stick.write("images/coreos/Fedora-CHECKSUM", &inline);
        flip(stick, &path(KERNEL));
        bench.says(1, KERNEL, "does not match its checksum in images/coreos/1185.3.0/SHA256SUMS");
    });
}

#[test]
fn one_bit_anywhere_in_a_small_file_its_list_or_its_signature_is_refused() {
    use pxeberry::verify::check::{Surroundings, check};
    use pxeberry::verify::keys::keyring;
    use pxeberry::verify::{Progress, Verdict};
    use pxeberry::world::media;
    isolated(|_| {
        let bench = Bench::new();
        let (stick, gpg) = (&bench.stick, &bench.gpg);
        let key = gpg.key("Lists <l@example.invalid>", "ed25519", "never");
        stick.write("keys/lists.gpg", gpg.public_binary(&key));
        stick.write(&path(KERNEL), "a small kernel");
        let file = stick.folder().join(path(KERNEL));
        let ran = net::tools::finish(std::process::Command::new("sha256sum").arg(file)).good();
        let list = format!("{}  {KERNEL}\n", ran.text().split(' ').next().unwrap());
        stick.write(&path("SHA256SUMS"), &list);
        stick.write(&path("SHA256SUMS.gpg"), gpg.sign(&key, list.as_bytes(), Form::Binary));
        let verdict = || {
            let (_, jobs) = media::check(stick.folder()).unwrap();
            let job = jobs.iter().find(|job| job.file.file.path == path(KERNEL)).unwrap();
            let (keyring, problems) = keyring(&job.keys, &|| true).unwrap();
            assert_eq!(problems, []);
            let (progress, goes_on) = (Progress::default(), |_| true);
            let surroundings =
                Surroundings { keyring: &keyring, now: 0, progress: &progress, goes_on: &goes_on };
            check(job, &surroundings).unwrap()
        };
        assert!(matches!(verdict(), Verdict::Good { .. }), "{}", verdict());
        let mut tried = 0;
        for name in [KERNEL, "SHA256SUMS", "SHA256SUMS.gpg"] {
            let right = stick.read(&path(name));
            let file = stick.folder().join(path(name));
            for bit in 0..right.len() * 8 {
                let mut wrong = right.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                fs::write(&file, wrong).unwrap();
                assert!(matches!(verdict(), Verdict::Bad(_)), "{name} bit {bit}: {}", verdict());
                tried += 1;
            }
            for length in 0..right.len() {
                fs::write(&file, &right[..length]).unwrap();
                assert!(matches!(verdict(), Verdict::Bad(_)), "{name} {length}: {}", verdict());
                tried += 1;
            }
            fs::write(&file, right).unwrap();
        }
        assert!(matches!(verdict(), Verdict::Good { .. }), "{}", verdict());
        println!("measured: {tried} flipped bits and cut files, all refused");
    });
}
