//! A machine's life: `armed → installing → delivered → installed`, or `failed`. Pure.
//!
//! All that destroys was handed over with `delivered`. A machine that comes back from there
//! without a report has not finished, and is tried again, unless its report may have been lost:
//! then it gets a `trial` of its own disk. The system that starts there ends the trial well. A
//! machine that comes back from it is left to a person: its firmware may merely have gone on to
//! another network card, or its system has an address of its own and was started anew.
//!
//! An armed machine is installed once. It leaves `installed` and `failed` only by
//! [`Event::Arm`], which only a person causes, or by `install = "always"`. `disarmed` it leaves
//! only by that event, or by the end of an installation that ran when it was disarmed: what
//! runs on a machine cannot be called back, but nothing new is handed to it.

use serde::{Deserialize, Serialize};

use crate::dhcp::Seconds;
use crate::inventory::Install;
use crate::inventory::machine::identity::Identity;

/// Where a machine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The next network boot installs it.
    Armed,
    /// It was given the installer.
    Installing,
    /// It got all that it takes from here: every byte of its image, or its configuration that
    /// reports. Only it knows what it did with them.
    Delivered,
    /// It came back from there, and its report may have been lost: its disk is tried once.
    Trial,
    /// It is done: it boots its own disk.
    Installed,
    /// It came back too often without being done: it boots its own disk.
    Failed,
    /// A person does not want it installed: it boots its own disk.
    Disarmed,
}

impl Phase {
    /// Whether it may be given an installer without a person who arms it.
    fn leads_to_installation(self, install: Install) -> bool {
        match self {
            Phase::Armed | Phase::Installing | Phase::Delivered | Phase::Trial => true,
            Phase::Installed => install == Install::Always,
            Phase::Failed | Phase::Disarmed => false,
        }
    }

    /// Of several lives that may be one machine's, which counts: the one that wipes least.
    pub fn rank(self) -> u8 {
        match self {
            Phase::Installed | Phase::Failed | Phase::Disarmed => 0,
            Phase::Installing | Phase::Delivered | Phase::Trial => 1,
            Phase::Armed => 2,
        }
    }
}

/// Something that happened to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A person wants it installed once more.
    Arm,
    /// A person does not want it installed any more.
    Disarm,
    /// Its firmware asks for a boot: power was just switched on, or it rebooted.
    FirmwareStarts,
    /// It took a boot script that starts the installer.
    TookInstaller,
    /// It took an install script that will report (ours, not the stick's own).
    TookReportingScript,
    /// It took a configuration whose installer will report.
    TookReportingConfig,
    /// The same of a report that its owner has not written, and may never have seen to arrive.
    TookAddedReport,
    /// Every byte of its disk image was sent.
    ImageDelivered,
    /// It was told to boot its own disk.
    TookDisk,
    /// A system on it asks for an address as one does that has just started.
    SystemStarts,
    /// It said itself that it is installed.
    ReportedInstalled,
    /// It said itself that installing failed.
    ReportedFailed,
}

/// What is remembered of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it is.
    pub phase: Phase,
    /// How often it was given the installer since it was armed.
    pub attempts: u8,
    /// Whether the installer that it runs reports its end.
    pub reports: bool,
    /// Whether its firmware started since it was last given the installer.
    pub restarted: bool,
    /// Whether what it reports since it was last given the installer may not be heard: we were
    /// away, or its report was added. Who reads this back was away.
    #[serde(skip)]
    pub missed: bool,
    /// Whether every byte of its image was sent: what is left to do takes seconds.
    #[serde(default)]
    pub whole: bool,
    /// Whether its own disk was tried since it was last given the installer.
    #[serde(default)]
    pub tried: bool,
    /// Whether its own system was seen to start: nothing of the installation is open.
    #[serde(default)]
    pub runs: bool,
    /// Proves that a report comes from this installation; new at every arming.
    pub token: String,
    /// When the phase began, or the newest attempt in it.
    pub since: Seconds,
    /// What the machine's firmware had said when this began, where machines are known by
    /// that: whoever has its card later and says something else does not live this life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Identity>,
}

/// An installation is tried this often before a person must look.
pub const MOST_ATTEMPTS: u8 = 3;

/// An attempt that began longer ago is not made good by another one: a machine whose report
/// was lost, and that boots its disk first, has been at work since, and its next network boot
/// would wipe it.
pub const OLDEST_ATTEMPT: Seconds = 24 * 60 * 60;

/// How long `install.sh` tries to report. Who is back from its whole image sooner has lost its
/// power, and who is back later has found nobody who heard it.
pub const LONGEST_REPORT: Seconds = 2 * 60;

/// After so long no loader is at work any more on a machine that was to try its disk: also one
/// that has not asked for its script may run from there.
pub const LOADERS_ARE_DONE: Seconds = 2 * 60;

