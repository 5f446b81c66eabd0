//! What a machine boots. Pure: [`plan::plan`] decides, and DHCP, TFTP, HTTP and the status
//! page all ask it, so they can never disagree. The other files write its answer down for
//! one loader each.

pub mod arch;
pub mod args;
pub mod grub;
pub mod install;
pub mod install_script;
pub mod ipxe;
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
}

impl Endpoint {
    /// `http://10.10.10.1:8080`, without a slash at the end.
    pub fn base(self) -> String {
        format!("http://{}:{}", self.address, self.port)
    }
}
