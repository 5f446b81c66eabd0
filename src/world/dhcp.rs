//! What the DHCP servers ask of the world, and tell it.

use super::{Touched, World};
use crate::dhcp::shape::Talk;
use crate::net::Mac;

impl World {
    /// Whether the machine is served whatever strangers do: the stick names it, or it has an
    /// address from us.
    pub fn knows(&self, mac: Mac) -> bool {
        self.shelf.borrow().inventory.machine(mac).is_some()
            || self.with_fleet(|fleet| fleet.leases.binding(mac).is_some())
    }

    /// The machine's firmware loads what we offered it beside another DHCP server. The way
    /// that works for it is written down when it is news.
    pub fn took_boot_offer(&self, mac: Mac) {
        let news = self.with_fleet(|fleet| {
            fleet.shapes.follows(mac)?;
            fleet.shapes.talk(mac).map(Talk::words)
        });
        if let Some(words) = news {
            log::info!("proxydhcp: {}: {words}", self.name(mac));
            self.write_down(&[Touched::Shape(mac)]);
        }
    }
}
