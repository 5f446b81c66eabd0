//! The machines, those first that a person should look at; a page at a time.

use std::cmp::Reverse;
use std::fmt::Write;

use super::words::{Safe, capital, percent, since, size};
use crate::control::machines::{Machine, State};

/// A room is seen at a glance; a few racks take some pages.
const PAGE: usize = 60;

/// Bytes of what somebody looks for.
const LONGEST_SEARCH: usize = 64;

/// Which of them are wanted: `?show=failed&find=web&page=2`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    show: Option<Group>,
    find: String,
    page: usize,
}

/// What is told apart at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Group {
    Failed,
    Installing,
    Armed,
    Known,
    Installed,
    Seen,
}

impl Group {
    const ALL: [Group; 6] = [
        Group::Failed,
        Group::Installing,
        Group::Armed,
        Group::Known,
        Group::Installed,
        Group::Seen,
    ];

    fn of(state: State) -> Group {
        match state {
            State::Failed => Group::Failed,
            State::Installing | State::Delivered => Group::Installing,
            State::Armed => Group::Armed,
            State::Known => Group::Known,
            State::Installed => Group::Installed,
            State::Seen => Group::Seen,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Group::Failed => "failed",
            Group::Installing => "installing",
            Group::Armed => "armed",
            Group::Known => "known",
            Group::Installed => "installed",
            Group::Seen => "seen",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Group::Failed => "bad",
            Group::Installing => "amber",
            Group::Installed => "green",
            Group::Armed | Group::Known | Group::Seen => "calm",
        }
    }
}

impl Wanted {
    /// Of a request's query; what is not understood is as if it were not there.
    pub fn parse(query: &str, value: impl Fn(&str, &str) -> String) -> Wanted {
        let show = value(query, "show");
        let mut find = value(query, "find").replace('+', " ").trim().to_lowercase();
        while find.len() > LONGEST_SEARCH {
            find.pop();
        }
        Wanted {
            show: Group::ALL.into_iter().find(|group| group.name() == show),
            find,
            page: value(query, "page").parse().unwrap_or(1).clamp(1, 1_000),
        }
    }

    fn has(&self, machine: &Machine) -> bool {
        let text = |text: &str| text.to_lowercase().contains(&self.find);
        let found = self.find.is_empty()
            || machine.name.as_deref().is_some_and(text)
            || machine.macs.iter().any(|mac| text(&mac.to_string()))
            || machine.address.is_some_and(|address| text(&address.to_string()))
            || machine.image.as_deref().is_some_and(text);
        found && self.show.is_none_or(|group| group == Group::of(machine.state))
    }

    /// The same, another part of it.
    fn link(&self, show: Option<Group>, page: usize) -> String {
        let mut link = "/?".to_owned();
        if let Some(group) = show {
            let _ = write!(link, "show={}&amp;", group.name());
        }
        if !self.find.is_empty() {
            let _ = write!(link, "find={}&amp;", encoded(&self.find));
        }
        if page > 1 {
            let _ = write!(link, "page={page}&amp;");
        }
        link.trim_end_matches("&amp;").trim_end_matches('?').to_owned() + "#machines"
    }
}

/// All of them, in order, and what to choose from.
pub fn list(machines: &[Machine], wanted: &Wanted) -> String {
    if machines.is_empty() {
        return "<h2 id=machines>Machines</h2><div class=\"card empty\"><b>No machine yet</b>\
            Name one in <code>machines.toml</code> on the stick, or switch on a machine that \
            boots from the network: it shows up here.</div>"
            .to_owned();
    }
    let mut all: Vec<&Machine> = machines.iter().filter(|machine| wanted.has(machine)).collect();
    all.sort_by_key(|machine| {
        let moves = machine.transfer.is_some();
        let stuck = machine.boot.as_ref().is_some_and(|boot| boot.check.is_some());
        (Group::of(machine.state), Reverse(moves), Reverse(stuck), machine.name.is_none())
    });
    let pages = all.len().div_ceil(PAGE).max(1);
    let page = wanted.page.min(pages);
    let mut html = format!("<h2 id=machines>Machines <small>{}</small></h2>", machines.len());
    html.push_str(&chips(machines, wanted));
    let shown = all.iter().skip((page - 1) * PAGE).take(PAGE);
    let rows: String = shown.map(|machine| row(machine)).collect();
    match rows.is_empty() {
        true => html.push_str("<div class=\"card empty\"><b>None of them</b>fits.</div>"),
        false => {
            let _ = write!(html, "<ul class=\"card list rows\">{rows}</ul>");
        }
    }
    html + &turn(wanted, page, pages)
}

