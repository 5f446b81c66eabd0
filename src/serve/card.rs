//! The address of our own network card: ours where we give addresses, else one that another
//! server gave us. A workstation's own address is never touched.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::dhcp::lodger::{Renewal, check_in, stay_on};
use crate::dhcp::stay::{Due, Stay};
use crate::dhcp::waiting::LOOK;
use crate::net::arp::ArpSocket;
use crate::net::link::Interfaces;
use crate::net::{Mac, Subnet};
use crate::world::World;

/// Another server that is switched on, or the last one that is switched off, is seen
/// within this time.
pub const EVERY: Duration = Duration::from_secs(5 * 60);

/// The card and the address that it has from us.
pub struct Card<'a> {
    world: &'a World,
    set_address: bool,
    stay: Option<Stay>,
    /// Somebody has our own address; said once.
    taken_by: Option<[u8; 6]>,
}

impl Card<'_> {
    /// `set_address`: the card's address is ours to set and remove.
    pub fn new(world: &World, set_address: bool) -> Card<'_> {
        Card { world, set_address, stay: None, taken_by: None }
    }

    /// Takes the address that the config says, unless somebody has it. False: not yet.
    pub fn takes_own_address(&mut self) -> bool {
        if !self.set_address {
            return true;
        }
        let local = &self.world.config.server.local;
        if self.somebody_has(local.subnet.address()) {
            return false;
        }
        self.stay = None;
        let router = local.router.filter(|router| local.subnet.can_lend(*router));
        self.put(local.subnet, router)
    }

    /// Our address where another server gives them, and how long nothing has to be done for
    /// it. None: we have none.
    pub fn guest_address(&mut self) -> Option<(Subnet, Duration)> {
        if !self.set_address {
            let interfaces = Interfaces::open().ok()?;
            return Some((interfaces.address(&self.world.interface)?, EVERY));
        }
        let now = Instant::now();
        match self.stay.map(|stay| (stay, stay.due(now))) {
            Some((stay, Due::Nothing(left))) => return Some((stay.subnet, left)),
            Some((stay, Due::Renewal)) => match self.renews(stay) {
                Renewal::Granted(granted) => return self.moves_to(granted),
                Renewal::Silence => {
                    log::warn!("{}: nobody renews {}", self.world.interface, stay.subnet);
                    let stay = stay.after_silence(now);
                    self.stay = Some(stay);
                    return Some((stay.subnet, left_of(&stay)));
                }
                Renewal::Refused => self.gives_up("was taken back by the other DHCP server"),
            },
            Some((_, Due::Leaving)) => self.gives_up("was not renewed in time"),
            None => {}
        }
        let interface = &self.world.interface;
        let granted = transaction().and_then(|id| check_in(interface, id));
        let granted = granted.map_err(|error| log::warn!("{interface}: {error}")).ok().flatten();
        self.moves_to(granted?)
    }

    /// Without a link, or a lease, we have no address.
    pub fn leaves(&mut self) {
        self.stay = None;
        if self.set_address {
            let name = &self.world.interface;
            // There may be none; then there is nothing to remove.
            let _ = Interfaces::open().and_then(|interfaces| interfaces.remove_address(name));
        }
    }

    fn renews(&self, stay: Stay) -> Renewal {
        let interface = &self.world.interface;
        transaction().and_then(|id| stay_on(interface, stay, id)).unwrap_or_else(|error| {
            log::warn!("{interface}: {error}");
            Renewal::Silence
        })
    }

    fn moves_to(&mut self, granted: Stay) -> Option<(Subnet, Duration)> {
        let same = self.stay.is_some_and(|former| former.subnet == granted.subnet);
        if !same && !self.put(granted.subnet, granted.router) {
            return None;
        }
        self.stay = Some(granted);
        Some((granted.subnet, left_of(&granted)))
    }

    fn gives_up(&mut self, why: &str) {
        if let Some(stay) = self.stay {
            log::warn!("{}: {} {why}", self.world.interface, stay.subnet);
        }
        self.leaves();
    }

    /// A server at somebody else's address would be found by nobody, and disturb him.
    fn somebody_has(&mut self, address: Ipv4Addr) -> bool {
        let name = &self.world.interface;
        let looked = ArpSocket::open(name).and_then(|arp| arp.who_is_at(address, LOOK));
        let found = looked.unwrap_or_else(|error| {
            log::warn!("{name}: cannot look for {address}: {error}");
            None
        });
        if found.is_some() && found != self.taken_by {
            let who = found.and_then(Mac::new).map_or_else(String::new, |mac| format!(" ({mac})"));
            log::error!(
                "{name}: another machine{who} has {address}; no addresses are given. Choose \
                 another server.address, or change that machine's"
            );
        }
        self.taken_by = found;
        found.is_some()
    }

    fn put(&self, subnet: Subnet, router: Option<Ipv4Addr>) -> bool {
        let name = &self.world.interface;
        let outcome = Interfaces::open().and_then(|interfaces| {
            interfaces.set_address(name, subnet)?;
            interfaces.set_gateway(router)
        });
        match outcome {
            Ok(()) => {
                log::info!("{name}: has the address {subnet}");
                true
            }
            Err(error) => {
                log::error!("{name}: cannot be given {subnet}: {error}");
                false
            }
        }
    }
}

/// A transaction of our own with DHCP servers.
pub fn transaction() -> io::Result<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u32::from_be_bytes(bytes))
}

fn left_of(stay: &Stay) -> Duration {
    match stay.due(Instant::now()) {
        Due::Nothing(left) => left,
        Due::Renewal | Due::Leaving => Duration::ZERO,
    }
}
