//! What a machine is, by what it says of itself on its way. Pure.
//!
//! Nothing of it decides anything: all of it can be made up. It is for people.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::slots::{Slot, Slots};
use super::timeline::{MOST_MACHINES, shown};
use crate::boot::arch::{Platform, Program};
use crate::dhcp::Seconds;
use crate::dhcp::option::suboption;
use crate::dhcp::wire::Request;
use crate::net::Mac;

/// What is known of one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// `BIOS`, `UEFI`, `UEFI HTTP boot`, `U-Boot`, `Raspberry Pi`; with the version of its
    /// network interface where it names one.
    pub firmware: Option<String>,
    /// `x86`, `x64`, `arm64`.
    pub arch: Option<String>,
    /// Whether Secure Boot is on: off is proven by a loader of ours that nobody signed, on
    /// only by its installer's log.
    pub secure_boot: Option<bool>,
    /// Its memory, in MiB.
    pub memory_mib: Option<u32>,
    /// `PCI 8086:100e, 82540em`
    pub nic: Option<String>,
    /// `iPXE 1.21.1+git`
    pub loader: Option<String>,
}

/// Bytes of one fact; a card's and a loader's names are shorter.
const LONGEST: usize = 48;

/// PCI, in iPXE's description of the card (sub-option 177).
const BUS_ID: u8 = 177;
const PCI: u8 = 1;

impl Facts {
    /// The same within bounds.
    pub fn bounded(self) -> Facts {
        let fit = |text: Option<String>| text.map(|text| short(&text));
        Facts {
            firmware: fit(self.firmware),
            arch: fit(self.arch),
            nic: fit(self.nic),
            loader: fit(self.loader),
            ..self
        }
    }

    /// By a DHCP request of its firmware or loader.
    pub fn learn_request(&mut self, request: &Request, asking: Program) {
        let (firmware, platform) = match asking {
            Program::Rom(Platform::Bios) => ("BIOS", Platform::Bios),
            Program::Rom(platform) => ("UEFI", platform),
            Program::HttpRom(platform) => ("UEFI HTTP boot", platform),
            Program::UBoot(platform) => ("U-Boot", platform),
            Program::RaspberryPi => {
                self.firmware = Some("Raspberry Pi".to_owned());
                return;
            }
            Program::Ipxe(platform) | Program::LesserIpxe(platform) => {
                self.learn_ipxe(request, platform);
                return;
            }
            Program::Other => return,
        };
        self.arch = Some(arch(platform).to_owned());
        let undi = undi(&request.vendor_class).map(|undi| format!(", UNDI {undi}"));
        self.firmware = Some(short(&format!("{firmware}{}", undi.unwrap_or_default())));
    }

    /// iPXE describes its card; of its firmware it knows the kind.
    fn learn_ipxe(&mut self, request: &Request, platform: Platform) {
        self.arch = Some(arch(platform).to_owned());
        let kind = if platform == Platform::Bios { "BIOS" } else { "UEFI" };
        if self.firmware.as_ref().is_none_or(|known| !known.starts_with(kind)) {
            self.firmware = Some(kind.to_owned());
        }
        self.loader.get_or_insert_with(|| "iPXE".to_owned());
        if let Some([PCI, a, b, c, d]) = suboption(&request.ipxe, BUS_ID) {
            let chip = self.nic.as_deref().and_then(|nic| nic.split_once(", "));
            let chip = chip.map(|(_, chip)| format!(", {chip}")).unwrap_or_default();
            self.nic = Some(short(&format!("PCI {a:02x}{b:02x}:{c:02x}{d:02x}{chip}")));
        }
    }

    /// By what our iPXE script says of it.
    pub fn learn_hello(&mut self, memory_mib: Option<u32>, chip: &str) {
        self.memory_mib = memory_mib.or(self.memory_mib);
        if chip.trim().is_empty() {
            return;
        }
        let card = self.nic.as_deref().and_then(|nic| nic.split(", ").next());
        let card = card.filter(|card| card.starts_with("PCI "));
        let nic = card.map_or_else(|| chip.to_owned(), |card| format!("{card}, {chip}"));
        self.nic = Some(short(&nic));
    }

