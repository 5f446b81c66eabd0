//! The machines as data: where each is in its life, and how far its last boot came.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;

use crate::boot::plan::Plan;
use crate::dhcp::Seconds;
use crate::fleet::facts::Facts;
use crate::fleet::life::Phase;
use crate::fleet::stage::{self, Stage};
use crate::fleet::timeline::{self, Source, Weight};
use crate::inventory::{Install, Inventory, Machine as Named};
use crate::net::Mac;
use crate::world::transfers::Progress;
use crate::world::{Shelf, World};

/// Strangers of which we tell; the ones that were here last.
const MOST_STRANGERS: usize = 64;

/// Where a machine is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No stick names it.
    Seen,
    /// A stick names it, and nothing is installed at its next boot.
    Known,
    /// Its next network boot installs it.
    Armed,
    /// It was given its installer.
    Installing,
    /// It has all that it takes from here; what it made of that is not known yet.
    Delivered,
    /// It boots its own disk.
    Installed,
    /// It came back too often without being done.
    Failed,
}

impl State {
    /// As in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            State::Seen => "seen",
            State::Known => "known",
            State::Armed => "armed",
            State::Installing => "installing",
            State::Delivered => "delivered",
            State::Installed => "installed",
            State::Failed => "failed",
        }
    }
}

/// One machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The first of its cards; its name in paths.
    pub mac: Mac,
    /// Every card of it that is known.
    pub macs: Vec<Mac>,
    /// For people.
    pub name: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Its address now.
    pub address: Option<Ipv4Addr>,
    /// How often it was given the installer since it was armed.
    pub attempts: u8,
    /// What the stick says of how often it is installed.
    pub install: Install,
    /// The image that it gets: `coreos/1185.3.0`.
    pub image: Option<String>,
    /// What it would boot from the network now, and why: the plan, in words.
    pub next: String,
    /// How far its last network boot came; none since the servers started.
    pub boot: Option<Boot>,
    /// The file that is on its way to it.
    pub transfer: Option<Progress>,
    /// What it said of itself.
    pub facts: Facts,
}

/// A machine's last network boot.
#[derive(Debug, Serialize)]
pub struct Boot {
    /// The furthest step.
    pub stage: Stage,
    /// The same in words.
    pub words: &'static str,
    /// Seconds since the machine was last seen.
    pub ago: Seconds,
    /// Where it stopped, and what to check.
    pub check: Option<String>,
    /// What is known of the iPXE that it runs.
    pub loader: Option<&'static str>,
}

/// One machine with all that happened to it.
#[derive(Debug, Serialize)]
pub struct Story {
    /// The machine.
    #[serde(flatten)]
    pub machine: Machine,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
}

/// One thing that happened.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Seconds since: this box has no clock.
    pub ago: Seconds,
    /// Who saw it.
    pub source: Source,
    /// How much it matters.
    pub weight: Weight,
    /// One sentence.
    pub words: String,
    /// How often it was seen in a row.
    pub times: u32,
}

/// How many machines are where.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "they are called what they are")]
pub struct Counts {
    pub known: usize,
    pub armed: usize,
    pub installing: usize,
    pub installed: usize,
    pub failed: usize,
}

impl Counts {
    /// Together.
    pub fn all(&self) -> usize {
        self.known + self.armed + self.installing + self.installed + self.failed
    }

    /// Of the machines that a stick names.
    pub fn of(world: &World) -> Counts {
        let inventory = &world.shelf().inventory;
        let mut counts = Counts::default();
        for (mac, _, machine) in named(inventory) {
            let place = match state(world.phase(mac), machine.install) {
                State::Seen | State::Known => &mut counts.known,
                State::Armed => &mut counts.armed,
                State::Installing | State::Delivered => &mut counts.installing,
                State::Installed => &mut counts.installed,
                State::Failed => &mut counts.failed,
            };
            *place += 1;
        }
        counts
    }
}

/// Every machine that a stick names, then the strangers that were here last.
pub fn machines(world: &World) -> Vec<Machine> {
    let view = View::of(world);
    let inventory = Arc::clone(&view.shelf.inventory);
    let known = named(&inventory).into_iter();
    let known = known.map(|(mac, cards, named)| view.machine(mac, cards, Some(named)));
    let strangers = world.strangers(MOST_STRANGERS).into_iter();
    known.chain(strangers.map(|mac| view.machine(mac, vec![mac], None))).collect()
}

