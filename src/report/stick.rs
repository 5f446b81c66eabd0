//! What a stick would serve, as data: `pxeberry check --json` prints [`Contents`]. The names
//! of its fields and values stay as they are; new ones may be added. Pure.

use serde::Serialize;

use crate::boot::Endpoint;
use crate::boot::arch::{Platform, Program};
use crate::boot::loader::Driver;
use crate::boot::plan::{Asker, Media, Plan, Situation, boot_reply, plan, plan_of};
use crate::config::Config;
use crate::dhcp::reply::BootReply;
use crate::fleet::life::Phase;
use crate::inventory::assign::some_card;
use crate::inventory::cpu::{Cpu, Loader};
use crate::inventory::ending::left_alone;
use crate::inventory::profile::Purpose;
use crate::inventory::{Image, Install, Inventory, Machine, Problem};
use crate::net::Mac;
use crate::verify::{Verdict, Verdicts};

/// A stick that was read and verified, with the settings that it would be served with.
pub struct Stick {
    /// What is on it.
    pub inventory: Inventory,
    /// What is known of the origin of its files.
    pub verdicts: Verdicts,
    /// `pxeberry.toml`
    pub config: Config,
}

/// Everything that `pxeberry check` says of a stick.
#[derive(Debug, Default, Serialize)]
pub struct Contents {
    /// Whether each machine gets what it should; the exit status says the same.
    pub good: bool,
    /// Why the whole stick would be refused. Then there is nothing else.
    pub refused: Vec<Problem>,
    /// Newest version first within one system.
    pub images: Vec<ImageLine>,
    /// In the order of `machines.toml`, then those known by their configs alone.
    pub machines: Vec<MachineLine>,
    /// Whose signatures count: fingerprint and name.
    pub keys: Vec<String>,
    /// Every file that is verified, or could be.
    pub origins: Vec<Origin>,
    /// What a person should look at.
    pub problems: Vec<Problem>,
    /// What works, and could work better.
    pub hints: Vec<Problem>,
}

/// One operating system in one version.
#[derive(Debug, Serialize)]
pub struct ImageLine {
    /// `coreos`
    pub system: String,
    /// `CoreOS Container Linux`
    pub title: String,
    /// `1185.3.0`
    pub version: String,
    /// `x86`, `x86_64`, `arm64` or `other`
    pub processors: Vec<Cpu>,
    /// How many there are.
    pub files: usize,
    /// The verdict that matters most of those on its files; none if nothing is verified.
    pub origin: Option<Origin>,
}

/// What is known of a file's origin.
#[derive(Debug, Serialize)]
pub struct Origin {
    /// Path on the stick.
    pub path: String,
    /// `good`, `checksum`, `unsigned`, `no-key`, `bad`, `unreadable` or `waiting`
    pub verdict: &'static str,
    /// The same for people.
    pub words: String,
}

/// One machine.
#[derive(Debug, Serialize)]
pub struct MachineLine {
    /// For people; none if the stick gives it none.
    pub name: Option<String>,
    /// The network cards that the stick names.
    pub macs: Vec<String>,
    /// What else it is known by.
    #[serde(rename = "match")]
    pub rule: Option<String>,
    /// The group whose settings it has.
    pub group: Option<String>,
    /// `coreos/1185.3.0`; none if there is none for it.
    pub image: Option<String>,
    /// The disk that is overwritten.
    pub disk: String,
    /// `once`, `always` or `never`
    pub install: Install,
    /// The address that it always has.
    pub address: Option<String>,
    /// Whether it gets what it should on some firmware.
    pub good: bool,
    /// What it boots when it is armed.
    pub boots: Vec<Boots>,
}

/// What some kinds of firmware boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Boots {
    /// `bios`, `efi64`, `efi-arm64`: all those with the same outcome.
    pub platforms: Vec<Platform>,
    /// `install`, `live`, `own-disk` or `menu`
    pub what: &'static str,
    /// Why it is its own disk.
    pub reason: Option<String>,
    /// Names in the boot tree that it would ask for in vain.
    pub missing: Vec<String>,
}

