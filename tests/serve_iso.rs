//! An ISO on the stick is a folder to machines: its files are served as they are inside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/disc.rs"]
mod disc;
#[path = "support/net/mod.rs"]
mod net;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;

use net::stick::NODE_1;
use net::{Appliance, Firmware, Machine, Server, isolated};
use pxeberry::inventory::{Inventory, list};
use pxeberry::world::World;
use pxeberry::world::turns::Errand;
use pxeberry::{config, tftp};

const KERNEL: &str = "install.amd/vmlinuz";

/// More than one answer's buffers hold.
const LARGE: usize = 48 << 20;

/// A machine beside an appliance whose stick holds `debian-13.iso`.
struct Scene {
    machine: Machine,
    server: Server,
    media: PathBuf,
    tree: PathBuf,
    appliance: Appliance,
}

impl Scene {
    fn new(lan: &net::Lan) -> Scene {
        let appliance = Appliance::server();
        let media = appliance.sample_stick().folder().to_owned();
        let tree = PathBuf::from("/run/tree");
        let scattered: Vec<u8> = (0..300_001).map(|at| (at * 31 / 7) as u8).collect();
        for (name, content) in [
            (KERNEL, &scattered[..]),
            ("pool/main/Ä name [1]+%20.deb", b"package"),
            (".disk/info", b"Debian GNU/Linux 13"),
            ("empty", b""),
            ("dists/trixie/Release", b"release"),
        ] {
            let path = tree.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        File::create(tree.join("large")).unwrap().set_len(LARGE as u64).unwrap();
        symlink("trixie", tree.join("dists/stable")).unwrap();
        symlink("/etc/passwd", tree.join("passwd")).unwrap();
        disc::make(disc::XORRISO, &media.join("images/debian-13.iso"), &tree);
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        Scene { machine, server, media, tree, appliance }
    }

    fn original(&self, name: &str) -> Vec<u8> {
        fs::read(self.tree.join(name)).unwrap()
    }

    fn iso(&self) -> PathBuf {
        self.media.join("images/debian-13.iso")
    }
}

#[test]
fn every_file_of_the_tree_and_the_iso_itself_are_served_byte_for_byte() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        for (path, name) in [
            ("install.amd/vmlinuz", KERNEL),
            ("INSTALL.AMD/VMLINUZ", KERNEL),
            ("/install.amd//vmlinuz", KERNEL),
            ("pool/main/%C3%84%20name%20%5B1%5D+%2520.deb", "pool/main/Ä name [1]+%20.deb"),
            (".disk/info", ".disk/info"),
            ("empty", "empty"),
            ("dists/stable/Release", "dists/trixie/Release"),
        ] {
            let path = format!("/images/debian-13.iso/{path}");
            assert!(scene.machine.get(&path) == scene.original(name), "{path}");
        }
        let whole = scene.machine.get("/images/Debian-13.ISO");
        assert!(whole == fs::read(scene.iso()).unwrap());
        let boot = format!("/boot/images/debian-13.iso/{KERNEL}");
        assert!(scene.machine.get(&boot) == scene.original(KERNEL));
    });
}

#[test]
fn what_the_iso_does_not_hold_is_missing_and_folders_are_not_listed() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        for path in ["", "nothing", "install.amd", "install.amd/", "empty/x", "passwd", "dists/x"] {
            let path = format!("/images/debian-13.iso/{path}");
            let (status, body) = scene.machine.curl(&path);
            // The name with a slash behind it is the ISO itself: no folder stands there.
            let expected = if path.ends_with(".iso/") { 200 } else { 404 };
            assert_eq!(status, expected, "{path}: {} bytes", body.len());
        }
        assert_eq!(scene.machine.curl("/images/other.iso/install.amd/vmlinuz").0, 404);
    });
}

