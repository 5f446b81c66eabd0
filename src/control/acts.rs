//! What a person can do with a machine, and with the box.

use serde_json::json;

use super::api::{ApiAnswer, error, json};
use crate::fleet::life::Event;
use crate::fleet::timeline::{Source, Weight};
use crate::inventory::Install;
use crate::net::{Mac, iface, wake};
use crate::world::World;

/// What can be done with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Install it at its next network boot.
    Arm,
    /// Do not.
    Disarm,
    /// Switch it on.
    Wake,
    /// Restart it.
    Reboot,
}

/// Does it, or says why not.
pub fn perform(world: &World, mac: Mac, act: Act) -> ApiAnswer {
    let outcome = match act {
        Act::Arm => life(world, mac, Event::Arm, "armed"),
        Act::Disarm => life(world, mac, Event::Disarm, "disarmed"),
        Act::Wake => wake(world, mac),
        Act::Reboot => Err("nothing on that machine listens to this box, so it cannot be \
            rebooted from here: use its own power switch or management controller"
            .to_owned()),
    };
    done(outcome)
}

fn done(outcome: Result<(), String>) -> ApiAnswer {
    match outcome {
        Ok(()) => json(200, &json!({ "ok": true })),
        Err(words) => error(409, &words),
    }
}

fn life(world: &World, mac: Mac, event: Event, done: &str) -> Result<(), String> {
    let install = world.shelf().inventory.machine(mac).map(|machine| machine.install);
    if event == Event::Arm && install == Some(Install::Never) {
        return Err("machines.toml says install = \"never\" of this machine: take that out, \
            then arm it"
            .to_owned());
    }
    if world.happened(mac, event).is_some() {
        return Ok(());
    }
    Err(match world.may_install() {
        false => format!(
            "nothing can be {done} now: the box is in safe mode, or cannot remember (see its log)"
        ),
        true => format!(
            "this machine cannot be {done}: the stick does not name it, or nothing can be \
             remembered (see the log)"
        ),
    })
}

/// Only machines that a stick names: else anybody's could be switched on from here.
fn wake(world: &World, mac: Mac) -> Result<(), String> {
    let inventory = world.shelf().inventory;
    if inventory.machine(mac).is_none() {
        return Err("the stick does not name this machine; only named ones are woken".to_owned());
    }
    if !iface::has_link(&world.interface) {
        return Err("there is no link: plug a network cable in, then wake it".to_owned());
    }
    let cards = inventory.roster.cards(mac).unwrap_or_else(|| vec![mac]);
    wake::wake(&world.interface, world.own_subnet().address(), &cards)
        .map_err(|error| format!("the packet that wakes it cannot be sent: {error}"))?;
    let words = "was sent the packet that wakes it (Wake-on-LAN)";
    log::info!("{}: {words}", world.name(mac));
    world.happened_to(mac, Source::Life, Weight::Info, words);
    Ok(())
}

/// The appliance itself, through PID 1: these servers may stop nothing but themselves.
pub fn reboot(world: &World) -> ApiAnswer {
    if world.restart.ask() {
        log::warn!("somebody wants this box to restart");
        return json(202, &json!({ "ok": true }));
    }
    error(
        409,
        "these servers do not run on an appliance of their own; restart this computer by its \
         own means",
    )
}
