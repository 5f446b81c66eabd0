//! Configurations that report nothing by themselves: what machines get of them while they are
//! installed, and what comes of it when an installer's shell runs that.

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
use std::process::Command;

use installer::{Case, Client, Step, Told, mac, stick};
use net::appliance::PROGRAM;
use net::tools::finish;
use net::{Appliance, Lan, Server, Stick, isolated};
use serde_json::Value;

/// A room of machines, one for each system whose plain configuration gets a report.
fn room(lan: &Lan) -> (Appliance, Stick, Server, Vec<Client>) {
    let cases: Vec<Case> =
        Case::all().into_iter().filter(|case| !case.example && case.system.added).collect();
    assert_eq!(cases.len(), 8);
    let rows: Vec<_> = cases.iter().enumerate().map(|(at, case)| (mac(at), case, "")).collect();
    let appliance = Appliance::new("server", "server.probe = false");
    let stick = stick(&appliance, &rows);
    let server = appliance.serves();
    let clients = rows.iter().map(|(mac, case, _)| Client::new(lan, **case, mac)).collect();
    (appliance, stick, server, clients)
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, behind) = text.rsplit_once(begin).unwrap_or_else(|| panic!("{begin:?}: {text}"));
    behind.split(end).next().unwrap()
}

/// The first JSON behind these words.
fn json(text: &str, begin: &str) -> Value {
    let (_, behind) = text.split_once(begin).unwrap_or_else(|| panic!("{begin:?}: {text}"));
    serde_json::Deserializer::from_str(behind).into_iter().next().unwrap().unwrap()
}

/// What the installer of a system gives to a shell when it is done, and when it has failed.
fn scripts(system: &str, text: &str) -> (String, Option<String>) {
    match system {
        "debian" => (between(text, "preseed/late_command string ", "\n").to_owned(), None),
        "fedora" => {
            let of = |head: &str| between(text, &format!("\n{head}\n"), "\n%end").to_owned();
            (of("%post --nochroot"), Some(of("%onerror")))
        }
        "esxi" => (between(text, "--timeout=300\n", "\0").to_owned(), None),
        "ubuntu" => {
            let of = |key: &str| json(text, key)[0].as_str().unwrap().to_owned();
            (of("late-commands: "), Some(of("error-commands: ")))
        }
        "opensuse" | "sles" => (between(text, "<![CDATA[", "]]>").to_owned(), None),
        "leap" => (json(text, "\"post\":")[0]["content"].as_str().unwrap().to_owned(), None),
        "fedora-coreos" => {
            let unit = json(text, "\"units\":")[0]["contents"].as_str().unwrap().to_owned();
            (between(&unit, "ExecStart=-/usr/bin/curl", "\n").replacen("", "curl", 1), None)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_added_ends_the_installation_when_an_installers_shell_runs_it() {
    isolated(|lan| {
        let (appliance, _stick, server, mut clients) = room(&lan);
        for client in &mut clients {
            client.walks_to(Step::Config);
            let (name, text) = (client.name(), client.given().to_owned());
            let (plain, added) = (client.case.system.plain.unwrap().1, text.len());
            assert!(added > plain.len() && added < plain.len() + 2048, "{name}: {text}");
            let (done, failed) = scripts(client.case.system.name, &text);
            let shell = |script: &str| client.machine.run("sh", &["-c", script]).good();
            if let Some(failed) = failed {
                shell(&failed);
                server.log.wait_for(&format!("{}: reports that installing failed", client.mac));
            }
            shell(&done);
            assert_eq!(appliance.machine(&client.mac).0, "installed", "{name}");
            // A system that reports itself is known to be done when it has its configuration.
            assert_eq!(client.boots(), Told::Disk, "{name}");
        }
    });
}

#[test]
fn a_small_system_reports_with_nothing_but_its_shell() {
    isolated(|lan| {
        let (appliance, _stick, _server, mut clients) = room(&lan);
        let client = clients.iter_mut().find(|client| client.case.system.name == "sles").unwrap();
        client.walks_to(Step::Config);
        let (script, _) = scripts("sles", client.given());
        let script = script.replace("curl ", "no-curl ").replace("wget ", "no-wget ");
        client.machine.run("bash", &["-c", &script]).good();
        assert_eq!(appliance.machine(&client.mac).0, "installed");
    });
}

#[test]
fn what_check_explains_is_what_is_sent_but_for_the_token() {
    isolated(|lan| {
        let (_appliance, stick, _server, mut clients) = room(&lan);
        for client in &mut clients {
            let (name, mac) = (client.name(), client.mac.clone());
            client.walks_to(Step::Config);
            let mut check = Command::new(PROGRAM);
            check.arg("check").arg(stick.folder()).args(["--json", "--explain", &mac]);
            let told: Value = serde_json::from_slice(&finish(&mut check).good().out).unwrap();
            let configs = told["configs"].as_array().unwrap();
            let given = configs.iter().find(|given| given["report_added"] == true);
            let explained = given.unwrap_or_else(|| panic!("{name}: {told}"))["text"].as_str();
            let token = between(client.given(), "?token=", "&");
            let sent = client.given().replace(token, &"0".repeat(32));
            assert_eq!(explained.unwrap(), sent, "{name}");
            let ending = if name.contains("coreos") { "installed-system" } else { "installer" };
            assert_eq!(told["ending"], ending, "{name}");
            if client.case.system.name == "debian" {
                fs::write("/run/preseed", &sent).unwrap();
                let reader = "debconf-set-selections";
                finish(Command::new(reader).args(["-c", "/run/preseed"])).good();
            }
        }
    });
}
