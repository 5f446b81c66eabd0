//! What a person reads who puts a screen or a serial cable on the box.

use std::thread;
use std::time::{Duration, Instant};

use super::lab::{Appliance, Card, FileSystem, Lan, Result, StickContent, Workshop};
use super::{APPLIANCE_START, STAGE, alone};

/// The banner's first and last line.
const RULE: usize = 54;

/// From that one to this.
const BANNER: usize = 8;

/// Far more than one screen takes.
const DRAWN: Duration = Duration::from_secs(20);

#[test]
fn a_screen_says_where_the_page_is_and_what_has_changed() -> Result<()> {
    let _alone = alone();
    let workshop = Workshop::open("screen")?;
    let lan = Lan::new(&workshop);
    let stick = StickContent::sample(&workshop, &[("node-3", "52:54:00:00:00:03")])?
        .image(FileSystem::Fat32)?;
    let card = Card::new(&workshop)?;
    let mut appliance = Appliance::start_with_screen(&workshop, &lan, &card)?;
    for line in [
        "  page    http://10.10.10.1/",
        "  or      http://pxeberry.local/",
        "  eth0    10.10.10.1/24",
        "  LAN     gives addresses 10.10.10.100-10.10.10.250",
    ] {
        appliance.console.wait_for(line, APPLIANCE_START)?;
    }
    appliance.console.wait_for("  sticks  none: plug one in", STAGE)?;
    appliance.plug(&stick)?;
    appliance.console.wait_for("  sticks  1 image, 1 machine", STAGE)?;
    appliance.console.wait_for(&"=".repeat(RULE), STAGE)?;
    // The screen is drawn after the serial line, and tells nobody when.
    let (picture, end) = (workshop.file("screen.ppm"), Instant::now() + DRAWN);
    loop {
        let rules = appliance.screen(&picture)?.rows_with_a_rule(RULE);
        if let [.., first, last] = rules[..]
            && last - first == BANNER
        {
            return Ok(());
        }
        assert!(Instant::now() < end, "no whole banner on the screen: rules in rows {rules:?}");
        thread::sleep(Duration::from_millis(100));
    }
}
