//! What machines said of themselves, and which machines of the stick they are by that.

use super::fleet::Touched;
use super::{World, locked};
use crate::inventory::Inventory;
use crate::inventory::machine::identity::{Identity, Uuid, told_serial};
use crate::net::Mac;

impl World {
    /// A machine's DHCP request came with option 97. What must be remembered is added to
    /// `touched`.
    pub fn heard_uuid(&self, mac: Mac, option: Option<&[u8]>, touched: &mut Vec<Touched>) {
        let uuid = option.and_then(Uuid::from_option).filter(|uuid| uuid.fault().is_none());
        if let Some(uuid) = uuid {
            self.heard(mac, touched, |identity| identity.uuid = Some(uuid));
        }
    }

    /// A machine's boot script was asked for with its serial number, by itself.
    pub fn heard_serial(&self, mac: Mac, uuid: &str, serial: &str) {
        let mut touched = Vec::new();
        let uuid = uuid.parse::<Uuid>().ok().filter(|uuid| uuid.fault().is_none());
        self.heard(mac, &mut touched, |identity| {
            identity.uuid = identity.uuid.or(uuid);
            identity.serial = Some(told_serial(serial));
        });
        self.write_down(&touched);
    }

    /// Whether the machine's serial number could tell who it is.
    pub fn wants_serial(&self, mac: Mac) -> bool {
        let inventory = self.shelf().inventory;
        inventory.roster.has_rules()
            && inventory.roster.wants_serial(mac, &locked(&self.fleet).identity(mac))
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
        let (before, after) = self.with_fleet(|fleet| {
            let before = fleet.identity(mac);
            let mut after = before.clone();
            change(&mut after);
            fleet.remember_identity(mac, after.clone());
            (before, after)
        });
        // Also what is no news to us: the sticks may have been read since.
        let news = inventory.roster.learn(mac, &after);
        if before != after && inventory.machine(mac).is_some() {
            // After a restart it must be the same machine, or it would be installed again.
            touched.push(Touched::Identity(mac));
        }
        if news {
            let words = inventory.machine(mac).map(|machine| machine.words()).unwrap_or_default();
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
