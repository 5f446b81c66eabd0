//! Machines' lives: where each is, what moves it on, and what configurations, reports and
//! people see of that.

use std::net::Ipv4Addr;

use super::fleet::{Fleet, Touched};
use super::{Role, World, locked};
use crate::config::Unknown;
use crate::fleet::life::{Event, MOST_ATTEMPTS, Phase, Record};
use crate::fleet::timeline::{Source, Weight};
use crate::inventory::machine::identity::Identity;
use crate::inventory::profile::Reports;
use crate::inventory::{ConfigKind, Install};
use crate::net::{Mac, neighbours};

impl World {
    /// Where the machine is in its life; a named machine that was never seen is armed, but
    /// not where our memory was lost: it may be installed. None: it is not armed.
    pub fn phase(&self, mac: Mac) -> Option<Phase> {
        let cards = self.cards(mac)?;
        let (lives, who) = (self.lives(mac, &cards), self.who(mac));
        let fleet = locked(&self.fleet);
        let never_seen = (!self.memory_lost).then_some(Phase::Armed);
        fleet.record(&lives, &who).map_or(never_seen, |(_, record)| Some(record.phase))
    }

    /// How often the machine was given the installer since it was armed.
    pub fn attempts(&self, mac: Mac) -> u8 {
        let cards = self.cards(mac).unwrap_or_default();
        let (lives, who) = (self.lives(mac, &cards), self.who(mac));
        locked(&self.fleet).record(&lives, &who).map_or(0, |(_, record)| record.attempts)
    }

    /// Something happened to a machine; on the card when it returns. None: the machine is
    /// not one that we install, or its life could not be written down.
    pub fn happened(&self, mac: Mac, event: Event) -> Option<Record> {
        let mut touched = Vec::new();
        let record = self.note(mac, event, &mut touched)?;
        self.write_down(&touched).then_some(record)
    }

    /// The same in memory only: the caller writes down what was `touched`, together with
    /// other things, before anybody gets an answer.
    pub fn note(&self, mac: Mac, event: Event, touched: &mut Vec<Touched>) -> Option<Record> {
        let named = self.cards(mac);
        let install = self.install_policy(mac);
        let is_named = self.shelf.borrow().inventory.machine(mac).is_some();
        let now = self.now();
        let cards = named.clone().unwrap_or_else(|| vec![mac]);
        let (lives, who) = (self.lives(mac, &cards), self.who(mac));
        let accepted = self.shelf.borrow().accepted;
        let mut fleet = locked(&self.fleet);
        let known = fleet.record(&lives, &who).map(|(key, record)| (key, record.clone()));
        let is_new = known.is_none();
        // A life that has begun goes on while the stick is out, or a report would be lost
        // and its machine wiped again; none begins, or begins anew.
        if named.is_none() && (is_new || event == Event::Arm) {
            return None;
        }
        // Whoever it is, a stick that is not read yet may say something else of it.
        if is_new && !accepted {
            return None;
        }
        if is_new && self.memory_lost && !matches!(event, Event::Arm | Event::Disarm) {
            return None;
        }
        let (key, before) = match known {
            Some(known) => known,
            // Under a card that had another machine's life it could not be told from that.
            None => {
                let places: Vec<Mac> = cards.iter().copied().chain(who.key(true)).collect();
                let of = (who != Identity::default()).then(|| who.clone());
                (fleet.free_place(&places)?, Record { of, ..Record::armed(new_token(), now) })
            }
        };
        let after = before.after(event, install, &new_token(), now);
        if is_new || after != before {
            if !fleet.remember(key, after.clone(), is_named) {
                return None;
            }
            touched.push(Touched::Machine(key));
        }
        if event == Event::Arm {
            let others = fleet.forget_others(&lives, &who, key);
            touched.extend(others.into_iter().map(Touched::Machine));
        }
        drop(fleet);
        self.tell(mac, &before, &after);
        Some(after)
    }

    /// The machine was told to boot its own disk. It matters where that is its trial.
    pub fn took_disk(&self, mac: Mac) {
        if self.phase(mac) == Some(Phase::Trial) {
            self.happened(mac, Event::TookDisk);
        }
    }

