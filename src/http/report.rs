//! What machines say of themselves: their installers' reports, and their iPXE's.

use std::net::Ipv4Addr;

use super::response::Found;
use crate::fleet::life::Event;
use crate::fleet::stage::{Sign, Stage};
use crate::fleet::timeline::{Note, Source, Weight};
use crate::fleet::trouble::Failure;
use crate::net::Mac;
use crate::syslog::message::Message;
use crate::world::World;

/// An installer's report. The token is the proof: it stands only in the script that this
/// machine got. Reports may come twice.
pub fn report(world: &World, token: &str, event: &str, only_head: bool) -> Found {
    let event = match event {
        "installed" => Some(Event::ReportedInstalled),
        "failed" => Some(Event::ReportedFailed),
        // What was posted was no step.
        "progress" => None,
        _ => {
            return Found::Forbidden(
                "event is installed or failed, or a step is posted".to_owned(),
            );
        }
    };
    let Some(mac) = world.machine_with_token(token) else {
        return Found::Forbidden("this token belongs to no installation".to_owned());
    };
    // Two bytes, because small clients take an empty answer for a failure.
    let heard = || Found::Bytes("text/plain", b"ok".to_vec());
    // HEAD changes nothing.
    let Some(event) = event.filter(|_| !only_head) else {
        return heard();
    };
    if event == Event::ReportedFailed {
        log::warn!("{}: reports that installing failed; look at its screen", world.name(mac));
        world.happened_to(mac, Source::Report, Weight::Error, "reports that installing failed");
        world.attempt_failed(mac);
    } else {
        world.happened_to(mac, Source::Report, Weight::Info, "reports that it is installed");
    }
    world.saw(mac, &Sign::Reaches(Stage::Reported));
    match world.happened(mac, event) {
        Some(_) => heard(),
        None => Found::NotReady,
    }
}

/// A step of an installation that its installer posts, wherever it was told to: no end of it.
pub fn step(world: &World, token: &str, line: &Message) -> Found {
    let Some(mac) = world.machine_with_token(token) else {
        return Found::Forbidden("this token belongs to no installation".to_owned());
    };
    world.saw(mac, &Sign::Speaks);
    let Message { weight, text } = line;
    world.noted(mac, &Note { source: Source::Syslog, weight: *weight, kind: text, detail: "" });
    Found::Bytes("text/plain", b"ok".to_vec())
}

/// What a machine's iPXE says of it, as nobody else can.
pub fn hello(
    world: &World,
    mac: Mac,
    memory: Option<u32>,
    chip: &str,
    asker: Ipv4Addr,
    only_head: bool,
) -> Found {
    if world.machine_itself_at(asker) != Some(mac) {
        return Found::Forbidden(format!("only {mac} itself says what it is"));
    }
    if !only_head {
        world.learn(mac, |facts| facts.learn_hello(memory, chip));
    }
    Found::Bytes("text/plain", b"ok".to_vec())
}

/// A step of our iPXE script failed on the machine, which says so itself.
pub fn boot_failed(
    world: &World,
    mac: Mac,
    failure: &Failure,
    asker: Ipv4Addr,
    only_head: bool,
) -> Found {
    if world.machine_itself_at(asker) != Some(mac) {
        return Found::Forbidden(format!("only {mac} itself reports its failures"));
    }
    if !only_head {
        let shelf = world.shelf();
        let machine = shelf.inventory.machine(mac);
        let image = machine.and_then(|machine| shelf.inventory.image_for(machine, mac));
        let needs = image.and_then(|image| image.profile.ram);
        world.learn(mac, |facts| facts.learn_hello(failure.has, ""));
        let words = failure.words();
        world.happened_to(mac, Source::Report, Weight::Warning, &words);
        world.saw(mac, &Sign::Failed(Failure { needs, ..*failure }));
    }
    Found::Bytes("text/plain", b"ok".to_vec())
}