    /// By the name under which its loader asks by HTTP.
    pub fn learn_agent(&mut self, agent: &str) {
        if is_loaders_name(agent) {
            self.loader = Some(short(&agent.replacen('/', " ", 1)));
        }
    }

    /// By a line of its installer's log, which the kernel's own lines are part of.
    pub fn learn_syslog(&mut self, line: &str) {
        let lower = line.to_ascii_lowercase();
        if lower.contains("secure boot enabled") {
            self.secure_boot = Some(true);
        } else if lower.contains("secure boot disabled") {
            self.secure_boot = Some(false);
        }
    }

    #[cfg(test)]
    pub(super) fn longest() -> Facts {
        let longest = || Some("ö".repeat(100));
        let facts = Facts {
            firmware: longest(),
            arch: longest(),
            secure_boot: Some(false),
            memory_mib: Some(u32::MAX),
            nic: longest(),
            loader: longest(),
        };
        facts.bounded()
    }
}

/// Whether a loader or firmware calls itself so in HTTP, and not a person's browser or an
/// installer.
pub fn is_loaders_name(agent: &str) -> bool {
    const LOADERS: [&str; 5] = ["iPXE/", "GRUB", "Syslinux/", "UefiHttpBoot/", "U-Boot"];
    LOADERS.iter().any(|name| agent.starts_with(name))
}

/// What is known of all machines.
#[derive(Debug, Default)]
pub struct Known {
    of: HashMap<Mac, (Seconds, Slot, Facts)>,
    slots: Slots,
}

impl Known {
    /// What is known of a machine with these cards: of the one that was heard of last.
    pub fn of(&self, cards: &[Mac]) -> Facts {
        let cards = cards.iter().filter_map(|mac| self.of.get(mac));
        cards.max_by_key(|(at, ..)| *at).map(|(.., facts)| facts.clone()).unwrap_or_default()
    }

    /// Makes room for a machine that is not there yet, where there is none: of strangers the one
    /// that was quiet longest goes, and only then one that `is_named`.
    pub fn make_room_for(&mut self, mac: Mac, is_named: impl Fn(Mac) -> bool) {
        if self.of.len() >= MOST_MACHINES
            && !self.of.contains_key(&mac)
            && let Some(quiet) = self.of.iter().min_by_key(|(mac, (at, ..))| (is_named(**mac), *at))
        {
            let quiet = *quiet.0;
            let gone = self.of.remove(&quiet);
            gone.into_iter().for_each(|(_, slot, _)| self.slots.give(slot));
        }
    }

    /// Learns something. Its row in the record, if that is news.
    pub fn learn(
        &mut self,
        mac: Mac,
        now: Seconds,
        learn: impl FnOnce(&mut Facts),
    ) -> Option<(Slot, Facts)> {
        self.make_room_for(mac, |_| false);
        let slots = &mut self.slots;
        let entry = self.of.entry(mac);
        let (at, slot, facts) = entry.or_insert_with(|| (now, slots.take(), Facts::default()));
        *at = now;
        let before = facts.clone();
        learn(facts);
        (*facts != before).then(|| (*slot, facts.clone()))
    }
}

fn short(text: &str) -> String {
    let mut text = shown(text);
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

fn arch(platform: Platform) -> &'static str {
    match platform {
        Platform::Bios => "x86",
        Platform::Efi32 => "ia32",
        Platform::Efi64 => "x64",
        Platform::EfiArm64 => "arm64",
        Platform::Other => "another",
    }
}

