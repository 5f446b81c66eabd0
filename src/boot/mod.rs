//! What a machine boots. Pure: [`plan::plan`] decides, and DHCP, TFTP, HTTP and the status
//! page all ask it, so they can never disagree. The other files write its answer down for
//! one loader each.

pub mod arch;
pub mod args;
pub mod grub;
pub mod install;
pub mod install_script;
pub mod ipxe;
pub mod loader;
pub mod plan;
pub mod pxelinux;
pub mod rewrite;

use std::net::Ipv4Addr;

/// Where machines reach this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Our address on their network; never a name: no ROM needs DNS.
    pub address: Ipv4Addr,
    /// The HTTP port of generated URLs.
    pub port: u16,
    /// Whether the log lines of installers are heard there (UDP port 514).
    pub syslog: bool,
}

impl Endpoint {
    /// `http://10.10.10.1:8080`, without a slash at the end.
    pub fn base(self) -> String {
        format!("http://{}:{}", self.address, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::arch::{Platform, Program};
    use super::plan::tests::ENDPOINT;
    use super::plan::{Installation, Plan, boot_reply};
    use super::pxelinux::Family;
    use super::*;
    use crate::config::UefiLoader;
    use crate::dhcp::reply::BootReply;
    use crate::inventory::machine::Disk;
    use crate::net::Mac;

    fn mac() -> Mac {
        Mac::new([0x52, 0x54, 0, 0, 0, 1]).unwrap()
    }

    /// Everything that is generated, for every plan.
    fn scripts() -> Vec<String> {
        let plans = [
            Plan::LocalBoot("it is installed"),
            Plan::Wait,
            Plan::Menu,
            Plan::Install(Installation {
                image: "coreos/1".into(),
                title: "CoreOS".into(),
                kernel: "k".into(),
                initrds: vec!["i".into()],
                args: format!("cloud-config-url={}/cloud-configs/install.sh", ENDPOINT.base()),
                ..Installation::default()
            }),
        ];
        let of = |plan: &Plan| {
            [
                ipxe::script(mac(), plan, ENDPOINT),
                grub::config(Some(mac()), plan, ENDPOINT),
                pxelinux::config(plan, Family::Bios),
                pxelinux::config(plan, Family::Efi64),
            ]
        };
        let job = install_script::Job {
            machine: "node-1",
            image: "coreos/1",
            work: install_script::Work::Run("coreos-install"),
            config: crate::inventory::ConfigKind::CloudConfig,
            disk: &Disk::Path("/dev/sda".to_owned()),
            token: "0",
        };
        let more = [ipxe::start(mac(), ENDPOINT), install_script::install(&job, ENDPOINT)];
        plans.iter().flat_map(of).chain(more).collect()
    }

    #[test]
    fn no_script_names_this_server_by_anything_but_its_address() {
        let mut found = 0;
        for text in scripts() {
            let urls = text.split("http://").skip(1).chain(text.split("(http,").skip(1));
            for host in urls.chain(text.split("(tftp,").skip(1)) {
                found += 1;
                assert!(host.starts_with("10.10.10.1"), "{host}");
            }
            assert!(!text.contains("https:") && !text.contains("tftp:"), "{text}");
        }
        assert!(found > 15, "{found}");
    }

    #[test]
    fn ipxe_is_given_no_relative_url() {
        let fetches = ["kernel ", "initrd ", "chain --replace --autofree "];
        let mut found = 0;
        for text in scripts().iter().filter(|text| text.starts_with("#!ipxe")) {
            for rest in text.lines().flat_map(|line| fetches.map(|word| line.strip_prefix(word))) {
                found += usize::from(rest.is_some());
                assert!(rest.is_none_or(|rest| rest.starts_with("http://10.")), "{rest:?}");
            }
        }
        assert!(found >= 6, "{found}");
    }

    #[test]
    fn uefi_that_boots_by_http_needs_no_other_protocol() {
        let mut boot = crate::config::parse("").unwrap().boot;
        for uefi_loader in [UefiLoader::Ipxe, UefiLoader::Shim, UefiLoader::Syslinux] {
            boot.uefi_loader = uefi_loader;
            for platform in [Platform::Efi64, Platform::EfiArm64] {
                for program in [Program::HttpRom(platform), Program::Ipxe(platform)] {
                    let driver = loader::Driver::default();
                    let url = match boot_reply(mac(), program, None, &boot, ENDPOINT, driver) {
                        BootReply::Http(url) | BootReply::Ipxe(url) => url,
                        other => panic!("{program:?}: {other:?}"),
                    };
                    assert!(url.starts_with("http://10.10.10.1:8080/boot/"), "{url}");
                    // What does not fit into the header's field needs an option that shim
                    // and older GRUBs do not read.
                    assert!(url.len() <= 127, "{url}");
                }
            }
        }
    }
}
