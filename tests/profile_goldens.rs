//! Each system's files under their publisher's names, and what machines get to boot with
//! them: one golden for each way to lay them on a stick, headed by what the system's own
//! documentation asks for, in our words.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/tree.rs"]
mod tree;

use golden::is_golden;
use tree::{Client, Stick};

/// `name` is the golden's; `machine` what machines.toml says of the machine; `stick` its
/// files, with a text where it matters.
fn case(name: &str, rule: &str, image: &str, files: &[(&str, &str)]) {
    let machines = format!(
        "[[machine]]\nname = \"node-1\"\nmac = \"52:54:00:00:00:01\"\nimage = \"{image}\"\n\
         disk = \"/dev/vda\"\n[[machine]]\nmac = \"52:54:00:00:00:02\"\nimage = \"{image}\"\n"
    );
    let stick = Stick::of(&[&[("machines.toml", machines.as_str())], files].concat());
    let mut text = String::new();
    for line in rule.lines() {
        text.push_str(&format!("# {}\n", line.trim()));
    }
    text.push_str("\nfiles\n");
    for (path, _) in files {
        text.push_str(&format!("  {path}\n"));
    }
    let found = stick.found();
    for image in &found.images {
        text.push_str(&format!("\nimage {} ({})\n", image.name(), image.profile.title));
    }
    for problem in &found.problems {
        text.push_str(&format!("\nproblem {problem}\n"));
    }
    for client in Client::ALL {
        text.push_str(&format!("\n{}\n{}", client.title(), stick.boots(client, 1)));
    }
    text.push_str(&format!("\nwithout a configuration\n{}", stick.boots(Client::BiosIpxe, 2)));
    is_golden(&format!("profiles/{name}.txt"), &text);
}

#[test]
fn coreos_and_flatcar_boot_as_on_the_old_box() {
    for system in ["coreos", "flatcar"] {
        let file = |name: &str| format!("images/{system}/1185.3.0/{system}_production_{name}");
        let files = [
            file("pxe.vmlinuz"),
            file("pxe_image.cpio.gz"),
            file("image.bin.bz2"),
            file("image.bin.bz2.sig"),
        ];
        let files = files.each_ref().map(|path| (path.as_str(), ""));
        let rule = "Kernel and one initrd; cloud-config-url= names a script that the system in\n\
                    memory runs, as the old box's installations did.";
        case(&format!("{system}/release"), rule, &format!("{system}/latest"), &files);
    }
}

const PRESEED: (&str, &str) = ("preseed/52-54-00-00-00-01.cfg", "");
const DEBIAN: &str = "auto=true and priority=critical with url= (short for preseed/url) make an \
    unattended\ninstallation; interface=auto takes the card that BOOTIF= names. What stands \
    behind ---\nis kept for the installed system. A firmware archive is one more initrd.";

#[test]
fn debian_as_its_archive_has_it() {
    let images = "images/debian/13/dists/trixie/main/installer-amd64/current/images";
    let netboot = format!("{images}/netboot/debian-installer/amd64");
    let arm = netboot.replace("amd64", "arm64");
    let files = [
        format!("{netboot}/linux"),
        format!("{netboot}/initrd.gz"),
        format!("{netboot}/bootnetx64.efi"),
        format!("{images}/netboot/gtk/debian-installer/amd64/linux"),
        format!("{images}/netboot/gtk/debian-installer/amd64/initrd.gz"),
        format!("{images}/SHA256SUMS"),
        format!("{arm}/linux"),
        format!("{arm}/initrd.gz"),
        "images/debian/13/firmware.cpio.gz".to_owned(),
    ];
    let mut files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "")).collect();
    files.push(PRESEED);
    case("debian/archive", DEBIAN, "debian/13", &files);
}

#[test]
fn debian_as_its_packages_have_it() {
    let folder =
        "images/debian/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
    let files = [format!("{folder}/linux"), format!("{folder}/initrd.gz")];
    let files = [(files[0].as_str(), ""), (files[1].as_str(), ""), PRESEED];
    case("debian/package", DEBIAN, "debian/12", &files);
}

