//! One machine: what it does, what can be done with it, and all that happened to it.

use std::fmt::Write;

use super::frame::{Frame, Visitor, frame};
use super::machines::{doing, path_of, pill};
use super::words::{Safe, since};
use crate::control::machines::{Entry, Machine, State, Story};
use crate::fleet::stage::Stage;
use crate::fleet::timeline::{Source, Weight};

/// All that the page shows.
pub struct Told<'a> {
    /// The machine.
    pub story: &'a Story,
    /// The number of that state.
    pub revision: u64,
    /// Whether packets of it are kept: of the last attempt that failed, else the last ones.
    pub has_capture: bool,
}

/// The page.
pub fn machine(told: &Told, visitor: &Visitor) -> String {
    let machine = &told.story.machine;
    let called = machine.name.clone().unwrap_or_else(|| machine.mac.to_string());
    let mut main = format!(
        "<p><a href=/#machines>← All machines</a></p><section class=card><div class=\"hero one\">\
         <div><h1>{}</h1><p class=\"mono soft\">{}</p></div><div>{}</div></div>",
        Safe(&called),
        machine.macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · "),
        pill(machine)
    );
    let failed = if machine.state == State::Failed { " failed" } else { "" };
    let _ = write!(
        main,
        "<div class=\"facts{failed}\"><div class=grow>{}{}</div></div></section>",
        steps(machine),
        doing(machine)
    );
    main.push_str(&actions(told, visitor));
    main.push_str("<h2>What happened</h2>");
    main.push_str(&timeline(&told.story.timeline));
    let _ = write!(main, "<h2>What is known</h2><dl class=card>{}</dl>", facts(machine));
    let busy = machine.transfer.is_some();
    frame(Frame { title: &called, main, revision: Some(told.revision), busy }, visitor)
}

/// How far its last boot came, as a row of steps.
fn steps(machine: &Machine) -> String {
    let Some(boot) = &machine.boot else {
        return String::new();
    };
    let reached = Stage::ALL.iter().position(|stage| *stage == boot.stage).unwrap_or(0);
    let stopped = boot.check.is_some();
    let label = format!("Step {} of {}: {}", reached + 1, Stage::ALL.len(), boot.words);
    let mut html = format!("<div class=steps role=img aria-label=\"{label}\">");
    for (index, _) in Stage::ALL.iter().enumerate() {
        html.push_str(match index {
            _ if index == reached && stopped => "<i class=stop></i>",
            _ if index <= reached => "<i class=on></i>",
            _ => "<i></i>",
        });
    }
    html + "</div>"
}

fn actions(told: &Told, visitor: &Visitor) -> String {
    let machine = &told.story.machine;
    let Some(form) = &visitor.form else {
        return match visitor.possible {
            true => {
                "<div class=bar><a class=button href=/login>Sign in to arm or wake it</a></div>"
                    .to_owned()
            }
            false => String::new(),
        };
    };
    let id = path_of(machine);
    let post = |act: &str, word: &str, class: &str| {
        format!(
            "<form method=post action=/machines/{id}/{act}><input type=hidden name=token \
             value={form}><button{class}>{word}</button></form>"
        )
    };
    let mut html = "<div class=\"bar acts\">".to_owned();
    let named = machine.state != State::Seen;
    if named && machine.state != State::Armed {
        let image = machine.image.as_deref().unwrap_or("its image");
        let _ = write!(
            html,
            "<details id=arm><summary class=button>Install it again …</summary>\
             <div class=\"card ask\"><p>Its next network boot <b>wipes its disk</b> and installs {}.</p>\
             {}</div></details>",
            Safe(image),
            post("arm", "Arm it", " class=main")
        );
    }
    if matches!(machine.state, State::Armed | State::Installing | State::Delivered) {
        html.push_str(&post("disarm", "Disarm", ""));
    }
    html.push_str(&post("wake", "Wake it", ""));
    if told.has_capture {
        let _ = write!(
            html,
            "<a class=button href=/api/v1/machines/{id}/capture download={id}.pcap>Packets of its \
             network boot</a>"
        );
    }
    html + "</div>"
}

fn timeline(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "<div class=\"card empty\"><b>Nothing yet</b>since this box started.</div>"
            .to_owned();
    }
    let mut html = "<ol class=\"card time\">".to_owned();
    for entry in entries.iter().rev() {
        let class = match entry.weight {
            Weight::Info if entry.source == Source::Life || entry.source == Source::Report => "ok",
            Weight::Info => "info",
            Weight::Warning => "warning",
            Weight::Error => "error",
        };
        let times = match entry.times {
            0 | 1 => String::new(),
            times => format!(" <small>{times} times</small>"),
        };
        let _ = write!(
            html,
            "<li class={class}><time>{}</time><span><span class=w>{}</span>{times}\
             <span class=src>{}</span></span></li>",
            since(entry.ago),
            Safe(&entry.words),
            source(entry.source)
        );
    }
    html + "</ol>"
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Dhcp => "DHCP",
        Source::Tftp => "TFTP",
        Source::Http => "HTTP",
        Source::Script => "boot script",
        Source::Config => "configuration",
        Source::Report => "its own word",
        Source::Syslog => "installer’s log",
        Source::Life => "life",
        Source::Check => "to check",
    }
}

fn facts(machine: &Machine) -> String {
    let facts = &machine.facts;
    let secure = facts.secure_boot.map(|on| if on { "on" } else { "off" }.to_owned());
    let attempts = (machine.attempts > 0).then(|| format!("{} of 3", machine.attempts));
    let rows = [
        ("Address", machine.address.map(|address| address.to_string())),
        ("Image", machine.image.clone()),
        ("Attempts", attempts),
        ("Next boot", Some(machine.next.clone())),
        ("Firmware", facts.firmware.clone()),
        ("Processor", facts.arch.clone()),
        ("Secure Boot", secure),
        ("Memory", facts.memory_mib.map(|memory| format!("{memory} MiB"))),
        ("Network card", facts.nic.clone()),
        ("Loader", facts.loader.clone()),
    ];
    let known = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", Safe(value))).collect()
}
