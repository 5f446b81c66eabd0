//! Every system that is installed, as small files of the right names, with a configuration of
//! its kind: one as people write them, to which a report may be added, and the example that
//! has one.

/// How its installation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Our `install.sh` reports.
    Script,
    /// Its installer does, if its configuration says so; else the configuration was taken.
    Installer,
    /// It has taken its configuration; only the installed system could report.
    Config,
    /// It has taken a file that its loader loads.
    File,
}

/// A system that is installed.
#[derive(Debug, Clone, Copy)]
pub struct System {
    /// Its name in names of machines.
    pub name: &'static str,
    /// `image = "…"`
    pub image: &'static str,
    /// Below `images/`.
    pub files: &'static [&'static str],
    /// How it ends.
    pub end: End,
    /// A configuration without a report: its file for the config called NAME, and its text.
    pub plain: Option<(&'static str, &'static str)>,
    /// Whether machines get that with a report added.
    pub added: bool,
    /// The example that reports: where it lies below `board/examples/`.
    pub example: Option<&'static str>,
    /// What else its installer takes from us, last.
    pub takes: Option<&'static str>,
}

const NONE: System = System {
    name: "",
    image: "",
    files: &[],
    end: End::Installer,
    plain: None,
    added: false,
    example: None,
    takes: None,
};

/// The text of a configuration that is an archive, or of which nobody looks at the text.
const ANY: &str = "anything\n";

const FLATCAR: System = System {
    image: "flatcar/4081.2.1",
    files: &[
        "flatcar/4081.2.1/flatcar_production_pxe.vmlinuz",
        "flatcar/4081.2.1/flatcar_production_pxe_image.cpio.gz",
        "flatcar/4081.2.1/flatcar_production_image.bin.bz2",
    ],
    end: End::Script,
    takes: Some("/4081.2.1/flatcar_production_image.bin.bz2"),
    ..NONE
};

const IGNITION: (&str, &str) = ("ignition/NAME.ign", "{\"ignition\": {\"version\": \"3.3.0\"}}");

const KICKSTART: (&str, &str) = ("kickstart/NAME.ks", "text\n");
const AUTOYAST: (&str, &str) = ("autoyast/NAME.xml", "<profile/>\n");
const CLOUD_CONFIG: (&str, &str) = ("cloud-configs/NAME.yml", "#cloud-config\nhostname: a\n");

