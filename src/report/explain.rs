//! All that one machine would get if it were armed, as data: `pxeberry check --explain MAC
//! --json` prints [`Explanation`]. The names of its fields and values stay as they are; new
//! ones may be added.
//!
//! Everything comes from the functions that the servers ask, too.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::asking::{self, CLIENTS, Told};
use super::stick::{Boots, Stick, boots};
use crate::boot::arch::Platform;
use crate::boot::install_script::{self, Job, Work};
use crate::boot::plan::{Asker, Installation, Plan, plan};
use crate::boot::{grub, ipxe, pxelinux};
use crate::fleet::life::Phase;
use crate::inventory::assign::{Served, WORTHLESS_TOKEN, serve};
use crate::inventory::configs::{Part, Setting};
use crate::inventory::cpu::Loader;
use crate::inventory::ending::{Ending, ending, left_alone};
use crate::inventory::machine::identity::Identity;
use crate::inventory::profile::Reports;
use crate::inventory::{ConfigKind, Image, Install, Machine, MediaFile};
use crate::net::Mac;

/// Everything that is said of one machine.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The card that is asked about.
    pub mac: String,
    /// The machine's name, if the stick gives it one.
    pub name: Option<String>,
    /// Whether the stick names it.
    pub known: bool,
    /// Whether its serial number could tell who it is.
    pub asked_for_serial: bool,
    /// `coreos/1185.3.0`; none if there is none for it.
    pub image: Option<String>,
    /// The disk that is overwritten.
    pub disk: String,
    /// How it becomes known that it is installed; none if there is no image for it.
    pub ending: Option<Ending>,
    /// `once`, `always` or `never`
    pub install: Install,
    /// What it boots, and why it boots its own disk where it does.
    pub boots: Vec<Boots>,
    /// What each kind of firmware is told by DHCP.
    pub dhcp: Vec<Told>,
    /// What its loader is given.
    pub scripts: Vec<Script>,
    /// What its installer is given.
    pub configs: Vec<Given>,
}

/// What a loader is given.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Script {
    /// `ipxe`, `pxelinux` or `grub`
    pub loader: Loader,
    /// The kinds of firmware on which it is this one.
    pub platforms: Vec<Platform>,
    /// Whether their own firmware ends up in this loader, with these settings.
    pub used: bool,
    /// Its name by TFTP; by HTTP it is below `/boot/`.
    pub path: String,
    /// The stick's own file, which wins over what would be generated.
    pub file: Option<String>,
    /// The whole of it.
    pub text: String,
    /// What the kernel is told; none if none is started, or the file is the stick's own.
    pub command_line: Option<String>,
}

/// A file for an installer. Tokens in it are good for nothing.
#[derive(Debug, Serialize)]
pub struct Given {
    /// Where the machine gets it.
    pub url: String,
    /// Where it is on the stick; none if it is generated.
    pub file: Option<String>,
    /// Whether a template makes it.
    pub template: bool,
    /// Whether a report of the installation's end was added to the file's text.
    pub report_added: bool,
    /// Why none could be, to a file that reports nothing.
    pub no_report: Option<&'static str>,
    /// In bytes.
    pub size: usize,
    /// The whole of it; none if it is no text, or cannot be read.
    pub text: Option<String>,
    /// Why it is not given out.
    pub fault: Option<String>,
}

/// Says everything of the machine with `mac`.
pub fn explain(stick: &Stick, mac: Mac) -> Explanation {
    let inventory = &stick.inventory;
    let known = inventory.machine(mac);
    let machine = inventory.machine_or_stranger(mac);
    let image = inventory.image_for(&machine, mac);
    // What chooses its loader.
    let named = inventory.to_install(mac, stick.config.boot.unknown);
    let scripts = scripts(stick, mac, named.as_deref());
    Explanation {
        mac: mac.to_string(),
        name: machine.name.clone(),
        known: known.is_some(),
        asked_for_serial: asked_for_serial(stick, mac),
        image: image.map(Image::name),
        disk: machine.disk.to_string(),
        ending: image
            .map(|image| ending(inventory, &machine, image, mac, stick.config.http.add_report)),
        install: machine.install,
        boots: boots(stick, mac, named.as_deref()),
        dhcp: CLIENTS.map(|client| asking::told(stick, mac, client)).into(),
        scripts,
        configs: image.map(|image| configs(stick, mac, &machine, image)).unwrap_or_default(),
    }
}

fn asked_for_serial(stick: &Stick, mac: Mac) -> bool {
    stick.inventory.roster.wants_serial(mac, &Identity::default())
}

/// Loaders and where they run; U-Boot on ARM reads PXELINUX's file.
const LOADERS: [(Loader, Platform); 8] = [
    (Loader::Ipxe, Platform::Bios),
    (Loader::Ipxe, Platform::Efi64),
    (Loader::Ipxe, Platform::EfiArm64),
    (Loader::Pxelinux, Platform::Bios),
    (Loader::Pxelinux, Platform::EfiArm64),
    (Loader::Pxelinux, Platform::Efi64),
    (Loader::Grub, Platform::Efi64),
    (Loader::Grub, Platform::EfiArm64),
];

fn scripts(stick: &Stick, mac: Mac, known: Option<&Machine>) -> Vec<Script> {
    let mut all: Vec<Script> = Vec::new();
    for (loader, platform) in LOADERS {
        let used = stick.loader(mac, known, platform) == loader;
        let next = Script { used, ..script(stick, mac, loader, platform) };
        let same = |known: &&mut Script| {
            (&known.path, &known.text, known.used) == (&next.path, &next.text, next.used)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.platforms.push(platform),
            None => all.push(next),
        }
    }
    all.sort_by_key(|script| !script.used);
    all
}