/// `3.16` of `PXEClient:Arch:00007:UNDI:003016`: major and minor, three digits each.
fn undi(class: &[u8]) -> Option<String> {
    let class = std::str::from_utf8(class).ok()?;
    let digits = class.split(':').skip_while(|part| *part != "UNDI").nth(1)?;
    let (major, minor) = digits.split_at_checked(3)?;
    let number = |text: &str| text.parse::<u16>().ok();
    Some(format!("{}.{}", number(major)?, number(minor)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::arch::program;
    use crate::dhcp::wire;

    fn learn(facts: &mut Facts, options: &[(u8, &[u8])]) {
        let packet = wire::tests::packet(1, [0x52, 0x54, 0, 0, 0, 1], options);
        let request = wire::parse(&packet).unwrap();
        facts.learn_request(&request, program(&request));
    }

    const UEFI: [(u8, &[u8]); 2] = [(60, b"PXEClient:Arch:00007:UNDI:003016"), (93, &[0, 7])];
    const FULL: &[u8] = b"\x13\x01\x01\x18\x01\x01\x24\x01\x01\x27\x01\x01";

    #[test]
    fn firmware_and_its_ipxe_say_together_what_a_machine_is() {
        let mut facts = Facts::default();
        learn(&mut facts, &UEFI);
        assert_eq!(facts.firmware.as_deref(), Some("UEFI, UNDI 3.16"));
        let card = [FULL, b"\xb1\x05\x01\x80\x86\x10\x0e"].concat();
        learn(&mut facts, &[UEFI[0], UEFI[1], (77, b"iPXE"), (175, &card)]);
        facts.learn_agent("iPXE/1.21.1+git-20220113");
        facts.learn_hello(Some(2048), "82540em");
        let expected = Facts {
            firmware: Some("UEFI, UNDI 3.16".to_owned()),
            arch: Some("x64".to_owned()),
            secure_boot: None,
            memory_mib: Some(2048),
            nic: Some("PCI 8086:100e, 82540em".to_owned()),
            loader: Some("iPXE 1.21.1+git-20220113".to_owned()),
        };
        assert_eq!(facts, expected);
        learn(&mut facts, &[UEFI[0], UEFI[1], (77, b"iPXE"), (175, &card)]);
        assert_eq!(facts, expected, "it asks again");
    }

    #[test]
    fn who_asks_by_http_is_a_loader_only_under_a_loaders_name() {
        let mut facts = Facts::default();
        facts.learn_agent("curl/8.1");
        facts.learn_agent("Mozilla/5.0");
        assert_eq!(facts.loader, None);
        facts.learn_agent("GRUB 2.12-1");
        assert_eq!(facts.loader.as_deref(), Some("GRUB 2.12-1"));
    }

    #[test]
    fn the_installers_kernel_says_whether_secure_boot_is_on() {
        let mut facts = Facts::default();
        facts.learn_syslog("kernel: secureboot: Secure boot could not be determined");
        assert_eq!(facts.secure_boot, None);
        facts.learn_syslog("kernel: secureboot: Secure boot enabled");
        assert_eq!(facts.secure_boot, Some(true));
        facts.learn_syslog("kernel: secureboot: Secure boot disabled");
        assert_eq!(facts.secure_boot, Some(false));
    }

    #[test]
    fn what_machines_make_up_is_bounded() {
        let mut known = Known::default();
        for number in 0..5_000_u64 {
            let [.., a, b] = number.to_be_bytes();
            let mac = Mac::new([2, 0, 0, 0, a, b]).unwrap();
            let chip = "x".repeat(10_000);
            let row = known.learn(mac, number, |facts| facts.learn_hello(None, &chip)).unwrap();
            assert!((row.0 as usize) < MOST_MACHINES && row.1.nic.unwrap().len() <= LONGEST);
        }
        assert_eq!(known.of.len(), MOST_MACHINES);
        let mac = Mac::new([2, 0, 0, 0, 0x13, 0x87]).unwrap();
        assert!(known.learn(mac, 5_000, |_| {}).is_none(), "that is no news");
    }
}
