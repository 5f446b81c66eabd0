//! What a stick would serve, as text for people: tables that fit into 80 columns, then a
//! line for each thing that programs like to search for. Pure.

use std::fmt::Write;

use super::stick::{Boots, Contents, ImageLine, MachineLine};
use crate::boot::arch::Platform;
use crate::inventory::Install;
use crate::inventory::cpu::Cpu;

/// What every terminal has.
const WIDTH: usize = 80;

/// Everything that there is to say.
pub fn text(contents: &Contents) -> String {
    // Writing into a String cannot fail.
    let mut text = String::new();
    if !contents.images.is_empty() {
        text.push_str(&images(&contents.images));
    }
    if !contents.machines.is_empty() {
        text.push_str(if text.is_empty() { "" } else { "\n" });
        text.push_str(&machines(&contents.machines));
    }
    let mut lines = String::new();
    for key in &contents.keys {
        let _ = writeln!(lines, "key      {key}");
    }
    for found in &contents.origins {
        let _ = writeln!(lines, "origin   {}: {}", found.path, found.words);
    }
    for problem in &contents.problems {
        let _ = writeln!(lines, "problem  {problem}");
    }
    for hint in &contents.hints {
        let _ = writeln!(lines, "hint     {hint}");
    }
    for problem in &contents.refused {
        let _ = writeln!(lines, "refused  {problem}");
    }
    if text.is_empty() && lines.is_empty() {
        return "nothing here that pxeberry could serve\n".to_owned();
    }
    text.push_str(if text.is_empty() || lines.is_empty() { "" } else { "\n" });
    text + &lines
}

/// `BIOS`
pub fn title(platform: Platform) -> &'static str {
    match platform {
        Platform::Bios => "BIOS",
        Platform::Efi32 => "UEFI x86",
        Platform::Efi64 => "UEFI x64",
        Platform::EfiArm64 => "UEFI arm64",
        Platform::Other => "others",
    }
}

/// `BIOS, UEFI x64`
pub fn titles(platforms: &[Platform]) -> String {
    platforms.iter().map(|platform| title(*platform)).collect::<Vec<_>>().join(", ")
}

/// Words in lines of the terminal's width, each behind so many blanks.
pub fn wrapped(indent: usize, words: &str) -> String {
    let mut text = String::new();
    let mut length = 0;
    for word in words.split(' ') {
        let needed = word.chars().count() + 1;
        if length == 0 || length + needed > WIDTH {
            let break_ = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{break_}{:indent$}{word}", "");
            length = indent + needed - 1;
        } else {
            let _ = write!(text, " {word}");
            length += needed;
        }
    }
    text + "\n"
}

/// What some kinds of firmware boot, in words.
pub fn words(boots: &Boots, install: Install) -> String {
    let what = match (boots.what, install) {
        ("install", Install::Always) => "installs it, every time",
        ("install", _) => "installs it, once",
        ("live", _) => "runs it in memory, every time",
        ("menu", _) => "a menu that starts nothing by itself",
        _ => "its own disk",
    };
    let reason = boots.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match boots.missing.as_slice() {
        [] => format!("{what}{reason}"),
        names => format!("{what}, in vain: not on the stick: {}", names.join(", ")),
    }
}

fn images(images: &[ImageLine]) -> String {
    let mut rows = vec![["IMAGE", "FOR", "FILES", "ORIGIN"].map(str::to_owned)];
    rows.extend(images.iter().map(|image| {
        let processors: Vec<&str> = image.processors.iter().map(|cpu| cpu_name(*cpu)).collect();
        let origin = image.origin.as_ref();
        [
            format!("{}/{}", image.system, image.version),
            processors.join(", "),
            image.files.to_string(),
            origin.map_or_else(|| "-".to_owned(), |origin| short(origin.verdict, &origin.words)),
        ]
    }));
    columns(&rows).concat()
}

/// The lines about the files say it whole.
fn short(verdict: &str, words: &str) -> String {
    match verdict {
        "good" => "verified".to_owned(),
        "checksum" => "checksum only".to_owned(),
        "no-key" => "signed, key not on the stick".to_owned(),
        "bad" => "BAD".to_owned(),
        "unreadable" => "cannot be read".to_owned(),
        _ => words.to_owned(),
    }
}

fn cpu_name(cpu: Cpu) -> &'static str {
    match cpu {
        Cpu::X86 => "x86",
        Cpu::X86_64 => "x86_64",
        Cpu::Arm64 => "arm64",
        Cpu::Other => "other",
    }
}

fn machines(machines: &[MachineLine]) -> String {
    let mut rows = vec![["MACHINE", "KNOWN BY", "IMAGE", "DISK"].map(str::to_owned)];
    rows.extend(machines.iter().map(|machine| {
        [
            machine.name.clone().unwrap_or_else(|| "-".to_owned()),
            known_by(machine).next().cloned().unwrap_or_default(),
            machine.image.clone().unwrap_or_else(|| "-".to_owned()),
            machine.disk.trim_start_matches("the disk with ").to_owned(),
        ]
    }));
    let lines = columns(&rows);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        text.push_str(line);
        let machine = number.checked_sub(1).and_then(|number| machines.get(number));
        text.push_str(&machine.map(below).unwrap_or_default());
    }
    text
}

/// One thing stands in the table, the others below.
fn known_by(machine: &MachineLine) -> impl Iterator<Item = &String> {
    machine.macs.iter().chain(&machine.rule)
}

fn below(machine: &MachineLine) -> String {
    let more: Vec<&str> = known_by(machine).skip(1).map(String::as_str).collect();
    let mut text = String::new();
    if !more.is_empty() {
        text.push_str(&wrapped(4, &format!("also known by {}", more.join(", "))));
    }
    for boots in &machine.boots {
        let words = words(boots, machine.install);
        let line = match machine.boots.len() {
            1 => words,
            _ => format!("{}: {words}", titles(&boots.platforms)),
        };
        text.push_str(&wrapped(4, &line));
    }
    text
}

/// Each row as a line, every column as wide as its widest cell.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |cell: &String| cell.chars().count();
    let mut widths = [0; N];
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, widest)| format!("{cell:<widest$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bcd", "e"], ["fé", "g", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), ["a   bcd  e\n", "fé  g\n"]);
    }

    #[test]
    fn sentences_stay_within_80_columns() {
        let text = wrapped(4, &"word ".repeat(40));
        assert!(text.lines().count() > 2, "{text}");
        for line in text.lines() {
            assert!(line.starts_with("    word") && line.len() <= WIDTH, "{line:?}");
        }
        assert_eq!(wrapped(2, "one two"), "  one two\n");
    }
}