#[test]
fn debian_as_two_files() {
    let files = [("images/debian/12/linux", ""), ("images/debian/12/initrd.gz", ""), PRESEED];
    case("debian/flat", DEBIAN, "debian/latest", &files);
}

const UBUNTU: &str = "url= names the ISO, which is loaded into memory; cloud-config-url=/dev/null \
    keeps\ncloud-init from reading it as a configuration. autoinstall asks no question; the \
    data\nsource's URL ends with a slash.";
const AUTOINSTALL: (&str, &str) = ("autoinstall/52-54-00-00-00-01/user-data", "");

#[test]
fn ubuntu_from_its_iso_as_it_is() {
    let info = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release amd64 (20240827)";
    let arm_info = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release arm64 (20240827)";
    case(
        "ubuntu/iso",
        UBUNTU,
        "ubuntu/24.04.1",
        &[
            ("images/ubuntu-24.04.1-live-server-amd64.iso", ""),
            ("images/ubuntu-24.04.1-live-server-amd64.iso/.disk/info", info),
            ("images/ubuntu-24.04.1-live-server-amd64.iso/casper/initrd", ""),
            ("images/ubuntu-24.04.1-live-server-amd64.iso/casper/vmlinuz", ""),
            ("images/ubuntu-24.04.1-live-server-arm64.iso", ""),
            ("images/ubuntu-24.04.1-live-server-arm64.iso/.disk/info", arm_info),
            ("images/ubuntu-24.04.1-live-server-arm64.iso/casper/initrd", ""),
            ("images/ubuntu-24.04.1-live-server-arm64.iso/casper/vmlinuz", ""),
            AUTOINSTALL,
        ],
    );
}

#[test]
fn ubuntu_from_a_folder_beside_its_iso() {
    case(
        "ubuntu/casper",
        UBUNTU,
        "ubuntu/latest",
        &[
            ("images/ubuntu/24.04/casper/initrd", ""),
            ("images/ubuntu/24.04/casper/vmlinuz", ""),
            ("images/ubuntu/24.04/ubuntu-24.04.1-live-server-amd64.iso", ""),
            AUTOINSTALL,
        ],
    );
}

#[test]
fn ubuntu_from_its_netboot_archive() {
    case(
        "ubuntu/netboot",
        UBUNTU,
        "ubuntu/latest",
        &[
            ("images/ubuntu/24.04.1/amd64/bootx64.efi", ""),
            ("images/ubuntu/24.04.1/amd64/grub/grub.cfg", ""),
            ("images/ubuntu/24.04.1/amd64/initrd", ""),
            ("images/ubuntu/24.04.1/amd64/linux", ""),
            ("images/ubuntu/24.04.1/amd64/pxelinux.0", ""),
            ("images/ubuntu/24.04.1/ubuntu-24.04.1-live-server-amd64.iso", ""),
            AUTOINSTALL,
        ],
    );
}

#[test]
fn fedora_coreos_installs_from_files_of_one_version() {
    case(
        "fedora-coreos/release",
        "The live system fetches its root from coreos.live.rootfs_url=; coreos.inst.install_dev=\n\
         and coreos.inst.ignition_url= make it install. All files are of one version.",
        "fedora-coreos/latest",
        &[
            (
                "images/fedora-coreos/41.20250302.3.2/fedora-coreos-41.20250302.3.2-live-initramfs.x86_64.img",
                "",
            ),
            (
                "images/fedora-coreos/41.20250302.3.2/fedora-coreos-41.20250302.3.2-live-kernel.x86_64",
                "",
            ),
            (
                "images/fedora-coreos/41.20250302.3.2/fedora-coreos-41.20250302.3.2-live-rootfs.x86_64.img",
                "",
            ),
            (
                "images/fedora-coreos/41.20250302.3.2/fedora-coreos-41.20250302.3.2-metal.x86_64.raw.xz",
                "",
            ),
            (
                "images/fedora-coreos/41.20250302.3.2/fedora-coreos-41.20250302.3.2-metal.x86_64.raw.xz.sig",
                "",
            ),
            ("ignition/52-54-00-00-00-01.ign", ""),
        ],
    );
}

