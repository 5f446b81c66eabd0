//! How far a machine came in its network boot, and what to check where it stopped. Pure.
//!
//! The servers tell what they see ([`Sign`]); nothing is asked of the machine but its iPXE's
//! report of a download that failed. One record per machine, in memory only: the last boot.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::timeline::Source;
use super::trouble::{Failure, Trouble};
use crate::boot::arch::Platform;
use crate::dhcp::Seconds;
use crate::net::Mac;

/// The steps of a boot in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Its firmware asked for a boot.
    Asked,
    /// It took the address that it was offered.
    Address,
    /// It asked for a loader.
    LoaderAsked,
    /// A loader was sent whole.
    LoaderSent,
    /// The loader runs: it asked for something itself.
    LoaderRuns,
    /// It has its script or configuration.
    Script,
    /// It takes the kernel.
    Kernel,
    /// It takes an initial RAM disk.
    Initrd,
    /// The system in memory took its configuration.
    Config,
    /// It takes the image that it writes to the disk.
    Installer,
    /// It said how its installation ended.
    Reported,
}

impl Stage {
    /// Every one, in order.
    pub const ALL: [Stage; 11] = [
        Stage::Asked,
        Stage::Address,
        Stage::LoaderAsked,
        Stage::LoaderSent,
        Stage::LoaderRuns,
        Stage::Script,
        Stage::Kernel,
        Stage::Initrd,
        Stage::Config,
        Stage::Installer,
        Stage::Reported,
    ];

    /// Which server sees it.
    pub fn source(self) -> Source {
        match self {
            Stage::Asked | Stage::Address => Source::Dhcp,
            Stage::LoaderAsked | Stage::LoaderSent => Source::Tftp,
            Stage::LoaderRuns | Stage::Script => Source::Script,
            Stage::Kernel | Stage::Initrd | Stage::Installer => Source::Http,
            Stage::Config => Source::Config,
            Stage::Reported => Source::Report,
        }
    }

    /// Whether the server that sees it writes a line of its own, which says more.
    pub fn is_told_by_its_server(self) -> bool {
        !matches!(
            self,
            Stage::LoaderAsked
                | Stage::LoaderRuns
                | Stage::Kernel
                | Stage::Initrd
                | Stage::Installer
        )
    }

    /// In words, behind the machine's name.
    pub fn words(self) -> &'static str {
        match self {
            Stage::Asked => "asks for a network boot",
            Stage::Address => "has taken its address",
            Stage::LoaderAsked => "asks for its loader",
            Stage::LoaderSent => "was sent its loader",
            Stage::LoaderRuns => "runs its loader",
            Stage::Script => "has its boot script",
            Stage::Kernel => "takes its kernel",
            Stage::Initrd => "takes its initial RAM disk",
            Stage::Config => "has its configuration",
            Stage::Installer => "takes the image for its disk",
            Stage::Reported => "has reported",
        }
    }
}

/// Something that a server saw of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign<'a> {
    /// Firmware asks for a boot.
    FirmwareAsks(Platform),
    /// iPXE asks: the one that we sent, or one in the network card.
    IpxeAsks(Platform),
    /// It asks for a loader.
    AsksLoader(&'a str),
    /// A loader was sent to its last byte.
    LoaderSent(&'a str),
    /// It came to this step.
    Reaches(Stage),
    /// It wants a file that a boot cannot do without, and that is not there.
    Misses(&'a str),
    /// It has no configuration: the folder that it would be in.
    HasNoConfig(&'static str),
    /// Its iPXE says that a step failed.
    Failed(Failure),
    /// Its firmware was offered an address of ours.
    Offered,
    /// It takes the address that another DHCP server offers.
    ChoseServer(Ipv4Addr),
    /// A system that it runs has an address.
    SystemAsks,
    /// It was given a script, and this is to be heard of it if it obeys.
    Told(Promise),
    /// The configuration that it was given has it report.
    WillReport,
    /// It begins to take a file.
    Takes,
    /// It takes it no more.
    TookAll,
    /// It is alive: a line of its installer's log.
    Speaks,
}

impl Sign<'_> {
    /// The others say something of a boot that is known, and begin none: installed systems
    /// ask for addresses and take files, too.
    fn is_of_a_boot(&self) -> bool {
        !matches!(self, Sign::SystemAsks | Sign::Takes | Sign::TookAll | Sign::Speaks)
    }
}

/// What will be heard of a machine that obeys its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Promise {
    /// It takes an initial RAM disk behind its kernel.
    pub initrd: bool,
    /// Its installer takes a configuration.
    pub config: bool,
    /// And says how it ended.
    pub report: bool,
    /// It is known to be silent for so long before that.
    pub patience: Seconds,
}

/// What was seen of one machine's last boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// What kind of machine it is, if its firmware said so.
    pub platform: Platform,
    /// The furthest step of this boot.
    pub stage: Stage,
    /// Where it stopped, in this boot or the one before.
    pub trouble: Option<Trouble>,
    /// When each step was reached last.
    times: [Option<Seconds>; Stage::ALL.len()],
    loader: String,
    told: Option<Seconds>,
    last: Seconds,
    /// Offers since it last took one.
    offers: u8,
    /// Files on their way to it.
    busy: u16,
    /// Its system has got itself an address.
    pub(super) system_asked: bool,
    pub(super) promise: Promise,
}

