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
fn a_bench_whose_report_cannot_have_been_lost_fails_as_others_do() {
    let once = [BOOT.as_slice(), &[ImageDelivered]].concat();
    let failed = live_as(Install::Always, &[once.repeat(3).as_slice(), &[FirmwareStarts]].concat());
    assert_eq!((failed.phase, failed.attempts), (Phase::Failed, 3));
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
    for events in [BOOT, [FirmwareStarts, TookInstaller, TookReportingConfig]] {
        let events = &events;
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

/// All was handed over, its report was not heard, and it is back.
const LOST: [Event; 5] =
    [FirmwareStarts, TookInstaller, TookReportingScript, ImageDelivered, FirmwareStarts];

/// The same where nobody listened in between.
fn lost_while_we_were_away(install: Install) -> Record {
    let [before @ .., back] = LOST;
    let record = Record { missed: true, ..live_as(install, &before) };
    record.after(back, install, "x", 2)
}

fn then(record: Record, events: &[Event], now: Seconds) -> Record {
    events.iter().fold(record, |record, event| record.after(*event, Install::Once, "x", now))
}

#[test]
fn a_report_that_cannot_have_been_lost_and_did_not_come_means_not_installed() {
    let back = live(&LOST);
    assert_eq!(back.phase, Phase::Delivered, "the next script installs it again");
    assert_eq!(then(back, &[TookInstaller], 3).attempts, 2);
}

#[test]
fn a_machine_whose_report_may_have_been_lost_tries_its_disk_and_is_not_wiped_again() {
    let on_trial = lost_while_we_were_away(Install::Once);
    assert_eq!(on_trial.phase, Phase::Trial);
    let runs = then(on_trial.clone(), &[TookDisk, SystemStarts], 3);
    assert_eq!((runs.phase, runs.runs, runs.attempts), (Phase::Installed, true, 1));
    let reports = then(on_trial.clone(), &[TookDisk, ReportedInstalled], 3);
    assert_eq!(reports.phase, Phase::Installed);
    assert_eq!(then(on_trial, &[ReportedFailed], 3).phase, Phase::Installing);
}

#[test]
fn firmware_that_is_back_from_a_trial_has_nothing_installed_whatever_led_it_back() {
    // Its next network card, or a system with an address of its own that was started anew.
    let back = then(lost_while_we_were_away(Install::Once), &[TookDisk, FirmwareStarts], 3);
    assert_eq!((back.phase, back.attempts), (Phase::Failed, 1));
    let again = then(back.clone(), &[TookInstaller, ImageDelivered, FirmwareStarts], 4);
    assert_eq!(again.phase, Phase::Failed);
    let runs = then(back.clone(), &[SystemStarts], 5);
    assert_eq!(
        (runs.phase, runs.runs),
        (Phase::Installed, true),
        "its disk was all it could start"
    );
    assert_eq!(then(back.clone(), &[ReportedInstalled], 5).phase, Phase::Installed);
    assert_eq!(then(back, &[Arm, TookInstaller], 5).attempts, 1);
    let failed = live(&[BOOT.repeat(3).as_slice(), &[FirmwareStarts]].concat());
    assert_eq!(then(failed.clone(), &[SystemStarts], 5), failed, "no trial, no proof");
}

#[test]
fn a_machine_that_had_its_whole_image_and_is_back_later_than_it_would_report_tries_its_disk() {
    let delivered = live(&[BOOT.as_slice(), &[ImageDelivered]].concat());
    let sooner = then(delivered.clone(), &[FirmwareStarts], LONGEST_REPORT);
    assert_eq!(sooner.phase, Phase::Delivered, "it lost its power while it wrote the rest");
    let later = then(delivered, &[FirmwareStarts], 1 + LONGEST_REPORT);
    assert_eq!(later.phase, Phase::Trial);
    // An installer that has its configuration has most of its work before it.
    let config = live(&[FirmwareStarts, TookInstaller, TookReportingConfig]);
    let later = then(config, &[FirmwareStarts], 1 + LONGEST_REPORT);
    assert_eq!(later.phase, Phase::Delivered);
}

#[test]
fn firmware_that_asks_more_than_once_in_one_boot_is_still_on_its_way_to_the_disk() {
    let asks = then(lost_while_we_were_away(Install::Once), &[FirmwareStarts, SystemStarts], 3);
    assert_eq!(asks.phase, Phase::Trial, "no disk was booted yet");
    assert_eq!(then(asks, &[TookDisk, SystemStarts], 3).phase, Phase::Installed);
}

#[test]
fn a_machine_that_never_asks_for_its_script_may_still_run_from_its_disk() {
    let on_trial = lost_while_we_were_away(Install::Once);
    let sooner = then(on_trial.clone(), &[SystemStarts], 1 + LOADERS_ARE_DONE);
    assert_eq!(sooner.phase, Phase::Trial, "a loader asks so, too");
    let later = then(on_trial, &[SystemStarts], 2 + LOADERS_ARE_DONE);
    assert_eq!(later.phase, Phase::Installed);
}

#[test]
fn a_trial_is_the_third_attempts_too_and_nobodys_after_a_day() {
    let third = [BOOT.repeat(3).as_slice(), &[ImageDelivered]].concat();
    let third = Record { missed: true, ..live(&third) };
    let tried = then(third, &[FirmwareStarts, TookDisk], 2);
    assert_eq!(tried.phase, Phase::Trial);
    assert_eq!(then(tried, &[FirmwareStarts], 3).phase, Phase::Failed);
    let old = live(&[BOOT.as_slice(), &[ImageDelivered]].concat());
    let old = Record { missed: true, ..old };
    assert_eq!(then(old, &[FirmwareStarts], 2 + OLDEST_ATTEMPT).phase, Phase::Failed);
}

#[test]
fn a_bench_and_half_an_image_are_installed_again_without_a_trial() {
    assert_eq!(lost_while_we_were_away(Install::Always).phase, Phase::Armed);
    let half = Record { missed: true, ..live(&BOOT) };
    assert_eq!(then(half, &[FirmwareStarts], 2).phase, Phase::Installing);
}

#[test]
fn a_machine_on_trial_can_be_disarmed_and_armed() {
    let on_trial = lost_while_we_were_away(Install::Once);
    assert_eq!(then(on_trial.clone(), &[Disarm], 3).phase, Phase::Disarmed);
    assert_eq!(then(on_trial, &[Arm], 3).phase, Phase::Armed);
}

#[test]
fn a_configuration_that_reports_is_all_that_its_installer_takes() {
    let events = [FirmwareStarts, TookInstaller, TookReportingConfig];
    let taken = live(&events);
    assert_eq!((taken.phase, taken.reports), (Phase::Delivered, true));
    assert_eq!(then(taken.clone(), &[FirmwareStarts], 2).phase, Phase::Delivered);
    let missed = Record { missed: true, ..taken };
    assert_eq!(then(missed, &[FirmwareStarts], 2).phase, Phase::Trial);
}

#[test]
fn a_report_that_its_owner_has_not_written_is_not_waited_for_at_the_cost_of_a_disk() {
    let taken = live(&[FirmwareStarts, TookInstaller, TookAddedReport]);
    assert_eq!((taken.phase, taken.reports), (Phase::Delivered, true));
    assert_eq!(then(taken.clone(), &[ReportedInstalled], 2).phase, Phase::Installed);
    assert_eq!(then(taken, &[FirmwareStarts], 2).phase, Phase::Trial);
}

#[test]
fn the_first_start_of_its_own_system_is_seen_once_and_only_when_it_is_installed() {
    for events in [&[][..], &BOOT, &LOST] {
        let record = live(events);
        assert_eq!(then(record.clone(), &[SystemStarts], 2), record, "an installer asks, too");
    }
    let installed = live(&[BOOT.as_slice(), &[ImageDelivered, ReportedInstalled]].concat());
    assert!(!installed.runs);
    let runs = then(installed, &[SystemStarts], 2);
    assert!(runs.runs && then(runs.clone(), &[SystemStarts], 9) == runs);
    assert!(!then(runs, &[Arm], 10).runs);
}
