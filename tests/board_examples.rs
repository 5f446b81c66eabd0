//! The examples of configurations that report: each is made for a machine, can be read by what
//! reads its kind here, and writes its URLs as one word.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/installer.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod installer;
#[path = "support/net/mod.rs"]
mod net;
#[path = "support/systems.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod systems;

use std::fs;
use std::path::Path;
use std::process::Command;

use installer::{Case, mac, stick};
use net::appliance::PROGRAM;
use net::tools::finish;
use net::{Appliance, isolated};
use serde_json::Value;

/// Runs a program on the text.
#[track_caller]
fn reads(program: &str, arguments: &[&str], text: &str) {
    fs::write("/run/example", text).unwrap();
    finish(Command::new(program).args(arguments).arg("/run/example")).good();
}

/// What stands between a line that begins with `begin` and the next `%end`, or the end.
fn section<'a>(text: &'a str, begin: &str) -> &'a str {
    let (_, behind) = text.split_once(begin).unwrap_or_else(|| panic!("{begin}: {text}"));
    let body = behind.split_once('\n').unwrap().1;
    body.split("%end").next().unwrap()
}

#[test]
fn each_example_is_made_for_a_machine_and_can_be_read() {
    isolated(|_| {
        let cases: Vec<Case> = Case::all().into_iter().filter(|case| case.example).collect();
        let rows: Vec<_> = cases.iter().enumerate().map(|(at, case)| (mac(at), case, "")).collect();
        let stick = stick(&Appliance::server(), &rows);
        let mut found = 0;
        for (mac, case, _) in &rows {
            let mut check = Command::new(PROGRAM);
            let ran = finish(check.arg("check").arg(stick.folder()).args([
                "--json",
                "--explain",
                mac.as_str(),
            ]));
            let told: Value = serde_json::from_slice(&ran.out).unwrap();
            let configs = told["configs"].as_array().unwrap();
            let given = configs.iter().find(|given| given["template"] == true).unwrap();
            let text = given["text"].as_str().unwrap_or_else(|| panic!("{}: {given}", case.name()));
            for (at, _) in text.match_indices("http://10.10.10.1:8080/v1/event?token=") {
                found += 1;
                let before = text.get(..at).unwrap();
                assert!(before.ends_with(['\'', '"']), "{}: {text}", case.name());
            }
            match Path::new(case.system.example.unwrap()).parent().unwrap().to_str().unwrap() {
                "preseed" => reads("debconf-set-selections", &["-c"], text),
                "scripts" => reads("bash", &["-n"], text),
                "kickstart" => reads("bash", &["-n"], section(text, "%post")),
                _ => {}
            }
        }
        assert!(found >= 12, "{found} URLs");
    });
}
