//! The boot tree: what a name means to the machine that asks. TFTP and HTTP both ask here.

use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::boot::plan::{Media, Plan};
use crate::boot::{grub, ipxe, pxelinux};
use crate::fleet::life::Event;
use crate::inventory::MediaFile;
use crate::inventory::media_file::{modified, open_beneath};
use crate::net::Mac;
use crate::tftp::tree::Name;

use super::{Shelf, World};

/// What stands behind a name.
#[derive(Debug)]
pub enum Content {
    /// Made for the machine that asks, or a loader.
    Bytes(Vec<u8>),
    /// On a stick, or a loader that is too large to be held for each machine.
    Media(MediaFile),
    /// Not yet: the sticks are not read.
    NotReady,
    /// There is nothing of that name.
    Missing,
}

/// Loaders, and the modules that PXELINUX asks for. Nothing else of the folder is served.
const LOADERS: [&str; 10] = [
    "pxelinux.0",
    "ldlinux.c32",
    "chain.c32",
    "libcom32.c32",
    "libutil.c32",
    "undionly.kpxe",
    "ipxe.pxe",
    "snponly.efi",
    "ipxe-amd64.efi",
    "ipxe-arm64.efi",
];

/// Where Debian's packages have them, for `pxeberry serve` on a workstation.
const DEBIAN_FOLDERS: [&str; 3] =
    ["/usr/lib/PXELINUX", "/usr/lib/syslinux/modules/bios", "/usr/lib/ipxe"];

/// Signed loaders, with the names that Debian's packages give them. GRUB is the one that looks
/// for its configuration on the network; shim knows it by this name only.
const SIGNED_LOADERS: [(&str, &str, &str); 4] = [
    ("shimx64.efi", "/usr/lib/shim", "shimx64.efi.signed"),
    ("grubx64.efi", "/usr/lib/grub/x86_64-efi-signed", "grubnetx64.efi.signed"),
    ("shimaa64.efi", "/usr/lib/shim", "shimaa64.efi.signed"),
    ("grubaa64.efi", "/usr/lib/grub/arm64-efi-signed", "grubnetaa64.efi.signed"),
];

/// The largest of them (ipxe-arm64.efi) is one megabyte.
const LARGEST_LOADER: u64 = 8 * 1024 * 1024;

/// Finds `name` for the machine at `asker`; `takes` is false if it only looks (HTTP HEAD).
pub fn content(world: &World, name: &Name, asker: Ipv4Addr, takes: bool) -> Content {
    let path = name.path();
    let shelf = world.shelf();
    if let Some(file) = shelf.inventory.tftp.get(&path.to_ascii_lowercase()) {
        return Content::Media(file.clone());
    }
    let client = world.machine_at(asker);
    let taker = client.filter(|_| takes);
    if let Some(mac) = taker {
        world.took_boot_offer(mac);
    }
    match name {
        Name::PxelinuxFor(mac) => Content::Bytes(pxelinux_config(world, Some(*mac), taker)),
        Name::PxelinuxDefault => Content::Bytes(pxelinux_config(world, client, taker)),
        Name::GrubFor(mac, _) => Content::Bytes(grub_config(world, Some(*mac), taker)),
        Name::GrubDefault(_) => Content::Bytes(grub_config(world, client, taker)),
        Name::IpxeScript(mac) => Content::Bytes(ipxe_script(world, *mac, taker)),
        Name::Other(path) if is_asked_in_vain(path) => Content::Missing,
        Name::Other(path) => loader(world, path)
            .map(Content::Bytes)
            .or_else(|| signed_loader(world, path).map(Content::Media))
            .unwrap_or_else(|| image_file(world, &shelf, path, client)),
    }
}

/// The configuration of `mac`; a stranger's is "boot your disk".
fn pxelinux_config(world: &World, mac: Option<Mac>, taker: Option<Mac>) -> Vec<u8> {
    pxelinux::config(&plan_for(world, mac, taker)).into_bytes()
}

/// The same for GRUB.
fn grub_config(world: &World, mac: Option<Mac>, taker: Option<Mac>) -> Vec<u8> {
    grub::config(mac, &plan_for(world, mac, taker), world.endpoint()).into_bytes()
}

fn plan_for(world: &World, mac: Option<Mac>, taker: Option<Mac>) -> Plan {
    match mac {
        Some(mac) => plan_and_count(world, mac, taker),
        None => Plan::LocalBoot("this machine is not known here"),
    }
}

fn ipxe_script(world: &World, mac: Mac, taker: Option<Mac>) -> Vec<u8> {
    let plan = plan_and_count(world, mac, taker);
    ipxe::script(mac, &plan, world.endpoint()).into_bytes()
}

/// Only the machine itself uses up an attempt: anybody may look at a script.
fn plan_and_count(world: &World, mac: Mac, taker: Option<Mac>) -> Plan {
    let plan = world.plan(mac);
    if !matches!(plan, Plan::Install(_)) || taker != Some(mac) {
        return plan;
    }
    match world.happened(mac, Event::TookInstaller) {
        Some(_) => plan,
        None => Plan::LocalBoot("its installation could not be written down"),
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
    let own = client
        .and_then(|mac| inventory.machine(mac))
        .and_then(|machine| inventory.image_for(machine))
        .and_then(|image| image.file(name));
    let any = || inventory.images.iter().find_map(|image| image.file(name));
    match own.or_else(any) {
        Some(file) => Content::Media(file.clone()),
        None if world.media_of(shelf) == Media::Ready => Content::Missing,
        None => Content::NotReady,
    }
}

fn loader(world: &World, name: &str) -> Option<Vec<u8>> {
    let known = LOADERS.iter().find(|loader| name.eq_ignore_ascii_case(loader))?;
    let configured = world.config.boot.loaders.clone();
    let folders = std::iter::once(configured).chain(DEBIAN_FOLDERS.map(PathBuf::from));
    let file = folders.into_iter().find_map(|folder| open_beneath(&folder, known).ok())?;
    read_whole(file)
}

/// Read while it is sent: GRUB is some megabytes large, and a room takes it at once.
fn signed_loader(world: &World, name: &str) -> Option<MediaFile> {
    let is_it = |(loader, ..): &&(&str, &str, &str)| name.eq_ignore_ascii_case(loader);
    let (known, debians_folder, debians) = SIGNED_LOADERS.iter().find(is_it)?;
    let configured = world.config.boot.loaders.as_path();
    let places = [(configured, *known), (Path::new(debians_folder), *debians)];
    places.into_iter().find_map(|(folder, path)| {
        let data = open_beneath(folder, path).ok()?.metadata().ok()?;
        let (size, modified) = (data.len(), modified(&data));
        let path = path.to_owned();
        Some(MediaFile { volume: folder.into(), path, size, modified, inside: None })
    })
}

fn read_whole(file: File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LARGEST_LOADER).read_to_end(&mut bytes).ok()?;
    Some(bytes)
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
