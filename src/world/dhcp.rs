//! What we are to the LAN, and what the DHCP servers ask and tell.

use std::sync::atomic::Ordering;

use super::{Role, Touched, World, locked};
use crate::boot::arch::Platform;
use crate::config::Mode;
use crate::dhcp::shape::Talk;
use crate::net::{Mac, Subnet};

impl World {
    /// What we are to the LAN now.
    pub fn role(&self) -> Role {
        *locked(&self.role)
    }

    /// Takes a role; true if it is another one than before.
    pub fn take_role(&self, role: Role) -> bool {
        let before = std::mem::replace(&mut *locked(&self.role), role);
        match role {
            Role::Server => self.displaced.store(false, Ordering::Relaxed),
            _ if before == Role::Server => self.displaced.store(true, Ordering::Relaxed),
            _ => {}
        }
        std::mem::discriminant(&before) != std::mem::discriminant(&role)
    }

    /// Whether a server gives its addresses now. It does not while it cannot know whether it
    /// is alone.
    pub fn gives_addresses(&self) -> bool {
        let doubts = [&self.suspicion, &self.held_back];
        self.role() == Role::Server && !doubts.iter().any(|doubt| doubt.load(Ordering::Relaxed))
    }

    /// A server's addresses are not given, or are given again.
    pub fn hold_back(&self, held_back: bool) {
        self.held_back.store(held_back, Ordering::Relaxed);
    }

    /// Whether another server turned up while we were giving addresses.
    pub fn was_displaced(&self) -> bool {
        self.displaced.load(Ordering::Relaxed) && !matches!(self.role(), Role::Probing)
    }

    /// Our own address in its network.
    pub fn own_subnet(&self) -> Subnet {
        *locked(&self.own_subnet)
    }

    /// We have another address now; reports went to the old one.
    pub fn set_own_subnet(&self, subnet: Subnet) {
        if std::mem::replace(&mut *locked(&self.own_subnet), subnet) != subnet {
            self.was_away();
        }
    }

    /// A machine talks with a DHCP server that is not us: from now on no address is given,
    /// until a search has found nobody.
    pub fn suspect_another_server(&self) {
        if self.config.mode == Mode::Auto {
            self.suspicion.store(true, Ordering::Relaxed);
        }
    }

    /// Whether one did since this was last asked. Then addresses are held back.
    pub fn takes_suspicion(&self) -> bool {
        let suspected = self.suspicion.load(Ordering::Relaxed);
        if suspected {
            self.hold_back(true);
            self.suspicion.store(false, Ordering::Relaxed);
        }
        suspected
    }

    /// Whether the machine is served whatever strangers do: the stick names it, or it has an
    /// address from us.
    pub fn knows(&self, mac: Mac) -> bool {
        self.shelf.borrow().inventory.machine(mac).is_some()
            || self.with_fleet(|fleet| fleet.leases.binding(mac).is_some())
    }

    /// The machine's processor and firmware, by its last network boot since we started; none
    /// of one that is at work since before.
    pub fn platform(&self, mac: Mac) -> Option<Platform> {
        self.with_fleet(|fleet| fleet.platform(mac))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::life::Record;
    use crate::inventory::machine::identity::Identity;

    #[test]
    fn a_new_address_means_that_reports_went_to_the_old_one() {
        let config = crate::config::parse("").unwrap();
        let world = World::new(config, "lo".to_owned(), None);
        let mac: Mac = "52:54:00:00:00:01".parse().unwrap();
        world.with_fleet(|fleet| fleet.remember(mac, Record::armed(String::new(), 0), true));
        let missed = || {
            let record = |fleet: &mut super::super::Fleet| {
                fleet.record(&[mac], &Identity::default()).map(|(_, record)| record.missed)
            };
            world.with_fleet(record).unwrap()
        };
        world.set_own_subnet(world.own_subnet());
        assert!(!missed());
        world.set_own_subnet("192.168.1.7/24".parse().unwrap());
        assert!(missed());
    }
}