    /// A system on the machine asks for an address as one does that has just started. It
    /// begins no life: who asks so needs not even be a machine that we install.
    pub fn system_starts(&self, mac: Mac, touched: &mut Vec<Touched>) {
        if matches!(self.phase(mac), Some(Phase::Trial | Phase::Installed | Phase::Failed)) {
            self.note(mac, Event::SystemStarts, touched);
        }
    }

    /// We were away, and are back: who reported meanwhile was not heard.
    pub fn was_away(&self) {
        self.with_fleet(Fleet::missed);
    }

    /// The machine that an installation's token belongs to.
    pub fn machine_with_token(&self, token: &str) -> Option<Mac> {
        locked(&self.fleet).with_token(token)
    }

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

    /// The machine takes a configuration that reports. Of an installer, this is the last that
    /// it takes before it destroys what is on the disk. `added`: the report is ours.
    pub fn reporting_config_taken(
        &self,
        mac: Mac,
        kind: ConfigKind,
        added: bool,
    ) -> Option<Record> {
        let event = match self.ends_with(mac) == Some(kind) {
            true if added => Event::TookAddedReport,
            true => Event::TookReportingConfig,
            false => Event::TookReportingScript,
        };
        self.happened(mac, event)
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
            (Phase::Trial | Phase::Failed, Phase::Installed) if after.runs => (
                Weight::Warning,
                "its own system has started, so it is installed, though its report was not heard"
                    .to_owned(),
            ),
            (Phase::Installed, Phase::Installed) if after.runs && !before.runs => {
                info("its own system has started")
            }
            (old, new) if old == new => return None,
            (_, Phase::Trial) => {
                (Weight::Warning, "its report may have been lost: its own disk is tried".to_owned())
            }
            (_, Phase::Installing) => return None,
            (_, Phase::Armed) => info("armed, its next network boot installs it"),
            (Phase::Installing | Phase::Delivered, Phase::Disarmed) => (
                Weight::Warning,
                "disarmed while its installer may be at work: nothing new is given to it, what \
                 runs on it goes on"
                    .to_owned(),
            ),
            (_, Phase::Disarmed) => info("disarmed, its next network boot leads to its own disk"),
            (_, Phase::Delivered) => info(match (self.ends_with(mac), after.reports) {
                (Some(_), true) => "has all that it takes from here; its report says how it ends",
                (Some(_), false) => {
                    "has all that it takes from here; when it boots again, it is installed"
                }
                (None, _) => "has its whole image",
            }),
            (_, Phase::Installed) => info("installed, it boots its own disk now"),
            (_, Phase::Failed) => (
                Weight::Error,
                match after.attempts {
                    _ if before.phase == Phase::Trial => {
                        "is back from its own disk, and nothing was heard of a system there; it \
                         boots its own disk; look at its screen, and arm it again if it is not \
                         installed"
                            .to_owned()
                    }
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

    /// Every network card of the machine that has `mac`; none if it is not to be armed, as
    /// long as it can still tell that it is another one.
    fn cards(&self, mac: Mac) -> Option<Vec<Mac>> {
        if !self.may_install() || self.may_be_another(mac) {
            return None;
        }
        let shelf = self.shelf.borrow();
        match shelf.inventory.roster.cards(mac) {
            Some(cards) => Some(cards),
            None if self.config.boot.unknown == Unknown::Install => Some(vec![mac]),
            None => None,
        }
    }

    /// Under what its life may be kept: what its firmware says goes before its cards, which
    /// other machines may have had.
    fn lives(&self, mac: Mac, cards: &[Mac]) -> Vec<Mac> {
        let known_as = self.shelf.borrow().inventory.roster.known_as(mac);
        let keys = known_as.map(|(_, key)| key).into_iter().chain(self.who(mac).key(true));
        keys.chain(cards.iter().copied()).collect()
    }

    fn install_policy(&self, mac: Mac) -> Install {
        let shelf = self.shelf.borrow();
        shelf.inventory.machine_or_stranger(mac).install
    }
}

/// 128 random bits in hexadecimal: nobody guesses another machine's.
pub const TOKEN_LENGTH: usize = 32;

fn new_token() -> String {
    let mut bytes = [0; TOKEN_LENGTH / 2];
    // Without randomness no report can be trusted: an empty token never matches.
    if getrandom::fill(&mut bytes).is_err() {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
