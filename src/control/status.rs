//! What the appliance does and sees, as data for the panel, the command line and the page.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use crate::boot::plan::{Media, Plan};
use crate::confine::{self, Confinement};
use crate::dhcp::Seconds;
use crate::dhcp::shape::Talk;
use crate::fleet::life::Phase;
use crate::fleet::stage::{self, Stage};
use crate::inventory::{Image, Inventory, Problem};
use crate::net::{Mac, iface};
use crate::panel::pattern::{State, table};
use crate::verify::Verdicts;
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
    /// Everything that holds now, by the names of `panel::State`.
    pub conditions: Vec<State>,
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
    /// Every machine that a stick names.
    pub machines: Vec<MachineStatus>,
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
    /// How many images serve.
    pub images: usize,
    /// How many machines are named.
    pub machines: usize,
    /// `coreos/1185.3.0`, newest first.
    pub names: Vec<String>,
    /// What is known of the images' origin, in the same order.
    pub verification: Vec<Verification>,
    /// Whose keys are on the sticks: fingerprints with names.
    pub keys: Vec<String>,
    /// What a person should look at.
    pub problems: Vec<Problem>,
}

/// What is known of the origin of an image: of that file of it which matters most.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// `coreos/1185.3.0`
    pub image: String,
    /// `verified`, `waiting`, `bad`, …: the name of a `verify::Verdict`; `off` if nothing is
    /// looked at.
    pub state: &'static str,
    /// Per cent of the file that is being read.
    pub percent: Option<u8>,
    /// Of the key that signed it.
    pub fingerprint: Option<String>,
    /// The same for people.
    pub words: String,
}

impl Verification {
    /// Of one image.
    pub fn of(image: &Image, inventory: &Inventory, verdicts: &Verdicts) -> Verification {
        let Some(report) = verdicts.report_of(image, inventory) else {
            let words = "not looked at".to_owned();
            return Verification {
                image: image.name(),
                state: "off",
                percent: None,
                fingerprint: None,
                words,
            };
        };
        let words = match (&report.percent, report.verdict.signer()) {
            (Some(percent), _) => format!("{}: being verified, {percent} %", report.path),
            // All of them: the one that is told of is the worst.
            (None, Some(_)) => report.verdict.to_string(),
            (None, None) => format!("{}: {}", report.path, report.verdict),
        };
        Verification {
            image: image.name(),
            state: report.verdict.name(),
            percent: report.percent,
            fingerprint: report.verdict.signer().map(|signer| signer.fingerprint.clone()),
            words,
        }
    }
}

/// One machine.
#[derive(Debug, Serialize)]
pub struct MachineStatus {
    /// One of its cards.
    pub mac: Mac,
    /// For people.
    pub name: Option<String>,
    /// Where it is in its life.
    pub state: &'static str,
    /// Its address now.
    pub address: Option<Ipv4Addr>,
    /// How often it was given the installer since it was armed.
    pub attempts: u8,
    /// What it would boot from the network now, and why: the plan, in words.
    pub next: String,
    /// How far its last network boot came; none since the servers started.
    pub boot: Option<BootStatus>,
}

/// A machine's last network boot.
#[derive(Debug, Serialize)]
pub struct BootStatus {
    /// The furthest step.
    pub stage: Stage,
    /// The same in words.
    pub words: &'static str,
    /// Seconds since the machine was last seen.
    pub ago: Seconds,
    /// Each step with the seconds since it was reached: this box has no clock.
    pub steps: Vec<(Stage, Seconds)>,
    /// Where it stopped, and what to check.
    pub check: Option<String>,
    /// What is known of the iPXE that it runs.
    pub loader: Option<&'static str>,
}

