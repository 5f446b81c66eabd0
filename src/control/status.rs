//! What the appliance does and sees, as data for the panel, the command line and the page.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::boot::plan::Media;
use crate::fleet::life::Phase;
use crate::inventory::Problem;
use crate::net::{Mac, iface};
use crate::serve::world::{Role, World};

/// The whole state.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Of the program.
    pub version: &'static str,
    /// The state in one sentence.
    pub headline: String,
    /// Everything that holds now, by the names of `panel::State`.
    pub conditions: Vec<&'static str>,
    /// Where we serve.
    pub interface: Interface,
    /// What we are to the LAN.
    pub dhcp: Dhcp,
    /// The sticks.
    pub media: Sticks,
    /// Every machine that a stick names.
    pub machines: Vec<MachineStatus>,
}

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
    /// `probing`, `server` or `silent`.
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
    /// What a person should look at.
    pub problems: Vec<Problem>,
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
}

/// The state as it is now.
pub fn status(world: &World) -> Status {
    let shelf = world.shelf();
    let link = iface::has_link(&world.interface);
    let machines: Vec<MachineStatus> =
        shelf.inventory.machines().map(|(mac, _)| machine(world, mac)).collect();
    let media = match world.media() {
        _ if !shelf.refused.is_empty() => "refused",
        _ if shelf.scanning => "scanning",
        Media::Starting => "scanning",
        Media::None => "none",
        Media::Ready => "ready",
    };
    let problems = shelf.refused.iter().chain(&shelf.inventory.problems).cloned().collect();
    let dhcp = dhcp(world);
    let conditions = conditions(world, link, media, &machines);
    Status {
        version: env!("CARGO_PKG_VERSION"),
        headline: headline(&conditions, &dhcp),
        conditions,
        interface: Interface {
            name: world.interface.clone(),
            link,
            address: world.config.server.subnet.to_string(),
        },
        dhcp,
        media: Sticks {
            state: media,
            images: shelf.inventory.images.len(),
            machines: machines.len(),
            names: shelf.inventory.images.iter().map(|image| image.name()).collect(),
            problems,
        },
        machines,
    }
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
    }
}

fn dhcp(world: &World) -> Dhcp {
    let (role, reason) = match world.role() {
        Role::Probing => ("probing", "looking for another DHCP server".to_owned()),
        Role::Server => ("server", format!("giving addresses from {}", world.config.server.pool)),
        Role::Silent(Some(other)) => {
            ("silent", format!("{other} gives addresses here, so this box does not"))
        }
        Role::Silent(None) => ("silent", "mode = \"proxy\": never gives addresses".to_owned()),
    };
    Dhcp { role, reason }
}

fn conditions(
    world: &World,
    link: bool,
    media: &str,
    machines: &[MachineStatus],
) -> Vec<&'static str> {
    let any = |states: &[&str]| machines.iter().any(|machine| states.contains(&machine.state));
    let all = [
        ("no-link", !link),
        ("other-dhcp", matches!(world.role(), Role::Silent(Some(_)))),
        ("stick-error", media == "refused"),
        ("machine-failed", any(&["failed"])),
        ("installing", any(&["installing", "delivered"])),
        ("scanning", media == "scanning"),
        ("no-stick", media == "none"),
        ("ready", media == "ready" && world.role() == Role::Server),
        ("booting", world.role() == Role::Probing),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
}

fn headline(conditions: &[&str], dhcp: &Dhcp) -> String {
    match conditions.first().copied() {
        Some("no-link") => "No link: plug a cable into the LAN.".to_owned(),
        Some("other-dhcp") => format!("Another DHCP server is here: {}.", dhcp.reason),
        Some("stick-error") => "The stick's new content is refused; see the problems.".to_owned(),
        Some("machine-failed") => "A machine could not be installed.".to_owned(),
        Some("installing") => "A machine is being installed.".to_owned(),
        Some("scanning") => "Reading the stick.".to_owned(),
        Some("no-stick") => "No stick: plug in a USB stick with images.".to_owned(),
        Some("ready") => "Ready.".to_owned(),
        _ => "Starting.".to_owned(),
    }
}
