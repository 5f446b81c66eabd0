//! The one decision: what does this machine boot? Pure.

use super::Endpoint;
use super::arch::{Platform, Program};
use super::install::{installation, writer_of};
use super::loader::Driver;
use crate::config::{BiosLoader, Boot, UefiLoader, Unknown};
use crate::dhcp::reply::BootReply;
use crate::fleet::life::Phase;
use crate::inventory::cpu::Loader;
use crate::inventory::profile::Purpose;
use crate::inventory::{Install, Inventory, Machine};
use crate::net::Mac;
use crate::verify::{Gate, Verdicts};

/// What the sticks are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Power is just on, or the first scan runs: wait a moment before saying "no".
    Starting,
    /// No stick.
    None,
    /// A stick is there, and nothing of it can serve before a person mended it.
    Refused,
    /// A stick is there and its content serves.
    Ready,
}

/// What a machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Its own disk, with the reason for people.
    LocalBoot(&'static str),
    /// Nothing yet: ask again in a few seconds.
    Wait,
    /// A menu that starts nothing by itself.
    Menu,
    /// The installer, or a system that runs in memory.
    Install(Installation),
}

/// Everything that a boot script says of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installation {
    /// `coreos/1185.3.0`, for people.
    pub image: String,
    /// What people call it.
    pub title: String,
    /// What it is there for: only what installs is an attempt.
    pub purpose: Purpose,
    /// The kernel is not Linux, and gets no arguments but these.
    pub program: bool,
    /// Kernel, as a name in the boot tree.
    pub kernel: String,
    /// Initial RAM disks in order, as names in the boot tree.
    pub initrds: Vec<String>,
    /// Kernel arguments, one line.
    pub args: String,
}

/// Who asks what to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// One of the machine's network cards.
    pub mac: Mac,
    /// Its processor and firmware, as it last said in DHCP.
    pub platform: Platform,
    /// What it runs now; none: a system that is up already.
    pub loader: Option<Loader>,
}

/// All that the decision depends on.
pub struct Situation<'a> {
    /// What the sticks hold.
    pub inventory: &'a Inventory,
    /// What is known of the origin of their files.
    pub verdicts: &'a Verdicts,
    /// What the sticks are doing.
    pub media: Media,
    /// `[boot]`
    pub boot: &'a Boot,
    /// Where machines reach us.
    pub endpoint: Endpoint,
}

/// Decides for a machine whose life is in `phase`.
pub fn plan(asker: Asker, phase: Option<Phase>, situation: &Situation) -> Plan {
    let mac = asker.mac;
    match situation.media {
        Media::Starting => return Plan::Wait,
        Media::None => return Plan::LocalBoot("there is no stick"),
        Media::Refused => return Plan::LocalBoot("the stick has a mistake; its log names it"),
        Media::Ready => {}
    }
    let unknown = situation.boot.unknown;
    let machine = match (situation.inventory.to_install(mac, unknown), unknown) {
        (Some(machine), _) => machine,
        (None, Unknown::Menu) => return Plan::Menu,
        (None, _) => return Plan::LocalBoot("the stick does not name this machine"),
    };
    decide(&machine, situation.inventory.is_unfit(mac), asker, phase, situation)
}

/// What an armed machine of a stick that serves boots, also one that is named by something
/// else than a network card.
pub fn plan_of(machine: &Machine, asker: Asker, situation: &Situation) -> Plan {
    let is_unfit = situation.inventory.has_fault(machine);
    decide(machine, is_unfit, asker, Some(Phase::Armed), situation)
}

fn decide(
    machine: &Machine,
    is_unfit: bool,
    asker: Asker,
    phase: Option<Phase>,
    situation: &Situation,
) -> Plan {
    let image = situation.inventory.image_for(machine, asker.mac);
    // It wipes nothing, and is wanted as long as the stick says so.
    let is_live = image.is_some_and(|image| image.profile.purpose == Purpose::Live);
    match (machine.install, phase) {
        (Install::Never, _) => return Plan::LocalBoot("install = \"never\""),
        _ if is_live => {}
        (_, None) => return Plan::LocalBoot(not_armed(asker.mac, situation.inventory)),
        (_, Some(Phase::Installed)) => return Plan::LocalBoot("it is installed"),
        (_, Some(Phase::Trial)) => {
            return Plan::LocalBoot("its report may have been lost: its disk is tried");
        }
        (_, Some(Phase::Failed)) => return Plan::LocalBoot("its installation failed"),
        (_, Some(Phase::Disarmed)) => return Plan::LocalBoot("it was disarmed"),
        (_, Some(Phase::Armed | Phase::Installing | Phase::Delivered)) => {}
    }
    if is_unfit {
        return Plan::LocalBoot("its configuration has a mistake; the status page names it");
    }
    let Some(image) = image else {
        return Plan::LocalBoot("there is no image for it on the stick");
    };
    // A machine whose installer stops half-way has lost its disk: all of it, or nothing.
    for image in std::iter::once(image).chain(writer_of(image, asker, situation)) {
        match situation.verdicts.gate_of(image, situation.inventory) {
            Gate::Open => {}
            Gate::Wait => return Plan::Wait,
            Gate::Closed(why) => return Plan::LocalBoot(why.of_image),
        }
    }
    match installation(image, machine, asker, situation) {
        Ok(installation) => Plan::Install(installation),
        Err(reason) => Plan::LocalBoot(reason),
    }
}

