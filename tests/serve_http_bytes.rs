//! The exact bytes of HTTP: what firmware stumbles over, written by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::Ipv4Addr;

use net::http::Connection;
use net::stick::{IMAGE, NODE_1, Stick};
use net::{Appliance, Machine, Server, isolated};

const PATH: &str = "/1185.3.0/coreos_production_image.bin.bz2";

/// A machine beside a serving appliance.
struct Scene {
    machine: Machine,
    server: Server,
    stick: Stick,
    appliance: Appliance,
}

impl Scene {
    fn new(lan: &net::Lan) -> Scene {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.use_address(Ipv4Addr::new(10, 10, 10, 9));
        Scene { machine, server, stick, appliance }
    }

    fn connect(&self) -> Connection {
        self.machine.connect(8080)
    }
}

#[test]
fn the_length_is_the_first_header_in_title_case_and_no_header_is_empty() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let paths =
            [PATH, "/", "/nowhere", "/cloud-configs/install.sh", "/boot/pxelinux.cfg/default"];
        for (path, method) in paths.into_iter().flat_map(|path| [(path, "GET"), (path, "HEAD")]) {
            let answer = scene.connect().ask(method, path, &[]);
            assert!(answer.head.starts_with("HTTP/1.1 "), "{}", answer.head);
            assert_eq!(answer.names()[0], "Content-Length", "{method} {path}: {}", answer.head);
            assert!(answer.header("Transfer-Encoding").is_none(), "{}", answer.head);
            for line in answer.head.split("\r\n").skip(1) {
                let (name, value) = line.split_once(": ").expect(line);
                assert!(!value.is_empty() && name.starts_with(char::is_uppercase), "{line}");
            }
        }
        let answer = scene.connect().ask("GET", PATH, &[]);
        assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 2000003\r\n"));
    });
}

#[test]
fn head_is_the_head_of_get_and_the_connection_stays() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        for path in [PATH, "/1185.3.0/version.txt", "/nowhere", "/cloud-configs/install.sh"] {
            // All on one connection: a body after HEAD would be taken for the next answer.
            let head = connection.ask("HEAD", path, &[]);
            let get = connection.ask("GET", path, &[]);
            assert_eq!(head.head_without_date(), get.head_without_date(), "{path}");
        }
        let body = connection.ask("GET", PATH, &[]).body;
        assert!(body == scene.stick.image_file(IMAGE));
    });
}

#[test]
fn a_part_of_a_file_is_answered_with_206_and_an_impossible_one_with_416() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let whole = scene.stick.image_file(IMAGE);
        let mut connection = scene.connect();
        for (range, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=1000000-1999999", 1_000_000, 1_999_999),
            ("bytes=1999999-", 1_999_999, 2_000_002),
            ("bytes=-3", 2_000_000, 2_000_002),
            ("bytes=2000000-9999999", 2_000_000, 2_000_002),
        ] {
            let header = format!("Range: {range}");
            for method in ["HEAD", "GET"] {
                let answer = connection.ask(method, PATH, &[&header]);
                assert_eq!(answer.status, 206, "{method} {range}");
                let expected = format!("bytes {first}-{last}/2000003");
                assert_eq!(answer.header("Content-Range"), Some(expected.as_str()), "{range}");
                let length = (last - first + 1).to_string();
                assert_eq!(answer.header("Content-Length"), Some(length.as_str()), "{range}");
                assert!(method == "HEAD" || answer.body == whole[first..=last], "{range}");
            }
        }
        let answer = connection.ask("GET", PATH, &["Range: bytes=2000003-"]);
        assert_eq!(answer.status, 416);
        assert_eq!(answer.header("Content-Range"), Some("bytes */2000003"));
        let answer = connection.ask("GET", PATH, &["Range: bytes=9-3"]);
        assert_eq!((answer.status, answer.body.len()), (200, whole.len()), "nonsense is ignored");
    });
}

