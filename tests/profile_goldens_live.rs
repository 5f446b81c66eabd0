//! What machines get to boot: systems that run in memory first, or that are started by a
//! program of their own.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "support/profile_case.rs"]
mod profile_case;

use profile_case::{Stick, case, is_golden};

const ALPINE: &str = "ip=dhcp, alpine_repo= for packages, modloop= for the modules of this kernel, \
    and\napkovl= for the overlay with what this machine shall be.";

#[test]
fn alpine_from_its_netboot_files_and_from_its_iso() {
    case(
        "alpine/netboot",
        ALPINE,
        "alpine/latest",
        &[
            ("images/alpine/3.20.3/x86_64/initramfs-lts", ""),
            ("images/alpine/3.20.3/x86_64/modloop-lts", ""),
            ("images/alpine/3.20.3/x86_64/vmlinuz-lts", ""),
            ("images/alpine/3.20.3/aarch64/initramfs-lts", ""),
            ("images/alpine/3.20.3/aarch64/modloop-lts", ""),
            ("images/alpine/3.20.3/aarch64/vmlinuz-lts", ""),
            ("alpine/52-54-00-00-00-01.apkovl.tar.gz", ""),
        ],
    );
    case(
        "alpine/iso",
        ALPINE,
        "alpine/latest",
        &[
            ("images/alpine-standard-3.20.3-x86_64.iso", ""),
            ("images/alpine-standard-3.20.3-x86_64.iso/apks/x86_64/APKINDEX.tar.gz", ""),
            ("images/alpine-standard-3.20.3-x86_64.iso/boot/initramfs-lts", ""),
            ("images/alpine-standard-3.20.3-x86_64.iso/boot/modloop-lts", ""),
            ("images/alpine-standard-3.20.3-x86_64.iso/boot/vmlinuz-lts", ""),
            ("alpine/52-54-00-00-00-01.apkovl.tar.gz", ""),
        ],
    );
}

#[test]
fn arch_from_its_iso() {
    let iso = "images/archlinux-2024.10.01-x86_64.iso";
    let file = |name: &str| format!("{iso}/arch/{name}");
    let names = [
        file("boot/x86_64/initramfs-linux.img"),
        file("boot/x86_64/vmlinuz-linux"),
        file("version"),
        file("x86_64/airootfs.sfs"),
        file("x86_64/airootfs.sfs.cms.sig"),
    ];
    let mut files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(["", "", "2024.10.01\n", "", ""]).collect();
    files.insert(0, (iso, ""));
    files.push(("scripts/52-54-00-00-00-01.sh", ""));
    let rule = "archiso_http_srv= ends with a slash, archisobasedir= is below it; cms_verify=y \
                checks\nthe signature beside the root file system; script= runs once logged in.";
    case("arch/iso", rule, "arch/latest", &files);
}

#[test]
fn talos_for_two_processors() {
    case(
        "talos/release",
        "The hardening that Talos refuses to start without (slab_nomerge, pti=on), its console\n\
         and NVMe settings, talos.platform=metal, and talos.config=. Without a configuration it\n\
         waits in memory for one, and nothing is installed.",
        "talos/latest",
        &[
            ("images/talos/v1.8.0/initramfs-amd64.xz", ""),
            ("images/talos/v1.8.0/initramfs-arm64.xz", ""),
            ("images/talos/v1.8.0/vmlinuz-amd64", ""),
            ("images/talos/v1.8.0/vmlinuz-arm64", ""),
            ("talos/52-54-00-00-00-01.yaml", ""),
        ],
    );
}

#[test]
fn nixos_with_the_arguments_of_its_script() {
    let script = "#!ipxe\n# Use the cmdline variable to allow the user to specify custom kernel params\n\
        kernel bzImage-x86_64-linux \
        init=/nix/store/3nb5zlf9h0c8q5vq4gq0kxv6kvmr9g0s-nixos-system-nixos-25.05/init \
        initrd=initrd-x86_64-linux nohibernate loglevel=4 ${cmdline}\ninitrd initrd-x86_64-linux\nboot\n";
    case(
        "nixos/netboot",
        "init= names the system in the store, by a hash that is another one in each build: the\n\
         kernel line of the release's own netboot script is what counts.",
        "nixos/latest",
        &[
            ("images/nixos/25.05/bzImage-x86_64-linux", ""),
            ("images/nixos/25.05/initrd-x86_64-linux", ""),
            ("images/nixos/25.05/netboot-x86_64-linux.ipxe", script),
        ],
    );
}

#[test]
fn memtest_by_the_file_for_the_firmware() {
    case(
        "memtest/debian",
        "A BIOS starts the .bin as if it were Linux, UEFI the .efi; no initrd, no network.",
        "memtest86+/latest",
        &[
            ("images/memtest86+/7.20/memtest86+x64.bin", ""),
            ("images/memtest86+/7.20/memtest86+x64.efi", ""),
        ],
    );
}