#[test]
fn parts_heads_and_conditions_work_as_for_plain_files() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let path = format!("/images/debian-13.iso/{KERNEL}");
        let content = scene.original(KERNEL);
        let mut connection = scene.machine.connect(8080);
        let head = connection.ask("HEAD", &path, &[]);
        let get = connection.ask("GET", &path, &[]);
        assert_eq!(head.head_without_date(), get.head_without_date());
        assert_eq!(get.names()[0], "Content-Length");
        assert_eq!(get.header("Content-Length"), Some("300001"));
        assert!(get.body == content);
        for (range, from, to) in
            [("bytes=0-0", 0, 1), ("bytes=1000-1999", 1000, 2000), ("bytes=-7", 299_994, 300_001)]
        {
            let part = connection.ask("GET", &path, &[&format!("Range: {range}")]);
            assert_eq!(part.status, 206, "{range}");
            assert!(part.body == content[from..to], "{range}");
            let shown = format!("bytes {from}-{}/300001", to - 1);
            assert_eq!(part.header("Content-Range"), Some(shown.as_str()));
        }
        // Behind it are other files' bytes.
        assert_eq!(connection.ask("GET", &path, &["Range: bytes=300001-"]).status, 416);
        let tag = format!("If-None-Match: {}", get.header("Etag").unwrap());
        assert_eq!(connection.ask("GET", &path, &[&tag]).status, 304);
    });
}

#[test]
fn kernels_come_by_tftp_too() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        for name in [KERNEL, "INSTALL.AMD/VMLINUZ"] {
            let found = scene.machine.tftp(&format!("images/debian-13.iso/{name}")).unwrap();
            assert!(found == scene.original(KERNEL), "{name}");
        }
        for name in ["images/debian-13.iso/nothing", "images/debian-13.iso/passwd"] {
            assert_eq!(scene.machine.tftp(name).unwrap_err().code, 1, "{name}");
        }
    });
}

/// A world whose stick has one ISO with a kernel, and an errand to that stick.
fn world_with_an_iso() -> (Arc<World>, Errand) {
    let (stick, tree) = (Path::new("/run/stick"), Path::new("/run/tree"));
    fs::create_dir_all(stick.join("images")).unwrap();
    fs::create_dir_all(tree.join("install.amd")).unwrap();
    fs::write(tree.join(KERNEL), [7; 1000]).unwrap();
    disc::make(disc::XORRISO, &stick.join("images/debian-13.iso"), tree);
    let iso = list(stick).files.into_iter().find(|file| file.path.ends_with(".iso")).unwrap();
    let asker = Ipv4Addr::LOCALHOST;
    let errand = Errand { volume: Arc::clone(&iso.volume), asker, download: false };
    let isos = BTreeMap::from([(iso.path.clone(), iso)]);
    let world = World::new(config::parse("").unwrap(), "lo".to_owned(), None);
    world.change_shelf(|shelf| {
        let mut inventory = Inventory::default();
        inventory.isos = isos;
        shelf.inventory = Arc::new(inventory);
        shelf.sticks = 1;
        shelf.accepted = true;
    });
    (Arc::new(world), errand)
}

#[test]
fn while_a_stick_hangs_only_who_wants_something_of_its_isos_waits_by_tftp() {
    isolated(|_lan| {
        let (world, errand) = world_with_an_iso();
        // All three readers of the stick are held up.
        let (held, hang) = (Arc::new(Barrier::new(4)), Arc::new(Barrier::new(4)));
        for _ in 0..3 {
            let (held, hang) = (Arc::clone(&held), Arc::clone(&hang));
            let waits = move || {
                held.wait();
                hang.wait();
            };
            assert!(world.readers.run(&errand, waits));
        }
        held.wait();
        let service = UdpSocket::bind((Ipv4Addr::LOCALHOST, 69)).unwrap();
        service.set_nonblocking(true).unwrap();
        thread::spawn(move || tftp::server::run(&world, &service, 512));
        let asks = |name: &str| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
            let request = format!("\0\u{1}{name}\0octet\0");
            socket.send_to(request.as_bytes(), (Ipv4Addr::LOCALHOST, 69)).unwrap();
            socket
        };
        let hears = |socket: &UdpSocket| {
            let mut buffer = [0; 600];
            socket.recv_from(&mut buffer).map(|(length, _)| buffer[..length].to_vec())
        };
        let patient = asks(&format!("images/debian-13.iso/{KERNEL}"));
        let other = asks("pxelinux.cfg/default");
        assert_eq!(hears(&other).unwrap()[..4], [0, 3, 0, 1]);
        patient.set_nonblocking(true).unwrap();
        assert!(hears(&patient).is_err(), "the stick still hangs");
        patient.set_nonblocking(false).unwrap();
        hang.wait();
        let first = hears(&patient).unwrap();
        assert_eq!((&first[..4], &first[4..]), (&[0, 3, 0, 1][..], &[7; 512][..]));
    });
}