/// The state as it is now.
pub fn status(world: &World) -> Status {
    let shelf = world.shelf();
    let link = iface::has_link(&world.interface);
    let machines: Vec<MachineStatus> =
        shelf.inventory.machines().map(|(mac, _)| machine(world, mac)).collect();
    let media = match world.media_of(&shelf) {
        _ if !shelf.refused.is_empty() => "refused",
        _ if shelf.scanning => "scanning",
        Media::Starting => "scanning",
        Media::None => "none",
        Media::Refused => "refused",
        Media::Ready => "ready",
    };
    let config = config_problem().map(|message| Problem::new("pxeberry.toml", message));
    let sticks = shelf.refused.iter().chain(&shelf.inventory.problems).cloned();
    let problems = config.into_iter().chain(sticks).collect();
    let dhcp = dhcp(world);
    let conditions = conditions(world);
    Status {
        version: env!("CARGO_PKG_VERSION"),
        headline: headline(&conditions),
        conditions,
        memory_kib: memory_kib(),
        confinement: confine::in_force(),
        interface: Interface {
            name: world.interface.clone(),
            link,
            address: world.own_subnet().to_string(),
        },
        dhcp,
        media: Sticks {
            state: media,
            images: shelf.inventory.images.len(),
            machines: machines.len(),
            verification: verification(&shelf),
            keys: shelf.verdicts.keys().iter().map(ToString::to_string).collect(),
            names: shelf.inventory.images.iter().map(|image| image.name()).collect(),
            problems,
        },
        machines,
        boots: boots(world),
    }
}

fn verification(shelf: &Shelf) -> Vec<Verification> {
    let inventory = &shelf.inventory;
    let of = |image| Verification::of(image, inventory, &shelf.verdicts);
    inventory.images.iter().map(of).collect()
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

fn machine(world: &World, mac: Mac) -> MachineStatus {
    let shelf = world.shelf();
    MachineStatus {
        mac,
        name: shelf.inventory.machine(mac).and_then(|machine| machine.name.clone()),
        state: match world.phase(mac) {
            None => "not-armed",
            Some(Phase::Armed) => "armed",
            Some(Phase::Installing) => "installing",
            Some(Phase::Delivered) => "delivered",
            Some(Phase::Installed) => "installed",
            Some(Phase::Failed) => "failed",
        },
        address: world.address_of(mac).map(|binding| binding.address),
        attempts: world.attempts(mac),
        next: next(world.plan(mac)),
        boot: world.boot_of(mac).map(|boot| boot_status(world, mac, &boot)),
    }
}

fn next(plan: Plan) -> String {
    match plan {
        Plan::Install(install) => format!("{} {}", install.verb(), install.image),
        Plan::LocalBoot(reason) => format!("its own disk: {reason}"),
        Plan::Wait => "waits until the stick is read and its image verified".to_owned(),
        Plan::Menu => "a menu".to_owned(),
    }
}

fn boot_status(world: &World, mac: Mac, boot: &stage::Boot) -> BootStatus {
    let ago = |at: Seconds| world.now().saturating_sub(at);
    BootStatus {
        stage: boot.stage,
        words: boot.stage.words(),
        ago: ago(boot.last()),
        steps: boot.steps().map(|(stage, at)| (stage, ago(at))).collect(),
        check: boot.words(),
        loader: world.with_fleet(|fleet| fleet.loaders.trial(mac)?.words()),
    }
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
    let shelf = world.shelf();
    let role = world.role();
    let media = world.media_of(&shelf);
    let cards = shelf.inventory.machines().map(|(mac, _)| mac);
    let phases: Vec<Phase> = cards.filter_map(|mac| world.phase(mac)).collect();
    let any = |wanted: &[Phase]| phases.iter().any(|phase| wanted.contains(phase));
    let scanning = shelf.scan_began.is_some_and(|began| began.elapsed() < SCAN_TOLD);
    let scanning = scanning || shelf.scanning;
    let at_work = media == Media::Ready && matches!(role, Role::Server | Role::Proxy(_));
    let all = [
        (State::NoLink, !iface::has_link(&world.interface)),
        (State::Booting, role == Role::Probing),
        (State::Scanning, scanning || media == Media::Starting),
        (State::ConfigError, config_problem().is_some()),
        (State::StickError, !shelf.refused.is_empty() && !shelf.scanning),
        (State::MachineFailed, any(&[Phase::Failed])),
        (State::OtherDhcp, world.was_displaced()),
        (State::NoAddress, matches!(role, Role::Silent(_))),
        (State::NoStick, media == Media::None),
        (State::Installing, any(&[Phase::Installing, Phase::Delivered])),
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

/// What the LEDs say, in words.
fn headline(conditions: &[State]) -> String {
    let foremost = State::foremost(conditions.iter().copied());
    let entry = table().iter().find(|entry| Some(entry.state) == foremost);
    entry.map_or_else(|| "Starting.".to_owned(), |entry| sentence(entry.meaning))
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str().trim_end_matches('.'))
}

/// Resident memory of this process, in KiB (`VmRSS` of proc(5)).
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}
