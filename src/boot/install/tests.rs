//! Which machines get which image, and which get none.

use super::super::plan::tests::{ENDPOINT, mac, stick_of};
use super::super::plan::{Media, Plan, plan};
use super::*;
use crate::fleet::life::Phase;
use crate::verify::Verdicts;

/// What the machine `52:54:00:00:00:<last>` is told, with a BIOS and this stick.
fn ask(machines: &str, files: &[&str], last: u8, phase: Option<Phase>) -> Plan {
    let inventory = stick_of(machines, files);
    let situation = Situation {
        inventory: &inventory,
        verdicts: &Verdicts::default(),
        media: Media::Ready,
        boot: &crate::config::parse("").unwrap().boot,
        endpoint: ENDPOINT,
    };
    let asker = Asker { mac: mac(last), platform: Platform::Bios, loader: None };
    plan(asker, phase, &situation)
}

#[test]
fn what_only_runs_in_memory_is_given_in_every_phase_and_is_no_attempt() {
    let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimage = \"memtest86+/7.20\"\n\
                    [[machine]]\nmac = \"52:54:00:00:00:02\"\n";
    let ask =
        |last, phase| ask(machines, &["images/memtest86+/7.20/memtest86+x64.bin"], last, phase);
    for phase in [None, Some(Phase::Armed), Some(Phase::Installed), Some(Phase::Failed)] {
        let given = ask(1, phase);
        let is_live = matches!(&given, Plan::Install(install) if install.purpose == Purpose::Live);
        assert!(is_live, "{phase:?}: {given:?}");
    }
    let unasked = ask(2, Some(Phase::Armed));
    assert_eq!(unasked, Plan::LocalBoot("there is no image for it on the stick"));
}

#[test]
fn a_machine_is_told_the_host_name_that_it_shall_give_itself() {
    let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nname = \"node-1\"\n\
                    hostname = \"www\"\n\
                    [[machine]]\nmac = \"52:54:00:00:00:02\"\nname = \"node-2\"\n";
    let debian = ["images/debian/12/linux", "images/debian/12/initrd.gz", "preseed/default.cfg"];
    for (last, name) in [(1, "www"), (2, "node-2")] {
        let plan = ask(machines, &debian, last, Some(Phase::Armed));
        let Plan::Install(install) = plan else { panic!("{plan:?}") };
        let expected = format!("hostname={name}");
        assert!(install.args.split(' ').any(|arg| arg == expected), "{}", install.args);
    }
}

#[test]
fn arguments_that_would_end_the_command_are_not_given() {
    for (args, given) in [("a;b quiet", true), ("quiet ; shell", false), ("quiet #", false)] {
        let machines = format!("[[machine]]\nmac = \"52:54:00:00:00:01\"\nargs = \"{args}\"\n");
        let file = ["images/coreos/1185.3.0/coreos_production_pxe.vmlinuz"];
        let plan = ask(&machines, &file, 1, Some(Phase::Armed));
        assert_eq!(matches!(plan, Plan::Install(_)), given, "{args}: {plan:?}");
    }
}

#[test]
fn nobodys_disk_is_wiped_with_settings_that_we_made_up() {
    let machines = "[[machine]]\nmac = \"52:54:00:00:00:01\"\n";
    let kernel = ["images/debian/12/linux", "images/debian/12/initrd.gz"];
    let ask = |files: &[&str]| ask(machines, files, 1, Some(Phase::Armed));
    let reason = "no preseed for it; put preseed/<mac>.cfg or preseed/default.cfg on the stick";
    assert_eq!(ask(&kernel), Plan::LocalBoot(reason));
    for config in ["preseed/default.cfg", "preseed/52-54-00-00-00-01.cfg"] {
        let plan = ask(&[kernel.as_slice(), &[config]].concat());
        assert!(matches!(plan, Plan::Install(_)), "{config}: {plan:?}");
    }
}