/// The boots of all machines that were seen.
#[derive(Debug, Clone, Default)]
pub struct Boots(pub(super) HashMap<Mac, Boot>);

/// More than the machines of any few racks; the one that was quiet longest goes first.
const MOST_MACHINES: usize = 2_048;

/// Firmware sends four DISCOVERs and gives up (EDK2; PXE 2.1 §2.2.1).
const OFFERS: u8 = 4;

/// A machine that reports one failure after the other gets a line this often.
const LINE_EVERY: Seconds = 10;

impl Boots {
    /// Notes a sign. A sentence for the log, once for each trouble.
    pub fn note(&mut self, mac: Mac, sign: &Sign, now: Seconds) -> Option<String> {
        if !sign.is_of_a_boot() && !self.0.contains_key(&mac) {
            return None;
        }
        self.make_room_for(mac, |_| false);
        let boot = self.0.entry(mac).or_insert_with(|| Boot::new(now));
        boot.last = now;
        let trouble = boot.see(sign, now)?;
        boot.meets(trouble, now)
    }

    /// What was seen of a machine that has these cards: of the card that it booted from last.
    pub fn of(&self, cards: &[Mac]) -> Option<&Boot> {
        cards.iter().filter_map(|mac| self.0.get(mac)).max_by_key(|boot| boot.last)
    }

    /// Makes room for a machine that is not there yet, where there is none: of strangers the one
    /// that was quiet longest goes, and only then one that `is_named`.
    pub fn make_room_for(&mut self, mac: Mac, is_named: impl Fn(Mac) -> bool) {
        if self.0.len() >= MOST_MACHINES
            && !self.0.contains_key(&mac)
            && let Some(quiet) =
                self.0.iter().min_by_key(|(mac, boot)| (is_named(**mac), boot.last))
        {
            let quiet = *quiet.0;
            self.0.remove(&quiet);
        }
    }
}

impl Boot {
    fn new(now: Seconds) -> Boot {
        Boot {
            platform: Platform::Other,
            stage: Stage::Asked,
            trouble: None,
            times: [None; Stage::ALL.len()],
            loader: String::new(),
            told: None,
            last: now,
            offers: 0,
            busy: 0,
            system_asked: false,
            promise: Promise::default(),
        }
    }

    /// The loader that it was sent last.
    pub fn loader(&self) -> &str {
        &self.loader
    }

    /// Whether nothing was heard of it for so long. Who takes a file is not silent.
    pub(super) fn is_silent(&self, silence: Seconds, now: Seconds) -> bool {
        self.busy == 0 && now >= self.last + silence
    }

    /// The steps of this boot with their times, in order.
    pub fn steps(&self) -> impl Iterator<Item = (Stage, Seconds)> {
        Stage::ALL.into_iter().zip(self.times).filter_map(|(stage, at)| Some((stage, at?)))
    }

    /// When the machine was last seen.
    pub fn last(&self) -> Seconds {
        self.last
    }

