//! One boot: from power on to the kernel's own words, and what was said on the cable.

use std::time::{Duration, Instant};

use super::super::net::firmware::{Parts, Pc, kernel, loaders_of_the_image, secure};
use super::super::net::rival::{self, RIVAL};
use super::super::net::stick::NODE_1;
use super::super::net::{self, Appliance, Server, tools};
use super::{Board, Cell, First, Lan};

/// What U-Boot calls itself on every emulated machine, whatever QEMU's card says.
const U_BOOT: &str = "52:52:52:52:52:52";

/// An argument that loaders could spoil; the kernel repeats it.
const HARD_ARGUMENT: &str = "pxeberry.said=\"it is; $so {and} not\"";

impl Cell {
    /// Boots, and fails unless each stage is reached: the time to the kernel's first line.
    pub fn boots(&self, lan: &net::Lan) -> Duration {
        let router = (self.lan == Lan::BesideDnsmasq).then(|| lan.machine(RIVAL));
        let _rival = router.as_ref().map(|router| rival::dnsmasq(router, &["--no-ping"]));
        let appliance = self.appliance();
        let _server = self.switched_on(&appliance);
        let begin = Instant::now();
        let pc = self.computer().starts(lan);
        pc.reaches("our configuration", self.greeting());
        pc.reaches("the kernel", kernel::STARTS);
        let time = begin.elapsed();
        if self.row.first == First::Shim {
            pc.reaches("a kernel that knows of Secure Boot", secure::KERNEL_KNOWS);
        }
        self.assert_command_line(&pc);
        self.assert_talk(&pc);
        assert_eq!(appliance.machine(self.mac()), ("installing".to_owned(), 1));
        time
    }

    /// The hardware address of the computer.
    pub(super) fn mac(&self) -> &'static str {
        if self.row.board == Board::UBoot { U_BOOT } else { NODE_1 }
    }

    fn computer(&self) -> Parts {
        let mut parts = Parts::new(self.row.board, self.mac())
            .model(self.row.card)
            .memory(kernel::memory(self.row.board));
        if self.row.by_http {
            parts = parts.only_http();
        }
        match self.row.first {
            First::Shim => parts.secure(),
            First::PxelinuxCfg => parts.told("dhcp; pxe get && pxe boot"),
            _ => parts,
        }
    }

    fn appliance(&self) -> Appliance {
        let mode = if self.lan == Lan::Alone { "server" } else { "proxy" };
        let settings = match self.row.first {
            First::Script | First::Ipxe | First::PxelinuxCfg => loaders_of_the_image(),
            First::Pxelinux => "boot.bios_loader = \"pxelinux\"".to_owned(),
            First::Syslinux => {
                tools::need_loader("/usr/lib/SYSLINUX.EFI/efi64/syslinux.efi", "syslinux-efi");
                "boot.uefi_loader = \"syslinux\"".to_owned()
            }
            First::Shim => secure::loaders(),
        };
        let appliance = Appliance::new(mode, &settings);
        let stick = appliance.sample_stick();
        kernel::put_on(&stick, self.row.board);
        if matches!(self.row.board, Board::EfiArm64 | Board::UBoot) {
            stick.write("profiles/coreos.toml", coreos_for_arm64());
        }
        let loader = if self.row.first == First::Shim { "loader = \"shim\"" } else { "" };
        let machine = format!(
            "[[machine]]\nname = \"node-1\"\nmac = \"{}\"\n{loader}\nargs = '{} {HARD_ARGUMENT}'\n",
            self.mac(),
            kernel::TALKATIVE
        );
        stick.write("machines.toml", machine);
        appliance
    }

    fn switched_on(&self, appliance: &Appliance) -> Server {
        match self.lan {
            Lan::Alone => appliance.serves(),
            Lan::BesideDnsmasq => {
                let server = appliance.starts();
                server.log.wait_for(" read: ");
                server.log.wait_for("beside the DHCP server that gives the addresses");
                server
            }
        }
    }

    /// What shows that our configuration for this machine is followed.
    fn greeting(&self) -> &'static str {
        match self.row.first {
            // It prints no `SAY`.
            First::PxelinuxCfg => "1:install",
            _ => "pxeberry: installing CoreOS Container Linux (coreos/1185.3.0)",
        }
    }

    /// The kernel knows the card that it came by, and nothing of its arguments is lost.
    fn assert_command_line(&self, pc: &Pc) {
        let line = pc.reaches("its command line", kernel::COMMAND_LINE);
        let bootif = format!("BOOTIF=01-{}", self.mac().replace(':', "-"));
        let url = "cloud-config-url=http://10.10.10.1:8080/cloud-configs/install.sh";
        // GRUB quotes the whole argument; to the kernel both are the same.
        let hard = match self.row.first {
            First::Shim => "\"pxeberry.said=it is; $so {and} not\"",
            _ => HARD_ARGUMENT,
        };
        for word in [&bootif, url, kernel::TALKATIVE, hard] {
            assert!(line.contains(word), "{word} is not in {line}");
        }
    }
}

/// There was never a CoreOS for ARM: the stick says that it has one, so that its machines get
/// the kernel under the same names as all others.
fn coreos_for_arm64() -> String {
    let own = include_str!("../../../src/inventory/profiles/coreos.toml");
    let for_arm64 = own.replace("ram = 2048\n", "ram = 2048\narch = \"arm64\"\n");
    assert_ne!(for_arm64, own, "the profile of CoreOS looks different now");
    for_arm64
}
