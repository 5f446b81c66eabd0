//! `pxeberry status`: a running server's state, for people. Pure.

use std::fmt::Write;

use serde_json::Value;

/// `pxeberry status`: the JSON of the control socket, for people. `parts`: its status,
/// machines, images and problems.
pub fn status(parts: &[String; 4]) -> String {
    let mut status = Value::default();
    for part in parts {
        let part: Value = serde_json::from_str(part).unwrap_or_default();
        match (&mut status, part) {
            (Value::Object(all), Value::Object(more)) => all.extend(more),
            (all, more) => *all = more,
        }
    }
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
    for image in list("/images") {
        let part = |key: &str| image.pointer(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "image    {}", part("/name"));
    }
    for image in list("/images") {
        let part = |key: &str| image.pointer(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "origin   {:<24} {}", part("/name"), part("/verification/words"));
    }
    for key in list("/keys") {
        let _ = writeln!(out, "key      {}", key.as_str().unwrap_or_default());
    }
    for machine in list("/machines") {
        let part = |key: &str| machine.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        let _ = writeln!(
            out,
            "machine  {}  {:<12} {:<10} {:<15} {}",
            part("mac"),
            part("name"),
            part("state"),
            part("address"),
            part("next")
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
    for problem in list("/problems") {
        let part = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "problem  {}: {}", part("file"), part("message"));
    }
    out
}
