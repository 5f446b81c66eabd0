//! The API on the control socket: what it tells, what it does, and who cannot stop it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;
#[path = "support/schema.rs"]
mod schema;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use net::api::{SOCKET, answer, ask, connect, get, post, send};
use net::appliance::PROGRAM;
use net::stick::{NODE_1, NODE_2, STRANGER};
use net::{Appliance, Firmware, PATIENCE, isolated};
use serde_json::Value;

/// What the panel waits for at most.
const PANELS_PATIENCE: Duration = Duration::from_millis(1400);

/// Places for connections at once.
const PLACES: usize = 16;

/// As many may wait for a change.
const MOST_WAITING: usize = 8;

fn machine(mac: &str) -> Value {
    get(&format!("/v1/machines/{mac}"))
}

fn words_of(story: &Value) -> Vec<&str> {
    let timeline = story["timeline"].as_array().unwrap();
    timeline.iter().map(|entry| entry["words"].as_str().unwrap()).collect()
}

/// The schema of an answer, by the description that the box itself gives.
fn described(description: &Value, method: &str, path: &str, code: u16) -> Value {
    let pointer = format!(
        "/paths/{}/{}/responses/{code}/content/application~1json/schema",
        path.replace('/', "~1"),
        method.to_lowercase()
    );
    description.pointer(&pointer).unwrap_or_else(|| panic!("{pointer} is not there")).clone()
}

#[test]
fn every_answer_is_as_it_is_described() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write(
            "machines.toml",
            format!(
                "[[machine]]\nname = \"node-1\"\nmacs = [\"{NODE_1}\", \"52:54:00:00:00:11\"]\n"
            ),
        );
        stick.write("ignition/broken.ign", "{");
        let server = appliance.serves();
        let [node, stranger] = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
        node.boots(Firmware::Bios);
        node.tftp_text("pxelinux.cfg/default");
        stranger.boots(Firmware::EfiX64);
        stranger.tftp_text("pxelinux.cfg/default");
        // A file that is under way stays so while nobody reads it.
        let mut download = node.connect(8080);
        download.request("GET", "/1185.3.0/coreos_production_image.bin.bz2", &[]);
        server.log.wait_for("takes images/coreos");
        let description = get("/v1/openapi.json");
        for (method, path, target, code) in [
            ("GET", "/v1/status", "", 200),
            ("GET", "/v1/conditions", "", 200),
            ("GET", "/v1/machines", "", 200),
            ("GET", "/v1/machines/{machine}", "/v1/machines/node-1", 200),
            ("GET", "/v1/machines/{machine}", "/v1/machines/nobody", 404),
            ("GET", "/v1/machines/{machine}/capture", "/v1/machines/525400000002/capture", 404),
            ("POST", "/v1/machines/{machine}/arm", "/v1/machines/node-1/arm", 200),
            ("POST", "/v1/machines/{machine}/arm", "/v1/machines/525400000099/arm", 409),
            ("POST", "/v1/machines/{machine}/disarm", "/v1/machines/525400000011/disarm", 200),
            ("POST", "/v1/machines/{machine}/wake", "/v1/machines/node-1/wake", 200),
            ("POST", "/v1/machines/{machine}/reboot", "/v1/machines/node-1/reboot", 409),
            ("GET", "/v1/images", "", 200),
            ("GET", "/v1/problems", "", 200),
            ("GET", "/v1/log", "/v1/log?after=0", 200),
            ("GET", "/v1/log", "/v1/log?after=x", 400),
            ("GET", "/v1/changes", "/v1/changes?after=0", 200),
            ("GET", "/v1/changes", "/v1/changes?after=", 400),
            ("POST", "/v1/session", "", 404),
            ("POST", "/v1/rescan", "", 202),
            ("POST", "/v1/reboot", "", 409),
            ("POST", "/v1/safe-mode", "", 200),
        ] {
            let target = if target.is_empty() { path } else { target };
            let (answered, value) = ask(method, target);
            assert_eq!(answered, code, "{method} {target}: {value}");
            let schema = described(&description, method, path, code);
            let misfits = schema::misfits(&description, &schema, &value, path);
            assert!(misfits.is_empty(), "{method} {target}: {misfits:#?}");
        }
        let machines = get("/v1/machines");
        let [one, two, seen] = [0, 1, 2].map(|at| &machines["machines"][at]);
        assert_eq!(one["macs"].as_array().unwrap().len(), 2, "one machine, however many cards");
        assert_eq!(one["transfer"]["size"], 2_000_003, "{one}");
        assert_eq!((one["state"].as_str(), two["mac"].as_str()), (Some("known"), Some(NODE_2)));
        assert_eq!((seen["state"].as_str(), seen["mac"].as_str()), (Some("seen"), Some(STRANGER)));
        assert!(!get("/v1/problems")["problems"].as_array().unwrap().is_empty());
    });
}

