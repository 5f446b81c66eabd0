//! Machines' configurations: only the machine itself gets its own, rendered where it is a
//! template.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::answer::missing;
use super::body::WhenSent;
use super::response::Found;
use crate::boot::plan::{Media, Plan};
use crate::fleet::life::Event;
use crate::fleet::stage::Sign;
use crate::inventory::ConfigKind;
use crate::inventory::assign::{Served, WORTHLESS_TOKEN, serve};
use crate::inventory::configs::{Part, Setting};
use crate::net::Mac;
use crate::world::World;

/// It may hold passwords and keys: only the machine itself gets it.
pub fn config(
    world: &Arc<World>,
    (kind, part): (ConfigKind, Part),
    mac: Mac,
    asker: Ipv4Addr,
    only_head: bool,
) -> Found {
    let shelf = world.shelf();
    let inventory = &shelf.inventory;
    let asking = world.machine_at(asker);
    let cards = inventory.roster.cards(mac).unwrap_or_else(|| vec![mac]);
    if !asking.is_some_and(|asking| cards.contains(&asking)) && !asker.is_loopback() {
        let who = asking.map_or_else(|| asker.to_string(), |mac| world.name(mac));
        log::warn!(
            "http: {who} asked for the configuration of {} and did not get it",
            world.name(mac)
        );
        return Found::Forbidden(format!("only {mac} itself gets its configuration"));
    }
    let server = world.endpoint().base();
    let made = |token: &str| {
        serve(inventory, (kind, part), mac, Setting { server: &server, ip: asker, token })
    };
    // The last that is heard of an installer that takes it, and reports nothing.
    let taken = asking.filter(|_| !only_head && part == kind.main_part());
    match made(WORTHLESS_TOKEN) {
        Served::File(file) => Found::File(file, taken.map(|mac| when_taken(world, mac, kind))),
        Served::Text(text) => {
            let reports = matches!(made(OTHER_TOKEN), Served::Text(other) if other != text);
            let token = if reports && !only_head { real_token(world, mac, asking) } else { None };
            if let Some(Served::Text(text)) = token.as_deref().map(made) {
                return as_text(text);
            }
            if let Some(mac) = taken.filter(|_| !reports) {
                world.config_taken(mac, kind);
            }
            as_text(text)
        }
        Served::Broken(why) => {
            log::error!("http: {}: {why}", world.name(mac));
            Found::Missing(format!(
                "usable configuration for {mac}; the server's log says why it is not"
            ))
        }
        // Installers of Ubuntu want it, and take an empty one.
        Served::Nothing
            if matches!(part, Part::MetaData | Part::VendorData)
                && inventory.has_config(kind, mac) =>
        {
            as_text(String::new())
        }
        Served::Nothing => {
            if asking.is_some() && world.media_of(&shelf) == Media::Ready {
                world.saw(mac, &Sign::HasNoConfig);
            }
            missing(world, &shelf, kind.url(mac).trim_start_matches('/'))
        }
    }
}

fn when_taken(world: &Arc<World>, mac: Mac, kind: ConfigKind) -> WhenSent {
    let world = Arc::clone(world);
    Box::new(move || world.config_taken(mac, kind))
}

/// Good for nothing, too: what differs from what the other one makes holds the token.
const OTHER_TOKEN: &str = "ffffffffffffffffffffffffffffffff";

fn as_text(text: String) -> Found {
    Found::Bytes("text/plain; charset=utf-8", text.into_bytes())
}

/// The token of the installation that runs, for the machine itself and nobody else. From now
/// on the machine is installed when it says so, and not before.
fn real_token(world: &World, mac: Mac, asking: Option<Mac>) -> Option<String> {
    let asking = asking?;
    if !matches!(world.plan(mac), Plan::Install(_)) {
        return None;
    }
    world.happened(asking, Event::TookInstaller)?;
    world.happened(asking, Event::TookReportingScript).map(|record| record.token)
}
