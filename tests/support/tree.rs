//! A stick that is only a list of names, and what machines boot with it.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::net::Ipv4Addr;
use std::path::Path;

use pxeberry::boot::arch::Platform;
use pxeberry::boot::install::rewritten_file;
use pxeberry::boot::plan::{Asker, Media, Plan, Situation, plan};
use pxeberry::boot::{Endpoint, grub, ipxe, pxelinux};
use pxeberry::config::Boot;
use pxeberry::fleet::life::Phase;
use pxeberry::inventory::cpu::Loader;
use pxeberry::inventory::{ConfigKind, Inventory, Listing, MediaFile, Profile, inventory};
use pxeberry::net::Mac;
use pxeberry::verify::Verdicts;

const ENDPOINT: Endpoint =
    Endpoint { address: Ipv4Addr::new(10, 10, 10, 1), port: 8080, syslog: true };

/// A machine, by its firmware and the loader that it runs.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    BiosIpxe,
    UefiIpxe,
    ArmIpxe,
    Pxelinux,
    Grub,
}

impl Client {
    pub const ALL: [Client; 5] =
        [Client::BiosIpxe, Client::UefiIpxe, Client::ArmIpxe, Client::Pxelinux, Client::Grub];

    pub fn title(self) -> &'static str {
        match self {
            Client::BiosIpxe => "BIOS, iPXE",
            Client::UefiIpxe => "UEFI x64, iPXE",
            Client::ArmIpxe => "UEFI arm64, iPXE",
            Client::Pxelinux => "BIOS, PXELINUX",
            Client::Grub => "UEFI x64, GRUB",
        }
    }

    fn asker(self, last: u8) -> Asker {
        let (platform, loader) = match self {
            Client::BiosIpxe => (Platform::Bios, Loader::Ipxe),
            Client::UefiIpxe => (Platform::Efi64, Loader::Ipxe),
            Client::ArmIpxe => (Platform::EfiArm64, Loader::Ipxe),
            Client::Pxelinux => (Platform::Bios, Loader::Pxelinux),
            Client::Grub => (Platform::Efi64, Loader::Grub),
        };
        Asker { mac: mac(last), platform, loader: Some(loader) }
    }
}

pub struct Stick {
    found: Inventory,
    boot: Boot,
    verdicts: Verdicts,
}

impl Stick {
    /// With these files, and the texts of those that have one.
    pub fn of(files: &[(&str, &str)]) -> Stick {
        let mut listing = Listing::default();
        let mut files = files.to_vec();
        files.sort();
        for (path, text) in files {
            let text = if text.is_empty() { sample(path) } else { text };
            if !text.is_empty() {
                listing.texts.push((listing.files.len(), text.to_owned()));
            }
            listing.files.push(MediaFile {
                volume: Path::new("/media/sda1").into(),
                path: path.to_owned(),
                size: 1,
                modified: 0,
                inside: None,
            });
        }
        let found = inventory(&[listing], &Profile::built_in()).unwrap();
        let boot = pxeberry::config::parse("").unwrap().boot;
        Stick { found, boot, verdicts: Verdicts::default() }
    }

    /// What the scan finds in a folder.
    pub fn read(folder: &Path) -> Stick {
        let (found, _) = pxeberry::world::media::check(folder).unwrap();
        let boot = pxeberry::config::parse("").unwrap().boot;
        Stick { found, boot, verdicts: Verdicts::default() }
    }

    pub fn found(&self) -> &Inventory {
        &self.found
    }

    /// What the machine `52:54:00:00:00:<last>` is told, if it is armed.
    pub fn plan(&self, client: Client, last: u8, phase: Option<Phase>) -> Plan {
        plan(client.asker(last), phase, &self.situation())
    }

    /// The lines of its loader's script that start something.
    pub fn boots(&self, client: Client, last: u8) -> String {
        let plan = self.plan(client, last, Some(Phase::Armed));
        if let Plan::LocalBoot(reason) = plan {
            return format!("  its own disk: {reason}\n");
        }
        let (mac, purpose) = (mac(last), purpose(&plan));
        let script = match client {
            Client::BiosIpxe | Client::UefiIpxe | Client::ArmIpxe => {
                ipxe::script(mac, &plan, ENDPOINT)
            }
            Client::Pxelinux => pxelinux::config(&plan, pxelinux::Family::Bios),
            Client::Grub => grub::config(Some(mac), &plan, ENDPOINT),
        };
        let words =
            ["kernel ", "initrd ", "KERNEL ", "LINUX ", "INITRD ", "APPEND ", "IPAPPEND ", "if "];
        let lines = script.lines().map(str::trim_start).filter(|line| {
            words.iter().any(|word| line.starts_with(word)) && !line.contains("(tftp,")
        });
        let lines = lines.map(|line| {
            let line = line.split(" || ").next().unwrap_or(line);
            let line = line.trim_start_matches("if ").trim_end_matches("; then");
            format!("  {}\n", line.trim_end_matches("; then boot; fi"))
        });
        format!("  {purpose}\n{}", lines.collect::<String>())
    }

    /// The image's file `name`, as the machine gets it.
    pub fn rewritten(&self, name: &str, last: u8) -> Option<String> {
        let machine = self.found.machine(mac(last))?;
        let image = self.found.image_for(machine, mac(last))?;
        let asker = Client::BiosIpxe.asker(last);
        rewritten_file(name, image, machine, asker, &self.situation())
    }

    fn situation(&self) -> Situation<'_> {
        let (inventory, boot) = (&self.found, &self.boot);
        Situation {
            inventory,
            verdicts: &self.verdicts,
            media: Media::Ready,
            boot,
            endpoint: ENDPOINT,
        }
    }
}

/// Something that passes for a configuration of its kind.
fn sample(path: &str) -> &'static str {
    let kind = path.split('/').next().and_then(ConfigKind::of_folder);
    match kind.filter(|_| ConfigKind::is_text(path)) {
        Some(ConfigKind::CloudConfig) => "#cloud-config\nhostname: x\n",
        Some(ConfigKind::Ignition) => "{\"ignition\": {\"version\": \"3.4.0\"}}",
        Some(ConfigKind::Autoinstall) => "#cloud-config\nautoinstall:\n  version: 1\n",
        Some(ConfigKind::AutoYast) => "<profile/>",
        Some(ConfigKind::Agama) => "{}",
        Some(ConfigKind::Talos) => "version: v1alpha1\nmachine:\n  type: worker\n",
        Some(_) => "#!/bin/sh\n# the rest\n",
        None => "",
    }
}

fn purpose(plan: &Plan) -> &'static str {
    match plan {
        Plan::Install(install) => install.verb(),
        _ => "nothing",
    }
}

pub fn mac(last: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
}
