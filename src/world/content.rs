//! The boot tree: what a name means to the machine that asks. TFTP and HTTP both ask here.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::boot::arch::Platform;
use crate::boot::install::rewritten_file;
use crate::boot::plan::{Asker, Installation, Media, Plan};
use crate::boot::pxelinux::Family;
use crate::boot::{grub, ipxe, pxelinux};
use crate::fleet::life::Event;
use crate::fleet::stage::{Sign, Stage};
use crate::inventory::cpu::Loader;
use crate::inventory::profile::Purpose;
use crate::inventory::{MediaFile, discs};
use crate::net::Mac;
use crate::tftp::tree::Name;

use super::turns::Errand;
use super::{Shelf, World, loaders};

/// What stands behind a name.
#[derive(Debug)]
pub enum Content {
    /// Made for the machine that asks.
    Bytes(Vec<u8>),
    /// On a stick.
    Media(MediaFile),
    /// A first program, or a part of one.
    Loader(MediaFile),
    /// Inside an ISO, which must be looked into first.
    InIso(InIso),
    /// Not yet: the sticks are not read.
    NotReady,
    /// There is nothing of that name.
    Missing,
    /// The stick does not give what is on it.
    Unreadable,
}

/// Finds `name` for the machine at `asker`; `takes` is false if it only looks (HTTP HEAD).
pub fn content(world: &World, name: &Name, asker: Ipv4Addr, takes: bool) -> Content {
    let client = world.machine_itself_at(asker);
    let taker = client.filter(|_| takes);
    let found = find(world, name, client, taker);
    if let Some(mac) = taker {
        notice(world, mac, name, &found);
    }
    found
}

fn find(world: &World, name: &Name, client: Option<Mac>, taker: Option<Mac>) -> Content {
    let path = name.path();
    let shelf = world.shelf();
    if let Some(file) = shelf.inventory.tftp.get(&path.to_ascii_lowercase()) {
        return Content::Media(file.clone());
    }
    if let Some(mac) = taker {
        world.took_boot_offer(mac);
    }
    match name {
        Name::ForMachine(mac, name) => file_for(world, &shelf, *mac, name),
        Name::PxelinuxFor(mac) => pxelinux_config(world, Some(*mac), taker, Family::Bios),
        Name::PxelinuxDefault => pxelinux_config(world, client, taker, Family::Bios),
        Name::SyslinuxFor(mac) => pxelinux_config(world, Some(*mac), taker, Family::Efi64),
        Name::SyslinuxDefault => pxelinux_config(world, client, taker, Family::Efi64),
        Name::GrubFor(mac, _) => Content::Bytes(grub_config(world, Some(*mac), taker)),
        Name::GrubDefault(_) => Content::Bytes(grub_config(world, client, taker)),
        Name::IpxeScript(mac) if taker == Some(*mac) && world.wants_introduction(*mac) => {
            Content::Bytes(ipxe::introduction(*mac, world.endpoint()).into_bytes())
        }
        Name::IpxeScript(mac) | Name::IntroducedScript(mac) => {
            Content::Bytes(ipxe_script(world, *mac, taker))
        }
        Name::IpxeStart => client.map_or(Content::Missing, |mac| {
            Content::Bytes(ipxe::start(mac, world.endpoint()).into_bytes())
        }),
        Name::Other(path) if is_asked_in_vain(path) => Content::Missing,
        Name::Other(path) => loaders::loader(&world.config.boot.loaders, path)
            .map(Content::Loader)
            .unwrap_or_else(|| image_file(world, &shelf, path, client)),
    }
}

/// Tells how far the machine is by what it takes. Much else is asked for and done without.
fn notice(world: &World, mac: Mac, name: &Name, found: &Content) {
    let path = match name {
        Name::Other(path) => path,
        // Its iPXE has started, and not yet looked for its network card.
        Name::IpxeStart => return,
        _ => return world.has_script(mac),
    };
    let belongs = match world.plan(mac) {
        Plan::Install(install) if install.kernel == *path => Some(Stage::Kernel),
        Plan::Install(install) if install.initrds.contains(path) => Some(Stage::Initrd),
        _ => None,
    };
    match (found, belongs) {
        (Content::Loader(_), _) => world.saw(mac, &Sign::AsksLoader(path)),
        (Content::Media(_) | Content::InIso(_), Some(stage)) => {
            world.saw(mac, &Sign::Reaches(stage))
        }
        (Content::Missing, Some(_)) => world.saw(mac, &Sign::Misses(path)),
        (Content::Missing, None) if loaders::is_loader(path) => {
            world.saw(mac, &Sign::Misses(path));
        }
        _ => {}
    }
}

/// The configuration of `mac`; a stranger's is "boot your disk".
fn pxelinux_config(world: &World, mac: Option<Mac>, taker: Option<Mac>, family: Family) -> Content {
    let plan = plan_for(world, mac, Loader::Pxelinux, taker);
    Content::Bytes(pxelinux::config(&plan, family).into_bytes())
}

/// The same for GRUB.
fn grub_config(world: &World, mac: Option<Mac>, taker: Option<Mac>) -> Vec<u8> {
    let plan = plan_for(world, mac, Loader::Grub, taker);
    grub::config(mac, &plan, world.endpoint()).into_bytes()
}

fn plan_for(world: &World, mac: Option<Mac>, loader: Loader, taker: Option<Mac>) -> Plan {
    match mac {
        Some(mac) => {
            let plan = plan_and_count(world, mac, loader, taker);
            let what = match loader {
                Loader::Grub => "its GRUB menu",
                _ => "its pxelinux.cfg",
            };
            if let Some(taker) = taker {
                world.was_told(taker, what, &plan);
            }
            plan
        }
        None => Plan::LocalBoot("this machine is not known here"),
    }
}