#[test]
fn a_disarmed_machine_boots_its_disk_over_power_cuts_until_it_is_armed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let node = lan.machine(NODE_1);
        let boots = || {
            node.boots(Firmware::Bios);
            node.tftp_text("pxelinux.cfg/default").contains("cloud-config-url")
        };
        assert_eq!(post("/v1/machines/node-1/disarm"), (200, String::new()));
        let line = server.log.wait_for("node-1 (52:54:00:00:00:01): disarmed");
        assert!(line.contains("its own disk"), "{line}");
        server.dies();
        let server = appliance.serves();
        assert!(!boots(), "it was disarmed");
        assert_eq!(machine(NODE_1)["next"], "its own disk: it was disarmed");
        assert_eq!(post("/v1/machines/node-1/arm").0, 200);
        assert!(boots());
        assert_eq!(machine("node-1")["state"], "installing");
        // What runs cannot be called back; nothing new is given to it.
        assert_eq!(post("/v1/machines/node-1/disarm").0, 200);
        server.log.wait_for("warning: node-1 (52:54:00:00:00:01): disarmed while");
        let script = String::from_utf8(node.get("/cloud-configs/install.sh")).unwrap();
        assert!(!script.contains("token="), "{script}");
        assert!(!boots());
        let story = machine(NODE_1);
        assert!(
            words_of(&story).iter().any(|words| words.starts_with("disarmed while")),
            "{story}"
        );
    });
}

#[test]
fn what_cannot_be_done_is_told_in_one_sentence_that_says_what_to_do() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let never =
            format!("[[machine]]\nname = \"db\"\nmac = \"{NODE_1}\"\ninstall = \"never\"\n");
        stick.write("machines.toml", never);
        let _server = appliance.serves();
        let stranger = lan.machine(STRANGER);
        stranger.boots(Firmware::Bios);
        stranger.tftp_text("pxelinux.cfg/default");
        for (target, code, words) in [
            ("/v1/machines/db/arm", 409, "take that out, then arm it"),
            (&format!("/v1/machines/{STRANGER}/arm"), 409, "the stick does not name it"),
            (&format!("/v1/machines/{STRANGER}/disarm"), 409, "the stick does not name it"),
            (&format!("/v1/machines/{STRANGER}/wake"), 409, "only named ones are woken"),
            ("/v1/machines/db/reboot", 409, "its own power switch"),
            ("/v1/machines/bd/arm", 404, "no machine of this name"),
            ("/v1/reboot", 409, "restart this computer by its own means"),
        ] {
            let (answered, why) = post(target);
            assert_eq!(answered, code, "{target}: {why}");
            assert!(why.contains(words) && !why.contains('\n'), "{target}: {why}");
        }
        assert_eq!(ask("POST", "/v1/status").0, 405);
        assert_eq!(ask("GET", "/v1/rescan").0, 405);
        assert_eq!(ask("GET", "/v1/nothing").0, 404);
        assert_eq!(post("/v1/safe-mode").0, 200);
        assert!(post("/v1/machines/52-54-00-00-00-02/arm").1.contains("safe mode"));
    });
}

#[test]
fn wake_sends_the_magic_packet_to_every_card_of_the_machine() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.write(
            "machines.toml",
            format!(
                "[[machine]]\nname = \"node-1\"\nmacs = [\"{NODE_1}\", \"52:54:00:00:00:11\"]\n"
            ),
        );
        let server = appliance.serves();
        let node = lan.machine(NODE_1);
        node.use_address(Ipv4Addr::new(10, 10, 10, 50));
        let socket = node.namespace.inside(|| UdpSocket::bind("0.0.0.0:9").unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(post("/v1/machines/node-1/wake"), (200, String::new()));
        for mac in ["52:54:00:00:00:01", "52:54:00:00:00:11"] {
            let mut packet = [0; 256];
            let (length, from) = socket.recv_from(&mut packet).unwrap();
            let mac = net::lan::octets(mac);
            assert_eq!(packet[..length], [&[0xff; 6][..], &mac.repeat(16)].concat());
            assert_eq!(from.to_string(), "10.10.10.1:9");
        }
        server.log.wait_for("node-1 (52:54:00:00:00:01): was sent the packet that wakes it");
    });
}

