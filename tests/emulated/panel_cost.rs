//! What the panel takes from the core that the servers need.

use super::lab::appliance::Emulation;
use super::lab::{Appliance, Card, Failure, Lan, Result, Workshop};
use super::{APPLIANCE_START, STAGE, alone};

/// Of one core, in percent.
const SHARE: f64 = 1.0;

#[test]
fn the_panel_takes_less_than_a_hundredth_of_one_core() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("panel-cost")?;
    let lan = Lan::new(&workshop);
    let card = Card::with_settings(&workshop, "mode = \"server\"\n[control]\nprompt = false\n")?;
    // The Pi's clock counts its instructions: the share is one of instructions, a thousand
    // million a second, which is what a core of a Pi 3 does at 1.2 GHz at best.
    let mut appliance =
        Appliance::start_with_hands(&workshop, &lan, &card, None, Emulation::Faithful)?;
    appliance.console.wait_for("panel: shows no-stick", APPLIANCE_START)?;
    appliance.console.type_line("watch panel")?;
    let line = appliance.console.wait_for("hands: panel used ", STAGE)?.text;
    let numbers: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [.., used, time] = numbers[..] else {
        return Err(Failure::new(format!("no two numbers in: {line}")));
    };
    let share = 100.0 * used / time;
    println!("the panel takes {share:.2} % of one core: {used} of {time} ms");
    assert!(used > 0.0 && time >= 10_000.0, "{line}");
    assert!(share <= SHARE, "the panel takes {share:.2} %, not {SHARE} %");
    Ok(())
}
