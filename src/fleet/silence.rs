//! Machines that say nothing more where more is to come, and what to check then. Pure.

use super::stage::{Boot, Boots, Stage};
use super::trouble::Trouble;
use crate::dhcp::Seconds;
use crate::net::Mac;

/// Firmware and loaders ask for the next thing within seconds; iPXE's slowest start that was
/// seen takes a third of this.
const LOADER: Seconds = 60;

/// Between kernel and initial RAM disk: iPXE asks at once, and tries again for good.
const KERNEL: Seconds = 120;

/// From the initial RAM disk to the configuration: the kernel unpacks and starts, looks for
/// its cards, waits for a switch with spanning tree and for DHCP.
const SYSTEM: Seconds = 5 * 60;

/// From the configuration to the report, without a file or a line of its log: an installer
/// that formats a large disk and unpacks is long done. One that takes its packages from
/// somewhere else takes longer ([`super::stage::Promise::patience`]).
const INSTALLER: Seconds = 30 * 60;

impl Boots {
    /// Machines that have been silent for too long, each once, with a sentence.
    pub fn silent(&mut self, now: Seconds) -> Vec<(Mac, String)> {
        let tell = |(mac, boot): (&Mac, &mut Boot)| {
            let trouble = boot.silence(now)?;
            Some((*mac, boot.meets(trouble, now)?))
        };
        self.0.iter_mut().filter_map(tell).collect()
    }
}

impl Boot {
    /// What it means that nothing more was heard. None: nothing more is to be expected, or it
    /// may still come.
    fn silence(&self, now: Seconds) -> Option<Trouble> {
        let promise = self.promise;
        let (silence, trouble) = match self.stage {
            Stage::Address => (LOADER, Trouble::AddressSilent),
            Stage::LoaderAsked => (LOADER, Trouble::LoaderNotTaken(self.loader().to_owned())),
            // What is known already of this loader says more.
            Stage::LoaderSent if matches!(self.trouble, Some(Trouble::LoaderRefused(_))) => {
                return None;
            }
            Stage::LoaderSent => (LOADER, Trouble::LoaderSilent(self.loader().to_owned())),
            Stage::LoaderRuns => (LOADER, Trouble::NoScript),
            Stage::Kernel if promise.initrd => (KERNEL, Trouble::NoInitrd),
            Stage::Kernel | Stage::Initrd if promise.config => {
                (SYSTEM, Trouble::SystemSilent { has_address: self.system_asked })
            }
            Stage::Config | Stage::Installer if promise.report => {
                (INSTALLER.max(promise.patience), Trouble::InstallerSilent)
            }
            _ => return None,
        };
        // A trouble of this step that was seen says more than silence.
        let known = self.trouble.as_ref().is_some_and(|known| known.stage() >= self.stage);
        let same = self.trouble.as_ref() == Some(&trouble);
        (self.is_silent(silence, now) && (same || !known)).then_some(trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Promise, Sign};
    use super::super::trouble::{Failure, Step};
    use super::*;
    use crate::boot::arch::Platform;

    fn mac() -> Mac {
        Mac::new([0x52, 0x54, 0, 0, 0, 1]).unwrap()
    }

    /// What is told of a machine that shows these signs, a second apart, and then nothing for
    /// so long.
    fn told(signs: &[Sign], silence: Seconds) -> String {
        let mut boots = Boots::default();
        let mut lines: Vec<String> = Vec::new();
        for (at, sign) in (1..).zip(signs) {
            lines.extend(boots.note(mac(), sign, at));
        }
        let end = signs.len() as Seconds;
        lines.extend(boots.silent(end + silence).into_iter().map(|(_, words)| words));
        assert!(boots.silent(end + silence).is_empty(), "said twice");
        lines.join("\n")
    }

    use Sign::{AsksLoader, FirmwareAsks, IpxeAsks, LoaderSent, Offered, Reaches, Told};

    const UEFI: Platform = Platform::Efi64;
    const ALL: Promise = Promise { initrd: true, config: true, report: true, patience: 0 };

    /// A boot in its order, with all that comes between.
    fn story() -> Vec<(&'static str, Sign<'static>)> {
        vec![
            ("offer", Offered),
            ("asked", FirmwareAsks(UEFI)),
            ("address", Reaches(Stage::Address)),
            ("loader-asked", AsksLoader("snponly.efi")),
            ("loader-sent", LoaderSent("snponly.efi")),
            ("runs", IpxeAsks(UEFI)),
            ("script", Reaches(Stage::Script)),
            ("promise", Told(ALL)),
            ("kernel", Reaches(Stage::Kernel)),
            ("initrd", Reaches(Stage::Initrd)),
            ("config", Reaches(Stage::Config)),
            ("installer", Reaches(Stage::Installer)),
            ("reported", Reaches(Stage::Reported)),
        ]
    }

    fn until(name: &str) -> Vec<Sign<'static>> {
        let story = story();
        let end = story.iter().position(|(step, _)| *step == name).unwrap();
        story.into_iter().take(end + 1).map(|(_, sign)| sign).collect()
    }