    /// What to check, in one sentence.
    pub fn words(&self) -> Option<String> {
        self.trouble.as_ref().map(|trouble| trouble.words(self.platform))
    }

    fn see(&mut self, sign: &Sign, now: Seconds) -> Option<Trouble> {
        match sign {
            Sign::FirmwareAsks(platform) => return self.starts(*platform, now),
            Sign::IpxeAsks(platform) => match self.stage {
                Stage::LoaderAsked | Stage::LoaderSent => self.reach(Stage::LoaderRuns, now),
                // It asks as often as it gets no answer.
                Stage::LoaderRuns => {}
                _ => return self.starts(*platform, now),
            },
            // The next one in a chain: shim's GRUB, PXELINUX's modules. The same one anew
            // is firmware that wanted to know its size before.
            Sign::AsksLoader(name) if self.stage == Stage::LoaderSent => {
                if self.loader != **name {
                    self.reach(Stage::LoaderRuns, now);
                }
            }
            Sign::AsksLoader(name) => {
                if self.stage < Stage::LoaderAsked {
                    (*name).clone_into(&mut self.loader);
                    self.reach(Stage::LoaderAsked, now);
                }
            }
            Sign::LoaderSent(name) => {
                if self.stage <= Stage::LoaderSent {
                    (*name).clone_into(&mut self.loader);
                    self.reach(Stage::LoaderSent, now);
                }
            }
            Sign::Reaches(stage) => self.reach(*stage, now),
            Sign::Misses(name) => return Some(Trouble::missing(name, self.stage)),
            Sign::HasNoConfig(folder) => return Some(Trouble::NoConfig(folder)),
            // What a server could not find has a name; iPXE knows only that.
            Sign::Failed(failure) => {
                let known = matches!(self.trouble, Some(Trouble::Missing(..)));
                return (!(known && failure.is_missing())).then(|| failure.trouble());
            }
            Sign::Offered => return self.is_offered(),
            Sign::ChoseServer(server) => return Some(Trouble::ChoseServer(*server)),
            Sign::SystemAsks => self.system_asked = true,
            Sign::Told(promise) => self.promise = *promise,
            Sign::WillReport => self.promise.report = true,
            Sign::Takes => self.busy = self.busy.saturating_add(1),
            Sign::TookAll => self.busy = self.busy.saturating_sub(1),
            Sign::Speaks => {}
        }
        None
    }

    /// A first offer can be lost, and a second one where a switch has just begun to pass.
    fn is_offered(&mut self) -> Option<Trouble> {
        self.offers = self.offers.saturating_add(1);
        (self.stage == Stage::Asked && self.offers >= OFFERS).then_some(Trouble::OffersIgnored)
    }

    /// Power was switched on, or it rebooted, or it tries its next way to boot.
    fn starts(&mut self, platform: Platform, now: Seconds) -> Option<Trouble> {
        let refused = self.stage == Stage::LoaderSent;
        if self.stage > Stage::Asked {
            self.times = [None; Stage::ALL.len()];
            self.stage = Stage::Asked;
            self.system_asked = false;
            self.promise = Promise::default();
        }
        self.platform = platform;
        self.reach(Stage::Asked, now);
        refused.then(|| Trouble::LoaderRefused(self.loader.clone()))
    }

    /// A later step is the proof that an earlier one is no trouble any more.
    fn reach(&mut self, stage: Stage, now: Seconds) {
        if let Some(at) = Stage::ALL.iter().position(|step| *step == stage)
            && let Some(time) = self.times.get_mut(at)
        {
            *time = Some(now);
        }
        self.stage = self.stage.max(stage);
        if stage == Stage::Address {
            self.offers = 0;
        }
        self.trouble.take_if(|trouble| trouble.stage() < stage);
    }

    pub(super) fn meets(&mut self, trouble: Trouble, now: Seconds) -> Option<String> {
        if self.trouble.as_ref() == Some(&trouble) {
            return None;
        }
        self.trouble = Some(trouble);
        let too_soon = self.told.is_some_and(|told| now < told + LINE_EVERY);
        if too_soon {
            return None;
        }
        self.told = Some(now);
        self.words()
    }
}

#[cfg(test)]
mod tests;
