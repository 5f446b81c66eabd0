//! Every system that is installed, with a configuration that reports and with one that got its
//! report from us, or has none, through all that can come between power on and its own disk:
//! nothing is installed twice, and nothing that has finished is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/installer.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod installer;
#[path = "support/net/mod.rs"]
mod net;
#[path = "support/systems.rs"]
mod systems;

use installer::{Case, Client, Step, Told, mac, stick};
use net::{Appliance, Lan, Server, isolated};
use pxeberry::fleet::timeline::Source;
use systems::End;

/// Room for as many machines as there are cases and steps, none of which is looked for first.
const POOL: &str = "server.pool = \"10.10.10.20-10.10.10.250\"\nserver.probe = false";

/// A box whose stick names a machine for each of these, and the machines.
fn room(lan: &Lan, cases: &[Case], more: &str) -> (Appliance, Server, Vec<Client>) {
    let appliance = Appliance::new("server", POOL);
    let named: Vec<_> =
        cases.iter().enumerate().map(|(number, case)| (mac(number), case, more)).collect();
    stick(&appliance, &named);
    let server = appliance.serves();
    let clients = named.iter().map(|(mac, case, _)| Client::new(lan, **case, mac));
    let clients = clients.collect();
    (appliance, server, clients)
}

#[test]
fn power_that_is_lost_at_any_step_installs_a_machine_again_only_where_it_must() {
    isolated(|lan| {
        let steps = |case: Case| case.steps().into_iter().map(move |step| (case, step));
        let rows: Vec<(Case, Step)> = Case::all().into_iter().flat_map(steps).collect();
        let cases: Vec<Case> = rows.iter().map(|(case, _)| *case).collect();
        let (appliance, _server, mut clients) = room(&lan, &cases, "");
        for (client, (case, step)) in clients.iter_mut().zip(&rows) {
            client.walks_to(*step);
            let told = client.boots();
            let name = format!("{} behind {step:?}", client.name());
            if case.is_tried_after(*step) {
                assert_eq!(told, Told::Disk, "{name}: it may have been done");
                assert_eq!(client.boots(), Told::Disk, "{name}: it was not");
                assert_eq!(appliance.machine(&client.mac), ("failed".into(), 1), "{name}");
                continue;
            }
            if case.is_done_after(*step) {
                assert_eq!(told, Told::Disk, "{name}");
                continue;
            }
            assert_eq!(told, Told::Install, "{name}");
            assert_eq!(appliance.machine(&client.mac).1, 2, "{name}: one boot, one attempt");
            case.steps().into_iter().skip(1).for_each(|step| client.does(step));
            for _ in 0..2 {
                assert_eq!(client.boots(), Told::Disk, "{name}, when it is done");
            }
            assert_eq!(appliance.machine(&client.mac).0, "installed", "{name}");
        }
        println!("measured: {} machines lost their power", rows.len());
    });
}

#[test]
fn a_kill_of_the_servers_at_any_step_loses_no_installation_and_costs_no_attempt() {
    isolated(|lan| {
        let (appliance, mut server, mut clients) = room(&lan, &Case::all(), "");
        for step in Step::ALL {
            for client in clients.iter_mut().filter(|client| client.case.steps().contains(&step)) {
                client.does(step);
            }
            server.dies();
            server = appliance.serves();
        }
        for client in &mut clients {
            let name = client.name();
            assert_eq!(appliance.machine(&client.mac).1, 1, "{name}");
            assert_eq!(client.boots(), Told::Disk, "{name}");
        }
        drop(server);
        let _server = appliance.serves();
        for client in &mut clients {
            assert_eq!(appliance.machine(&client.mac).0, "installed", "{}", client.name());
            assert_eq!(client.boots(), Told::Disk, "{}", client.name());
        }
    });
}

/// Cases in which somebody reports.
fn reporting() -> Vec<Case> {
    Case::all().into_iter().filter(Case::reports).collect()
}