/// The kinds of firmware that are told apart.
pub const PLATFORMS: [Platform; 3] = [Platform::Bios, Platform::Efi64, Platform::EfiArm64];

impl Stick {
    /// What a plan depends on.
    pub fn situation(&self) -> Situation<'_> {
        Situation {
            inventory: &self.inventory,
            verdicts: &self.verdicts,
            media: Media::Ready,
            boot: &self.config.boot,
            endpoint: self.endpoint(),
        }
    }

    /// Where machines reach the servers.
    pub fn endpoint(&self) -> Endpoint {
        let Config { server, http, .. } = &self.config;
        Endpoint { address: server.address(), port: http.first_port(), syslog: server.syslog }
    }

    /// What DHCP tells `program` to load.
    pub fn reply(&self, mac: Mac, machine: Option<&Machine>, program: Program) -> BootReply {
        let (boot, endpoint) = (&self.config.boot, self.endpoint());
        boot_reply(mac, program, machine, boot, endpoint, Driver::default())
    }

    /// The loader that a machine's own firmware ends up in.
    pub fn loader(&self, mac: Mac, machine: Option<&Machine>, platform: Platform) -> Loader {
        let (BootReply::Pxe(file) | BootReply::Http(file) | BootReply::Plain(file)) =
            self.reply(mac, machine, Program::Rom(platform))
        else {
            return Loader::Ipxe;
        };
        match file.as_str() {
            "pxelinux.0" | "efi64/syslinux.efi" => Loader::Pxelinux,
            "shimx64.efi" | "shimaa64.efi" => Loader::Grub,
            _ => Loader::Ipxe,
        }
    }
}

/// Of a stick that the servers would refuse.
pub fn refused(problems: Vec<Problem>) -> Contents {
    Contents { refused: problems, ..Contents::default() }
}

/// Of one that they would serve.
pub fn contents(stick: &Stick) -> Contents {
    let Stick { inventory, verdicts, .. } = stick;
    let machines: Vec<MachineLine> =
        inventory.roster.list().iter().map(|machine| machine_line(stick, machine)).collect();
    let reports: Vec<_> = verdicts.reports().collect();
    // A machine that only its config would make known.
    let lost = inventory.configs.broken_cards().any(|mac| inventory.machine(mac).is_none());
    let bad = reports.iter().any(|report| matches!(*report.verdict, Verdict::Bad(_)));
    Contents {
        good: !lost && !bad && machines.iter().all(|machine| machine.good),
        refused: Vec::new(),
        images: inventory.images.iter().map(|image| image_line(stick, image)).collect(),
        machines,
        keys: verdicts.keys().iter().map(ToString::to_string).collect(),
        origins: reports.iter().map(|found| origin(&found.path, &found.verdict)).collect(),
        problems: inventory.problems.clone(),
        hints: hints(stick),
    }
}

/// Configurations that report nothing, and that are left as their owner wrote them.
fn hints(stick: &Stick) -> Vec<Problem> {
    let found = &stick.inventory;
    let machines = found.roster.list().iter();
    let installed = machines.filter(|machine| machine.install != Install::Never);
    let left = installed.filter(|_| stick.config.http.add_report).filter_map(|machine| {
        let mac = machine.macs.first().copied()?;
        left_alone(found, machine, found.image_for(machine, mac)?, mac)
    });
    let words = "reports nothing when it is done, and a report cannot be added to it";
    let mut hints: Vec<Problem> = Vec::new();
    for (path, why) in left {
        if hints.iter().all(|hint| hint.file != path) {
            hints.push(Problem::new(path, format!("{words}: {why}")));
        }
    }
    hints
}

fn image_line(stick: &Stick, image: &Image) -> ImageLine {
    let mut processors: Vec<Cpu> = image.starts.iter().map(|start| start.cpu).collect();
    processors.sort_unstable();
    processors.dedup();
    let report = stick.verdicts.report_of(image, &stick.inventory);
    ImageLine {
        system: image.system.clone(),
        title: image.title.clone(),
        version: image.version.to_string(),
        processors,
        files: image.files.count(),
        origin: report.map(|report| origin(&report.path, &report.verdict)),
    }
}

