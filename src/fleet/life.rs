//! A machine's life: `armed → installing → delivered → installed`, or `failed`. Pure.
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
    /// It got every byte of its image; only it knows what it did with them.
    Delivered,
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
            Phase::Armed | Phase::Installing | Phase::Delivered => true,
            Phase::Installed => install == Install::Always,
            Phase::Failed | Phase::Disarmed => false,
        }
    }

    /// Of several lives that may be one machine's, which counts: the one that wipes least.
    pub fn rank(self) -> u8 {
        match self {
            Phase::Installed | Phase::Failed | Phase::Disarmed => 0,
            Phase::Installing | Phase::Delivered => 1,
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
    /// Every byte of its disk image was sent.
    ImageDelivered,
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

impl Record {
    /// A machine that the stick names and that was never seen.
    pub fn armed(token: String, now: Seconds) -> Record {
        Record {
            phase: Phase::Armed,
            attempts: 0,
            reports: false,
            restarted: true,
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
                next.phase = Phase::Installing;
                next.reports = self.reports && !self.restarted;
            }
            (Event::TookReportingScript, Phase::Installing | Phase::Delivered) => {
                next.reports = true;
            }
            (Event::ImageDelivered, Phase::Installing) => next.phase = Phase::Delivered,
            (Event::ReportedInstalled, Phase::Installing | Phase::Delivered) => {
                next.phase = Phase::Installed;
            }
            // It was at work when it was disarmed, or given up while it was: its own system may
            // say so at its first start.
            (Event::ReportedInstalled, Phase::Disarmed | Phase::Failed) if self.attempts > 0 => {
                next.phase = Phase::Installed;
            }
            // It starts anew when it boots again; three times, then it has failed.
            (Event::ReportedFailed, Phase::Delivered) => next.phase = Phase::Installing,
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
        // Nothing that it took reports: all taken and booted again means done.
        let is_done = match phase {
            Phase::Installed => true,
            Phase::Delivered => !self.reports,
            _ => false,
        };
        let is_bench = install == Install::Always;
        let is_old = !is_bench && now >= self.since + OLDEST_ATTEMPT;
        match phase {
            _ if is_done && is_bench => return self.again(new_token, now),
            Phase::Delivered if is_done => next.phase = Phase::Installed,
            Phase::Installing | Phase::Delivered if self.attempts >= MOST_ATTEMPTS || is_old => {
                next.phase = Phase::Failed;
            }
            _ => {}
        }
        if next.phase != phase {
            next.since = now;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Event::*;

    fn live(events: &[Event]) -> Record {
        live_as(Install::Once, events)
    }

    fn live_as(install: Install, events: &[Event]) -> Record {
        let armed = Record::armed("first".to_owned(), 0);
        events.iter().fold(armed, |record, event| record.after(*event, install, "next", 1))
    }

    const BOOT: [Event; 3] = [FirmwareStarts, TookInstaller, TookReportingScript];

    #[test]
    fn a_machine_that_reports_is_installed_once() {
        let done = live(&[BOOT.as_slice(), &[ImageDelivered, ReportedInstalled]].concat());
        assert_eq!(done.phase, Phase::Installed);
        let later = done.after(FirmwareStarts, Install::Once, "x", 2);
        assert_eq!(later.phase, Phase::Installed, "it is never installed again by itself");
        let asked = later.after(TookInstaller, Install::Once, "x", 3);
        assert_eq!(asked.phase, Phase::Installed);
    }

    #[test]
    fn an_image_sent_whole_is_not_yet_an_installed_machine() {
        let delivered = live(&[BOOT.as_slice(), &[ImageDelivered]].concat());
        assert_eq!(delivered.phase, Phase::Delivered);
        let back = delivered.after(FirmwareStarts, Install::Once, "x", 2);
        assert_eq!(back.phase, Phase::Delivered, "its script would have reported: try again");
    }

    #[test]
    fn without_a_reporting_script_image_and_reboot_mean_installed() {
        let record = live(&[FirmwareStarts, TookInstaller, ImageDelivered, FirmwareStarts]);
        assert_eq!(record.phase, Phase::Installed);
        let not_whole = live(&[FirmwareStarts, TookInstaller, FirmwareStarts]);
        assert_eq!(not_whole.phase, Phase::Installing);
    }

    #[test]
    fn three_attempts_and_then_it_has_failed() {
        let three = live(&BOOT.repeat(3));
        assert_eq!((three.phase, three.attempts), (Phase::Installing, 3));
        let fourth = three.after(FirmwareStarts, Install::Once, "x", 9);
        assert_eq!(fourth.phase, Phase::Failed);
    }

    #[test]
    fn a_script_fetched_twice_in_one_boot_is_one_attempt() {
        let record = live(&[FirmwareStarts, TookInstaller, TookInstaller, TookInstaller]);
        assert_eq!(record.attempts, 1);
    }

    #[test]
    fn only_arming_leads_out_of_the_end_and_makes_old_tokens_worthless() {
        let failed = live(&[BOOT.repeat(3).as_slice(), &[FirmwareStarts]].concat());
        let armed = failed.after(Arm, Install::Once, "second", 9);
        assert_eq!((armed.phase, armed.attempts), (Phase::Armed, 0));
        assert_eq!(armed.token, "second");
    }

    #[test]
    fn a_machine_that_is_installed_always_is_armed_by_its_next_start() {
        let record = live_as(
            Install::Always,
            &[FirmwareStarts, TookInstaller, ReportedInstalled, FirmwareStarts],
        );
        assert_eq!(record.phase, Phase::Armed);
    }

    #[test]
    fn a_bench_whose_installer_says_nothing_is_installed_at_every_boot_too() {
        let boot = [FirmwareStarts, TookInstaller, ImageDelivered];
        let done = live_as(Install::Always, &boot);
        let next = done.after(FirmwareStarts, Install::Always, "x", 2);
        assert_eq!((next.phase, next.attempts), (Phase::Armed, 0));
        let old = live_as(Install::Always, &BOOT).after(
            FirmwareStarts,
            Install::Always,
            "x",
            2 * OLDEST_ATTEMPT,
        );
        assert_eq!(old.phase, Phase::Installing, "its disk holds nothing that is kept");
    }

    #[test]
    fn whoever_looks_at_a_script_that_was_taken_long_ago_has_nothing_installed_again() {
        let done = live(&[FirmwareStarts, TookInstaller, ImageDelivered]);
        let looked = done.after(TookInstaller, Install::Once, "x", 2);
        assert_eq!(looked, done);
        let later = looked.after(FirmwareStarts, Install::Once, "x", 3);
        assert_eq!(later.phase, Phase::Installed);
    }

    #[test]
    fn an_installation_that_said_nothing_for_a_day_is_not_tried_again_without_a_person() {
        for events in [BOOT.as_slice(), &[BOOT.as_slice(), &[ImageDelivered]].concat()] {
            let record = live(events);
            let within = record.after(FirmwareStarts, Install::Once, "x", OLDEST_ATTEMPT);
            assert_ne!(within.phase, Phase::Failed);
            // The second attempt is as good as the first.
            let second = within.after(TookInstaller, Install::Once, "x", OLDEST_ATTEMPT);
            let again = second.after(FirmwareStarts, Install::Once, "x", OLDEST_ATTEMPT + 9);
            assert_eq!((again.phase, again.attempts), (Phase::Installing, 2));
            let late = record.after(FirmwareStarts, Install::Once, "x", OLDEST_ATTEMPT + 1);
            assert_eq!((late.phase, late.attempts), (Phase::Failed, 1));
        }
        let armed = live(&[]).after(FirmwareStarts, Install::Once, "x", 9 * OLDEST_ATTEMPT);
        assert_eq!(armed.phase, Phase::Armed, "it waits for good");
    }

    #[test]
    fn a_machine_that_was_given_up_and_says_that_it_is_installed_is() {
        let failed = live(&[BOOT.repeat(3).as_slice(), &[FirmwareStarts]].concat());
        assert_eq!(failed.phase, Phase::Failed);
        let done = failed.after(ReportedInstalled, Install::Once, "x", 9);
        assert_eq!(done.phase, Phase::Installed);
        assert_eq!(failed.after(ReportedFailed, Install::Once, "x", 9), failed);
    }

    #[test]
    fn a_disarmed_machine_is_given_no_installer_until_somebody_arms_it() {
        for install in [Install::Once, Install::Always] {
            let before: [&[Event]; 4] = [
                &[],
                &[FirmwareStarts, TookInstaller],
                &[FirmwareStarts, TookInstaller, ImageDelivered],
                &BOOT,
            ];
            for before in before {
                let disarmed = live_as(install, &[before, &[Disarm]].concat());
                assert_eq!(disarmed.phase, Phase::Disarmed, "{before:?}");
                let events = [FirmwareStarts, TookInstaller, ImageDelivered, FirmwareStarts];
                let later = events.iter().fold(disarmed, |r, e| r.after(*e, install, "x", 2));
                assert_eq!(later.phase, Phase::Disarmed, "{before:?}");
                assert_eq!(later.after(Arm, install, "x", 3).phase, Phase::Armed);
            }
        }
    }

    #[test]
    fn an_installation_that_ran_when_it_was_disarmed_can_still_report_its_end() {
        let done = live(&[BOOT.as_slice(), &[Disarm, ReportedInstalled]].concat());
        assert_eq!(done.phase, Phase::Installed);
        let failed = live(&[BOOT.as_slice(), &[Disarm, ReportedFailed]].concat());
        assert_eq!(failed.phase, Phase::Disarmed);
        assert_eq!(live(&[Disarm, ReportedInstalled]).phase, Phase::Disarmed, "it had none");
    }

    #[test]
    fn disarming_what_is_over_changes_nothing_but_a_bench_that_is_installed_always() {
        let installed = [FirmwareStarts, TookInstaller, ReportedInstalled, Disarm];
        assert_eq!(live(&installed).phase, Phase::Installed);
        assert_eq!(live_as(Install::Always, &installed).phase, Phase::Disarmed);
        let failed = live(&[BOOT.repeat(3).as_slice(), &[FirmwareStarts, Disarm]].concat());
        assert_eq!(failed.phase, Phase::Failed);
    }

    #[test]
    fn a_report_before_any_installer_was_given_changes_nothing() {
        assert_eq!(live(&[ReportedInstalled]).phase, Phase::Armed);
        assert_eq!(live(&[ImageDelivered]).phase, Phase::Armed);
    }
}