#[test]
fn a_change_is_told_to_everybody_who_waits_for_one() {
    isolated(|_| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let revision = || get("/v1/changes")["revision"].as_u64().unwrap();
        let known = revision();
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|_| {
                let mut stream = connect();
                write!(stream, "GET /v1/changes?after={known} HTTP/1.1\r\n\r\n").unwrap();
                stream
            })
            .collect();
        // They hold nobody up, and one more is told to come later.
        assert_eq!(post("/v1/rescan").0, 202);
        let end = Instant::now() + PATIENCE;
        while known == revision() {
            // What else happens on this box is a change, too, so there may be none to see.
            assert!(Instant::now() < end);
            post("/v1/machines/node-1/disarm");
            post("/v1/machines/node-1/arm");
        }
        for stream in waiting {
            let (code, body) = answer(stream);
            let told: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(code, 200, "{told}");
            assert_ne!(told["revision"], known, "{told}");
        }
    });
}

#[test]
fn nobody_who_waits_or_dawdles_keeps_the_panel_from_its_answer() {
    isolated(|_| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let before = (server.threads(), server.descriptors());
        let known = get("/v1/changes")["revision"].clone();
        let polls: Vec<_> = (0..2 * MOST_WAITING)
            .map(|_| {
                let mut stream = connect();
                write!(stream, "GET /v1/changes?after={known} HTTP/1.1\r\n\r\n").unwrap();
                stream
            })
            .collect();
        let dawdlers: Vec<_> = (0..6 * PLACES)
            .map(|number| {
                let mut stream = connect();
                let begun: &[u8] = match number % 3 {
                    0 => b"",
                    1 => b"GET /v1/sta",
                    _ => b"POST /v1/rescan HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf",
                };
                // Who is shed while he writes is shed.
                let _ = stream.write_all(begun);
                stream
            })
            .collect();
        let began = Instant::now();
        for _ in 0..4 {
            let asked = Instant::now();
            get("/conditions");
            assert!(asked.elapsed() < PANELS_PATIENCE, "{:?}", asked.elapsed());
        }
        println!("measured: 4 questions of the panel in {:?}", began.elapsed());
        // While all of them are still here.
        assert!(server.threads() < before.0 + 4 * PLACES, "{} threads", server.threads());
        assert!(server.descriptors() < before.1 + 6 * PLACES);
        drop(dawdlers);
        drop(polls);
    });
}