impl Record {
    /// A machine that the stick names and that was never seen.
    pub fn armed(token: String, now: Seconds) -> Record {
        Record {
            phase: Phase::Armed,
            attempts: 0,
            reports: false,
            restarted: true,
            missed: false,
            whole: false,
            tried: false,
            runs: false,
            token,
            since: now,
            of: None,
        }
    }

    fn again(&self, token: &str, now: Seconds) -> Record {
        Record { of: self.of.clone(), ..Record::armed(token.to_owned(), now) }
    }

    /// Whether this cannot be the life of a machine that says so of itself.
    pub fn is_anothers(&self, who: &Identity) -> bool {
        self.of.as_ref().is_some_and(|of| of.contradicts(who))
    }

    /// The record after `event`; `new_token` is used if the event arms it.
    pub fn after(&self, event: Event, install: Install, new_token: &str, now: Seconds) -> Record {
        let mut next = self.clone();
        match (event, self.phase) {
            (Event::Arm, _) => return self.again(new_token, now),
            (Event::Disarm, phase) if phase.leads_to_installation(install) => {
                next.phase = Phase::Disarmed;
            }
            (Event::FirmwareStarts, phase) => {
                return self.after_restart(phase, install, new_token, now);
            }
            // Somebody looks at its script on a machine that has not booted since: what it
            // was given last still counts.
            (Event::TookInstaller, Phase::Delivered) if !self.restarted => {}
            (Event::TookInstaller, Phase::Armed | Phase::Installing | Phase::Delivered) => {
                // A loader may ask twice in one boot; one boot is one attempt.
                if self.restarted {
                    next.since = now;
                }
                next.attempts = self.attempts.saturating_add(u8::from(self.restarted));
                next.restarted = false;
                next.missed = false;
                next.whole = false;
                next.tried = false;
                next.phase = Phase::Installing;
                next.reports = self.reports && !self.restarted;
            }
            (Event::TookReportingScript, Phase::Installing | Phase::Delivered) => {
                next.reports = true;
            }
            (
                Event::TookReportingConfig | Event::TookAddedReport,
                Phase::Installing | Phase::Delivered,
            ) => {
                next.reports = true;
                next.missed |= event == Event::TookAddedReport;
                next.phase = Phase::Delivered;
            }
            (Event::ImageDelivered, Phase::Installing | Phase::Delivered) => {
                next.phase = Phase::Delivered;
                next.whole = true;
            }
            (Event::ReportedInstalled, Phase::Installing | Phase::Delivered | Phase::Trial) => {
                next.phase = Phase::Installed;
            }
            (Event::TookDisk, Phase::Trial) => next.restarted = false,
            // Until then its loader runs, and asks as loaders do.
            (Event::SystemStarts, Phase::Trial)
                if !self.restarted || now >= self.since + LOADERS_ARE_DONE =>
            {
                next.phase = Phase::Installed;
                next.runs = true;
            }
            // Nothing but its own disk was started there since.
            (Event::SystemStarts, Phase::Failed) if self.tried => {
                next.phase = Phase::Installed;
                next.runs = true;
            }
            (Event::SystemStarts, Phase::Installed) => next.runs = true,
            // It was at work when it was disarmed, or given up while it was: its own system may
            // say so at its first start.
            (Event::ReportedInstalled, Phase::Disarmed | Phase::Failed) if self.attempts > 0 => {
                next.phase = Phase::Installed;
            }
            // It starts anew when it boots again; three times, then it has failed.
            (Event::ReportedFailed, Phase::Delivered | Phase::Trial) => {
                next.phase = Phase::Installing;
            }
            _ => {}
        }
        if next.phase != self.phase {
            next.since = now;
        }
        next
    }

    fn after_restart(
        &self,
        phase: Phase,
        install: Install,
        new_token: &str,
        now: Seconds,
    ) -> Record {
        let mut next = self.clone();
        next.restarted = true;
        let is_bench = install == Install::Always;
        // Nothing that it took reports: all taken and booted again means done.
        let is_done = match phase {
            Phase::Installed => true,
            // The disk of a bench holds nothing that is kept.
            Phase::Delivered => !self.reports || is_bench && self.missed,
            _ => false,
        };
        let is_older_than = |age| !is_bench && now >= self.since + age;
        let is_old = is_older_than(OLDEST_ATTEMPT);
        let may_be_lost = self.missed || self.whole && is_older_than(LONGEST_REPORT);
        let is_over = self.attempts >= MOST_ATTEMPTS || is_old;
        match phase {
            _ if is_done && is_bench => return self.again(new_token, now),
            Phase::Delivered if is_done => next.phase = Phase::Installed,
            Phase::Delivered if may_be_lost && !is_bench && !is_old => {
                next.phase = Phase::Trial;
                next.tried = true;
            }
            Phase::Installing | Phase::Delivered if is_over => next.phase = Phase::Failed,
            // Firmware asks more than once in one boot.
            Phase::Trial if self.restarted => {}
            Phase::Trial => next.phase = Phase::Failed,
            _ => {}
        }
        if next.phase != phase {
            next.since = now;
        }
        next
    }
}

#[cfg(test)]
mod tests;
