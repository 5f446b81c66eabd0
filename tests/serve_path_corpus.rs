//! Three thousand names that try to lead out of the sticks, by HTTP and TFTP: what is
//! answered is an error, or a file that the stick exports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/disc.rs"]
mod disc;
#[path = "support/net/mod.rs"]
mod net;
#[path = "support/path_corpus.rs"]
mod path_corpus;

use std::collections::HashSet;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use disc::{Disc, FILE, FOLDER, Memory, ROOT, SECTOR, Scratch, XORRISO, make, record};
use net::lan::SERVER;
use net::stick::NODE_1;
use net::{Appliance, Firmware, Machine, Server, isolated};
use path_corpus::{BEGINNINGS, names};
use pxeberry::inventory::Version;
use pxeberry::inventory::iso::Iso;
use pxeberry::net::Mac;
use pxeberry::tftp::tree::Name;

/// Stands in every file that is not to be served.
const SECRET: &str = "this-is-outside-of-the-stick";

/// A stick with an image, two ISOs, and links to what is outside of it.
fn scene(lan: &net::Lan) -> (Machine, Server, Exported) {
    let appliance = Appliance::server();
    let stick = appliance.sample_stick();
    let toml = fs::read_to_string(appliance.config()).unwrap();
    appliance.configure(&format!("# {SECRET}\n{toml}"));
    for outside in ["/run/box/secret", "/run/box/media/secret", "/run/secret"] {
        fs::write(outside, SECRET).unwrap();
    }
    stick.write("tftp/inside", "exported by TFTP");
    for link in ["link", "tftp/link", "images/link", "images/coreos/1185.3.0/link"] {
        symlink("/run/box", stick.folder().join(link)).unwrap();
    }
    let tree = Path::new("/run/tree");
    fs::create_dir_all(tree.join("install.amd")).unwrap();
    fs::write(tree.join("install.amd/vmlinuz"), "exported from an ISO").unwrap();
    for (link, target) in [("passwd", "/etc/passwd"), ("link", "../../.."), ("above", "/")] {
        symlink(target, tree.join(link)).unwrap();
    }
    make(XORRISO, &stick.folder().join("images/debian-13.iso"), tree);
    stick.write("images/evil.iso", evil());
    let server = appliance.serves();
    let machine = lan.machine(NODE_1);
    machine.boots(Firmware::Bios);
    (machine, server, Exported::of(stick.folder(), tree))
}

/// An ISO whose names are paths themselves.
fn evil() -> Vec<u8> {
    let mut disc = Disc::new(40, 1);
    let named = |name: &[u8], flags| {
        let mut system_use = vec![b'N', b'M', 5 + name.len() as u8, 1, 0];
        system_use.extend(name);
        record(b"X", if flags == FOLDER { ROOT } else { 30 }, SECTOR as u32, flags, &system_use)
    };
    let mut root = record(b"\0", ROOT, SECTOR as u32, FOLDER, b"SP\x07\x01\xbe\xef\x00");
    for name in [&b".."[..], b".", b"../secret", b"/etc/passwd", b"..\\secret", b"a/../b"] {
        root.extend(named(name, FILE));
        root.extend(named(name, FOLDER));
    }
    disc.put(ROOT, &root);
    disc.put(30, b"no clean name leads here");
    disc.0
}

/// The contents that may leave the box.
struct Exported(HashSet<Vec<u8>>);

impl Exported {
    fn of(stick: &Path, tree: &Path) -> Exported {
        let mut contents = HashSet::new();
        let mut folders = vec![stick.to_owned(), tree.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    kind if kind.is_file() => _ = contents.insert(fs::read(entry.path()).unwrap()),
                    _ => {}
                }
            }
        }
        Exported(contents)
    }

    /// Whether `bytes` are the begin of what is exported, or were made for the machine.
    #[track_caller]
    fn check(&self, name: &str, bytes: &[u8]) {
        let made = ["#!ipxe", "#!/bin/sh", "DEFAULT", "<!doctype html>", "COREOS_VERSION="];
        let known = self.0.iter().any(|content| content.starts_with(bytes));
        let begins = |made: &&str| bytes.starts_with(made.as_bytes());
        assert!(known || made.iter().any(begins), "{name:?} gives {bytes:?}");
        assert!(!String::from_utf8_lossy(bytes).contains(SECRET), "{name:?} gives the secret");
    }
}

