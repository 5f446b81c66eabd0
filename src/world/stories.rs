//! What the servers tell the timeline, in words: one place for them, so that a boot reads as
//! one story.

use super::World;
use crate::boot::plan::Plan;
use crate::dhcp::Seconds;
use crate::fleet::stage::{Promise, Sign};
use crate::fleet::timeline::{Note, Source, Weight};
use crate::inventory::profile::{Purpose, Reports};
use crate::net::Mac;

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it was sent.
    Whole,
    /// The machine took a first block to see its size, or none.
    Looked,
    /// The machine took no more, or closed the connection.
    Machine,
    /// The stick could not be read.
    Stick,
}

/// A file on its way to a machine.
#[derive(Debug, Clone)]
pub struct Transferred<'a> {
    /// By which server.
    pub source: Source,
    /// Its name.
    pub path: &'a str,
    /// The bytes that were wanted: the first one, and how many.
    pub wanted: (u64, u64),
    /// How many were handed over.
    pub sent: u64,
    /// All that the file has.
    pub size: u64,
}

impl World {
    /// A machine begins to take a file.
    pub fn transfer_begins(&self, mac: Mac) {
        self.saw(mac, &Sign::Takes);
    }

    /// A machine's transfer is over.
    pub fn transfer_ended(&self, mac: Mac, file: &Transferred, end: End) {
        self.saw(mac, &Sign::TookAll);
        let Transferred { source, path, wanted: (first, length), sent, size } = *file;
        let note = |weight, kind: &str, detail: &str| {
            self.noted(mac, &Note { source, weight, kind, detail });
        };
        let is_part = length < size;
        let at = path.to_ascii_lowercase().find(".iso/");
        let inside = at.and_then(|at| path.split_at_checked(at + ".iso".len()));
        match (end, inside) {
            (End::Whole | End::Machine, _) if is_part => {
                let last = first + length.saturating_sub(1);
                let kind = format!("takes parts of {path}, ");
                note(Weight::Info, &kind, &format!("the last one bytes {first}-{last}"));
            }
            // An installer takes hundreds of packages.
            (End::Whole, Some((iso, name))) => {
                let kind = format!("takes files of {iso}, ");
                let name = name.trim_start_matches('/');
                note(Weight::Info, &kind, &format!("the last one {name}, {size} bytes"));
            }
            (End::Whole, None) => {
                note(Weight::Info, &format!("was sent {path} whole, {size} bytes"), "");
            }
            (End::Looked, _) => {
                note(Weight::Info, &format!("looked at {path}, {size} bytes, and took none"), "");
            }
            (End::Machine, _) => {
                let kind = format!("broke off {path} ");
                note(Weight::Warning, &kind, &format!("at byte {} of {size}", first + sent));
            }
            (End::Stick, _) => {
                let kind = format!("{path} could not be read from the stick ");
                note(Weight::Error, &kind, &format!("at byte {} of {size}", first + sent));
            }
        }
    }

    /// A machine asked for something that it does not get, and why. Installers ask for much
    /// that is not there, and do without.
    pub fn got_nothing(&self, mac: Mac, source: Source, weight: Weight, why: &str, name: &str) {
        self.noted(mac, &Note { source, weight, kind: why, detail: name });
    }

    /// A machine was given a boot script or menu.
    pub fn was_told(&self, mac: Mac, what: &str, plan: &Plan) {
        let words = match plan {
            Plan::Install(install) => {
                format!("was given {what}: {} {}", install.verb(), install.image)
            }
            Plan::LocalBoot(reason) => {
                format!("was given {what}: boot your own disk ({reason})")
            }
            Plan::Wait => format!("was given {what}: wait, the stick is not read yet"),
            Plan::Menu => format!("was given {what}: a menu"),
        };
        self.happened_to(mac, Source::Script, Weight::Info, &words);
        self.saw(mac, &Sign::Told(self.promise(mac, plan)));
    }

    /// What will be heard of a machine that does as it was told.
    fn promise(&self, mac: Mac, plan: &Plan) -> Promise {
        let Plan::Install(install) = plan else {
            return Promise::default();
        };
        let inventory = self.shelf().inventory;
        let machine = inventory.machine_or_stranger(mac);
        let image = inventory.image_for(&machine, mac);
        let has_config =
            image.is_some_and(|image| inventory.config_for(image, &machine, mac).is_some());
        let installs = install.purpose == Purpose::Install;
        let minutes = image.and_then(|image| image.profile.report_within);
        Promise {
            patience: minutes.map_or(0, |minutes| Seconds::from(minutes) * 60),
            initrd: !install.initrds.is_empty(),
            config: installs && has_config,
            report: installs
                && image.is_some_and(|image| image.profile.reports == Reports::InstallScript),
        }
    }
}
