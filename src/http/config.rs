//! Machines' configurations: only the machine itself gets its own, rendered where it is a
//! template.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::answer::missing;
use super::response::Found;
use crate::boot::plan::{Media, Plan};
use crate::fleet::life::{Event, Phase};
use crate::fleet::stage::Sign;
use crate::fleet::timeline::{Note, Source, Weight};
use crate::inventory::ConfigKind;
use crate::inventory::assign::{Served, WORTHLESS_TOKEN, serve};
use crate::inventory::configs::{Part, Setting};
use crate::inventory::profile::Purpose;
use crate::net::Mac;
use crate::world::World;
use crate::world::transfers::WhenSent;

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
        if world.knows(mac) {
            // One entry, whoever asks from how many addresses.
            let kind = "somebody else asked for its configuration and did not get it: ";
            let (source, weight) = (Source::Config, Weight::Warning);
            world.noted(mac, &Note { source, weight, kind, detail: &who });
        }
        return Found::Forbidden(format!("only {mac} itself gets its configuration"));
    }
    let server = world.endpoint().base();
    let made = |token: &str| {
        serve(inventory, (kind, part), mac, Setting { server: &server, ip: asker, token })
    };
    // The last that is heard of an installer that takes it, and reports nothing.
    let taken = asking.filter(|_| !only_head && part == kind.main_part());
    let given = |words: &str| {
        if let Some(mac) = asking.filter(|_| !only_head) {
            let folder = kind.folder();
            let words = format!("was given its configuration of {folder}/{words}");
            world.happened_to(mac, Source::Config, Weight::Info, &words);
        }
    };
    match made(WORTHLESS_TOKEN) {
        Served::File(file) => {
            given("");
            Found::File(file, taken.map(|mac| when_taken(world, mac, kind)))
        }
        Served::Text(text) => {
            let reports = matches!(made(OTHER_TOKEN), Served::Text(other) if other != text);
            match asking
                .filter(|_| reports && !only_head)
                .map_or(Token::None, |mac| token(world, mac))
            {
                Token::Real(token) => match made(&token) {
                    Served::Text(text) => {
                        given(", which reports");
                        return as_text(text);
                    }
                    _ => return Found::NotReady,
                },
                Token::NotNow => return Found::NotReady,
                Token::None => {}
            }
            if let Some(mac) = taken.filter(|_| !reports) {
                world.config_taken(mac, kind);
            }
            given("");
            as_text(text)
        }
        Served::Broken(why) => {
            log::error!("http: {}: {why}", world.name(mac));
            let words = format!("its configuration cannot be made: {why}");
            world.happened_to_known(mac, Source::Config, Weight::Error, &words);
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
            // An installer does without the other parts.
            let is_main = part == kind.main_part();
            if is_main && asking.is_some() && world.media_of(&shelf) == Media::Ready {
                world.saw(mac, &Sign::HasNoConfig(kind.folder()));
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

/// What a configuration that reports is made with.
enum Token {
    /// That of the installation that runs: from now on the machine is installed when it says
    /// so, and not before.
    Real(String),
    /// There will be one, or it cannot be written down now. A worthless one would have the
    /// machine installed again when it is done.
    NotNow,
    /// Nothing is being installed.
    None,
}

/// For the machine itself and nobody else.
fn token(world: &World, mac: Mac) -> Token {
    let plan = world.plan(mac);
    let installs =
        |plan: &Plan| matches!(plan, Plan::Install(install) if install.purpose == Purpose::Install);
    match world.phase(mac) {
        // Whatever is planned for its next boot: its installer runs.
        Some(Phase::Installing | Phase::Delivered) => {}
        Some(Phase::Armed) if installs(&plan) => {
            if world.happened(mac, Event::TookInstaller).is_none() {
                return Token::NotNow;
            }
        }
        Some(Phase::Armed) if plan == Plan::Wait => return Token::NotNow,
        _ => return Token::None,
    }
    match world.happened(mac, Event::TookReportingScript) {
        Some(record) => Token::Real(record.token),
        None => Token::NotNow,
    }
}
