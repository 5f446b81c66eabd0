//! A running server's state, machines, images and log, for people. Pure.
//!
//! Tables come first and fit into 80 columns; what is to be said of a row stands below it.

use std::fmt::Write;

use serde_json::Value;

use super::table::{columns, wrapped};

/// `pxeberry status`
pub fn status(status: &Value, machines: &Value, problems: &Value) -> String {
    let text = |pointer: &str| text(status, pointer);
    let mut out = wrapped(0, text("/headline"));
    let link = if is(status, "/interface/link") { "link" } else { "NO LINK" };
    let (name, address) = (text("/interface/name"), text("/interface/address"));
    out += &row("network", &format!("{name} {address} ({link})"));
    if let Some(name) = status.pointer("/interface/hostname").and_then(Value::as_str) {
        out += &row("name", name);
    }
    out += &row("dhcp", text("/dhcp/reason"));
    out += &row("sticks", &sticks(status));
    out += &row("machines", &counts(status));
    let colours = list(status, "/leds/colours");
    let colours: Vec<&str> = colours.iter().filter_map(Value::as_str).collect();
    out += &row("LEDs", &format!("{}, {}", colours.join(" + "), text("/leds/pattern")));
    out += &row("", text("/leds/action"));
    let table = self::machines(machines);
    if !table.is_empty() {
        let _ = write!(out, "\n{table}");
    }
    let problems = list(problems, "/problems");
    if !problems.is_empty() {
        out.push('\n');
    }
    for problem in problems {
        let line = problem.pointer("/line").and_then(Value::as_u64);
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let (file, message) = (self::text(problem, "/file"), self::text(problem, "/message"));
        let _ = writeln!(out, "problem  {file}{line}: {message}");
    }
    out
}

/// `pxeberry machines`
pub fn machines(answer: &Value) -> String {
    let machines = list(answer, "/machines");
    if machines.is_empty() {
        return String::new();
    }
    let mut rows = vec![["MACHINE", "MAC", "STATE", "ADDRESS", "IMAGE"].map(str::to_owned)];
    rows.extend(machines.iter().map(|machine| {
        ["/name", "/mac", "/state", "/address", "/image"].map(|part| or_dash(machine, part))
    }));
    let mut lines = columns(&rows).into_iter();
    let mut out = lines.next().unwrap_or_default();
    for (line, machine) in lines.zip(machines) {
        out += &line;
        out += &details(machine);
    }
    out
}

/// What stands below a machine's row.
fn details(machine: &Value) -> String {
    let mut out = String::new();
    // What follows from the state needs no words.
    let next = text(machine, "/next");
    if next.starts_with("its own disk") && text(machine, "/state") != "seen" {
        out += &wrapped(4, &format!("boots {next}"));
    }
    if let Some(words) = machine.pointer("/boot/words").and_then(Value::as_str) {
        let ago = machine.pointer("/boot/ago").and_then(Value::as_u64).unwrap_or(0);
        out += &wrapped(4, &format!("{words}, {} ago", since(ago)));
    }
    let size = machine.pointer("/transfer/size").and_then(Value::as_u64);
    if let Some(size) = size.filter(|size| *size > 0) {
        let sent = machine.pointer("/transfer/sent").and_then(Value::as_u64).unwrap_or(0);
        let (file, mib) = (text(machine, "/transfer/file"), size.div_ceil(1 << 20));
        let percent = sent.saturating_mul(100) / size;
        out += &wrapped(4, &format!("takes {file}: {percent} % of {mib} MiB"));
    }
    for part in ["/boot/check", "/boot/loader"] {
        if let Some(sentence) = machine.pointer(part).and_then(Value::as_str) {
            out += &wrapped(4, &format!("it {sentence}"));
        }
    }
    out
}

/// `pxeberry images`
pub fn images(answer: &Value) -> String {
    let images = list(answer, "/images");
    let keys = list(answer, "/keys");
    if images.is_empty() && keys.is_empty() {
        return "no images: put one into images/<system>/<version>/ on a stick\n".to_owned();
    }
    let mut rows = vec![["IMAGE", "ORIGIN"].map(str::to_owned)];
    rows.extend(
        images
            .iter()
            .map(|image| ["/name", "/verification/state"].map(|part| or_dash(image, part))),
    );
    let mut out = if images.is_empty() { String::new() } else { columns(&rows).concat() + "\n" };
    for image in images {
        let (name, words) = (text(image, "/name"), text(image, "/verification/words"));
        let _ = writeln!(out, "origin   {name}  {words}");
    }
    for key in keys {
        let _ = writeln!(out, "key      {}", key.as_str().unwrap_or_default());
    }
    out
}