    #[test]
    fn a_machine_that_goes_silent_is_told_of_with_what_to_check_and_not_a_moment_earlier() {
        for (step, silence, words) in [
            ("address", LOADER, "UDP port 69"),
            ("loader-asked", LOADER, "did not take it whole"),
            ("loader-sent", LOADER, "is silent since"),
            ("runs", LOADER, "asks for no script"),
            ("kernel", KERNEL, "no initial RAM disk"),
            ("initrd", SYSTEM, "driver"),
            ("config", INSTALLER, "installer's own screen"),
            ("installer", INSTALLER, "installer's own screen"),
        ] {
            assert_eq!(told(&until(step), silence - 1), "", "{step}: too early");
            let lines = told(&until(step), silence);
            assert!(lines.contains(words), "{step}: {lines}");
        }
    }

    #[test]
    fn nothing_is_missed_of_who_has_done_or_has_nothing_more_to_say() {
        for step in ["asked", "script", "reported"] {
            assert_eq!(told(&until(step), 100_000), "", "{step}");
        }
        // A system that runs in memory, and one whose installer only takes a configuration.
        for promise in [Promise::default(), Promise { report: false, ..ALL }] {
            let mut signs = until("config");
            signs.push(Told(promise));
            assert_eq!(told(&signs, 100_000), "", "{promise:?}");
        }
        let alone = [Told(Promise::default()), Reaches(Stage::Kernel)];
        assert_eq!(told(&alone, 100_000), "", "a program without an initial RAM disk");
    }

    #[test]
    fn who_takes_a_large_file_or_writes_log_lines_is_not_silent() {
        let mut signs = until("initrd");
        signs.push(Sign::Takes);
        assert_eq!(told(&signs, 100_000), "");
        signs.push(Sign::TookAll);
        assert!(told(&signs, SYSTEM).contains("driver"));
        let mut boots = Boots::default();
        let mut now = 0;
        for sign in until("config") {
            boots.note(mac(), &sign, 0);
        }
        while now < 10 * INSTALLER {
            now += INSTALLER - 1;
            assert_eq!(boots.silent(now), []);
            boots.note(mac(), &Sign::Speaks, now);
        }
    }

    #[test]
    fn an_installer_that_is_known_to_take_its_time_has_it() {
        const HOURS: Seconds = 2 * 60 * 60;
        let mut signs = until("config");
        signs.push(Told(Promise { patience: HOURS, ..ALL }));
        assert_eq!(told(&signs, HOURS - 1), "");
        assert!(told(&signs, HOURS).contains("reports nothing"));
        signs.push(Told(Promise { patience: 1, ..ALL }));
        assert_eq!(told(&signs, INSTALLER - 1), "", "and nobody less than the others");
    }

    #[test]
    fn whose_configuration_reports_is_missed_as_who_has_our_script() {
        let mut signs = until("config");
        signs.push(Told(Promise { report: false, ..ALL }));
        assert_eq!(told(&signs, 100_000), "", "it was not to report");
        signs.push(Sign::WillReport);
        assert!(told(&signs, INSTALLER).contains("reports nothing"));
        // The next boot may be another story.
        signs.extend([FirmwareAsks(UEFI), Reaches(Stage::Script), Reaches(Stage::Config)]);
        assert_eq!(told(&signs, 100_000), "");
    }

    #[test]
    fn a_system_that_has_an_address_has_a_driver() {
        let mut signs = until("initrd");
        signs.push(Sign::SystemAsks);
        let words = told(&signs, SYSTEM);
        assert!(words.contains("has an address") && !words.contains("driver"), "{words}");
    }

    #[test]
    fn four_offers_without_a_request_are_told_of_and_three_are_not() {
        let ask = [FirmwareAsks(UEFI), Offered];
        assert_eq!(told(&ask.repeat(3), 10), "");
        assert!(told(&ask.repeat(4), 10).contains("takes none of our offers"));
        let taken = [&ask.repeat(3)[..], &[Reaches(Stage::Address)], &ask.repeat(3)].concat();
        assert_eq!(told(&taken, 10), "");
    }

    #[test]
    fn who_takes_another_servers_address_is_told_of_with_that_server() {
        let other = "192.168.1.1".parse().unwrap();
        let words = told(&[FirmwareAsks(UEFI), Offered, Sign::ChoseServer(other)], 10);
        assert!(words.contains("192.168.1.1"), "{words}");
    }

    #[test]
    fn what_is_known_to_be_wrong_is_not_replaced_by_silence() {
        let failure = Failure { step: Step::Initrd, error: 0x3418_2006, has: None, needs: None };
        let mut signs = until("kernel");
        signs.push(Sign::Failed(failure));
        let lines = told(&signs, 100_000);
        assert!(lines.contains("too little memory") && !lines.contains('\n'), "{lines}");
    }
}
