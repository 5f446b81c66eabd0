//! The first programs of a boot, and the modules that they ask for: from the configured
//! folder, else from Debian's own. Nothing else of those folders is served.

use std::path::Path;

use crate::inventory::MediaFile;
use crate::inventory::media_file::{modified, open_beneath};

const PXELINUX: &str = "/usr/lib/PXELINUX";
const BIOS_MODULES: &str = "/usr/lib/syslinux/modules/bios";
const EFI_MODULES: &str = "/usr/lib/syslinux/modules/efi64";
const IPXE: &str = "/usr/lib/ipxe";
const SHIM: &str = "/usr/lib/shim";

/// The name in the boot tree, and where Debian's package has it, for `pxeberry serve` on a
/// workstation. Debian's GRUB is the one that looks for its configuration on the network;
/// shim knows it by this name only.
const LOADERS: [(&str, &str, &str); 20] = [
    ("pxelinux.0", PXELINUX, "pxelinux.0"),
    ("ldlinux.c32", BIOS_MODULES, "ldlinux.c32"),
    ("chain.c32", BIOS_MODULES, "chain.c32"),
    ("libcom32.c32", BIOS_MODULES, "libcom32.c32"),
    ("libutil.c32", BIOS_MODULES, "libutil.c32"),
    ("efi64/syslinux.efi", "/usr/lib/SYSLINUX.EFI/efi64", "syslinux.efi"),
    ("efi64/ldlinux.e64", EFI_MODULES, "ldlinux.e64"),
    ("efi64/libcom32.c32", EFI_MODULES, "libcom32.c32"),
    ("efi64/libutil.c32", EFI_MODULES, "libutil.c32"),
    ("memtest86plus.bin", "/boot", "memtest86+x64.bin"),
    ("memtest86plus.efi", "/boot", "memtest86+x64.efi"),
    ("undionly.kpxe", IPXE, "undionly.kpxe"),
    ("ipxe.pxe", IPXE, "ipxe.pxe"),
    ("snponly.efi", IPXE, "snponly.efi"),
    ("ipxe-amd64.efi", IPXE, "ipxe-amd64.efi"),
    ("ipxe-arm64.efi", IPXE, "ipxe-arm64.efi"),
    ("shimx64.efi", SHIM, "shimx64.efi.signed"),
    ("grubx64.efi", "/usr/lib/grub/x86_64-efi-signed", "grubnetx64.efi.signed"),
    ("shimaa64.efi", SHIM, "shimaa64.efi.signed"),
    ("grubaa64.efi", "/usr/lib/grub/arm64-efi-signed", "grubnetaa64.efi.signed"),
];

/// Debian's folders: all that is looked into besides the configured one.
pub fn debian_folders() -> impl Iterator<Item = &'static str> {
    LOADERS.iter().map(|(_, folder, _)| *folder)
}

/// Whether this is the name of a loader, there or not.
pub fn is_loader(name: &str) -> bool {
    named(name).is_some()
}

/// Finds a loader, in `folder` first. It is read while it is sent: some are megabytes large,
/// and a room takes them at once.
pub fn loader(folder: &Path, name: &str) -> Option<MediaFile> {
    let (known, debians_folder, debians) = *named(name)?;
    let places = [(folder, known), (Path::new(debians_folder), debians)];
    places.into_iter().find_map(|(folder, path)| {
        let data = open_beneath(folder, path).ok()?.metadata().ok()?;
        let (size, modified) = (data.len(), modified(&data));
        let path = path.to_owned();
        Some(MediaFile { volume: folder.into(), path, size, modified, inside: None })
    })
}

fn named(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    LOADERS.iter().find(|(loader, ..)| name.eq_ignore_ascii_case(loader))
}
