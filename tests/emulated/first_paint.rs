//! How soon a person sees something of the box, in a real browser on the appliance's LAN, and
//! how much that sends over the cable. The box is emulated instruction by instruction, by a
//! host that runs the browser as well: its processor is no Pi's.

use serde_json::json;

use super::browser::Browser;
use super::lab::{Appliance, Card, FileSystem, Lan, Result, StickContent, Workshop};
use super::net::lan::SERVER;
use super::{APPLIANCE_START, alone, net, office};

const NODES: [(&str, &str); 2] = [("node-1", "52:54:00:00:00:01"), ("node-2", "52:54:00:00:00:02")];

/// From the order to go there to the first words, in milliseconds.
const FIRST_PAINT: f64 = 1_000.0;

/// A busy host can only add: the best of so many counts.
const LOADS: usize = 5;

/// Bytes of all that the page is made of, with its headers.
const WEIGHT: u64 = 60 * 1024;

#[test]
fn the_page_of_an_emulated_pi_is_seen_within_a_second_and_is_light() {
    let _alone = alone();
    net::isolated(|lan| scenario(&lan).unwrap());
}

fn scenario(lan: &net::Lan) -> Result<()> {
    let workshop = Workshop::open("first-paint")?;
    let switch = Lan::new(&workshop);
    office::joins(lan, &switch)?;
    let stick = StickContent::sample(&workshop, &NODES)?.image(FileSystem::Fat32)?;
    let card = Card::with_settings(&workshop, "mode = \"server\"\n")?;
    let appliance = Appliance::start(&workshop, &switch, &card, Some(&stick))?;
    appliance.console.wait_for("1 stick read: 1 image, 2 machines", APPLIANCE_START)?;

    let mut browser = Browser::starts();
    let url = format!("http://{SERVER}/");
    // The browser has seen no page before, and this box no browser.
    let first = load(&mut browser, &url);
    let warm: Vec<f64> = (0..LOADS).map(|_| load(&mut browser, &url)).collect();
    let best = warm.iter().copied().fold(first, f64::min);
    println!("measured: first paint after {first:.0} ms, then after {warm:.0?} ms");
    let words = browser.eval("document.body.innerText");
    assert!(words.as_str().is_some_and(|words| words.contains("node-2")), "{words}");
    assert_eq!(json!(browser.complaints), json!([]));
    assert!(best <= FIRST_PAINT, "{best:.0} ms, not {FIRST_PAINT:.0} ms");
    Ok(())
}

/// Milliseconds to the first paint of a page that is not too heavy.
fn load(browser: &mut Browser, url: &str) -> f64 {
    let paint = browser.paints(url);
    let weight = browser.weight();
    let begins = browser.eval("performance.getEntriesByType('navigation')[0].responseStart");
    let begins = begins.as_f64().unwrap_or_default();
    println!("measured: {weight} bytes, of which the first came after {begins:.0} ms");
    assert!(weight > 0 && weight <= WEIGHT, "{weight}");
    paint
}
