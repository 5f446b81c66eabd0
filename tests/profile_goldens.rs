//! What machines get to boot: systems that a program of their own installs.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "support/profile_case.rs"]
mod profile_case;

use profile_case::case;

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
    behind ---\nis kept for the installed system. A firmware archive is one more initrd. log_host= has \
    its\nlog lines sent to us by UDP.";

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
fn debian_as_it_is_fetched() {
    let folder = "images/debian/13.2";
    let amd = format!("{folder}/netboot/debian-installer/amd64");
    let arm = format!("{folder}/arm64/netboot/debian-installer/arm64");
    let files = [
        format!("{folder}/Release"),
        format!("{folder}/Release.gpg"),
        format!("{folder}/SHA256SUMS"),
        format!("{amd}/initrd.gz"),
        format!("{amd}/linux"),
        format!("{folder}/arm64/SHA256SUMS"),
        format!("{arm}/initrd.gz"),
        format!("{arm}/linux"),
    ];
    let mut files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "")).collect();
    files.push(PRESEED);
    case("debian/fetched", DEBIAN, "debian/latest", &files);
}

#[test]
fn flatcar_for_two_processors() {
    let names = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"];
    let files = ["", "arm64/"].map(|folder| {
        names.map(|name| format!("images/flatcar/4081.2.1/{folder}flatcar_production_{name}"))
    });
    let files: Vec<(&str, &str)> = files.iter().flatten().map(|path| (path.as_str(), "")).collect();
    let rule = "The files for arm64 have the names of those for PCs, so they lie in a folder of\n\
                their own, and go by its name.";
    case("flatcar/processors", rule, "flatcar/latest", &files);
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
fn fedora_coreos_without_its_metal_image_installs_what_the_live_system_holds() {
    let version = "42.20250705.3.0";
    let files = [("", "x86_64"), ("arm64/", "aarch64")].map(|(folder, arch)| {
        ["initramfs.ARCH.img", "kernel.ARCH", "rootfs.ARCH.img"].map(|end| {
            let name = format!("fedora-coreos-{version}-live-{}", end.replace("ARCH", arch));
            format!("images/fedora-coreos/{version}/{folder}{name}")
        })
    });
    let mut files: Vec<(&str, &str)> =
        files.iter().flatten().map(|path| (path.as_str(), "")).collect();
    files.push(("ignition/52-54-00-00-00-01.ign", ""));
    let rule = "coreos.inst.image_url= names another image than the one that the live root file\n\
                system holds; without one there is no such argument.";
    case("fedora-coreos/fetched", rule, "fedora-coreos/latest", &files);
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
