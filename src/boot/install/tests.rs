//! Which machines get which image, and which get none.

use super::super::plan::tests::{ENDPOINT, mac, stick_of};
use super::super::plan::{Media, Plan, plan};
use super::*;
use crate::fleet::life::Phase;
use crate::verify::Verdicts;

#[test]
fn what_only_runs_in_memory_is_given_in_every_phase_and_is_no_attempt() {
    let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimage = \"memtest86+/7.20\"\n\
                    [[machine]]\nmac = \"52:54:00:00:00:02\"\n";
    let inventory = stick_of(machines, &["images/memtest86+/7.20/memtest86+x64.bin"]);
    let boot = crate::config::parse("").unwrap().boot;
    let verdicts = Verdicts::default();
    let situation = Situation {
        inventory: &inventory,
        verdicts: &verdicts,
        media: Media::Ready,
        boot: &boot,
        endpoint: ENDPOINT,
    };
    let ask = |last, phase| {
        let asker = Asker { mac: mac(last), platform: Platform::Bios, loader: None };
        plan(asker, phase, &situation)
    };
    for phase in [None, Some(Phase::Armed), Some(Phase::Installed), Some(Phase::Failed)] {
        let given = ask(1, phase);
        let is_live = matches!(&given, Plan::Install(install) if install.purpose == Purpose::Live);
        assert!(is_live, "{phase:?}: {given:?}");
    }
    let unasked = ask(2, Some(Phase::Armed));
    assert_eq!(unasked, Plan::LocalBoot("there is no image for it on the stick"));
}

#[test]
fn arguments_that_would_end_the_command_are_not_given() {
    for (args, given) in [("a;b quiet", true), ("quiet ; shell", false), ("quiet #", false)] {
        let machines = format!("[[machine]]\nmac = \"52:54:00:00:00:01\"\nargs = \"{args}\"\n");
        let file = ["images/coreos/1185.3.0/coreos_production_pxe.vmlinuz"];
        let inventory = stick_of(&machines, &file);
        let boot = crate::config::parse("").unwrap().boot;
        let media = Media::Ready;
        let verdicts = Verdicts::default();
        let situation = Situation {
            inventory: &inventory,
            verdicts: &verdicts,
            media,
            boot: &boot,
            endpoint: ENDPOINT,
        };
        let asker = Asker { mac: mac(1), platform: Platform::Bios, loader: None };
        let plan = plan(asker, Some(Phase::Armed), &situation);
        assert_eq!(matches!(plan, Plan::Install(_)), given, "{args}: {plan:?}");
    }
}

#[test]
fn nobodys_disk_is_wiped_with_settings_that_we_made_up() {
    let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\n";
    let kernel = ["images/debian/12/linux", "images/debian/12/initrd.gz"];
    let ask = |files: &[&str]| {
        let inventory = stick_of(machines, files);
        let boot = crate::config::parse("").unwrap().boot;
        let media = Media::Ready;
        let verdicts = Verdicts::default();
        let situation = Situation {
            inventory: &inventory,
            verdicts: &verdicts,
            media,
            boot: &boot,
            endpoint: ENDPOINT,
        };
        let asker = Asker { mac: mac(1), platform: Platform::Bios, loader: None };
        plan(asker, Some(Phase::Armed), &situation)
    };
    let reason = "no preseed for it; put preseed/<mac>.cfg or preseed/default.cfg on the stick";
    assert_eq!(ask(&kernel), Plan::LocalBoot(reason));
    for config in ["preseed/default.cfg", "preseed/52-54-00-00-00-01.cfg"] {
        let plan = ask(&[kernel.as_slice(), &[config]].concat());
        assert!(matches!(plan, Plan::Install(_)), "{config}: {plan:?}");
    }
}