const BOOT_CFG: &str = "bootstate=0\ntitle=Loading ESXi installer\ntimeout=5\nprefix=\n\
    kernel=/b.b00\nkernelopt=runweasel cdromBoot\nmodules=/jumpstrt.gz --- /useropts.gz --- /k.b00\n\
    build=8.0.3-0.0.24022510\nupdated=0\n";

#[test]
fn esxi_gets_its_boot_cfg_with_our_urls() {
    let files = [
        ("images/esxi/8.0.3/boot.cfg", BOOT_CFG),
        ("images/esxi/8.0.3/b.b00", ""),
        ("images/esxi/8.0.3/efi/boot/bootx64.efi", ""),
        ("images/esxi/8.0.3/mboot.c32", ""),
        ("kickstart/52-54-00-00-00-01.ks", ""),
    ];
    case(
        "esxi/tree",
        "The loader of the firmware (mboot.c32, bootx64.efi) is told its boot.cfg with -c. In\n\
         that, prefix= is the folder's URL, no name in kernel= and modules= begins with a slash,\n\
         and kernelopt= names the kickstart.",
        "esxi/latest",
        &files,
    );
    let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimage = \"esxi/latest\"\n";
    let stick = Stick::of(&[&[("machines.toml", machines)], files.as_slice()].concat());
    is_golden("profiles/esxi/boot.cfg", &stick.rewritten("BOOT.CFG", 1).unwrap());
    assert_eq!(stick.rewritten("other.cfg", 1), None);
}

#[test]
fn windows_pe_by_wimboot() {
    case(
        "winpe/tree",
        "wimboot takes what would be initrds, finds them by their last names (bcd, boot.sdi,\n\
         boot.wim, bootmgr), and puts every other one into the system's System32.",
        "winpe/latest",
        &[
            ("images/winpe/11/boot/bcd", ""),
            ("images/winpe/11/boot/boot.sdi", ""),
            ("images/winpe/11/bootmgr", ""),
            ("images/winpe/11/sources/boot.wim", ""),
            ("images/winpe/11/startnet.cmd", ""),
            ("images/winpe/11/wimboot", ""),
        ],
    );
}

#[test]
fn any_kernel_with_its_initrd_and_arguments() {
    case(
        "any-kernel/folder",
        "Nobody's documentation: the words of args.txt, behind the initrd.",
        "rescue/1.0",
        &[
            ("images/rescue/1.0/args.txt", "# serial\nconsole=ttyS0 quiet\n"),
            ("images/rescue/1.0/initrd.img", ""),
            ("images/rescue/1.0/vmlinuz", ""),
        ],
    );
}

#[test]
fn the_image_of_a_disk_is_written_by_what_runs_our_script() {
    let image = ("images/homeassistant/12.4/haos.img.xz", "");
    let list = ("images/homeassistant/12.4/SHA256SUMS", "");
    case(
        "disk-image/flatcar",
        "Nobody's documentation: Flatcar runs in memory, with the script that writes the image.\n\
         The newer of two, and not the one that has no kernel here.",
        "homeassistant/12.4",
        &[
            image,
            list,
            ("images/flatcar/4081.2.1/flatcar_production_pxe.vmlinuz", ""),
            ("images/flatcar/4081.2.1/flatcar_production_pxe_image.cpio.gz", ""),
            ("images/flatcar/4152.2.0/flatcar_production_image.bin.bz2", ""),
            ("images/flatcar/3975.2.2/flatcar_production_pxe.vmlinuz", ""),
            ("images/flatcar/3975.2.2/flatcar_production_pxe_image.cpio.gz", ""),
        ],
    );
    case(
        "disk-image/nobody-writes",
        "Nobody's documentation: Alpine runs none of our scripts, so the machine is left alone.",
        "homeassistant/12.4",
        &[
            image,
            ("images/alpine/3.20.3/initramfs-lts", ""),
            ("images/alpine/3.20.3/modloop-lts", ""),
            ("images/alpine/3.20.3/vmlinuz-lts", ""),
        ],
    );
}

#[test]
fn the_image_of_a_disk_is_written_to_machines_with_its_processor() {
    let flatcar = |folder: &str, name: &str| format!("images/flatcar/4081.2.1/{folder}{name}");
    let files = [
        flatcar("", "flatcar_production_pxe.vmlinuz"),
        flatcar("", "flatcar_production_pxe_image.cpio.gz"),
        flatcar("arm64/", "flatcar_production_pxe.vmlinuz"),
        flatcar("arm64/", "flatcar_production_pxe_image.cpio.gz"),
        "images/homeassistant/12.4/arm64/haos.img.xz".to_owned(),
        "images/homeassistant/12.4/arm64/other.img".to_owned(),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "")).collect();
    case(
        "disk-image/arm64",
        "Nobody's documentation: only what has the image's processor boots to write it; of two\n\
         images for the same one, the first counts, and the other is named.",
        "homeassistant/12.4",
        &files,
    );
}