fn chips(machines: &[Machine], wanted: &Wanted) -> String {
    let mut html = "<div class=\"bar pick\"><ul class=chips>".to_owned();
    let mut chip = |group: Option<Group>, count: usize| {
        let current = if wanted.show == group { " aria-current=true" } else { "" };
        let (name, colour) = group.map_or(("all", ""), |group| (group.name(), group.colour()));
        let dot = match group {
            Some(_) => format!("<i class=\"dot {colour}\"></i>"),
            None => String::new(),
        };
        let link = wanted.link(group, 1);
        let _ = write!(html, "<li><a href=\"{link}\"{current}>{dot}{name} <b>{count}</b></a></li>");
    };
    chip(None, machines.len());
    for group in Group::ALL {
        let count = machines.iter().filter(|machine| Group::of(machine.state) == group).count();
        if count > 0 || wanted.show == Some(group) {
            chip(Some(group), count);
        }
    }
    html.push_str("</ul>");
    if machines.len() > 12 || !wanted.find.is_empty() {
        let _ = write!(
            html,
            "<form class=find role=search action=\"/#machines\"><input type=search name=find \
             aria-label=\"Find a machine\" placeholder=\"Name, MAC, address\" value=\"{}\">\
             <button>Find</button></form>",
            Safe(&wanted.find)
        );
    }
    html + "</div>"
}

fn row(machine: &Machine) -> String {
    let mac = machine.mac;
    let id = path_of(machine);
    let class = if machine.state == State::Failed { " class=failed" } else { "" };
    let name = match &machine.name {
        Some(name) => {
            format!("<a href=/machines/{id}>{}</a><span class=mono>{mac}</span>", Safe(name))
        }
        None => format!("<a class=mono href=/machines/{id}>{mac}</a>"),
    };
    format!(
        "<li id=m-{id}{class}><div class=who>{name}</div><div>{}</div><div>{}</div></li>",
        pill(machine),
        doing(machine)
    )
}

/// The machine's name in our own paths.
pub fn path_of(machine: &Machine) -> String {
    machine.mac.to_string().replace(':', "-")
}

/// Its state, in a colour and in words.
pub fn pill(machine: &Machine) -> String {
    let colour = Group::of(machine.state).colour();
    let name = machine.state.name();
    format!("<span class=\"pill {colour}\"><i class=dot></i>{name}</span>")
}

/// What it does now: its download, where it stopped, what it did last, or what comes next.
pub fn doing(machine: &Machine) -> String {
    if let Some(transfer) = &machine.transfer {
        let (sent, all) = (transfer.sent.min(transfer.size), transfer.size.max(1));
        let file = transfer.file.rsplit('/').next().unwrap_or_default();
        return format!(
            "<progress max={all} value={sent} aria-label=\"Download of {0}\"></progress>\
             <small><b>{0}</b> {1} of {2}, {3} %</small>",
            Safe(file),
            size(sent),
            size(transfer.size),
            percent(sent, transfer.size)
        );
    }
    let mut html = String::new();
    if let Some(boot) = &machine.boot {
        for sentence in boot.check.as_deref().into_iter().chain(boot.loader) {
            let _ = write!(html, "<div class=check>It {}</div>", Safe(sentence));
        }
        let words = capital(boot.words);
        let _ = write!(html, "<div>{words} <small>{}</small></div>", since(boot.ago));
    }
    let _ = write!(html, "<small>Next boot: {}</small>", Safe(&machine.next));
    html
}

fn turn(wanted: &Wanted, page: usize, pages: usize) -> String {
    if pages == 1 {
        return String::new();
    }
    let mut html = format!("<nav class=bar aria-label=Pages><span>Page {page} of {pages}</span>");
    for (there, word) in [(page.checked_sub(1), "Previous"), (Some(page + 1), "Next")] {
        if let Some(there) = there.filter(|there| (1..=pages).contains(there)) {
            let link = wanted.link(wanted.show, there);
            let _ = write!(html, "<a class=button href=\"{link}\">{word}</a>");
        }
    }
    html + "</nav>"
}

/// For a URL.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
