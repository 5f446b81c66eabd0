//! The iPXE script, written for the machine that asks.
//!
//! iPXE expands `${…}` anywhere; nothing that holds one gets here (`inventory::machine`).

use super::Endpoint;
use super::plan::{Installation, Plan};
use crate::net::Mac;

/// The script for the machine with `mac`.
pub fn script(mac: Mac, plan: &Plan, endpoint: Endpoint) -> String {
    match plan {
        Plan::Install(install) => installer(install, endpoint),
        Plan::LocalBoot(reason) => {
            format!("#!ipxe\necho pxeberry: booting your own disk ({reason})\n{LOCAL}")
        }
        Plan::Wait => format!(
            "#!ipxe\necho pxeberry: starting, one moment\nsleep {WAIT_SECONDS}\nchain --replace {}/boot/{}.ipxe\n",
            endpoint.base(),
            mac.dashed()
        ),
        Plan::Menu => format!("#!ipxe\n{MENU}{LOCAL}"),
    }
}

/// For a machine that the stick may name by its serial number, which only iPXE can tell: it
/// asks once more, and says who it is. A number that is not there is an empty text.
pub fn introduction(mac: Mac, endpoint: Endpoint) -> String {
    format!(
        "#!ipxe\nchain --replace {}/boot/{}.ipxe?uuid=${{uuid}}&serial=${{serial:uristring}}\n",
        endpoint.base(),
        mac.dashed()
    )
}

/// How long a machine waits before it asks again.
const WAIT_SECONDS: u8 = 3;

/// On UEFI the first disk by iPXE's own block driver (2024 or newer), else the next boot
/// entry: only `exit 1` leads there, `exit` stops in the setup screen. On BIOS the same
/// words work: drive 0x80, else INT 18h.
const LOCAL: &str = "sanboot --no-describe --drive 0x80 || exit 1\n";

const MENU: &str = "\
menu pxeberry: the stick does not name this machine
item local Boot its own disk
item shell iPXE shell
choose chosen || goto local
goto ${chosen}
:shell
shell
:local
";

/// A download that fails is tried again for good: an installer that gives up leaves a
/// machine at a prompt that nobody sees.
fn installer(install: &Installation, endpoint: Endpoint) -> String {
    let base = endpoint.base();
    let mut script = format!(
        "#!ipxe\n\
         echo pxeberry: installing {title} ({image})\n\
         :again\n\
         imgfree\n\
         kernel {base}/boot/{kernel} {initrd_args} BOOTIF=01-${{net0/mac:hexhyp}} {args} || goto failed\n",
        title = install.title,
        image = install.image,
        kernel = install.kernel,
        initrd_args = initrd_args(&install.initrds),
        args = install.args,
    );
    for initrd in &install.initrds {
        script.push_str(&format!("initrd {base}/boot/{initrd} || goto failed\n"));
    }
    script.push_str(&format!(
        "boot\n\
         :failed\n\
         echo pxeberry: a download failed, trying again\n\
         sleep {WAIT_SECONDS}\n\
         goto again\n"
    ));
    script
}

/// Older UEFI kernels find their initrd only by this argument.
fn initrd_args(initrds: &[String]) -> String {
    let args: Vec<String> = initrds.iter().map(|name| format!("initrd={name}")).collect();
    args.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::ENDPOINT;
    use super::*;

    fn mac() -> Mac {
        "52:54:00:00:00:01".parse().unwrap()
    }

    #[test]
    fn every_script_starts_as_ipxe_demands() {
        for plan in [Plan::LocalBoot("x"), Plan::Wait, Plan::Menu] {
            assert!(script(mac(), &plan, ENDPOINT).starts_with("#!ipxe\n"));
        }
    }

    #[test]
    fn an_installation_fetches_over_http_and_names_its_initrd() {
        let plan = Plan::Install(Installation {
            image: "coreos/1185.3.0".into(),
            title: "CoreOS Container Linux".into(),
            kernel: "k".into(),
            initrds: vec!["i".into()],
            args: "console=ttyS0".into(),
        });
        let text = script(mac(), &plan, ENDPOINT);
        let kernel = "kernel http://10.10.10.1:8080/boot/k initrd=i BOOTIF=01-${net0/mac:hexhyp} console=ttyS0 || goto failed\n";
        assert!(text.contains(kernel), "{text}");
        assert!(text.contains("initrd http://10.10.10.1:8080/boot/i || goto failed\nboot\n"));
    }

    #[test]
    fn the_way_to_the_disk_never_ends_in_the_setup_screen() {
        let text = script(mac(), &Plan::LocalBoot("it is installed"), ENDPOINT);
        assert!(text.ends_with("sanboot --no-describe --drive 0x80 || exit 1\n"));
    }
}