/// The machine that has this card, if anything is known of it.
pub fn story(world: &World, mac: Mac) -> Option<Story> {
    let view = View::of(world);
    let inventory = Arc::clone(&view.shelf.inventory);
    let entries = world.timeline(mac);
    let named = inventory.machine(mac);
    if named.is_none() && entries.is_empty() {
        return None;
    }
    let now = world.now();
    let entry = |entry: timeline::Entry| Entry {
        ago: now.saturating_sub(entry.at),
        source: entry.source,
        weight: entry.weight,
        words: entry.words,
        times: entry.times,
    };
    let timeline = entries.into_iter().map(entry).collect();
    let (mac, cards) = cards(&inventory, mac);
    Some(Story { machine: view.machine(mac, cards, named), timeline })
}

/// The machine that is called so: by one of its cards in any spelling, or by its name.
pub fn called(world: &World, word: &str) -> Option<Mac> {
    if let Ok(mac) = word.parse() {
        return Some(mac);
    }
    let inventory = world.shelf().inventory;
    let is_it = |machine: &Named| machine.name.as_deref() == Some(word);
    inventory.machines().find(|(_, machine)| is_it(machine)).map(|(mac, _)| mac)
}

/// Each machine of which a card is known, once.
fn named(inventory: &Inventory) -> Vec<(Mac, Vec<Mac>, &Named)> {
    let mut told = HashSet::new();
    let mut all = Vec::new();
    for (mac, machine) in inventory.machines() {
        // Nearly all have one card, and cannot have learned another.
        if machine.rule.is_none() && machine.macs.as_slice() == [mac] {
            all.push((mac, vec![mac], machine));
        } else if !told.contains(&mac) {
            let (mac, cards) = cards(inventory, mac);
            told.extend(cards.iter().copied());
            all.push((mac, cards, machine));
        }
    }
    all
}

/// The first card of the machine that has `mac`, and all of them.
fn cards(inventory: &Inventory, mac: Mac) -> (Mac, Vec<Mac>) {
    let cards = inventory.roster.cards(mac).unwrap_or_else(|| vec![mac]);
    (cards.first().copied().unwrap_or(mac), cards)
}

/// What is looked up once for all machines.
struct View<'a> {
    world: &'a World,
    shelf: Shelf,
    under_way: HashMap<Mac, (Ipv4Addr, Progress)>,
}

impl View<'_> {
    fn of(world: &World) -> View<'_> {
        let to = |(address, progress)| Some((world.machine_at(address)?, (address, progress)));
        let under_way = world.transfers.under_way().into_iter().filter_map(to).collect();
        View { world, shelf: world.shelf(), under_way }
    }

    fn machine(&self, mac: Mac, cards: Vec<Mac>, named: Option<&Named>) -> Machine {
        let world = self.world;
        let transfer = cards.iter().find_map(|mac| self.under_way.get(mac));
        let leased = || cards.iter().find_map(|mac| world.address_of(*mac));
        let install = named.map_or(Install::Once, |machine| machine.install);
        let phase = world.phase(mac);
        let image = named.and_then(|machine| self.shelf.inventory.image_for(machine, mac));
        Machine {
            mac,
            name: named.and_then(|machine| machine.name.clone()),
            state: match phase {
                None if named.is_none() => State::Seen,
                phase => state(phase, install),
            },
            address: transfer.map(|(at, _)| *at).or_else(|| Some(leased()?.address)),
            attempts: world.attempts(mac),
            install,
            image: image.map(|image| image.name()),
            next: next(world.plan(mac)),
            boot: world.boot_of_cards(&cards).map(|boot| of_boot(world, mac, &boot)),
            transfer: transfer.map(|(_, progress)| progress.clone()),
            facts: world.facts(mac),
            macs: cards,
        }
    }
}

fn state(phase: Option<Phase>, install: Install) -> State {
    match phase {
        None | Some(Phase::Disarmed) => State::Known,
        Some(Phase::Armed) if install == Install::Never => State::Known,
        Some(Phase::Armed) => State::Armed,
        Some(Phase::Installing) => State::Installing,
        Some(Phase::Delivered | Phase::Trial) => State::Delivered,
        Some(Phase::Installed) => State::Installed,
        Some(Phase::Failed) => State::Failed,
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

fn of_boot(world: &World, mac: Mac, boot: &stage::Boot) -> Boot {
    Boot {
        stage: boot.stage,
        words: boot.stage.words(),
        ago: world.now().saturating_sub(boot.last()),
        check: boot.words(),
        loader: world.with_fleet(|fleet| fleet.loaders.trial(mac)?.words()),
    }
}