#[test]
fn what_is_too_large_or_no_request_is_refused_and_everything_serves_on() {
    isolated(|_| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let post =
            |length: &str| format!("POST /v1/rescan HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        // tiny_http alone would ask for as much memory as that.
        assert_eq!(send(post("50000000000").as_bytes()).0, 413);
        assert_eq!(send(&[post("65537").as_bytes(), &[b'x'; 65_537]].concat()).0, 413);
        assert_eq!(send(&[post("65536").as_bytes(), &[b'x'; 65_536]].concat()).0, 202);
        assert_eq!(
            send(format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(99_999)).as_bytes()).0,
            431
        );
        let chunked = b"POST /v1/rescan HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(send(chunked).0, 411);
        assert_eq!(send(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").0, 400);
        // Several at once get one answer; what is not whole gets none.
        let twice = b"GET /v1/status HTTP/1.1\r\n\r\nGET /v1/status HTTP/1.1\r\n\r\n";
        assert_eq!(send(twice).0, 200);
        let mut half = connect();
        half.write_all(b"POST /v1/safe-mode HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal").unwrap();
        half.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(answer(half).0, 0);
        assert_eq!(post_arm(), 200, "half a request put it into safe mode");
        let many: Vec<_> = (0..8)
            .map(|_| thread::spawn(|| (0..50).all(|_| ask("GET", "/v1/machines").0 == 200)))
            .collect();
        assert!(many.into_iter().all(|one| one.join().unwrap()));
        assert!(!server.log.lines().iter().any(|line| line.contains("fault in this program")));
    });
}

fn post_arm() -> u16 {
    post("/v1/machines/node-1/arm").0
}

#[test]
fn every_command_says_what_it_did_or_what_to_do_and_has_the_same_as_data() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let node = lan.machine(NODE_1);
        node.boots(Firmware::Bios);
        node.tftp_text("pxelinux.cfg/default");
        let says = |words: &[&str], expected: &str| {
            let text = appliance.tell(words).good().text();
            assert!(text.contains(expected), "{words:?}: {text}");
            // Fingerprints and paths are for programs, too: they are not broken.
            let mut lines = text.lines().filter(|line| !line.starts_with("origin"));
            assert!(lines.all(|line| line.chars().count() <= 80), "{words:?}: {text}");
        };
        says(&["status"], "machines  1 armed, 1 installing\n");
        says(&["machines"], "has its boot script, ");
        says(&["log", "node-1"], "script  was given its pxelinux.cfg: installing");
        says(&["disarm", "node-1"], "node-1 is disarmed: it boots its own disk\n");
        says(&["machines"], "    boots its own disk: it was disarmed\n");
        says(&["arm", "node-1"], "node-1 is armed: its next network boot installs it\n");
        says(&["wake", NODE_1], "is told to wake");
        says(&["rescan"], "reading the sticks again");
        says(&["images"], "coreos/1185.3.0  unknown-key\n");
        for words in [&["status"][..], &["machines"], &["images"], &["log"], &["log", "node-1"]] {
            let ran = appliance.tell(&[words, &["--json"]].concat()).good();
            assert!(serde_json::from_slice::<Value>(&ran.out).unwrap().is_object(), "{words:?}");
        }
        let packets = appliance.tell(&["capture", "node-1"]).good().out;
        assert_eq!(packets[..4], 0xa1b2_c3d4_u32.to_le_bytes(), "no pcap: {packets:?}");
        for (words, expected) in [
            (&["arm", "node-7"][..], "no machine of this name"),
            (&["capture", NODE_2], "no packets of this machine are kept"),
            (&["wake", STRANGER], "only named ones are woken"),
        ] {
            let ran = appliance.tell(words);
            assert_eq!((ran.code, ran.err.lines().count()), (Some(2), 1), "{}", ran.err);
            assert!(ran.err.contains(expected), "{words:?}: {}", ran.err);
        }
    });
}

#[test]
fn who_follows_a_machine_is_told_when_something_happens_to_it() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        // It ends by itself if it is told nothing.
        let mut follower = Command::new("timeout")
            .args(["30", PROGRAM, "log", "node-1", "--follow", "--socket", SOCKET])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
        let mut hears = |words: &str| {
            let heard = lines.find(|line| line.as_ref().unwrap().contains(words));
            assert!(heard.is_some(), "{words}");
        };
        post("/v1/machines/node-1/disarm");
        hears("disarmed, its next network boot");
        lan.machine(NODE_1).boots(Firmware::Bios);
        hears("has taken 10.10.10.");
        follower.kill().unwrap();
        follower.wait().unwrap();
    });
}

#[test]
fn two_thousand_machines_are_told_of_in_no_time() {
    isolated(|lan| {
        const MACHINES: usize = 2_000;
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let mac = |number: usize| format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256);
        let entry =
            |number| format!("[[machine]]\nname = \"pc-{number}\"\nmac = \"{}\"\n", mac(number));
        stick.write("machines.toml", (0..MACHINES).map(entry).collect::<String>());
        stick.write("cloud-configs/default.yml", "#cloud-config\na: b\n");
        let server = appliance.serves();
        // A few of them are here.
        for number in 0..20 {
            let machine = lan.machine(&mac(number));
            machine.boots(Firmware::Bios);
            machine.tftp_text("pxelinux.cfg/default");
        }
        let before = server.resident_kib();
        for path in ["/v1/status", "/conditions", "/v1/machines", "/v1/machines/pc-7"] {
            let mut times: Vec<Duration> = (0..9)
                .map(|_| {
                    let began = Instant::now();
                    assert_eq!(ask("GET", path).0, 200);
                    began.elapsed()
                })
                .collect();
            times.sort();
            println!(
                "measured: {path} of {MACHINES} machines takes {:.1} ms",
                times[4].as_secs_f64() * 1e3
            );
        }
        println!("measured: {before} KiB resident before, {} KiB after", server.resident_kib());
        assert_eq!(get("/v1/status")["counts"]["installing"], 20);
    });
}