#[test]
fn a_report_is_that_of_its_own_installation_however_it_comes_and_how_often() {
    isolated(|lan| {
        let (appliance, _server, mut clients) = room(&lan, &reporting(), "");
        let stranger = lan.machine(net::stick::STRANGER);
        stranger.use_address("10.10.10.9".parse().unwrap());
        let mut old = "0".repeat(32);
        for (number, client) in clients.iter_mut().enumerate() {
            client.walks_to(Step::Image);
            let name = client.name();
            let before = appliance.machine(&client.mac);
            let path = client.report("installed");
            let foreign = format!("/v1/event?token={old}&event=installed");
            assert_eq!(client.asks("HEAD", &path), (200, String::new()), "{name}");
            for (method, path) in [
                ("GET", foreign.as_str()),
                ("POST", "/v1/event?token=&event=installed"),
                ("GET", &path.replace("=installed", "=armed")),
            ] {
                let asked = client.asks(method, path).0;
                // The one before it is done: its token says so once more, and of itself alone.
                let expected = if path == foreign && number > 0 { 200 } else { 403 };
                assert_eq!(asked, expected, "{name}: {method} {path}");
            }
            assert_eq!(stranger.curl(&foreign.replace(&old, &"1".repeat(32))).0, 403);
            assert_eq!(appliance.machine(&client.mac), before, "{name}: nothing has happened");
            // A webhook posts each step, to whatever URL it was given: none is the end.
            let url = format!("http://10.10.10.1:8080{path}");
            let post = |text: &str| client.machine.run("curl", &["-sSf", "--data", text, &url]);
            let step = format!("{{\"name\": \"{name}\", \"event_type\": \"start\"}}");
            assert_eq!(post(&step).good().text(), "ok");
            assert_eq!(appliance.machine(&client.mac), before, "{name}: a step is no end");
            let told = flight::wait_for(&client.mac, &format!("start: {name}"));
            assert_eq!(told.source, Source::Syslog);
            assert_eq!(post("log=all+of+it").good().text(), "ok", "{name}");
            for method in ["POST", "GET", "POST"] {
                assert_eq!(client.asks(method, &path), (200, "ok".to_owned()), "{name}: {method}");
                assert_eq!(appliance.machine(&client.mac).0, "installed", "{name}: {method}");
            }
            assert_eq!(client.asks("POST", &client.report("failed")).0, 200);
            assert_eq!(client.boots(), Told::Disk, "{name}: too late for a failure");
            old = path.split(['=', '&']).nth(1).unwrap().to_owned();
        }
    });
}

#[test]
fn installers_that_never_report_are_tried_three_times_and_a_late_report_corrects_that() {
    isolated(|lan| {
        let (appliance, _server, mut clients) = room(&lan, &reporting(), "");
        for client in &mut clients {
            let name = client.name();
            client.walks_to(Step::Image);
            if client.case.system.end == End::Config {
                // Nobody could have reported before this boot.
                let path = client.report("installed");
                assert_eq!(client.boots(), Told::Disk, "{name}");
                assert_eq!(client.takes(&path), "ok", "{name}: from its own disk");
                assert_eq!(client.boots(), Told::Disk, "{name}");
                continue;
            }
            if client.case.is_tried_after(Step::Image) {
                let path = client.report("installed");
                assert_eq!(client.boots(), Told::Disk, "{name}: what was added may not work");
                assert_eq!(client.takes(&path), "ok", "{name}");
                assert_eq!(appliance.machine(&client.mac), ("installed".into(), 1), "{name}");
                continue;
            }
            for attempt in [2, 3] {
                client.walks_to(Step::Image);
                let state = ("delivered".to_owned(), attempt);
                assert_eq!(appliance.machine(&client.mac), state, "{name}");
            }
            let path = client.report("installed");
            assert_eq!(client.boots(), Told::Disk, "{name}: three attempts are enough");
            assert_eq!(appliance.machine(&client.mac).0, "failed", "{name}");
            assert_eq!(client.takes(&path), "ok", "{name}");
            assert_eq!(appliance.machine(&client.mac).0, "installed", "{name}");
            // Armed once more, what was said before is worth nothing.
            appliance.tell(&["arm", &client.mac]).good();
            assert_eq!(client.asks("GET", &path).0, 403, "{name}");
            client.walks_to(Step::Report);
            assert_eq!(client.boots(), Told::Disk, "{name}");
        }
    });
}

/// Machines whose installers report, and had nobody who heard it.
fn room_of_lost_reports(
    lan: &Lan,
    goes_away: impl FnOnce(&Appliance, Server) -> Server,
) -> (Appliance, Server, Vec<Client>) {
    let cases: Vec<Case> = reporting().into_iter().filter(installer_reports).collect();
    let (appliance, server, mut clients) = room(lan, &cases, "");
    clients.iter_mut().for_each(|client| client.walks_to(Step::Image));
    let server = goes_away(&appliance, server);
    (appliance, server, clients)
}

