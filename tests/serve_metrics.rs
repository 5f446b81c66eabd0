//! What Prometheus reads of a running server, by Prometheus' own parser.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use net::stick::NODE_1;
use net::{Appliance, Firmware, isolated, tools};

/// Prints a line for each sample: name, labels, value. Fails on what Prometheus would refuse.
const PARSER: &str = r#"
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family.name
    assert family.type in ("counter", "gauge"), family.name
    for sample in family.samples:
        labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
        print(sample.name, labels or "-", sample.value)
"#;

#[test]
fn prometheus_reads_the_metrics_and_they_count_what_happened() {
    isolated(|lan| {
        tools::need("python3");
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let before = samples(&machine.get("/metrics"));
        machine.tftp_text("pxelinux.cfg/default");
        let image = machine.get("/1185.3.0/coreos_production_image.bin.bz2").len() as f64;
        let after = samples(&machine.get("/metrics"));
        let grew = |name: &str| after[name] - before[name];
        assert_eq!(after["pxeberry_state state=serving"], 0.0);
        assert_eq!(after["pxeberry_dhcp_role role=server"], 1.0);
        assert_eq!(after["pxeberry_dhcp_leases -"], 1.0);
        assert_eq!(after["pxeberry_machines state=delivered"], 1.0);
        for kind in ["discover", "offer", "request", "ack"] {
            let name = format!("pxeberry_dhcp_messages_total type={kind}");
            assert!(before[&name] >= 1.0, "{name}");
        }
        assert_eq!(grew("pxeberry_tftp_files_total -"), 1.0);
        assert!(grew("pxeberry_tftp_sent_bytes_total -") > 0.0);
        // The image, and the first answer to this question.
        assert_eq!(grew("pxeberry_http_responses_total code=2xx"), 2.0);
        assert!(grew("pxeberry_http_sent_bytes_total -") >= image);
        assert!(after["process_resident_memory_bytes -"] > 1e6);
        assert!(after["process_open_fds -"] > 10.0);
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    });
}

#[test]
fn the_dashboard_asks_for_numbers_that_are_there() {
    isolated(|lan| {
        tools::need("python3");
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let there = samples(&machine.get("/metrics"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/dashboard.json");
        let dashboard: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let asked: Vec<&str> = panels
            .iter()
            .flat_map(|panel| panel["targets"].as_array().unwrap())
            .map(|target| target["expr"].as_str().unwrap())
            .collect();
        assert!(asked.len() >= 8, "{asked:?}");
        for expression in asked {
            let letters = |letter: char| !(letter.is_alphanumeric() || letter == '_');
            let names = expression.split(letters);
            let mut names =
                names.filter(|name| name.starts_with("pxeberry_") || name.starts_with("process_"));
            let known = |name: &str| there.keys().any(|key| key.split(' ').next() == Some(name));
            assert!(names.clone().count() > 0, "{expression}");
            assert!(names.all(known), "{expression}");
        }
    });
}

/// `name labels` and the value.
fn samples(text: &[u8]) -> BTreeMap<String, f64> {
    let mut parser = Command::new("/usr/bin/python3")
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(text).unwrap();
    let parsed = parser.wait_with_output().unwrap();
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(text));
    let lines = String::from_utf8(parsed.stdout).unwrap();
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.lines().map(sample).collect()
}
