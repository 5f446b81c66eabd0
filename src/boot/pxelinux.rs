//! `pxelinux.cfg/…`, written for the machine that asks.
//!
//! PXELINUX has no quoting: a file name with a blank cannot be written, and what comes
//! here is checked where it is parsed (`inventory::machine`, `inventory::version`).

use super::plan::{Installation, Plan};
use crate::inventory::profile::Purpose;

/// Which SYSLINUX reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// PXELINUX on a BIOS, or U-Boot.
    Bios,
    /// `efi64/syslinux.efi`, to which names are beside itself unless `::` stands before them.
    Efi64,
}

/// The configuration file for one machine. `IPAPPEND 2` adds `BOOTIF=`, so that the
/// installer uses the network card that the machine booted from.
pub fn config(plan: &Plan, family: Family) -> String {
    let top = if family == Family::Efi64 { "::" } else { "" };
    match plan {
        Plan::Install(install) => installer(install, top),
        Plan::LocalBoot(reason) => local_boot(reason, own_disk(family)),
        Plan::Wait => AGAIN.to_owned(),
        Plan::Menu => menu(family),
    }
}

fn installer(install: &Installation, top: &str) -> String {
    let Installation { image, title, kernel, args, .. } = install;
    let verb = install.verb();
    let what = if install.purpose == Purpose::Live { "starts" } else { "installs" };
    // By its name, PXELINUX takes memtest's .bin for something else.
    let directive = if install.program { "LINUX" } else { "KERNEL" };
    let mut config = format!(
        "# pxeberry: {what} {image}\n\
         DEFAULT install\n\
         PROMPT 0\n\
         SAY pxeberry: {verb} {title} ({image})\n\
         LABEL install\n\
         {directive} {top}{kernel}\n"
    );
    if !install.initrds.is_empty() {
        let initrds: Vec<String> =
            install.initrds.iter().map(|name| format!("{top}{name}")).collect();
        config.push_str(&format!("INITRD {}\n", initrds.join(",")));
    }
    if !args.is_empty() {
        config.push_str(&format!("APPEND {args}\n"));
    }
    if !install.program {
        config.push_str("IPAPPEND 2\n");
    }
    config
}

fn local_boot(reason: &str, own_disk: &str) -> String {
    format!(
        "# pxeberry: boots from disk, because {reason}\n\
         DEFAULT local\n\
         PROMPT 0\n\
         SAY pxeberry: booting your own disk ({reason})\n\
         LABEL local\n\
         {own_disk}"
    )
}

/// On a BIOS, chain.c32 is what MAAS and Foreman use; `LOCALBOOT 0` hangs on some machines.
/// Without the module (an incomplete loader folder) LOCALBOOT still works on most. U-Boot
/// knows no COM32: it passes the label by and goes on to its next device. On UEFI chain.c32
/// crashes, and LOCALBOOT goes back to the firmware, which tries its next boot entry.
fn own_disk(family: Family) -> &'static str {
    match family {
        Family::Bios => "COM32 chain.c32\nAPPEND hd0\n",
        Family::Efi64 => "LOCALBOOT -1\n",
    }
}

/// Three seconds at a prompt, then this file is asked for anew.
const AGAIN: &str = "\
# pxeberry: starting, ask again
DEFAULT again
PROMPT 1
TIMEOUT 30
SAY pxeberry: starting, one moment
LABEL again
CONFIG pxelinux.cfg/default
";

/// Nothing starts by itself; an empty answer at the prompt boots the disk.
fn menu(family: Family) -> String {
    let memory_test = match family {
        // By its name alone PXELINUX would take it for a boot sector.
        Family::Bios => "LABEL memtest\nLINUX memtest86plus.bin\n",
        Family::Efi64 => "",
    };
    let also = if memory_test.is_empty() { "" } else { ", or type memtest to test its memory" };
    format!(
        "# pxeberry: boot.unknown = \"menu\"\n\
         DEFAULT local\n\
         PROMPT 1\n\
         TIMEOUT 0\n\
         SAY pxeberry: the stick does not name this machine. Press Enter to boot its own disk{also}.\n\
         LABEL local\n\
         {}{memory_test}",
        own_disk(family)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_names_kernel_initrds_and_arguments() {
        let plan = Plan::Install(Installation {
            image: "coreos/1185.3.0".into(),
            title: "CoreOS Container Linux".into(),
            kernel: "coreos_production_pxe.vmlinuz".into(),
            initrds: vec!["coreos_production_pxe_image.cpio.gz".into()],
            args: "cloud-config-url=http://10.10.10.1:8080/cloud-configs/install.sh".into(),
            ..Installation::default()
        });
        let expected = "\
# pxeberry: installs coreos/1185.3.0
DEFAULT install
PROMPT 0
SAY pxeberry: installing CoreOS Container Linux (coreos/1185.3.0)
LABEL install
KERNEL coreos_production_pxe.vmlinuz
INITRD coreos_production_pxe_image.cpio.gz
APPEND cloud-config-url=http://10.10.10.1:8080/cloud-configs/install.sh
IPAPPEND 2
";
        assert_eq!(config(&plan, Family::Bios), expected);
        let efi = config(&plan, Family::Efi64);
        assert!(efi.contains("KERNEL ::coreos_production_pxe.vmlinuz\nINITRD ::coreos"), "{efi}");
    }

    #[test]
    fn a_stranger_is_sent_to_its_disk() {
        let text = config(&Plan::LocalBoot("the stick does not name this machine"), Family::Bios);
        assert!(text.contains("COM32 chain.c32\nAPPEND hd0\n"));
        assert!(!text.contains("KERNEL"));
    }

    #[test]
    fn on_uefi_a_stranger_goes_back_to_its_firmware_because_chain_c32_crashes_there() {
        for plan in [Plan::LocalBoot("it is installed"), Plan::Menu] {
            let text = config(&plan, Family::Efi64);
            assert!(text.contains("LABEL local\nLOCALBOOT -1\n"), "{text}");
            assert!(!text.contains("c32"), "{text}");
        }
    }

    #[test]
    fn the_menu_of_a_bios_offers_a_memory_test_and_starts_nothing_by_itself() {
        let text = config(&Plan::Menu, Family::Bios);
        assert!(text.contains("PROMPT 1\nTIMEOUT 0\n"), "{text}");
        assert!(text.contains("LABEL memtest\nLINUX memtest86plus.bin\n"), "{text}");
    }
}
