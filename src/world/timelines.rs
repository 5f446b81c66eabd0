//! The machines' timelines, and who waits for something to change.

use std::cmp::Reverse;

use tokio::sync::watch;

use super::{World, locked};
use crate::fleet::facts::Facts;
use crate::fleet::timeline::{Entry, Source, Weight};
use crate::net::Mac;

impl World {
    /// Writes into a machine's timeline. `words` is one sentence without its name.
    pub fn happened_to(&self, mac: Mac, source: Source, weight: Weight, words: &str) {
        let now = self.now();
        locked(&self.timelines).note(mac, source, weight, words, now);
        self.changed();
    }

    /// What happened to the machine that has this card, oldest first.
    pub fn timeline(&self, mac: Mac) -> Vec<Entry> {
        let named = self.shelf.borrow().inventory.roster.cards(mac);
        let cards = named.unwrap_or_else(|| vec![mac]);
        locked(&self.timelines).of(&cards)
    }

    /// Machines of which something happened and that no stick names, latest first.
    pub fn strangers(&self, most: usize) -> Vec<Mac> {
        let mut seen = locked(&self.timelines).last_of_each();
        let inventory = self.shelf().inventory;
        seen.retain(|(mac, _)| inventory.machine(*mac).is_none());
        seen.sort_by_key(|(mac, at)| (Reverse(*at), *mac));
        seen.into_iter().take(most).map(|(mac, _)| mac).collect()
    }

    /// Something that the page shows is another now.
    pub fn changed(&self) {
        self.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }

    /// The number of the newest change.
    pub fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// To wait for that; the number is another after each change.
    pub fn watch_changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// What the machine with this card said of itself.
    pub fn facts(&self, _mac: Mac) -> Facts {
        Facts::default()
    }

    /// The last packets of the machine's last attempt that failed, as a pcap file.
    pub fn capture(&self, _mac: Mac) -> Option<Vec<u8>> {
        None
    }
}