fn ipxe_script(world: &World, mac: Mac, taker: Option<Mac>) -> Vec<u8> {
    let plan = plan_and_count(world, mac, Loader::Ipxe, taker);
    if let Some(taker) = taker.filter(|taker| *taker == mac) {
        world.was_told(taker, "its iPXE script", &plan);
    }
    ipxe::script(mac, &plan, world.endpoint()).into_bytes()
}

/// Only the machine itself uses up an attempt: anybody may look at a script. What installs
/// nothing is none.
fn plan_and_count(world: &World, mac: Mac, loader: Loader, taker: Option<Mac>) -> Plan {
    let platform = match (world.platform(mac), loader) {
        (Some(platform), _) => platform,
        // We give GRUB to UEFI only.
        (None, Loader::Grub) => Platform::Efi64,
        (None, _) => Platform::Bios,
    };
    let plan = world.plan_for(Asker { mac, platform, loader: Some(loader) });
    if matches!(plan, Plan::LocalBoot(_)) && taker == Some(mac) {
        world.took_disk(mac);
    }
    let installs = |install: &Installation| install.purpose == Purpose::Install;
    if !matches!(&plan, Plan::Install(install) if installs(install)) || taker != Some(mac) {
        return plan;
    }
    match world.happened(mac, Event::TookInstaller) {
        Some(_) => plan,
        None => Plan::LocalBoot("its installation could not be written down"),
    }
}

/// A file of the machine's image with our lines in it.
fn file_for(world: &World, shelf: &Shelf, mac: Mac, name: &str) -> Content {
    let situation = world.situation(shelf);
    let machine = shelf.inventory.machine_or_stranger(mac);
    let platform = world.platform(mac).unwrap_or(Platform::Bios);
    let asker = Asker { mac, platform, loader: None };
    let image = shelf.inventory.image_for(&machine, mac);
    let file = image.and_then(|image| rewritten_file(name, image, &machine, asker, &situation));
    match file {
        Some(text) => Content::Bytes(text.into_bytes()),
        None if situation.media == Media::Ready => Content::Missing,
        None => Content::NotReady,
    }
}

/// What shim looks for beside itself, and GRUB in its folder, and does without: not even while
/// the sticks are read is it worth waiting for. A real one on a stick was found before.
fn is_asked_in_vain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let of_shim = ["revocations", "shim_certificate", "mmx64", "mmaa64", "fbx64", "fbaa64"];
    lower.starts_with("grub/")
        || lower.ends_with(".efi") && of_shim.iter().any(|name| lower.starts_with(name))
}

/// A kernel or initrd: of the asking machine's own image, else of the newest that has it.
fn image_file(world: &World, shelf: &Shelf, name: &str, client: Option<Mac>) -> Content {
    let inventory = &shelf.inventory;
    let whole = inventory.image_of(name).and_then(|(image, path)| image.file(path));
    let own = client
        .and_then(|mac| {
            let machine = inventory.to_install(mac, world.config.boot.unknown)?;
            inventory.image_for(&machine, mac)
        })
        .and_then(|image| image.file(name));
    let any = || inventory.images.iter().find_map(|image| image.file(name));
    match whole.or(own).or_else(any) {
        Some(file) => Content::Media(file.clone()),
        None => iso_file(world, shelf, name),
    }
}

/// An ISO, or a file inside of one: `images/debian-13.iso/install.amd/vmlinuz`.
pub fn iso_file(world: &World, shelf: &Shelf, path: &str) -> Content {
    let ready = world.media_of(shelf) == Media::Ready;
    match shelf.inventory.iso(path) {
        Some((iso, "")) => Content::Media(iso.clone()),
        Some((iso, inside)) => {
            Content::InIso(InIso { iso: iso.clone(), inside: inside.to_owned(), ready })
        }
        None => not_there(ready),
    }
}

fn not_there(ready: bool) -> Content {
    if ready { Content::Missing } else { Content::NotReady }
}

/// A path inside an ISO. To find it there the ISO must be read, which takes as long as the
/// stick takes: that is for [`super::readers`].
#[derive(Debug)]
pub struct InIso {
    iso: MediaFile,
    inside: String,
    ready: bool,
}

impl InIso {
    /// The whole path, for people.
    pub fn path(&self) -> String {
        format!("{}/{}", self.iso.path, self.inside)
    }

    /// Whose turn it is. Little is read.
    pub fn errand(&self, asker: Ipv4Addr) -> Errand {
        Errand { volume: Arc::clone(&self.iso.volume), asker, download: false }
    }

    /// Reads the ISO.
    pub fn find(&self) -> Content {
        match discs::find(&self.iso, &self.inside) {
            Ok(Some(file)) => Content::Media(file),
            Ok(None) => not_there(self.ready),
            Err(fault) => {
                log::warn!("iso: {}: its ISO {fault}", self.path());
                Content::Unreadable
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_it_is_looked_for_is_not_yet_there_and_never_missing() {
        let world = World::new(crate::config::parse("").unwrap(), "lo".to_owned(), None);
        let before = world.shelf();
        world.change_shelf(|shelf| {
            shelf.sticks = 1;
            shelf.accepted = true;
        });
        let found = |shelf: &Shelf| image_file(&world, shelf, "vmlinuz", None);
        assert!(matches!(found(&before), Content::NotReady));
        assert!(matches!(found(&world.shelf()), Content::Missing));
    }
}