#[test]
fn no_name_leads_out_of_the_sticks_by_http() {
    isolated(|lan| {
        let (machine, server, exported) = scene(&lan);
        let (mut asked, mut found) = (0, 0);
        for name in names() {
            // As it is, and with what a URL cannot hold written out.
            let raw: String =
                name.chars().filter(|c| !matches!(c, '\0' | ' ' | '\u{7f}')).collect();
            for target in [raw, quoted(&name)] {
                let mut connection = machine.connect(8080);
                connection.send(format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
                asked += 1;
                // Too long a name is refused by the head's own limit, with a status or none.
                let Some(answer) = connection.answer(false) else { continue };
                if answer.status == 200 {
                    found += 1;
                    exported.check(&target, &answer.body);
                } else {
                    assert!(
                        matches!(answer.status, 400 | 403 | 404 | 414 | 431),
                        "{target}: {answer:?}"
                    );
                    assert!(answer.body.len() < 10_000, "{target}");
                    let shown = String::from_utf8_lossy(&answer.body);
                    assert!(!shown.contains(SECRET) && !shown.contains("root:"), "{target}");
                }
            }
        }
        println!("{asked} names by HTTP, {found} found something exported");
        assert!(asked > 4000);
        assert_eq!(
            machine.get("/images/debian-13.iso/install.amd/vmlinuz"),
            b"exported from an ISO"
        );
        assert!(!server.log.lines().iter().any(|line| line.contains("panicked")));
    });
}

/// Percent-encoded once more where the request line needs it.
fn quoted(name: &str) -> String {
    let quote = |byte: u8| match byte {
        b'!'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    name.bytes().map(quote).collect()
}

#[test]
fn no_name_leads_out_of_the_sticks_by_tftp() {
    isolated(|lan| {
        let (machine, server, exported) = scene(&lan);
        let (mut asked, mut found, mut silent) = (0, 0, 0);
        for name in names() {
            let request = [b"\0\x01", name.as_bytes(), b"\0octet\0"].concat();
            asked += 1;
            match machine
                .namespace
                .inside(|| first_answer(&request, name.len() > 400 || name.contains('\0')))
            {
                Some(packet) if packet[1] == 3 => {
                    found += 1;
                    exported.check(&name, &packet[4..]);
                }
                Some(packet) => assert_eq!(packet[1], 5, "{name}: {packet:?}"),
                None => silent += 1,
            }
        }
        println!("{asked} names by TFTP, {found} found something exported, {silent} unanswered");
        assert!(asked > 2000 && silent < 100, "{asked} {silent}");
        let kernel = machine.tftp("images/debian-13.iso/install.amd/vmlinuz").unwrap();
        assert_eq!(kernel, b"exported from an ISO");
        assert!(!server.log.lines().iter().any(|line| line.contains("panicked")));
    });
}

/// The packet that answers; a request that is no request may get none.
fn first_answer(request: &[u8], may_be_silent: bool) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let patience = if may_be_silent { Duration::from_millis(300) } else { net::PATIENCE };
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(request, (SERVER, 69)).unwrap();
    let mut buffer = [0; 2048];
    match socket.recv_from(&mut buffer) {
        Ok((length, peer)) => {
            let _ = socket.send_to(b"\0\x05\0\0enough\0", peer);
            Some(buffer[..length].to_vec())
        }
        Err(_) if may_be_silent => None,
        Err(error) => panic!("no answer to {request:?}: {error}"),
    }
}

#[test]
fn no_name_is_a_version_a_machine_or_a_path_that_leads_up() {
    let evil = evil();
    let memory = Memory::new(&evil);
    let iso = Iso::open(&memory).unwrap();
    let scratch = Scratch::new("corpus");
    scratch.write("tree/install.amd/vmlinuz", "kernel");
    make(XORRISO, &scratch.path("disc.iso"), &scratch.path("tree"));
    let real = fs::read(scratch.path("disc.iso")).unwrap();
    let real_memory = Memory::new(&real);
    let real_iso = Iso::open(&real_memory).unwrap();
    for name in names() {
        let decoded = name.replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\");
        for name in [name, decoded] {
            if let Some(found) = Name::parse(&name) {
                let path = found.path();
                let bad =
                    |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', '\0']);
                assert!(!path.split('/').any(bad), "{name:?} became {path:?}");
            }
            let last = name.rsplit('/').next().unwrap_or_default();
            assert!(Version::new(&name).is_none(), "{name:?}");
            assert!(name.parse::<Mac>().is_err() && last.parse::<Mac>().is_err(), "{name:?}");
            assert_eq!(iso.lookup(&name).unwrap(), None, "{name:?}");
            assert_eq!(real_iso.lookup(&name).unwrap(), None, "{name:?}");
        }
    }
    assert!(names().len() >= 500 && BEGINNINGS.len() > 10);
}