fn origin(path: &str, verdict: &Verdict) -> Origin {
    let name = match verdict {
        Verdict::Waiting => "waiting",
        Verdict::Good { .. } => "good",
        Verdict::SumOnly(_) => "checksum",
        Verdict::NotSigned => "unsigned",
        Verdict::NoKey(_) => "no-key",
        Verdict::Bad(_) => "bad",
        Verdict::Unreadable(_) => "unreadable",
    };
    Origin { path: path.to_owned(), verdict: name, words: verdict.to_string() }
}

fn machine_line(stick: &Stick, machine: &Machine) -> MachineLine {
    let boots = boots_of(stick, machine);
    let image = some_card(machine).and_then(|mac| stick.inventory.image_for(machine, mac));
    let gets = |boots: &Boots| boots.what != OWN_DISK && boots.missing.is_empty();
    MachineLine {
        name: machine.name.clone(),
        macs: machine.macs.iter().map(Mac::to_string).collect(),
        rule: machine.rule.as_ref().map(|rule| rule.words()),
        group: machine.group.clone(),
        image: image.map(Image::name),
        disk: machine.disk.to_string(),
        install: machine.install,
        address: machine.address.map(|address| address.to_string()),
        good: machine.install == Install::Never || boots.iter().any(gets),
        boots,
    }
}

const OWN_DISK: &str = "own-disk";

/// What an armed machine boots on each kind of firmware; equal outcomes are one.
fn boots_of(stick: &Stick, machine: &Machine) -> Vec<Boots> {
    let card = some_card(machine);
    let decide = |asker| plan_of(machine, asker, &stick.situation());
    card.map(|mac| grouped(stick, mac, Some(machine), decide)).unwrap_or_default()
}

/// The same of whoever has this card, also a stranger.
pub fn boots(stick: &Stick, mac: Mac, known: Option<&Machine>) -> Vec<Boots> {
    grouped(stick, mac, known, |asker| plan(asker, Some(Phase::Armed), &stick.situation()))
}

fn grouped(
    stick: &Stick,
    mac: Mac,
    machine: Option<&Machine>,
    decide: impl Fn(Asker) -> Plan,
) -> Vec<Boots> {
    let mut all: Vec<Boots> = Vec::new();
    for platform in PLATFORMS {
        let loader = Some(stick.loader(mac, machine, platform));
        let next = outcome(stick, &decide(Asker { mac, platform, loader }));
        let is_same = |known: &&mut Boots| Boots { platforms: vec![], ..(*known).clone() } == next;
        match all.iter_mut().find(is_same) {
            Some(known) => known.platforms.push(platform),
            None => all.push(Boots { platforms: vec![platform], ..next }),
        }
    }
    all
}

/// With no platforms yet.
fn outcome(stick: &Stick, plan: &Plan) -> Boots {
    let boots = |what| Boots { platforms: vec![], what, reason: None, missing: vec![] };
    match plan {
        Plan::Install(install) => {
            let what = match install.purpose {
                Purpose::Install => "install",
                Purpose::Live => "live",
            };
            let asked = std::iter::once(&install.kernel).chain(&install.initrds);
            let missing = asked.filter(|name| !is_there(&stick.inventory, name)).cloned();
            Boots { missing: missing.collect(), ..boots(what) }
        }
        Plan::LocalBoot(reason) => Boots { reason: Some((*reason).to_owned()), ..boots(OWN_DISK) },
        Plan::Menu => boots("menu"),
        Plan::Wait => Boots { reason: Some("it waits".to_owned()), ..boots(OWN_DISK) },
    }
}

/// Whether a name in the boot tree leads to a file of the stick.
fn is_there(inventory: &Inventory, name: &str) -> bool {
    let of_image = || inventory.image_of(name).and_then(|(image, path)| image.file(path));
    inventory.tftp.contains_key(&name.to_ascii_lowercase())
        || of_image().is_some()
        || inventory.images.iter().any(|image| image.file(name).is_some())
        || inventory.iso(name).is_some()
}
