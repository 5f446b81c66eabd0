//! What cannot work is refused in one line that says what it is and what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use net::appliance::PROGRAM;
use net::{Appliance, Server, Stick, isolated, tools};

#[track_caller]
fn says(line: &str, parts: &[&str]) {
    assert!(line.starts_with("pxeberry: error: "), "{line}");
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

#[test]
fn without_rights_it_says_to_run_it_as_root() {
    isolated(|_| {
        let appliance = Appliance::server();
        tools::need("setpriv");
        // Root without a single capability is nobody, in every kind of namespace.
        let line = Server::spawn(
            Command::new("setpriv")
                .args([
                    "--bounding-set=-all",
                    "--inh-caps=-all",
                    "--",
                    PROGRAM,
                    "serve",
                    "--config",
                ])
                .arg(appliance.config()),
        )
        .refuses();
        says(&line, &["port 67", "not allowed; run this as root"]);
    });
}

#[test]
fn an_interface_that_does_not_exist_is_named_with_those_that_do() {
    isolated(|_| {
        let appliance = Appliance::server();
        let mut command = appliance.command();
        let line = Server::spawn(command.args(["--interface", "enp9s9"])).refuses();
        says(&line, &["interface \"enp9s9\" does not exist; there are: ", "srv0"]);
    });
}

#[test]
fn without_any_link_it_says_to_plug_a_cable_in() {
    isolated(|_| {
        let appliance = Appliance::server();
        tools::run("ip", &["link", "set", "srv0", "down"]);
        appliance.configure("mode = \"server\"\nstate.path = \"/run/box/state\"\n");
        says(&appliance.launches().refuses(), &["no wired interface has a link; plug a cable in"]);
    });
}

#[test]
fn an_address_that_this_machine_does_not_have_is_named_with_the_command_that_adds_it() {
    isolated(|_| {
        let appliance = Appliance::new("server", "server.address = \"10.10.10.5/24\"");
        let line = appliance.launches().refuses();
        says(&line, &["10.10.10.5 is not an address of this machine"]);
        says(&line, &["`ip address add 10.10.10.5/24 dev srv0`"]);
    });
}

#[test]
fn a_port_that_is_in_use_is_named_with_the_way_to_find_who_has_it() {
    isolated(|_| {
        let appliance = Appliance::server();
        let taken = |line: &str, port: &str| {
            says(line, &[port, "another program has it already; `ss -tulpn` names it"]);
        };
        let web = TcpListener::bind("0.0.0.0:8080").unwrap();
        taken(&appliance.launches().refuses(), "http-8080: port 8080 on srv0");
        drop(web);
        for (port, name) in [(67, "dhcp: port 67 on srv0"), (69, "tftp: port 69 on srv0")] {
            let other = UdpSocket::bind(("0.0.0.0", port)).unwrap();
            taken(&appliance.launches().refuses(), name);
            drop(other);
        }
        // Two of us: the second one leaves the first alone.
        let mut first = appliance.starts();
        taken(&appliance.launches().refuses(), "port 67");
        assert!(first.runs());
        first.log.wait_for("giving addresses from");
        appliance.tell(&["status"]).good();
    });
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_right_one() {
    isolated(|_| {
        let appliance = Appliance::server();
        appliance.configure("mode = \"server\"\r\n[server]\r\nadress = \"10.10.10.1/24\"\r\n");
        let line = appliance.launches().refuses();
        says(&line, &["/run/box/pxeberry.toml: line 3: unknown field `adress`"]);
        says(&line, &["(did you mean `address`?)"]);
    });
}

#[test]
fn a_value_that_cannot_work_is_named_with_its_key() {
    isolated(|_| {
        let appliance = Appliance::server();
        for (text, key) in [
            ("mode = \"dhcp\"", "line 1: unknown variant `dhcp`"),
            ("[server]\npool = \"10.10.11.1-10.10.11.9\"", "server.pool: "),
            ("[server]\nlease = \"5m\"", "server.lease: "),
            ("[http]\nports = [0]", "http.ports: "),
            ("[server\n", "line 1"),
        ] {
            appliance.configure(text);
            says(&appliance.launches().refuses(), &["/run/box/pxeberry.toml: ", key]);
        }
    });
}

#[test]
fn a_config_that_is_not_there_or_not_text_is_named() {
    isolated(|_| {
        let appliance = Appliance::server();
        fs::write(appliance.config(), [0x80, 0x81, 0]).unwrap();
        says(&appliance.launches().refuses(), &["/run/box/pxeberry.toml: ", "save it as UTF-8"]);
        fs::remove_file(appliance.config()).unwrap();
        says(&appliance.launches().refuses(), &["/run/box/pxeberry.toml", "No such file"]);
    });
}

#[test]
fn a_command_without_a_server_says_that_none_runs() {
    isolated(|_| {
        let appliance = Appliance::server();
        for words in [&["status"][..], &["rescan"], &["arm", "52:54:00:00:00:01"]] {
            let ran = appliance.tell(words);
            assert_eq!(ran.code, Some(2), "{words:?}");
            says(&ran.err, &["/run/box/control.sock", "is `pxeberry serve` running here"]);
            assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        }
    });
}

/// A folder for a stick.
fn stick() -> Stick {
    Stick::sample(Path::new("/run/stick"))
}

#[test]
fn check_lists_what_a_stick_would_serve() {
    isolated(|_| {
        let ran = Appliance::check(stick().folder()).good();
        let text = ran.text();
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let expected = [
            "image coreos/1185.3.0 5 files",
            "machine 52:54:00:00:00:01 node-1 installs coreos/1185.3.0 on /dev/sda",
            "machine 52:54:00:00:00:02 - installs coreos/1185.3.0 on /dev/sda",
        ];
        let (origins, lines): (Vec<String>, Vec<String>) =
            lines.into_iter().partition(|line| line.starts_with("origin "));
        assert_eq!(lines, expected, "{text}");
        // Kernel, initial RAM disk and disk image: tests/serve_verification.rs.
        assert_eq!(origins.len(), 3, "{text}");
    });
}

#[test]
fn check_refuses_a_broken_stick_with_file_and_line() {
    isolated(|_| {
        let stick = stick();
        stick.write("machines.toml", "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimmage = \"x\"\n");
        let ran = Appliance::check(stick.folder());
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.text().starts_with("refused  machines.toml:3: unknown field"),
            "{}",
            ran.text()
        );
        assert_eq!(ran.text().lines().count(), 1, "{}", ran.text());
    });
}

#[test]
fn check_names_what_would_not_work_on_a_stick_that_serves() {
    isolated(|_| {
        let stick = stick();
        stick.write("cloud-configs/52-54-00-00-00-02.yml", "");
        stick.write("cloud-configs/node-3.yml", "#cloud-config\na: b\n");
        stick.remove("images/coreos/1185.3.0/coreos_production_pxe_image.cpio.gz");
        std::os::unix::fs::symlink("/etc/passwd", stick.folder().join("link")).unwrap();
        let text = Appliance::check(stick.folder()).good().text();
        for part in [
            "problem  cloud-configs/52-54-00-00-00-02.yml: is empty",
            "problem  cloud-configs/node-3.yml: not used: no machine is named \"node-3\"",
            "coreos_production_pxe_image.cpio.gz: CoreOS Container Linux needs this file",
            "problem  link: links are not followed",
        ] {
            assert!(text.contains(part), "{part:?}: {text}");
        }
        assert!(!text.contains("machine  52:54:00:00:00:02"), "{text}");
    });
}

#[test]
fn check_of_an_empty_or_missing_folder_says_so() {
    isolated(|_| {
        let empty = Stick::empty(Path::new("/run/empty"));
        let text = Appliance::check(empty.folder()).good().text();
        assert_eq!(text, "nothing here that pxeberry could serve\n");
        let ran = Appliance::check(Path::new("/run/nowhere"));
        assert_eq!(ran.code, Some(2));
        says(&ran.err, &["/run/nowhere: not a folder"]);
    });
}
