//! `pxeberry.toml`: every key is optional, every mistake is named with its line.
//!
//! Two shapes: [`wire`] is what a person may write, [`Config`] is what the product works
//! with and cannot be wrong. `load` reads a file; everything else here is pure.

mod error;
mod load;
mod nearest;
mod secret;
mod wire;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

pub use error::ConfigError;
pub use load::{load, parse};
pub use nearest::nearest_key;
pub use secret::{Admin, Secret, check_password};

use crate::net::{Pool, Subnet};

/// What the appliance does on its LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Look for another DHCP server first; give addresses only where there is none.
    Auto,
    /// Be the DHCP server whatever else is there. Only for people who know their LAN.
    Server,
    /// Never give an address: somebody else's DHCP server names this box as the boot server.
    Proxy,
}

/// What a machine gets that the stick does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// "Boot your own disk." The safe default: this product wipes disks.
    Local,
    /// A menu on its screen; nothing happens until a person chooses.
    Menu,
    /// The installer, as if it were named. The old hand-made box did this.
    Install,
}

/// The program that a BIOS machine loads first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BiosLoader {
    /// iPXE: kernel and initrd over HTTP.
    Ipxe,
    /// PXELINUX: everything over TFTP, with `pxelinux.cfg/` files.
    Pxelinux,
}

/// The program that a UEFI machine loads first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UefiLoader {
    /// iPXE: starts any system, but firmware with Secure Boot on refuses it.
    #[default]
    Ipxe,
    /// shim and Debian's GRUB, both signed: they start nothing but what is signed, too.
    Shim,
    /// SYSLINUX, which reads `pxelinux.cfg/` as PXELINUX does on a BIOS: x64 by PXE only.
    Syslinux,
}

/// Which images machines get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Those that are verified, and no others.
    Required,
    /// All but those whose signature or checksum is bad.
    #[default]
    WhenSigned,
    /// All; nothing is looked at.
    Off,
}

/// How the appliance shows its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelKind {
    /// GPIO where there is one, else nothing.
    Auto,
    /// LEDs and button on GPIO pins.
    Gpio,
    /// LEDs drawn in a terminal; the space bar is the button.
    Terminal,
    /// No panel.
    None,
}

/// The checked configuration. See `pxeberry.toml` in the README for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `mode`
    pub mode: Mode,
    /// `interface`; none means the first wired one with a link.
    pub interface: Option<String>,
    /// `[server]`
    pub server: Server,
    /// `[boot]`
    pub boot: Boot,
    /// `[http]`: the first port is the one in generated URLs.
    pub http: Http,
    /// `[page]`
    pub page: Page,
    /// `[media] path`: each folder in it is one stick.
    pub media: PathBuf,
    /// `[media] verify`
    pub verify: Verify,
    /// `[state] path`
    pub state: PathBuf,
    /// `[panel]`
    pub panel: Panel,
    /// `[control] socket`
    pub control: PathBuf,
    /// `[control] prompt`: whether the box's consoles take commands.
    pub prompt: bool,
    /// `[admin]`
    pub admin: Admin,
}

/// `[server]`: what the appliance does when it is the DHCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The network of our own interface; its `subnet` holds our own address.
    pub local: Network,
    /// `[[relay]]`: networks whose machines reach us through a relay agent.
    pub relayed: Vec<Network>,
    /// How long a machine keeps its address.
    pub lease: Duration,
    /// Whether we speak for these networks: a machine that we do not know is told at once
    /// when it asks for an address that cannot be its own.
    pub authoritative: bool,
    /// Whether an address is looked for on the LAN before it is offered for the first time.
    pub probe: bool,
    /// Whether installers' log lines are heard, on UDP port 514.
    pub syslog: bool,
}

/// A network that we give addresses in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The network, with the address in it that is never given: ours, or the relay's.
    pub subnet: Subnet,
    /// Addresses for machines.
    pub pool: Pool,
    /// Default gateway for machines.
    pub router: Option<Ipv4Addr>,
    /// Name servers for machines.
    pub dns: Vec<Ipv4Addr>,
}

impl Server {
    /// Every network that we give addresses in, our own first.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        std::iter::once(&self.local).chain(&self.relayed)
    }

    /// Our own address.
    pub fn address(&self) -> Ipv4Addr {
        self.local.subnet.address()
    }
}

/// `[boot]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// What unnamed machines get.
    pub unknown: Unknown,
    /// First program of BIOS machines.
    pub bios_loader: BiosLoader,
    /// First program of UEFI machines that the stick says nothing else of.
    pub uefi_loader: UefiLoader,
    /// Folder with the loaders (`pxelinux.0`, `undionly.kpxe`, …).
    pub loaders: PathBuf,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// At least one port.
    pub ports: Vec<u16>,
    /// Whether a configuration that does not report its installation's end gets a report.
    pub add_report: bool,
}

impl Http {
    /// The port that generated URLs name; 8080 is what the old box's clients know.
    pub fn first_port(&self) -> u16 {
        self.ports.first().copied().unwrap_or(wire::DEFAULT_PORTS[0])
    }

    /// The port that a browser asks first, where the page is there.
    pub fn page_port(&self) -> u16 {
        const BROWSERS: u16 = 80;
        if self.ports.contains(&BROWSERS) { BROWSERS } else { self.first_port() }
    }
}

/// `[page]`: how a person finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Whether this box answers by multicast DNS.
    pub mdns: bool,
    /// What it wants to be called there, before `.local`.
    pub name: String,
}

/// `[panel]`: BCM numbers of the pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panel {
    /// Which backend.
    pub kind: PanelKind,
    /// Red LED.
    pub red: u8,
    /// Amber LED.
    pub amber: u8,
    /// Green LED.
    pub green: u8,
    /// Button to ground.
    pub button: u8,
}