fn script(stick: &Stick, mac: Mac, loader: Loader, platform: Platform) -> Script {
    let asker = Asker { mac, platform, loader: Some(loader) };
    let plan = plan(asker, Some(Phase::Armed), &stick.situation());
    let (endpoint, own) = (stick.endpoint(), mac.dashed());
    let (path, text) = match (loader, platform) {
        (Loader::Ipxe, _) if asked_for_serial(stick, mac) => {
            (format!("{own}.ipxe"), ipxe::introduction(mac, endpoint))
        }
        (Loader::Ipxe, _) => (format!("{own}.ipxe"), ipxe::script(mac, &plan, endpoint)),
        (Loader::Pxelinux, Platform::Efi64) => (
            format!("efi64/pxelinux.cfg/01-{own}"),
            pxelinux::config(&plan, pxelinux::Family::Efi64),
        ),
        (Loader::Pxelinux, _) => {
            (format!("pxelinux.cfg/01-{own}"), pxelinux::config(&plan, pxelinux::Family::Bios))
        }
        (Loader::Grub, _) => {
            (format!("grub/grub.cfg-01-{own}"), grub::config(Some(mac), &plan, endpoint))
        }
    };
    let laid_over = stick.inventory.tftp.get(&path.to_ascii_lowercase());
    let command_line = match &plan {
        Plan::Install(install) if laid_over.is_none() => Some(command_line(mac, loader, install)),
        _ => None,
    };
    let text = match laid_over {
        Some(file) => read(file).unwrap_or_default(),
        None => text,
    };
    let file = laid_over.map(|file| file.path.clone());
    Script { loader, platforms: vec![platform], used: false, path, file, text, command_line }
}

/// With what the loader adds by itself because the script says so.
fn command_line(mac: Mac, loader: Loader, install: &Installation) -> String {
    let card = format!("BOOTIF=01-{}", mac.dashed());
    let args = install.args.as_str();
    match loader {
        Loader::Ipxe => ipxe::command_line(mac, install),
        _ if install.program => args.to_owned(),
        Loader::Pxelinux => format!("{args} {card}").trim_start().to_owned(),
        Loader::Grub => format!("{card} {args}").trim_end().to_owned(),
    }
}

fn configs(stick: &Stick, mac: Mac, machine: &Machine, image: &Image) -> Vec<Given> {
    let base = stick.endpoint().base();
    let inventory = &stick.inventory;
    let script = install_sh(stick, mac, machine, image);
    let Some(kind) = inventory.config_for(image, machine, mac) else {
        return script.into_iter().collect();
    };
    let ip = asking::address(stick, mac).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let add_report = stick.config.http.add_report;
    let setting = Setting { server: &base, ip, token: WORTHLESS_TOKEN, add_report };
    let left = left_alone(inventory, machine, image, mac).filter(|_| add_report);
    let parts = inventory.configs.parts(kind, mac, Some(machine)).map(|(part, config)| {
        let served = serve(inventory, (kind, part), mac, setting);
        let report_added = matches!(served, Served::Added(..));
        let (text, fault) = match served {
            Served::Text(text) | Served::Added(text, _) => (Some(text), None),
            Served::File(file) => (read(&file), None),
            Served::Broken(why) => (None, Some(why)),
            Served::Nothing => (None, None),
        };
        let on_stick = usize::try_from(config.file.size).unwrap_or(usize::MAX);
        Given {
            url: format!("{base}{}{}", kind.url(mac), part_name(kind, part)),
            file: Some(config.file.path.clone()),
            template: config.template.is_some(),
            report_added,
            no_report: left.filter(|(path, _)| *path == config.file.path).map(|(_, why)| why),
            size: text.as_ref().map_or(on_stick, String::len),
            text,
            fault,
        }
    });
    script.into_iter().chain(parts).collect()
}

/// The script that fetches the rest, where the system in memory runs one.
fn install_sh(stick: &Stick, mac: Mac, machine: &Machine, image: &Image) -> Option<Given> {
    let work = Work::of(image)?;
    if image.profile.reports != Reports::InstallScript {
        return None;
    }
    let file = stick.inventory.install_script.as_ref();
    let name = machine.name.as_ref();
    let name = name.map_or_else(|| mac.to_string(), |name| format!("{name} ({mac})"));
    let config = stick.inventory.config_for(image, machine, mac);
    let config = config.unwrap_or(ConfigKind::CloudConfig);
    let (image, disk) = (image.name(), &machine.disk);
    let token = WORTHLESS_TOKEN;
    let job = Job { machine: &name, image: &image, work, config, disk, token };
    let text = match file {
        Some(file) => read(file),
        None => Some(install_script::install(&job, stick.endpoint())),
    };
    Some(Given {
        url: format!("{}/cloud-configs/install.sh", stick.endpoint().base()),
        file: file.map(|file| file.path.clone()),
        template: false,
        report_added: false,
        no_report: None,
        size: text.as_ref().map_or(0, String::len),
        text,
        fault: None,
    })
}

fn part_name(kind: ConfigKind, part: Part) -> &'static str {
    match part {
        Part::Whole => "",
        _ if kind.main_part() == Part::Whole => "",
        Part::UserData => "user-data",
        Part::MetaData => "meta-data",
        Part::VendorData => "vendor-data",
        Part::NetworkConfig => "network-config",
    }
}

/// More of a file is not shown.
const MOST_SHOWN: u64 = 1024 * 1024;

fn read(file: &MediaFile) -> Option<String> {
    let window = file.open().ok().filter(|window| window.size() <= MOST_SHOWN)?;
    let mut bytes = vec![0; usize::try_from(window.size()).ok()?];
    window.read_exact_at(&mut bytes, 0).ok()?;
    String::from_utf8(bytes).ok()
}