/// All of them.
pub const SYSTEMS: [System; 15] = [
    System {
        name: "coreos",
        image: "coreos/1185.3.0",
        files: &[
            "coreos/1185.3.0/coreos_production_pxe.vmlinuz",
            "coreos/1185.3.0/coreos_production_pxe_image.cpio.gz",
            "coreos/1185.3.0/coreos_production_image.bin.bz2",
        ],
        end: End::Script,
        plain: Some(CLOUD_CONFIG),
        takes: Some("/1185.3.0/coreos_production_image.bin.bz2"),
        ..NONE
    },
    System { name: "flatcar", plain: Some(CLOUD_CONFIG), ..FLATCAR },
    System {
        name: "flatcar-ignition",
        plain: Some(IGNITION),
        example: Some("ignition/default.ign.j2"),
        ..FLATCAR
    },
    System {
        name: "fedora-coreos",
        image: "fedora-coreos/42.20250901.3.0",
        files: &[
            "fedora-coreos/42.20250901.3.0/fedora-coreos-42.20250901.3.0-live-kernel.x86_64",
            "fedora-coreos/42.20250901.3.0/fedora-coreos-42.20250901.3.0-live-initramfs.x86_64.img",
            "fedora-coreos/42.20250901.3.0/fedora-coreos-42.20250901.3.0-live-rootfs.x86_64.img",
            "fedora-coreos/42.20250901.3.0/fedora-coreos-42.20250901.3.0-metal.x86_64.raw.xz",
        ],
        end: End::Config,
        plain: Some(IGNITION),
        added: true,
        example: Some("ignition/default.ign.j2"),
        takes: Some(
            "/images/fedora-coreos/42.20250901.3.0/fedora-coreos-42.20250901.3.0-metal.x86_64.raw.xz",
        ),
    },
    System {
        name: "debian",
        image: "debian/13",
        files: &["debian/13/linux", "debian/13/initrd.gz"],
        plain: Some(("preseed/NAME.cfg", "d-i debian-installer/locale string en_US.UTF-8\n")),
        added: true,
        example: Some("preseed/default.cfg.j2"),
        ..NONE
    },
    System {
        name: "fedora",
        image: "fedora/43",
        files: &[
            "fedora/43/images/pxeboot/vmlinuz",
            "fedora/43/images/pxeboot/initrd.img",
            "fedora/43/images/install.img",
        ],
        plain: Some(KICKSTART),
        added: true,
        example: Some("kickstart/default.ks.j2"),
        takes: Some("/images/fedora/43/images/install.img"),
        ..NONE
    },
    System {
        name: "ubuntu",
        image: "ubuntu/24.04",
        files: &[
            "ubuntu/24.04/casper/vmlinuz",
            "ubuntu/24.04/casper/initrd",
            "ubuntu/24.04/ubuntu-24.04-live-server-amd64.iso",
        ],
        plain: Some(("autoinstall/NAME/user-data", "#cloud-config\nautoinstall: {version: 1}\n")),
        added: true,
        example: Some("autoinstall/default/user-data.j2"),
        ..NONE
    },
    System {
        name: "opensuse",
        image: "opensuse/15.6",
        files: &[
            "opensuse/15.6/boot/x86_64/loader/linux",
            "opensuse/15.6/boot/x86_64/loader/initrd",
        ],
        plain: Some(AUTOYAST),
        added: true,
        example: Some("autoyast/default.xml.j2"),
        ..NONE
    },
    System {
        name: "sles",
        image: "sles/15.6",
        files: &["sles/15.6/boot/x86_64/loader/linux", "sles/15.6/boot/x86_64/loader/initrd"],
        plain: Some(AUTOYAST),
        added: true,
        example: Some("autoyast/default.xml.j2"),
        ..NONE
    },
    System {
        name: "leap",
        image: "leap/16.0",
        files: &[
            "leap/16.0/boot/x86_64/loader/linux",
            "leap/16.0/boot/x86_64/loader/initrd",
            "leap/16.0/LiveOS/squashfs.img",
            "leap/16.0/Leap-16.0-online-installer-x86_64.install.iso",
        ],
        plain: Some(("agama/NAME.json", "{}\n")),
        added: true,
        example: Some("agama/default.json.j2"),
        ..NONE
    },
    System {
        name: "talos",
        image: "talos/1.11.0",
        files: &["talos/1.11.0/vmlinuz-amd64", "talos/1.11.0/initramfs-amd64.xz"],
        end: End::Config,
        plain: Some(("talos/NAME.yaml", "machine: {}\n")),
        ..NONE
    },
    System {
        name: "alpine",
        image: "alpine/3.22.1",
        files: &[
            "alpine/3.22.1/vmlinuz-lts",
            "alpine/3.22.1/initramfs-lts",
            "alpine/3.22.1/modloop-lts",
        ],
        plain: Some(("alpine/NAME.apkovl.tar.gz", ANY)),
        ..NONE
    },
    System {
        name: "arch",
        image: "arch/2026.01.01",
        files: &[
            "arch/2026.01.01/arch/boot/x86_64/vmlinuz-linux",
            "arch/2026.01.01/arch/boot/x86_64/initramfs-linux.img",
            "arch/2026.01.01/arch/x86_64/airootfs.sfs",
        ],
        plain: Some(("scripts/NAME.sh", "#!/bin/sh\ntrue\n")),
        example: Some("scripts/default.sh.j2"),
        ..NONE
    },
    System {
        name: "esxi",
        image: "esxi/8.0.3",
        files: &["esxi/8.0.3/mboot.c32", "esxi/8.0.3/b.b00", "esxi/8.0.3/boot.cfg"],
        plain: Some(KICKSTART),
        added: true,
        example: Some("kickstart/esxi.ks.j2"),
        ..NONE
    },
    System {
        name: "winpe",
        image: "winpe/11",
        files: &[
            "winpe/11/wimboot",
            "winpe/11/boot/bcd",
            "winpe/11/boot/boot.sdi",
            "winpe/11/sources/boot.wim",
        ],
        end: End::File,
        ..NONE
    },
];

/// What a file of an image holds.
pub fn content(path: &str) -> String {
    match path.ends_with("boot.cfg") {
        true => "prefix=\nkernel=/b.b00\nkernelopt=cdromBoot\nmodules=/a.gz\n".to_owned(),
        false => format!("this is {path}\n"),
    }
}