/// `pxeberry log`
pub fn log(answer: &Value) -> String {
    let line = |line: &Value| {
        let ago = line.pointer("/ago").and_then(Value::as_u64).unwrap_or(0);
        let level = match text(line, "/level") {
            "info" => String::new(),
            level => format!("{level}: "),
        };
        hung(&format!("{:>7}  ", since(ago)), &format!("{level}{}", text(line, "/text")))
    };
    list(answer, "/lines").iter().map(line).collect()
}

/// `pxeberry log MACHINE`: each entry by what it is told apart by, and its line.
pub fn timeline(answer: &Value) -> Vec<(String, String)> {
    let number = |entry: &Value, part: &str| entry.pointer(part).and_then(Value::as_u64);
    let mut before = 0;
    let entry = |entry: &Value| {
        let (source, words) = (text(entry, "/source"), text(entry, "/words"));
        let weight = match text(entry, "/weight") {
            "info" => String::new(),
            weight => format!("{weight}: "),
        };
        let times = number(entry, "/times").unwrap_or(1);
        let often = if times > 1 { format!(" ({times} times)") } else { String::new() };
        let ago = since(number(entry, "/ago").unwrap_or(0));
        before += 1;
        let line = hung(&format!("{ago:>7}  {source:<6}  "), &format!("{weight}{words}{often}"));
        (format!("{before} {source} {words}"), line)
    };
    list(answer, "/timeline").iter().map(entry).collect()
}

/// Words of which each line stands below the first, behind `head`.
fn hung(head: &str, words: &str) -> String {
    let indent = head.chars().count();
    let text = wrapped(indent, words);
    format!("{head}{}", text.get(indent..).unwrap_or_default())
}

/// How long ago that was, as exactly as anybody wants to know.
fn since(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn row(title: &str, words: &str) -> String {
    format!("{title:<8}  {words}\n")
}

fn sticks(status: &Value) -> String {
    let several = |key: &str, one: &str| match count(status, "media", key) {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    match text(status, "/media/state") {
        "none" => "none is there".to_owned(),
        state => {
            format!("{}, {state}, {}", several("sticks", "stick"), several("images", "image"))
        }
    }
}

fn counts(status: &Value) -> String {
    let names = ["armed", "installing", "installed", "failed", "known"];
    let words = |name: &&str| match count(status, "counts", name) {
        0 => None,
        number => Some(format!("{number} {name}")),
    };
    let some: Vec<String> = names.iter().filter_map(words).collect();
    if some.is_empty() { "none is named".to_owned() } else { some.join(", ") }
}

fn count(value: &Value, part: &str, key: &str) -> u64 {
    value.pointer(&format!("/{part}/{key}")).and_then(Value::as_u64).unwrap_or(0)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn or_dash(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn is(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_of_machines_fits_into_80_columns_and_says_below_what_matters() {
        let machines = json!({ "machines": [
            {
                "name": "rack-2-node-1", "mac": "52:54:00:00:00:01", "state": "installing",
                "address": "10.10.10.184", "image": "coreos/1185.3.0",
                "next": "installing coreos/1185.3.0",
                "boot": { "words": "takes its kernel", "ago": 3, "check": null, "loader": null },
                "transfer": { "file": "linux", "sent": 1_048_576, "size": 4_194_304 },
            },
            {
                "name": null, "mac": "52:54:00:00:00:02", "state": "known", "address": null,
                "image": null, "next": "its own disk: it was disarmed", "boot": null,
                "transfer": null,
            },
        ]});
        let text = self::machines(&machines);
        let expected = "\
MACHINE        MAC                STATE       ADDRESS       IMAGE
rack-2-node-1  52:54:00:00:00:01  installing  10.10.10.184  coreos/1185.3.0
    takes its kernel, 3 s ago
    takes linux: 25 % of 4 MiB
-              52:54:00:00:00:02  known       -             -
    boots its own disk: it was disarmed
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_timeline_is_one_line_for_each_thing_that_happened() {
        let story = json!({ "timeline": [
            { "ago": 130, "source": "dhcp", "weight": "info", "words": "asks", "times": 12 },
            { "ago": 4, "source": "check", "weight": "warning", "words": "is silent", "times": 1 },
        ]});
        let lines: String = timeline(&story).into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            lines,
            "  2 min  dhcp    asks (12 times)\n    4 s  check   warning: is silent\n"
        );
    }
}