#[test]
fn a_part_of_a_file_that_has_changed_is_answered_with_the_whole_new_one() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        let tag = connection.ask("HEAD", PATH, &[]).header("Etag").map(str::to_owned);
        let if_range = format!("If-Range: {}", tag.expect("no ETag"));
        let answer = connection.ask("GET", PATH, &["Range: bytes=10-", &if_range]);
        assert_eq!(answer.status, 206);
        scene.stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), "a new file");
        scene.server.hangup();
        scene.server.log.wait_for_nth("1 stick read", 2);
        let answer = connection.ask("GET", PATH, &["Range: bytes=10-", &if_range]);
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"a new file"[..]));
    });
}

#[test]
fn a_copy_that_is_still_good_is_not_sent_again_and_the_rest_of_another_is_refused() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        let head = connection.ask("HEAD", PATH, &[]);
        let (tag, date) = (head.header("Etag").unwrap(), head.header("Last-Modified").unwrap());
        for (header, status) in [
            (format!("If-None-Match: {tag}"), 304),
            (format!("If-None-Match: \"x\", W/{tag}"), 304),
            (format!("If-Modified-Since: {date}"), 304),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(), 200),
            // UEFI resumes a download so.
            (format!("Range: bytes=5-9\r\nIf-Match: {tag}"), 206),
            (format!("Range: bytes=5-9\r\nIf-Unmodified-Since: {date}"), 206),
            ("Range: bytes=5-9\r\nIf-Match: \"x\"".to_owned(), 412),
            (
                "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nRange: bytes=5-".to_owned(),
                412,
            ),
        ] {
            for method in ["HEAD", "GET"] {
                connection.request(method, PATH, &[&header]);
                // A 304 has no body, whatever its length says of the file.
                let answer = connection.answer(method == "HEAD" || status == 304).unwrap();
                assert_eq!(answer.status, status, "{method} {header}");
                let tagged = answer.header("Etag") == Some(tag);
                assert!(tagged || status == 412, "{method} {header}: {}", answer.head);
            }
        }
        assert_eq!(connection.ask("GET", "/1185.3.0/version.txt", &[]).status, 200);
    });
}

#[test]
fn a_file_that_has_changed_since_the_stick_was_read_is_not_sent_cut() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let path = format!("images/coreos/1185.3.0/{IMAGE}");
        scene.stick.write(&path, vec![7; 3_000_000]);
        let answer = scene.connect().ask("GET", PATH, &[]);
        assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("5")));
        scene.server.hangup();
        scene.server.log.wait_for_nth("1 stick read", 2);
        assert!(scene.connect().ask("GET", PATH, &[]).body == vec![7; 3_000_000]);
    });
}

#[test]
fn no_folder_is_listed() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        for path in [
            "/images",
            "/images/",
            "/images/coreos/",
            "/images/coreos/1185.3.0/",
            "/1185.3.0/",
            "/1185.3.0",
            "/boot/",
            "/boot",
            "/cloud-configs/",
            "/current/",
            "/v1/",
            "/tftp/",
        ] {
            assert_eq!(connection.ask("GET", path, &[]).status, 404, "{path}");
        }
    });
}

#[test]
fn http_1_0_keeps_a_connection_that_it_is_asked_to_keep() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        for _ in 0..2 {
            let path = "/1185.3.0/version.txt";
            connection
                .send(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").as_bytes());
            let answer = connection.answer(false).expect("no answer");
            assert_eq!(answer.header("Connection"), Some("keep-alive"), "{}", answer.head);
            assert_eq!(answer.body, b"COREOS_VERSION=1185.3.0\n");
        }
    });
}

#[test]
fn http_1_0_is_answered_and_then_the_connection_closes() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        // busybox wget and old firmware: no Host, no keep-alive.
        connection.send(format!("GET {PATH} HTTP/1.0\r\n\r\n").as_bytes());
        let answer = connection.answer(false).expect("no answer");
        assert_eq!(answer.status, 200);
        assert!(answer.body == scene.stick.image_file(IMAGE));
        assert_eq!(connection.rest(), b"");
    });
}