#[test]
fn without_its_stick_a_file_of_an_iso_is_not_missing_but_later() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let _server = appliance.serves_without_stick();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        assert_eq!(machine.curl("/images/debian-13.iso/install.amd/vmlinuz").0, 503);
    });
}

#[test]
fn an_iso_that_ends_while_it_is_read_ends_the_transfer_and_the_download_is_not_whole() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let path = "/images/debian-13.iso/large";
        let mut connection = scene.machine.connect(8080);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        scene.server.log.wait_for("takes images/debian-13.iso/large");
        // What nobody has read yet is gone.
        let modified = fs::metadata(scene.iso()).unwrap().modified().unwrap();
        let iso = File::options().write(true).open(scene.iso()).unwrap();
        iso.set_len((LARGE / 2) as u64).unwrap();
        iso.set_modified(modified).unwrap();
        assert!(connection.answer(false).is_none(), "it looked whole");
    });
}

#[test]
fn another_iso_under_the_same_name_is_read_again_before_anything_of_it_is_served() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let path = format!("/images/debian-13.iso/{KERNEL}");
        assert_eq!(scene.machine.curl(&path).0, 200);
        fs::write(scene.tree.join(KERNEL), "another kernel").unwrap();
        fs::write(scene.tree.join("before"), vec![0; 100_000]).unwrap();
        fs::remove_file(scene.iso()).unwrap();
        disc::make(disc::XORRISO, &scene.iso(), &scene.tree);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        File::options().write(true).open(scene.iso()).unwrap().set_modified(later).unwrap();
        assert_eq!(scene.machine.curl(&path).0, 503);
        scene.appliance.tell(&["rescan"]).good();
        scene.server.log.wait_for_nth("stick read: ", 2);
        assert_eq!(scene.machine.get(&path), b"another kernel");
    });
}

#[test]
fn a_damaged_iso_is_named_and_is_later_rather_than_missing() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let whole = scene.iso();
        let path = |name: &str| scene.media.join("images").join(name);
        fs::copy(&whole, path("folder.iso")).unwrap();
        fs::write(path("cut.iso"), &fs::read(&whole).unwrap()[..1 << 20]).unwrap();
        fs::write(path("nothing.iso"), vec![0; 100_000]).unwrap();
        let image = fs::read(&whole).unwrap();
        let root = u32::from_le_bytes(image[32_926..32_930].try_into().unwrap());
        let damaged = File::options().write(true).open(path("folder.iso")).unwrap();
        damaged.write_all_at(&[7; 2048], u64::from(root) * 2048 + 200).unwrap();
        scene.server.hangup();
        scene.server.log.wait_for_nth(" read: ", 2);
        for (name, why) in
            [("cut", "is cut off"), ("nothing", "is no ISO"), ("folder", "is damaged")]
        {
            scene.server.log.wait_for(&format!("images/{name}.iso: {why}"));
            assert_eq!(scene.machine.curl(&format!("/images/{name}.iso/{KERNEL}")).0, 503);
        }
    });
}
