use super::super::trouble::Step;
use super::*;

fn mac(last: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
}

/// What is told of one machine that shows these signs at these times.
fn told(boots: &mut Boots, signs: &[(Seconds, Sign)]) -> Vec<String> {
    signs.iter().filter_map(|(at, sign)| boots.note(mac(1), sign, *at)).collect()
}

fn boot(boots: &Boots) -> &Boot {
    boots.of(&[mac(1)]).unwrap()
}

use Sign::{AsksLoader, FirmwareAsks, IpxeAsks, LoaderSent, Misses, Reaches};

const UEFI: Platform = Platform::Efi64;

/// From power on until the loader was sent.
const LOADED: [(Seconds, Sign); 4] = [
    (0, FirmwareAsks(UEFI)),
    (4, Reaches(Stage::Address)),
    (4, AsksLoader("snponly.efi")),
    (5, LoaderSent("snponly.efi")),
];

/// And on, until its kernel.
const STARTED: [(Seconds, Sign); 4] = [
    (7, IpxeAsks(UEFI)),
    (8, Reaches(Stage::Address)),
    (8, Reaches(Stage::Script)),
    (9, Reaches(Stage::Kernel)),
];

fn failed(step: Step, error: u32) -> Sign<'static> {
    Sign::Failed(Failure { step, error, has: None, needs: None })
}

#[test]
fn a_boot_without_trouble_is_told_step_by_step_and_needs_no_line() {
    let mut boots = Boots::default();
    let rest = [
        (12, Reaches(Stage::Initrd)),
        (40, Reaches(Stage::Config)),
        (45, Reaches(Stage::Installer)),
        (90, Reaches(Stage::Reported)),
    ];
    let signs = [&LOADED[..], &STARTED, &rest].concat();
    assert_eq!(told(&mut boots, &signs), [""; 0]);
    let steps: Vec<(Stage, Seconds)> = boot(&boots).steps().collect();
    let times = [0, 8, 4, 5, 7, 8, 9, 12, 40, 45, 90];
    assert_eq!(steps, Stage::ALL.into_iter().zip(times).collect::<Vec<_>>());
    assert_eq!(boot(&boots).stage, Stage::Reported);
}

#[test]
fn firmware_that_comes_again_after_it_got_its_loader_has_refused_it_and_is_told_of_once() {
    let mut boots = Boots::default();
    let lines = told(&mut boots, &[&LOADED[..], &LOADED, &LOADED].concat());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("snponly.efi") && lines[0].contains("Secure Boot"), "{lines:?}");
    assert_eq!(boot(&boots).stage, Stage::LoaderSent);
    assert!(boot(&boots).trouble.is_some());
    told(&mut boots, &STARTED);
    assert_eq!(boot(&boots).trouble, None, "it runs now");
}

#[test]
fn firmware_that_asks_again_before_its_loader_was_sent_whole_has_refused_nothing() {
    let mut boots = Boots::default();
    let looked = (5, AsksLoader("snponly.efi"));
    assert_eq!(told(&mut boots, &[&LOADED[..3], &[looked], &LOADED[..3]].concat()), [""; 0]);
}

#[test]
fn a_machine_that_is_silent_a_minute_after_its_loader_is_told_of_once() {
    let mut boots = Boots::default();
    told(&mut boots, &LOADED);
    assert_eq!(boots.silent(64), []);
    let silent = boots.silent(65);
    assert_eq!(silent.len(), 1);
    assert!(silent[0].1.contains("is silent since"), "{silent:?}");
    assert_eq!(boots.silent(66), []);
    // Whoever goes on is not silent, however long the next step takes.
    let mut boots = Boots::default();
    told(&mut boots, &[&LOADED[..], &STARTED].concat());
    assert_eq!(boots.silent(10_000), []);
}

#[test]
fn a_loader_in_a_chain_runs_when_it_asks_for_the_next_one() {
    let mut boots = Boots::default();
    let chain = [(0, LoaderSent("shimx64.efi")), (1, AsksLoader("grubx64.efi"))];
    told(&mut boots, &chain);
    assert_eq!(boot(&boots).stage, Stage::LoaderRuns);
    // Its size again, or once more the whole of it: that is firmware, which has no use for it.
    let mut boots = Boots::default();
    told(&mut boots, &[(0, LoaderSent("shimx64.efi")), (1, AsksLoader("shimx64.efi"))]);
    assert_eq!(boot(&boots).stage, Stage::LoaderSent);
}

#[test]
fn ipxe_in_the_network_card_begins_a_boot_without_a_loader() {
    let mut boots = Boots::default();
    let once = [(0, IpxeAsks(Platform::Bios)), (1, Reaches(Stage::Script))];
    told(&mut boots, &[&once[..], &[(60, IpxeAsks(Platform::Bios))]].concat());
    assert_eq!(boot(&boots).stage, Stage::Asked);
    assert_eq!(boot(&boots).steps().collect::<Vec<_>>(), [(Stage::Asked, 60)]);
}

#[test]
fn a_failed_step_is_kept_over_the_next_boot_until_a_later_step_is_reached() {
    let mut boots = Boots::default();
    let no_room = (20, failed(Step::Initrd, 0x3418_2006));
    let lines = told(&mut boots, &[&LOADED[..], &STARTED, &[no_room]].concat());
    assert!(lines[0].contains("too little memory"), "{lines:?}");
    told(&mut boots, &[&LOADED[..], &STARTED].concat());
    assert!(boot(&boots).words().unwrap().contains("too little memory"));
    told(&mut boots, &[(50, Reaches(Stage::Config))]);
    assert_eq!(boot(&boots).words(), None);
}

#[test]
fn a_file_that_is_missing_is_named_whatever_ipxe_says_of_it_afterwards() {
    let mut boots = Boots::default();
    let reports = [(9, Misses("vmlinuz")), (9, failed(Step::Kernel, 0x2d0c_618e))];
    let lines = told(&mut boots, &[&STARTED[..3], &reports].concat());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(boot(&boots).words().unwrap().contains("vmlinuz"));
    told(&mut boots, &[(20, Reaches(Stage::Kernel))]);
    assert_eq!(boot(&boots).words(), None, "it is there now");
}

#[test]
fn a_machine_that_reports_something_else_every_second_gets_a_line_every_ten() {
    let mut boots = Boots::default();
    let lies: Vec<(Seconds, Sign)> =
        (0..100_u8).map(|at| (at.into(), failed(Step::Kernel, at.into()))).collect();
    assert_eq!(told(&mut boots, &lies).len(), 10);
}

#[test]
fn made_up_machines_cannot_fill_the_memory() {
    let mut boots = Boots::default();
    for n in 0..5_000_u64 {
        let [.., a, b, c] = n.to_be_bytes();
        boots.note(Mac::new([2, 0, 0, a, b, c]).unwrap(), &Reaches(Stage::Address), n);
    }
    assert_eq!(boots.0.len(), MOST_MACHINES);
    let longest = "x".repeat(10_000);
    boots.note(mac(1), &Misses(&longest), 9_000);
    assert!(boot(&boots).words().unwrap().len() < 200);
}