fn installer_reports(case: &Case) -> bool {
    case.system.end != End::Config
}

fn restarts(appliance: &Appliance, server: Server) -> Server {
    server.dies();
    appliance.serves()
}

/// It comes back without having been heard, its disk is tried, and the system there starts.
fn is_found_installed(appliance: &Appliance, client: &mut Client) {
    let name = client.name();
    assert_eq!(client.boots(), Told::Disk, "{name}: its disk is tried");
    let state = || appliance.machine(&client.mac);
    assert_eq!(state(), ("delivered".to_owned(), 1), "{name}: nobody knows yet");
    client.machine.leases(&[]);
    assert_eq!(state(), ("installed".to_owned(), 1), "{name}");
}

#[test]
fn a_machine_whose_report_nobody_heard_is_not_installed_twice_and_its_own_system_tells() {
    isolated(|lan| {
        let (appliance, _server, mut clients) = room_of_lost_reports(&lan, restarts);
        for client in &mut clients {
            is_found_installed(&appliance, client);
            let name = client.name();
            flight::wait_for(&client.mac, "its own system has started");
            assert_eq!(client.boots(), Told::Disk, "{name}");
        }
    });
}

#[test]
fn where_nothing_starts_from_the_disk_that_is_tried_a_person_decides() {
    isolated(|lan| {
        let (appliance, _server, mut clients) = room_of_lost_reports(&lan, restarts);
        for client in &mut clients {
            let name = client.name();
            for state in ["delivered", "failed", "failed"] {
                assert_eq!(client.boots(), Told::Disk, "{name}");
                assert_eq!(appliance.machine(&client.mac), (state.into(), 1), "{name}");
            }
            flight::wait_for(&client.mac, "is back from its own disk");
            appliance.tell(&["arm", &client.mac]).good();
            client.walks_to(Step::Report);
            assert_eq!(client.boots(), Told::Disk, "{name}");
            assert_eq!(appliance.machine(&client.mac), ("installed".into(), 1), "{name}");
        }
    });
}

#[test]
fn a_report_that_came_while_the_cable_was_out_may_be_lost_too() {
    isolated(|lan| {
        let pulls = |_: &Appliance, server: Server| {
            let lines = ["srv0: no link", "srv0: the link is back"];
            // The first cable of this LAN gave it its first link.
            let before = lines.map(|line| server.log.count(line));
            for ((state, line), before) in ["down", "up"].into_iter().zip(lines).zip(before) {
                net::tools::run("ip", &["link", "set", net::lan::INTERFACE, state]);
                server.log.wait_for_nth(line, before + 1);
            }
            server
        };
        let (appliance, _server, mut clients) = room_of_lost_reports(&lan, pulls);
        for client in &mut clients {
            is_found_installed(&appliance, client);
        }
    });
}

#[test]
fn the_first_start_of_what_was_installed_closes_its_story_once() {
    isolated(|lan| {
        let (_appliance, _server, mut clients) = room(&lan, &reporting(), "");
        for client in &mut clients {
            client.walks_to(Step::Report);
            let words = "its own system has started";
            let told = || flight::of(&client.mac, Source::Life).contains(&words.to_owned());
            assert!(!told(), "{}: only its installer has asked", client.name());
            for _ in 0..2 {
                client.machine.leases(&[]);
                let entry = flight::wait_for(&client.mac, words);
                assert_eq!(entry.times, 1, "{}", client.name());
            }
        }
    });
}

#[test]
fn a_bench_is_installed_at_every_boot_behind_an_installation() {
    isolated(|lan| {
        let (appliance, _server, mut clients) = room(&lan, &Case::all(), "install = \"always\"");
        for client in &mut clients {
            for _ in 0..3 {
                client.walks_to(Step::Report);
                assert_eq!(appliance.machine(&client.mac).1, 1, "{}", client.name());
            }
            appliance.tell(&["disarm", &client.mac]).good();
            for _ in 0..2 {
                assert_eq!(client.boots(), Told::Disk, "{}: disarmed", client.name());
            }
        }
    });
}
