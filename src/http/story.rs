//! What HTTP tells a machine's timeline: what it took and how far, and what it did not get.

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::header::{self, HeaderMap};

use super::response::Found;
use super::route::Route;
use crate::fleet::facts::is_loaders_name;
use crate::fleet::timeline::{Source, Weight};
use crate::inventory::MediaFile;
use crate::net::Mac;
use crate::world::World;
use crate::world::stories::{End, Transferred};

/// A file on its way to a machine. It is told how it ended when this is dropped.
pub struct Story {
    world: Arc<World>,
    mac: Mac,
    path: String,
    first: u64,
    length: u64,
    size: u64,
    left: u64,
    unreadable: bool,
}

impl Story {
    /// So many bytes of `file` for whoever is at `asker`; none of somebody who is no machine
    /// of ours.
    pub fn begins(
        world: &Arc<World>,
        asker: Ipv4Addr,
        file: &MediaFile,
        (first, length): (u64, u64),
    ) -> Option<Story> {
        let mac = world.machine_at(asker)?;
        world.transfer_begins(mac);
        Some(Story {
            world: Arc::clone(world),
            mac,
            path: file.path.clone(),
            first,
            length,
            size: file.size,
            left: length,
            unreadable: false,
        })
    }

    /// So many bytes are left to send.
    pub fn goes_on(&mut self, left: u64) {
        self.left = left;
    }

    /// The stick gives no more.
    pub fn is_unreadable(&mut self) {
        self.unreadable = true;
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let file = Transferred {
            source: Source::Http,
            path: &self.path,
            wanted: (self.first, self.length),
            sent: self.length.saturating_sub(self.left),
            size: self.size,
        };
        let end = match (self.unreadable, self.left) {
            (true, _) => End::Stick,
            (false, 0) => End::Whole,
            (false, _) => End::Machine,
        };
        self.world.transfer_ended(self.mac, &file, end);
    }
}

/// What a machine's loader calls itself.
pub fn hear_agent(world: &World, asker: Ipv4Addr, headers: &HeaderMap) {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    if let Some(agent) = agent.filter(|agent| is_loaders_name(agent))
        && let Some(mac) = world.machine_at(asker)
    {
        world.learn(mac, |facts| facts.learn_agent(agent));
    }
}

/// What a machine does not get. Pages are for people.
pub fn tell_refusal(world: &World, asker: Ipv4Addr, place: &Route, found: &Found) {
    let (weight, why, name) = match found {
        Found::Missing(name) => (Weight::Info, "asks in vain for ", name.as_str()),
        Found::NotReady => (Weight::Warning, "is told to wait, as no stick serves yet", ""),
        Found::Unverified => (Weight::Warning, "is told to wait for a file's verification", ""),
        Found::Unreadable | Found::InIso(..) => {
            (Weight::Error, "does not get a file, as the stick cannot be read", "")
        }
        // Configurations have lines of their own.
        Found::Forbidden(why) if !matches!(place, Route::Config(..) | Route::Event { .. }) => {
            (Weight::Warning, "does not get a file: ", why.as_str())
        }
        Found::Forbidden(_) | Found::Bytes(..) | Found::File(..) => return,
    };
    if matches!(place, Route::Page | Route::Nowhere) {
        return;
    }
    if let Some(mac) = world.machine_at(asker) {
        world.got_nothing(mac, Source::Http, weight, why, name);
    }
}
