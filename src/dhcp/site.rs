//! A network that we give addresses in, and who has a right to which of them. Pure.

use std::net::Ipv4Addr;

use crate::net::{Mac, Pool, Subnet};

/// What the stick says of addresses.
pub trait Reservations {
    /// The address that `mac` always has.
    fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr>;
    /// The machine that `address` is kept for.
    fn holder_of(&self, address: Ipv4Addr) -> Option<Mac>;
    /// Whether `address` is kept for a machine that nobody has heard of yet.
    fn is_kept(&self, _address: Ipv4Addr) -> bool {
        false
    }
    /// Whether the stick names the machine.
    fn names(&self, mac: Mac) -> bool;
}

/// A network, and who has a right to an address in it.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The network.
    pub subnet: Subnet,
    /// The addresses for everybody.
    pub pool: Pool,
    /// The addresses for named machines, in every network.
    pub reservations: &'a dyn Reservations,
}

impl Site<'_> {
    /// The machine's reservation, if it can be given out here; the scan of the stick names
    /// those that can be given out nowhere.
    pub fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.reservations.reserved_for(mac).filter(|address| self.subnet.can_lend(*address))
    }

    /// Whether `mac` has a right to `address`, as far as others leave it to him.
    pub fn allows(&self, address: Ipv4Addr, mac: Mac) -> bool {
        let kept_for_another =
            self.reservations.holder_of(address).is_some_and(|holder| holder != mac)
                || self.reservations.is_kept(address);
        self.reserved_for(mac) == Some(address) || self.pool.contains(address) && !kept_for_another
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A stick that names nobody.
    pub struct Nobody;

    impl Reservations for Nobody {
        fn reserved_for(&self, _: Mac) -> Option<Ipv4Addr> {
            None
        }
        fn holder_of(&self, _: Ipv4Addr) -> Option<Mac> {
            None
        }
        fn names(&self, _: Mac) -> bool {
            false
        }
    }

    /// A stick that names one machine, and keeps one address for it.
    pub struct One(pub Mac, pub Ipv4Addr);

    impl Reservations for One {
        fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
            (mac == self.0).then_some(self.1)
        }
        fn holder_of(&self, address: Ipv4Addr) -> Option<Mac> {
            (address == self.1).then_some(self.0)
        }
        fn names(&self, mac: Mac) -> bool {
            mac == self.0
        }
    }

    /// The network of the default configuration with another pool.
    pub fn site<'a>(pool: &str, reservations: &'a dyn Reservations) -> Site<'a> {
        let subnet = "10.10.10.1/24".parse().unwrap();
        Site { subnet, pool: Pool::parse(pool, subnet).unwrap(), reservations }
    }

    #[test]
    fn a_reservation_that_cannot_be_on_this_network_is_none() {
        let mac = Mac::new([2; 6]).unwrap();
        for (last, lendable) in [(0, false), (1, false), (20, true), (255, false)] {
            let one = One(mac, Ipv4Addr::new(10, 10, 10, last));
            let reserved = site("10.10.10.100-10.10.10.101", &one).reserved_for(mac);
            assert_eq!(reserved.is_some(), lendable, "{last}");
        }
    }
}
