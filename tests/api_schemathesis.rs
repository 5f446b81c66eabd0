//! The API against a stranger's tool: schemathesis makes requests from `openapi.json`, good
//! ones and bad ones, and holds every answer against it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use net::api::{SOCKET, get, post};
use net::stick::NODE_1;
use net::{Appliance, Firmware, isolated, tools};

/// Seconds of made-up requests.
const BRIEF: &str = "30";

/// The same with `tests/run --all`.
const THOROUGH: &str = "600";

/// Where the tool is; the scenario itself has no network to fetch it by.
fn tool() -> PathBuf {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = repo.join("target/schemathesis");
    let setup = repo.join("tests/support/schemathesis/setup");
    let ran = tools::finish(Command::new(setup).arg(&folder));
    assert_eq!(ran.code, Some(0), "schemathesis cannot be made ready: {}", ran.err);
    folder.join("bin/schemathesis")
}

/// A loopback port behind which the control socket is.
fn relay() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || pass_on(client.unwrap()));
        }
    });
    port
}

/// Either side may leave at any time.
fn pass_on(mut client: TcpStream) {
    let Ok(mut server) = UnixStream::connect(SOCKET) else { return };
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let asking = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut server, &mut client);
    let _ = client.flush();
    let _ = client.shutdown(Shutdown::Both);
    let _ = asking.join();
}

fn run(tool: &Path, port: u16, options: &[&str]) -> String {
    let description = format!("http://127.0.0.1:{port}/v1/openapi.json");
    let ran = tools::finish(
        Command::new(tool)
            .current_dir("/run")
            .args(["--no-color", "run", &description])
            .args(["--request-timeout", "40", "--continue-on-failure", "--seed", "1"])
            .args(["--suppress-health-check", "all"])
            // It is for the LAN: here it is refused, whatever is sent.
            .args(["--exclude-path", "/v1/session"])
            .args(options),
    );
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.text(), ran.err);
    ran.text()
}

#[test]
fn schemathesis_finds_no_answer_that_is_not_as_it_is_described() {
    let tool = tool();
    isolated(move |lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let mut server = appliance.serves();
        let node = lan.machine(NODE_1);
        node.boots(Firmware::Bios);
        node.tftp_text("pxelinux.cfg/default");
        let port = relay();
        let thorough = std::env::var_os("PXEBERRY_THOROUGH").is_some();
        let seconds = if thorough { THOROUGH } else { BRIEF };
        let began = std::time::Instant::now();
        // In safe mode the rest would be refused.
        let calls = ["--exclude-operation-id", "safeMode", "--max-time", seconds];
        let told = run(&tool, port, &calls);
        for line in
            told.lines().filter(|line| line.contains("generated") || line.contains("tested"))
        {
            println!("measured: {}", line.trim());
        }
        println!("measured: {:.0} s of requests by schemathesis", began.elapsed().as_secs_f64());
        run(&tool, port, &["--include-operation-id", "safeMode", "--max-examples", "20"]);
        assert!(server.runs());
        let log = server.log.lines();
        let faults: Vec<_> = log.iter().filter(|line| line.contains("fault in this")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
        assert!(get("/v1/status")["memory_kib"].as_u64().unwrap() < 96 * 1024);
        assert_eq!(post("/v1/rescan").0, 202);
    });
}
