//! What the appliance does and sees, as data for the panel, the command line and the page.

use std::time::Duration;

use serde::Serialize;

use super::machines::Counts;
use crate::boot::plan::Media;
use crate::confine::{self, Confinement};
use crate::dhcp::shape::Talk;
use crate::inventory::Problem;
use crate::net::{Mac, iface};
use crate::panel::pattern::{Entry, State, table};
use crate::world::{Role, Shelf, World};

/// A small stick is read between two questions of the panel, which asks twice a second. A
/// person who has plugged one in, or pressed the button, is told all the same.
const SCAN_TOLD: Duration = Duration::from_millis(800);

/// The whole state.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Of the program.
    pub version: &'static str,
    /// The state in one sentence.
    pub headline: String,
    /// What the LEDs show.
    pub leds: Leds,
    /// Everything that holds now, by the names of `panel::State`.
    pub conditions: Vec<State>,
    /// Another number after each change.
    pub revision: u64,
    /// Resident memory of the servers, in KiB.
    pub memory_kib: u64,
    /// What the servers have given up.
    pub confinement: Confinement,
    /// Where we serve.
    pub interface: Interface,
    /// What we are to the LAN.
    pub dhcp: Dhcp,
    /// The sticks.
    pub media: Sticks,
    /// How many of the machines that a stick names are where.
    pub counts: Counts,
    /// How firmware takes its boot file beside another DHCP server, latest first.
    pub boots: Vec<Boot>,
}

/// What was seen of a machine's firmware beside another DHCP server.
#[derive(Debug, Serialize)]
pub struct Boot {
    /// Its card.
    pub mac: Mac,
    /// For people.
    pub name: Option<String>,
    /// What it does, and what was done about that.
    pub seen: &'static str,
}

/// The page is for looking, not for records.
const MOST_BOOTS: usize = 32;

/// Where we serve.
#[derive(Debug, Serialize)]
pub struct Interface {
    /// `eth0`
    pub name: String,
    /// Whether a cable with something alive is in it.
    pub link: bool,
    /// `10.10.10.1/24`
    pub address: String,
    /// `pxeberry.local`, while multicast DNS leads there.
    pub hostname: Option<String>,
}

/// What we are to the LAN.
#[derive(Debug, Serialize)]
pub struct Dhcp {
    /// `probing`, `server`, `proxy` or `silent`.
    pub role: &'static str,
    /// Why, in one sentence.
    pub reason: String,
}

/// The sticks.
#[derive(Debug, Serialize)]
pub struct Sticks {
    /// `none`, `scanning`, `ready` or `refused`.
    pub state: &'static str,
    /// How many there are.
    pub sticks: usize,
    /// How many images serve.
    pub images: usize,
    /// How many machines are named.
    pub machines: usize,
    /// How many things a person should look at.
    pub problems: usize,
}

/// What the LEDs show, and what to do about it.
#[derive(Debug, Serialize)]
pub struct Leds {
    /// The ones that blink together.
    pub colours: Vec<&'static str>,
    /// How they blink, in words.
    pub pattern: &'static str,
    /// What to do about it.
    pub action: &'static str,
}

/// The state as it is now.
pub fn status(world: &World) -> Status {
    // Before anything is looked at: what changes meanwhile is another revision.
    let revision = world.revision();
    let shelf = world.shelf();
    let counts = Counts::of(world);
    let conditions = conditions_with(world, &counts);
    Status {
        version: env!("CARGO_PKG_VERSION"),
        headline: headline(&conditions),
        leds: leds(&conditions),
        revision,
        memory_kib: memory_kib(),
        confinement: confine::in_force(),
        interface: Interface {
            name: world.interface.clone(),
            link: iface::has_link(&world.interface),
            address: world.own_subnet().to_string(),
            hostname: world.called(),
        },
        dhcp: dhcp(world),
        media: Sticks {
            state: media(world, &shelf),
            sticks: shelf.sticks,
            images: shelf.inventory.images.len(),
            machines: counts.all(),
            problems: problems(world).len(),
        },
        conditions,
        counts,
        boots: boots(world),
    }
}

fn media(world: &World, shelf: &Shelf) -> &'static str {
    match world.media_of(shelf) {
        _ if !shelf.refused.is_empty() => "refused",
        _ if shelf.scanning => "scanning",
        Media::Starting => "scanning",
        Media::None => "none",
        Media::Refused => "refused",
        Media::Ready => "ready",
    }
}

