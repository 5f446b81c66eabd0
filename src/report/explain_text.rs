//! What one machine would get, as text for people. Pure.

use std::fmt::Write;

use super::asking::Told;
use super::explain::{Explanation, Given, Script};
use super::table::{titles, words, wrapped};
use crate::inventory::cpu::Loader;
use crate::inventory::ending::Ending;

/// As much of a configuration shows whose it is.
const FIRST_LINES: usize = 12;

/// Everything that there is to say.
pub fn text(told: &Explanation) -> String {
    // Writing into a String cannot fail.
    let mut text = head(told);
    for offer in &told.dhcp {
        text.push_str(&dhcp(offer));
    }
    for script in &told.scripts {
        text.push_str(&self::script(script));
    }
    for given in &told.configs {
        text.push_str(&config(given));
    }
    text
}

fn head(told: &Explanation) -> String {
    let mut text = match &told.name {
        Some(name) => format!("{name} ({}), as if it were armed\n", told.mac),
        None => format!("{}, as if it were armed\n", told.mac),
    };
    if !told.known {
        text.push_str(&wrapped(2, "The stick does not name this card."));
    }
    if told.asked_for_serial {
        let words = "The stick names machines by their serial numbers: iPXE asks this one for \
                     its own first.";
        text.push_str(&wrapped(2, words));
    }
    if let Some(image) = told.image.as_ref().filter(|_| told.known) {
        let _ = writeln!(text, "  image {image}, disk {}", told.disk);
    }
    if let Some(ending) = told.ending.filter(|ending| told.known && *ending != Ending::None) {
        text.push_str(&wrapped(2, ending.words()));
    }
    for boots in &told.boots {
        let line = format!("{}: {}", titles(&boots.platforms), words(boots, told.install));
        text.push_str(&wrapped(2, &line));
    }
    text
}

fn dhcp(told: &Told) -> String {
    let Told { client, class, arch, .. } = told;
    let mut text = format!("\nDHCP: {client} (60 = {class}, 93 = {arch})\n");
    if told.offer.is_empty() {
        text.push_str("  no answer\n");
    }
    for field in &told.offer {
        let code = field.option.map(|code| code.to_string()).unwrap_or_default();
        let _ = writeln!(text, "  {code:>3} {:<18} {}", field.name, field.value);
    }
    text
}

fn script(script: &Script) -> String {
    let Script { path, platforms, .. } = script;
    let loader = match script.loader {
        Loader::Ipxe => "iPXE",
        Loader::Pxelinux => "PXELINUX",
        Loader::Grub => "GRUB",
    };
    let used = if script.used { "" } else { "; not what these settings lead to" };
    let mut text = format!("\n{path} ({loader} on {}{used})\n", titles(platforms));
    if let Some(file) = &script.file {
        let _ = writeln!(text, "  the stick's own {file}");
    }
    if let Some(line) = &script.command_line {
        let _ = writeln!(text, "  kernel command line: {line}");
    }
    for line in script.text.lines() {
        let _ = writeln!(text, "  | {line}");
    }
    text
}

fn config(given: &Given) -> String {
    let Given { url, size, .. } = given;
    let from = match (&given.file, given.template) {
        (Some(file), true) => format!("made by the template {file}"),
        (Some(file), false) if given.report_added => {
            format!("the stick's {file} with a report added")
        }
        (Some(file), false) => format!("the stick's {file}"),
        (None, _) => "generated".to_owned(),
    };
    let mut text = format!("\n{url}\n  {from}, {size} bytes\n");
    if let Some(why) = given.no_report {
        let words = format!("reports nothing, and a report cannot be added: {why}");
        text.push_str(&wrapped(2, &words));
    }
    if let Some(fault) = &given.fault {
        let _ = writeln!(text, "  not given out: {fault}");
    }
    let lines: Vec<&str> = given.text.iter().flat_map(|text| text.lines()).collect();
    for line in lines.iter().take(FIRST_LINES) {
        let _ = writeln!(text, "  | {line}");
    }
    if let Some(more) = lines.len().checked_sub(FIRST_LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "  … {more} more lines");
    }
    text
}