fn not_armed(mac: Mac, inventory: &Inventory) -> &'static str {
    if inventory.roster.has_rules() && !inventory.roster.names(mac) {
        "not armed, or it has not said yet which machine it is; machines.toml can name its MAC"
    } else {
        "not armed"
    }
}

/// What DHCP tells `program` on the machine with `mac` to load. Every PXE client gets a
/// loader, also one that shall boot its disk: saying so to a loader takes seconds, while
/// firmware without a boot file tries all its other ways first (four minutes on OVMF).
///
/// Whether Secure Boot is on is not to be seen from here: `machine`, what the stick says of
/// it, or `boot` tells which UEFI machines get which family of loaders. Whose network driver works is
/// seen: `driver`.
pub fn boot_reply(
    mac: Mac,
    program: Program,
    machine: Option<&Machine>,
    boot: &Boot,
    endpoint: Endpoint,
    driver: Driver,
) -> BootReply {
    let pxe = |file: &str| BootReply::Pxe(file.to_owned());
    let family = machine.and_then(|machine| machine.loader).unwrap_or(boot.uefi_loader);
    let first = |platform| match family {
        UefiLoader::Ipxe => loader(platform, driver),
        UefiLoader::Shim => shim(platform).or_else(|| loader(platform, driver)),
        UefiLoader::Syslinux => syslinux(platform).or_else(|| loader(platform, driver)),
    };
    match program {
        Program::Other => BootReply::Nothing,
        Program::RaspberryPi => BootReply::RaspberryPi,
        // It looks for `pxelinux.cfg/` beside this file first, then starts it.
        Program::UBoot(platform) => loader(platform, driver)
            .map_or(BootReply::Nothing, |file| BootReply::Plain(file.to_owned())),
        Program::Rom(Platform::Bios)
        | Program::Ipxe(Platform::Bios)
        | Program::LesserIpxe(Platform::Bios)
            if boot.bios_loader == BiosLoader::Pxelinux =>
        {
            pxe("pxelinux.0")
        }
        Program::Ipxe(_) => {
            BootReply::Ipxe(format!("{}/boot/{}.ipxe", endpoint.base(), mac.dashed()))
        }
        Program::Rom(platform) => first(platform).map_or(BootReply::Nothing, pxe),
        // A ROM that is iPXE itself has unloaded UNDI: only native drivers are left.
        Program::LesserIpxe(Platform::Bios) => pxe("ipxe.pxe"),
        Program::LesserIpxe(Platform::Efi64) if family == UefiLoader::Ipxe => pxe("ipxe-amd64.efi"),
        Program::LesserIpxe(platform) => first(platform).map_or(BootReply::Nothing, pxe),
        Program::HttpRom(platform) => {
            // SYSLINUX finds its configuration by the firmware's PXE, or not at all.
            let file = match family {
                UefiLoader::Syslinux => loader(platform, driver),
                UefiLoader::Ipxe | UefiLoader::Shim => first(platform),
            };
            file.map_or(BootReply::Nothing, |file| {
                BootReply::Http(format!("{}/boot/{file}", endpoint.base()))
            })
        }
    }
}

/// The iPXE for a platform's own firmware.
fn loader(platform: Platform, driver: Driver) -> Option<&'static str> {
    match platform {
        Platform::Bios => Some("undionly.kpxe"),
        Platform::Efi64 => Some(driver.file()),
        Platform::EfiArm64 => Some("ipxe-arm64.efi"),
        Platform::Efi32 | Platform::Other => None,
    }
}

/// In a folder of its own: its modules have the names of those for a BIOS.
fn syslinux(platform: Platform) -> Option<&'static str> {
    (platform == Platform::Efi64).then_some("efi64/syslinux.efi")
}

/// The signed program that loads GRUB from beside itself.
fn shim(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Efi64 => Some("shimx64.efi"),
        Platform::EfiArm64 => Some("shimaa64.efi"),
        Platform::Bios | Platform::Efi32 | Platform::Other => None,
    }
}

impl Installation {
    /// `installing`, or `starting` where nothing is installed.
    pub fn verb(&self) -> &'static str {
        match self.purpose {
            Purpose::Install => "installing",
            Purpose::Live => "starting",
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