/// What a person should look at: settings first, then what keeps a stick from serving.
pub fn problems(world: &World) -> Vec<Problem> {
    let shelf = world.shelf();
    let config = config_problem().map(|message| Problem::new("pxeberry.toml", message));
    let config = config.into_iter().chain(world.config.admin.in_clear.then(in_clear));
    let sticks = shelf.refused.iter().chain(&shelf.inventory.problems).cloned();
    config.chain(sticks).collect()
}

/// Whoever has the card in his hand reads it.
fn in_clear() -> Problem {
    Problem::new(
        "pxeberry.toml",
        "the admin's password stands there in clear; `pxeberry hash-password` makes what can \
         stand there instead",
    )
}

fn boots(world: &World) -> Vec<Boot> {
    let talks = world.with_fleet(|fleet| fleet.shapes.talks());
    let inventory = world.shelf().inventory;
    let boot = |(mac, talk): (Mac, Talk)| Boot {
        mac,
        name: inventory.machine(mac).and_then(|machine| machine.name.clone()),
        seen: talk.words(),
    };
    talks.into_iter().take(MOST_BOOTS).map(boot).collect()
}

fn dhcp(world: &World) -> Dhcp {
    let (role, reason) = match world.role() {
        Role::Probing => ("probing", "looking for another DHCP server".to_owned()),
        Role::Server => {
            ("server", format!("giving addresses from {}", world.config.server.local.pool))
        }
        Role::Proxy(Some(other)) => {
            ("proxy", format!("{other} gives the addresses, this box the boot files"))
        }
        Role::Proxy(None) => ("proxy", "mode = \"proxy\": gives boot files only".to_owned()),
        Role::Silent(Some(other)) => {
            ("silent", format!("{other} gives addresses here, and has none for this box yet"))
        }
        Role::Silent(None) => ("silent", "no DHCP server has an address for this box".to_owned()),
    };
    Dhcp { role, reason }
}

/// Everything that holds now; never empty. The panel shows the most important one.
pub fn conditions(world: &World) -> Vec<State> {
    conditions_with(world, &Counts::of(world))
}

fn conditions_with(world: &World, counts: &Counts) -> Vec<State> {
    let shelf = world.shelf();
    let role = world.role();
    let media = world.media_of(&shelf);
    let scanning = shelf.scan_began.is_some_and(|began| began.elapsed() < SCAN_TOLD);
    let scanning = scanning || shelf.scanning;
    let at_work = media == Media::Ready && matches!(role, Role::Server | Role::Proxy(_));
    let all = [
        (State::Booting, role == Role::Probing),
        (State::NoLink, !iface::has_link(&world.interface)),
        (State::Scanning, scanning || media == Media::Starting),
        (State::ConfigError, config_problem().is_some()),
        (State::StickError, !shelf.refused.is_empty() && !shelf.scanning),
        (State::MachineFailed, counts.failed > 0),
        (State::OtherDhcp, world.was_displaced()),
        (State::NoAddress, matches!(role, Role::Silent(_))),
        (State::NoStick, media == Media::None),
        (State::Installing, counts.installing > 0),
        (State::Serving, world.transfers.count() > 0),
        (State::Verifying, shelf.verdicts.at_work()),
        (State::Ready, at_work),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(state, _)| state).collect()
}

/// The mistake in pxeberry.toml that PID 1 found; the last good one is in force then.
fn config_problem() -> Option<String> {
    let text = std::fs::read_to_string("/run/pxeberry/config-problem").ok()?;
    Some(text.trim().to_owned())
}

/// The line of the table that the LEDs show; the panel asks for the same conditions.
pub fn shown(conditions: &[State]) -> Option<&'static Entry> {
    let foremost = State::foremost(conditions.iter().copied());
    table().iter().find(|entry| Some(entry.state) == foremost)
}

fn leds(conditions: &[State]) -> Leds {
    let Some(entry) = shown(conditions) else {
        return Leds { colours: Vec::new(), pattern: "off", action: "Wait." };
    };
    Leds { colours: entry.leds.lit(), pattern: entry.pattern, action: entry.action }
}

/// What the LEDs say, in words.
fn headline(conditions: &[State]) -> String {
    let entry = shown(conditions);
    entry.map_or_else(|| "Starting.".to_owned(), |entry| sentence(entry.meaning))
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str().trim_end_matches('.'))
}

/// Resident memory of this process, in KiB (`VmRSS` of proc(5)).
pub fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}
