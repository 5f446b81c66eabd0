//! `pxelinux.cfg/…`, written for the machine that asks.
//!
//! PXELINUX has no quoting: a file name with a blank cannot be written, and what comes
//! here is checked where it is parsed (`inventory::machine`, `inventory::version`).

use super::plan::{Installation, Plan};
use crate::inventory::profile::Purpose;

/// The configuration file for one machine. `IPAPPEND 2` adds `BOOTIF=`, so that the
/// installer uses the network card that the machine booted from.
pub fn config(plan: &Plan) -> String {
    match plan {
        Plan::Install(install) => installer(install),
        Plan::LocalBoot(reason) => local_boot(reason),
        Plan::Wait => AGAIN.to_owned(),
        Plan::Menu => MENU.to_owned(),
    }
}

fn installer(install: &Installation) -> String {
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
         {directive} {kernel}\n"
    );
    if !install.initrds.is_empty() {
        config.push_str(&format!("INITRD {}\n", install.initrds.join(",")));
    }
    if !args.is_empty() {
        config.push_str(&format!("APPEND {args}\n"));
    }
    if !install.program {
        config.push_str("IPAPPEND 2\n");
    }
    config
}

/// chain.c32 is what MAAS and Foreman use; `LOCALBOOT 0` hangs on some machines. Without
/// the module (an incomplete loader folder) LOCALBOOT still works on most. U-Boot knows no
/// COM32: it passes the label by and goes on to its next device.
fn local_boot(reason: &str) -> String {
    format!(
        "# pxeberry: boots from disk, because {reason}\n\
         DEFAULT local\n\
         PROMPT 0\n\
         SAY pxeberry: booting your own disk ({reason})\n\
         LABEL local\n\
         COM32 chain.c32\n\
         APPEND hd0\n"
    )
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
const MENU: &str = "\
# pxeberry: boot.unknown = \"menu\"
DEFAULT local
PROMPT 1
TIMEOUT 0
SAY pxeberry: the stick does not name this machine. Press Enter to boot its own disk.
LABEL local
COM32 chain.c32
APPEND hd0
";

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
        assert_eq!(config(&plan), expected);
    }

    #[test]
    fn a_stranger_is_sent_to_its_disk() {
        let text = config(&Plan::LocalBoot("the stick does not name this machine"));
        assert!(text.contains("COM32 chain.c32\nAPPEND hd0\n"));
        assert!(!text.contains("KERNEL"));
    }
}
