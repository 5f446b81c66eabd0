//! What the commands print: a stick's content, and a running server's state.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::inventory::{Install, Inventory, Machine};
use crate::verify::{Job, Verdict};
use crate::world::{media, verifier};

/// `pxeberry check DIR`: what a stick would serve. Fails when it would be refused.
pub fn check(folder: &Path) -> ExitCode {
    if !folder.is_dir() {
        eprintln!("pxeberry: error: {}: not a folder", folder.display());
        return ExitCode::from(2);
    }
    match media::check(folder) {
        Ok((inventory, jobs)) => {
            print!("{}", inventory_table(&inventory));
            match origins(jobs) {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(problems) => {
            for problem in problems {
                println!("refused  {problem}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Verifies the stick and says what came out; false if something of it is bad.
fn origins(jobs: Vec<Job>) -> bool {
    let on_terminal = std::io::stderr().is_terminal();
    let verdicts = verifier::check_all(jobs, |path, percent| {
        if on_terminal {
            eprint!("\r\x1b[Kverifying {path}: {percent} %");
        }
    });
    if on_terminal {
        eprint!("\r\x1b[K");
    }
    for key in verdicts.keys() {
        println!("key      {key}");
    }
    let mut good = true;
    for report in verdicts.reports() {
        println!("origin   {}: {}", report.path, report.verdict);
        good &= !matches!(*report.verdict, Verdict::Bad(_));
    }
    good
}

fn inventory_table(inventory: &Inventory) -> String {
    // Writing into a String cannot fail.
    let mut text = String::new();
    for image in &inventory.images {
        let _ = writeln!(text, "image    {:<24} {} files", image.name(), image.files.len());
    }
    for (mac, machine) in inventory.machines() {
        let name = machine.name.as_deref().unwrap_or("-");
        let boots = what_it_boots(inventory, machine);
        let _ = writeln!(text, "machine  {mac}  {name:<12} {boots}");
    }
    for machine in inventory.roster.list().iter().filter(|machine| machine.macs.is_empty()) {
        let name = machine.name.as_deref().unwrap_or("-");
        let rule = machine.rule.as_ref().map(|rule| rule.words()).unwrap_or_default();
        let boots = what_it_boots(inventory, machine);
        let _ = writeln!(text, "machine  {rule}  {name:<12} {boots}");
    }
    for problem in &inventory.problems {
        let _ = writeln!(text, "problem  {problem}");
    }
    if text.is_empty() {
        text.push_str("nothing here that pxeberry could serve\n");
    }
    text
}

fn what_it_boots(inventory: &Inventory, machine: &Machine) -> String {
    match (machine.install, inventory.image_for(machine)) {
        (Install::Never, _) => "boots its own disk".to_owned(),
        (_, None) => "boots its own disk: there is no image for it".to_owned(),
        _ if inventory.has_fault(machine) => {
            "boots its own disk: its configuration has a mistake".to_owned()
        }
        (policy, Some(image)) => {
            let how = if policy == Install::Always { " every time" } else { "" };
            format!("installs {} on {}{how}", image.name(), machine.disk)
        }
    }
}

/// `pxeberry status`: the JSON of the control socket, for people.
pub fn status(json: &str) -> String {
    let status: Value = serde_json::from_str(json).unwrap_or_default();
    let text = |pointer: &str| {
        status.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut out = String::new();
    let _ = writeln!(out, "{}", text("/headline"));
    let link = status.pointer("/interface/link").and_then(Value::as_bool).unwrap_or(false);
    let _ = writeln!(
        out,
        "network  {} {} ({})",
        text("/interface/name"),
        text("/interface/address"),
        if link { "link" } else { "no link" }
    );
    let _ = writeln!(out, "dhcp     {}", text("/dhcp/reason"));
    let _ = writeln!(out, "sticks   {}", text("/media/state"));
    let list = |pointer: &str| {
        status.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    for image in list("/media/names") {
        let _ = writeln!(out, "image    {}", image.as_str().unwrap_or_default());
    }
    for found in list("/media/verification") {
        let part = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "origin   {:<24} {}", part("image"), part("words"));
    }
    for key in list("/media/keys") {
        let _ = writeln!(out, "key      {}", key.as_str().unwrap_or_default());
    }
    for machine in list("/machines") {
        let part = |key: &str| machine.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        let _ = writeln!(
            out,
            "machine  {}  {:<12} {:<10} {}",
            part("mac"),
            part("name"),
            part("state"),
            part("address")
        );
    }
    for machine in list("/machines") {
        let part = |key: &str| machine.pointer(key).and_then(Value::as_str);
        let Some(words) = part("/boot/words") else {
            continue;
        };
        let mac = part("/mac").unwrap_or("-");
        let ago = machine.pointer("/boot/ago").and_then(Value::as_u64).unwrap_or(0);
        let _ = writeln!(out, "boot     {mac}  {words}, {ago} s ago");
        for sentence in [part("/boot/check"), part("/boot/loader")].into_iter().flatten() {
            let _ = writeln!(out, "check    {mac}  {sentence}");
        }
    }
    for problem in list("/media/problems") {
        let part = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "problem  {}: {}", part("file"), part("message"));
    }
    out
}
