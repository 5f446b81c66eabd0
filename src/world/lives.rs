//! Machines' lives as configurations, reports and people see them.

use std::net::Ipv4Addr;

use super::{Role, World};
use crate::fleet::life::{Event, MOST_ATTEMPTS, Phase, Record};
use crate::fleet::timeline::{Source, Weight};
use crate::inventory::ConfigKind;
use crate::inventory::profile::Reports;
use crate::net::{Mac, neighbours};

impl World {
    /// The machine behind an address, for what only the machine itself may have or cause: who
    /// uses its address with another card is not it. Behind a router no card is seen.
    pub fn machine_itself_at(&self, address: Ipv4Addr) -> Option<Mac> {
        let mac = self.machine_at(address)?;
        let seen = match self.role() {
            Role::Server => neighbours::machine_at(address, &self.interface),
            _ => None,
        };
        let own = self.shelf.borrow().inventory.roster.cards(mac);
        let is_its = |seen: Mac| seen == mac || own.as_ref().is_some_and(|own| own.contains(&seen));
        seen.is_none_or(is_its).then_some(mac)
    }

    /// Who is at an address, for people: also one that is not the machine whose address it is.
    pub fn name_at(&self, address: Ipv4Addr) -> String {
        let seen = neighbours::machine_at(address, &self.interface);
        match (self.machine_itself_at(address).or(seen), self.machine_at(address)) {
            (Some(mac), Some(owner)) if mac != owner => {
                format!("{mac}, at the address of {},", self.name(owner))
            }
            (Some(mac), Some(_)) => self.name(mac),
            (Some(mac), None) => format!("{address} ({mac})"),
            (None, _) => address.to_string(),
        }
    }

    /// The machine took its configuration whole. Of an installer that says nothing more, this
    /// is the last that we hear: when it boots again, it is done.
    pub fn config_taken(&self, mac: Mac, kind: ConfigKind) {
        let waits_for_it = self.ends_with(mac) == Some(kind);
        if waits_for_it && self.phase(mac) == Some(Phase::Installing) {
            self.happened(mac, Event::ImageDelivered);
        }
    }

    /// The kind of configuration that is the last thing an installer takes from us.
    fn ends_with(&self, mac: Mac) -> Option<ConfigKind> {
        let inventory = self.shelf().inventory;
        let machine = inventory.to_install(mac, self.config.boot.unknown)?;
        let image = inventory.image_for(&machine, mac)?;
        let ends = image.profile.reports == Reports::Config;
        inventory.config_for(image, &machine, mac).filter(|_| ends)
    }

    /// What proves that a report comes from the installation that runs.
    pub fn token(&self, mac: Mac) -> Option<String> {
        let cards = self.cards(mac)?;
        let (lives, who) = (self.lives(mac, &cards), self.who(mac));
        self.with_fleet(|fleet| Some(fleet.record(&lives, &who)?.1.token.clone()))
    }

    /// The lines that a person waits for.
    pub(super) fn tell(&self, mac: Mac, before: &Record, after: &Record) {
        let Some((weight, words)) = self.words(mac, before, after) else {
            return;
        };
        let who = self.name(mac);
        match weight {
            Weight::Error => log::error!("{who}: {words}"),
            Weight::Warning => log::warn!("{who}: {words}"),
            Weight::Info => log::info!("{who}: {words}"),
        }
        self.happened_to(mac, Source::Life, weight, &words);
        // It came back without having finished, or was given up.
        if after.phase == Phase::Failed || after.attempts > before.attempts.max(1) {
            self.attempt_failed(mac);
        }
    }

    fn words(&self, mac: Mac, before: &Record, after: &Record) -> Option<(Weight, String)> {
        let info = |words: &str| (Weight::Info, words.to_owned());
        Some(match (before.phase, after.phase) {
            (_, Phase::Installing) if after.attempts > before.attempts => {
                info(&format!("installing, attempt {}", after.attempts))
            }
            (old, new) if old == new => return None,
            (_, Phase::Installing) => return None,
            (_, Phase::Armed) => info("armed, its next network boot installs it"),
            (Phase::Installing | Phase::Delivered, Phase::Disarmed) => (
                Weight::Warning,
                "disarmed while its installer may be at work: nothing new is given to it, what \
                 runs on it goes on"
                    .to_owned(),
            ),
            (_, Phase::Disarmed) => info("disarmed, its next network boot leads to its own disk"),
            (_, Phase::Delivered) if self.ends_with(mac).is_some() => {
                info("has all that it takes from here; when it boots again, it is installed")
            }
            (_, Phase::Delivered) => info("has its whole image"),
            (_, Phase::Installed) => info("installed, it boots its own disk now"),
            (_, Phase::Failed) => (
                Weight::Error,
                match after.attempts {
                    MOST_ATTEMPTS.. => format!(
                        "not installed after {} attempts; look at its screen, then arm it again",
                        after.attempts
                    ),
                    _ => "has not reported for a day what became of its installation, so it boots \
                          its own disk; look at its screen, and arm it again if it is not installed"
                        .to_owned(),
                },
            ),
        })
    }
}
