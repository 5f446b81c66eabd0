//! What the servers see of a machine's boot: for people, and to choose what it is given next.

use super::{Fleet, Touched, World};
use crate::boot::arch::{Platform, Program};
use crate::fleet::stage::{Boot, Sign, Stage};
use crate::fleet::timeline::{Source, Weight};
use crate::net::Mac;

impl World {
    /// A sign of how far a machine's boot is. What a person should check is a line.
    pub fn saw(&self, mac: Mac, sign: &Sign) {
        let now = self.now();
        let inventory = self.shelf().inventory;
        let (reached, words) = self.with_fleet(|fleet| {
            fleet.boots.make_room_for(mac, |mac| inventory.machine(mac).is_some());
            let stage = |fleet: &Fleet| fleet.boots.of(&[mac]).map(|boot| boot.stage);
            let before = stage(fleet);
            let words = fleet.boots.note(mac, sign, now);
            (stage(fleet).filter(|stage| before != Some(*stage)), words)
        });
        if let Some(stage) = reached.filter(|stage| !stage.is_told_by_its_server()) {
            self.happened_to(mac, stage.source(), Weight::Info, stage.words());
        }
        if let Some(words) = words {
            self.tells_to_check(mac, &words);
        }
    }

    /// What a person should check. The packets that led there are kept.
    fn tells_to_check(&self, mac: Mac, words: &str) {
        log::warn!("{}: {words}", self.name(mac));
        self.happened_to(mac, Source::Check, Weight::Warning, words);
        self.attempt_failed(mac);
    }

    /// Firmware asks for a boot, or the iPXE that it has loaded. Strangers are noted when they
    /// have an address: anybody can make up thousands that ask.
    pub fn asks_for_boot(&self, mac: Mac, asking: Program, touched: &mut Vec<Touched>) {
        let sign = match asking {
            Program::Ipxe(platform) => {
                self.learns_secure_boot(mac, platform);
                touched.extend(self.learns_loader(mac));
                Sign::IpxeAsks(platform)
            }
            Program::Rom(platform)
            | Program::HttpRom(platform)
            | Program::LesserIpxe(platform)
            | Program::UBoot(platform) => {
                self.doubts_loader(mac);
                Sign::FirmwareAsks(platform)
            }
            Program::RaspberryPi | Program::Other => return,
        };
        if self.knows(mac) {
            self.saw(mac, &sign);
        }
    }

    /// The machine has its boot script or configuration.
    pub fn has_script(&self, mac: Mac) {
        self.saw(mac, &Sign::Reaches(Stage::Script));
        if let Some(touched) = self.learns_loader(mac) {
            self.write_down(&[touched]);
        }
    }

    /// A loader was sent to the machine to its last byte.
    pub fn loader_sent(&self, mac: Mac, file: &str) {
        let now = self.now();
        self.with_fleet(|fleet| fleet.loaders.sent(mac, file, now));
        self.saw(mac, &Sign::LoaderSent(file));
    }

    /// Says of machines that went silent after their loader what to check.
    pub fn look_for_silent_machines(&self) {
        let now = self.now();
        for (mac, words) in self.with_fleet(|fleet| fleet.boots.silent(now)) {
            self.tells_to_check(mac, &words);
        }
    }

    /// What was seen of the last boot of the machine with this card.
    pub fn boot_of(&self, mac: Mac) -> Option<Boot> {
        let named = self.shelf.borrow().inventory.roster.cards(mac);
        let cards = named.unwrap_or_else(|| vec![mac]);
        self.boot_of_cards(&cards)
    }

    /// The same, where all its cards are known.
    pub fn boot_of_cards(&self, cards: &[Mac]) -> Option<Boot> {
        self.with_fleet(|fleet| fleet.boots.of(cards).cloned())
    }

    /// Firmware that has just run an iPXE of ours, which nobody signed, has no Secure Boot on.
    fn learns_secure_boot(&self, mac: Mac, platform: Platform) {
        let is_uefi = matches!(platform, Platform::Efi64 | Platform::EfiArm64);
        let was_sent = |fleet: &mut Fleet| {
            let boot = fleet.boots.of(&[mac])?;
            Some(boot.stage == Stage::LoaderSent && boot.loader().contains("ipxe"))
                .map(|ours| ours || boot.loader() == "snponly.efi")
        };
        if is_uefi && self.with_fleet(was_sent) == Some(true) {
            self.learn(mac, |facts| facts.secure_boot = Some(false));
        }
    }

    /// The iPXE that the machine was sent runs; what is to be written down, if that is news.
    fn learns_loader(&self, mac: Mac) -> Option<Touched> {
        let (_, words) = self.with_fleet(|fleet| {
            let driver = fleet.loaders.runs(mac)?;
            Some((driver, fleet.loaders.trial(mac)?.words()))
        })?;
        if let Some(words) = words {
            log::info!("{}: {words}", self.name(mac));
        }
        Some(Touched::Loader(mac))
    }

    /// Its firmware comes anew: what it was sent may not run there.
    fn doubts_loader(&self, mac: Mac) {
        let now = self.now();
        let trial = self.with_fleet(|fleet| fleet.loaders.asks(mac, now));
        if let Some(words) = trial.and_then(|trial| trial.words()) {
            log::warn!("{}: {words}", self.name(mac));
        }
    }
}
