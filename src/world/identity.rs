//! What machines said of themselves, and which machines of the stick they are by that.

use std::sync::Arc;

use super::fleet::Touched;
use super::{World, locked};
use crate::inventory::Inventory;
use crate::inventory::machine::identity::{Identity, Uuid, told_serial};
use crate::net::Mac;

impl World {
    /// A machine's DHCP request came with option 97. What must be remembered is added to
    /// `touched`.
    pub fn heard_uuid(&self, mac: Mac, option: Option<&[u8]>, touched: &mut Vec<Touched>) {
        if let Some(uuid) = option.and_then(Uuid::from_option) {
            self.heard(mac, touched, |identity| identity.hear_uuid(uuid));
        }
    }

    /// A machine's boot script was asked for with its serial number, by itself.
    pub fn heard_serial(&self, mac: Mac, uuid: &str, serial: &str) {
        let mut touched = Vec::new();
        let uuid = uuid.parse::<Uuid>().ok();
        self.heard(mac, &mut touched, |identity| {
            // The same one in another order of its bytes is no news.
            let known = identity.uuid.is_some_and(|known| uuid.is_some_and(|uuid| known.is(uuid)));
            uuid.into_iter().filter(|_| !known).for_each(|uuid| identity.hear_uuid(uuid));
            identity.serial = Some(told_serial(serial));
        });
        self.write_down(&touched);
    }

    /// Whether the machine is to introduce itself before it gets its boot script: what it said
    /// at another boot, another machine may have said with the same card.
    pub fn wants_introduction(&self, mac: Mac) -> bool {
        self.may_be(mac, |identity| Identity { serial: None, ..identity })
    }

    /// Whether the machine could be another one, by what it has not told yet.
    pub fn may_be_another(&self, mac: Mac) -> bool {
        self.may_be(mac, |identity| identity)
    }

    /// What is known of the machine with `mac` from what its firmware says, where that counts.
    pub(super) fn who(&self, mac: Mac) -> Identity {
        let counts = {
            let roster = &self.shelf.borrow().inventory.roster;
            roster.has_rules() && !roster.names(mac)
        };
        if counts { locked(&self.fleet).identity(mac) } else { Identity::default() }
    }

    fn may_be(&self, mac: Mac, told: impl FnOnce(Identity) -> Identity) -> bool {
        let inventory = {
            let shelf = self.shelf.borrow();
            // Asked of every machine at each look at the page, and most sticks have no rules.
            if !shelf.inventory.roster.has_rules() {
                return false;
            }
            Arc::clone(&shelf.inventory)
        };
        inventory.roster.may_be_another(mac, &told(locked(&self.fleet).identity(mac)))
    }

    /// Tells a new inventory what is known from before.
    pub fn introduce(&self, inventory: &Inventory) {
        let known = self.with_fleet(|fleet| fleet.identities());
        let learned = known.iter().filter(|(mac, identity)| inventory.roster.learn(*mac, identity));
        // After a restart it must be the same machine, or it would be installed again.
        let learned: Vec<Touched> = learned.map(|(mac, _)| Touched::Identity(*mac)).collect();
        if !learned.is_empty() {
            self.write_down(&learned);
        }
    }

    fn heard(&self, mac: Mac, touched: &mut Vec<Touched>, change: impl FnOnce(&mut Identity)) {
        let inventory = self.shelf().inventory;
        if !inventory.roster.has_rules() || inventory.roster.names(mac) {
            return;
        }
        let (before, after, gone) = self.with_fleet(|fleet| {
            let before = fleet.identity(mac);
            let mut after = before.clone();
            change(&mut after);
            let gone = fleet.remember_identity(mac, after.clone());
            (before, after, gone)
        });
        touched.extend(gone.map(Touched::Identity));
        let words = || inventory.machine(mac).map(|machine| machine.words());
        let was = words();
        let known_as = inventory.roster.known_as(mac);
        // Also what is no news to us: the sticks may have been read since.
        let news = inventory.roster.learn(mac, &after);
        let is = words();
        if before != after && (was.is_some() || is.is_some()) {
            // After a restart it must be the same machine, or it would be installed again; and
            // none that it is not any more, or that would be.
            touched.push(Touched::Identity(mac));
        }
        if let Some((said, key)) = known_as.filter(|(said, _)| said.contradicts(&after))
            && self.with_fleet(|fleet| fleet.move_life(mac, key, &said))
        {
            // What was installed stays installed, whichever card it comes with next.
            touched.extend([Touched::Machine(mac), Touched::Machine(key)]);
        }
        if !news {
            return;
        }
        if let Some(was) = was.filter(|was| Some(was) != is.as_ref()) {
            log::info!("{mac} is not {was} any more: its firmware says something else of itself");
        }
        if let Some(words) = is {
            log::info!("{mac} is {words}, by what its firmware says of itself");
            let cards = inventory.roster.cards(mac).unwrap_or_default();
            if cards.len() > 1 {
                log::warn!(
                    "{words} came with {} network cards; if they are those of two machines, \
                     their numbers are not unique: name them by MAC",
                    cards.len()
                );
            }
        }
    }
}