#[test]
fn a_request_in_pieces_and_a_second_one_behind_it_are_both_answered() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let mut connection = scene.connect();
        connection.send(b"GET /1185.3.0/ver");
        connection
            .send(b"sion.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(connection.answer(false).unwrap().body, b"COREOS_VERSION=1185.3.0\n");
        assert_eq!(connection.answer(false).unwrap().status, 404);
    });
}

#[test]
fn who_says_that_it_asks_for_no_more_still_gets_its_answers_whole() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        for more in [&[][..], &["/1185.3.0/version.txt"]] {
            let mut connection = scene.connect();
            connection.request("GET", PATH, &[]);
            more.iter().for_each(|path| connection.request("GET", path, &[]));
            connection.asks_no_more();
            assert_eq!(connection.answer(false).unwrap().body.len(), 2_000_003);
            for _ in more {
                let answer = connection.answer(false).unwrap();
                assert_eq!(answer.body, b"COREOS_VERSION=1185.3.0\n");
            }
            assert_eq!(connection.rest(), b"", "and then the server closes");
        }
    });
}

#[test]
fn only_reading_is_allowed() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            for path in [PATH, "/", "/arm?mac=52:54:00:00:00:01", "/cloud-configs/install.sh"] {
                let answer = scene.connect().ask(method, path, &["Content-Length: 0"]);
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("Allow"), Some("GET, HEAD"));
            }
        }
    });
}

#[test]
fn a_body_that_nobody_wants_is_not_waited_for() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let huge = ["Content-Length: 99999999999"];
        assert_eq!(scene.connect().ask("POST", PATH, &huge).status, 405);
        assert_eq!(scene.connect().ask("POST", PATH, &["Transfer-Encoding: chunked"]).status, 405);
    });
}

#[test]
fn nonsense_and_a_huge_head_are_turned_away_and_serving_goes_on() {
    isolated(|lan| {
        let mut scene = Scene::new(&lan);
        let long_header = format!("X: {}", "a".repeat(9 * 1024));
        let long_path = format!("/{}", "a".repeat(9 * 1024));
        let many: Vec<String> = (0..400).map(|n| format!("X-{n}: {n}")).collect();
        let many = many.join("\r\n");
        let request = |path: &str, header: &str| format!("GET {path} HTTP/1.1\r\n{header}\r\n\r\n");
        for bytes in [
            request(PATH, &long_header),
            request(&long_path, "Host: x"),
            request(PATH, &many),
            "a".repeat(20_000),
            "\0\0\0\0\r\n\r\n".to_owned(),
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\r\n\r\n".to_owned(),
            "GET /\0 HTTP/1.1\r\n\r\n".to_owned(),
            "GET  HTTP/1.1\r\n\r\n".to_owned(),
        ] {
            let mut connection = scene.connect();
            connection.send(bytes.as_bytes());
            let status = connection.answer(false).map(|answer| answer.status);
            let start = &bytes[..bytes.len().min(30)];
            assert!(matches!(status, None | Some(400 | 404 | 414 | 431)), "{start:?}: {status:?}");
            assert_eq!(connection.rest(), b"", "{start:?}: the connection stays open");
        }
        assert_eq!(scene.connect().ask("GET", "/1185.3.0/version.txt", &[]).status, 200);
        assert!(scene.server.runs());
    });
}

#[test]
fn one_machine_with_many_idle_connections_does_not_lock_others_out() {
    isolated(|lan| {
        let scene = Scene::new(&lan);
        let neighbour = lan.machine("52:54:00:00:00:55");
        neighbour.use_address(Ipv4Addr::new(10, 10, 10, 8));
        let rest = scene.server.descriptors();
        let held: Vec<Connection> = (0..600).map(|_| scene.connect()).collect();
        let answer = neighbour.connect(8080).ask("GET", "/1185.3.0/version.txt", &[]);
        assert_eq!(answer.status, 200);
        // 32 of the one, one of the other, and what was accepted and is to be closed.
        let open = scene.server.descriptors() - rest;
        assert!(open <= 32 + 2, "{open}");
        drop(held);
        drop(scene.appliance);
    });
}