const ANACONDA: &str = "inst.repo= names a tree with packages, and finds the installer in it, too; \
    of one\nwithout packages, inst.stage2= takes the installer alone. inst.ks= names the \
    kickstart,\nwhich is fetched over the card that BOOTIF= names.";

#[test]
fn what_anaconda_installs_is_told_apart_by_treeinfo() {
    for (golden, image, folder, treeinfo, repo) in [
        (
            "fedora/tree",
            "fedora/41",
            "images/fedora/41",
            "family = Fedora\nversion = 41",
            "repodata",
        ),
        (
            "rhel/iso",
            "rhel/9.4",
            "images/rhel-9.4-x86_64-dvd.iso",
            "family = Red Hat Enterprise Linux\nversion = 9.4",
            "BaseOS/repodata",
        ),
        (
            "almalinux/iso",
            "almalinux/9.4",
            "images/a.iso",
            "family = AlmaLinux\nversion = 9.4",
            "none",
        ),
        (
            "rocky/tree",
            "rocky/9.4",
            "images/rocky/9.4",
            "family = Rocky Linux\nversion = 9",
            "none",
        ),
    ] {
        let file = |name: &str| format!("{folder}/{name}");
        let treeinfo = format!("[general]\narch = x86_64\n{treeinfo}\n");
        let names = [
            file(".treeinfo"),
            file("images/install.img"),
            file("images/pxeboot/initrd.img"),
            file("images/pxeboot/vmlinuz"),
            file(&format!("{repo}/repomd.xml")),
        ];
        let texts = [treeinfo.as_str(), "", "", "", ""];
        let mut files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts).collect();
        if folder.ends_with(".iso") {
            files.insert(0, (folder, ""));
        }
        files.push(("kickstart/52-54-00-00-00-01.ks", ""));
        case(golden, ANACONDA, image, &files);
    }
}

#[test]
fn suse_with_linuxrc_and_with_agama() {
    let linuxrc = "install= names the tree, autoyast= the profile; netsetup=dhcp and ifcfg=*=dhcp\n\
                   set the network up without a question.";
    let iso = "images/openSUSE-Leap-15.6-DVD-x86_64-Build710.3-Media.iso";
    let file = |name: &str| format!("{iso}/{name}");
    let names = [file("boot/x86_64/loader/initrd"), file("boot/x86_64/loader/linux")];
    let files = [
        (iso, ""),
        (names[0].as_str(), ""),
        (names[1].as_str(), ""),
        ("autoyast/52-54-00-00-00-01.xml", ""),
    ];
    case("opensuse/linuxrc", linuxrc, "opensuse/15.6", &files);
    let iso = iso.replace(
        "openSUSE-Leap-15.6-DVD-x86_64-Build710.3-Media",
        "SLE-15-SP6-Full-x86_64-GM-Media1",
    );
    let file = |name: &str| format!("{iso}/{name}");
    let names = [file("boot/x86_64/loader/initrd"), file("boot/x86_64/loader/linux")];
    let files = [
        (iso.as_str(), ""),
        (names[0].as_str(), ""),
        (names[1].as_str(), ""),
        ("autoyast/52-54-00-00-00-01.xml", ""),
    ];
    case("sles/linuxrc", linuxrc, "sles/15-SP6", &files);
    let agama = "root=live: names the ISO, which holds the live system of the installer; inst.auto= \
                 the\nprofile, inst.finish= what comes after.";
    for (golden, image, iso) in [
        ("opensuse/agama", "opensuse/16.0", "images/Leap-16.0-online-installer-x86_64.install.iso"),
        ("sles/agama", "sles/16.0", "images/SLES-16.0-Online-x86_64-GM.install.iso"),
    ] {
        let file = |name: &str| format!("{iso}/{name}");
        let names = [
            file("LiveOS/squashfs.img"),
            file("boot/x86_64/loader/initrd"),
            file("boot/x86_64/loader/linux"),
        ];
        let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        files.insert(0, (iso, ""));
        files.push(("agama/52-54-00-00-00-01.json", ""));
        case(golden, agama, image, &files);
    }
}

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
