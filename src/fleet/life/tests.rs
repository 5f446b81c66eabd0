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
