//! What we are to the LAN: asked at the start, and ever after.
//!
//! A DHCP server that nobody asked for is the worst that this product could do: with any
//! doubt it gives no address. Where another server does, it takes one of its addresses and
//! works beside it as a proxy. When "nobody answers" can be believed: [`silence`].
//!
//! [`silence`]: crate::dhcp::silence

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::card::{Card, EVERY, transaction};
use crate::config::Mode;
use crate::dhcp::probe::{Ear, OtherServer, search};
use crate::dhcp::silence::passes_by_now;
use crate::net::iface;
use crate::world::{Role, World};

/// After something failed: the next try.
const AGAIN: Duration = Duration::from_secs(10);

/// The other server may be behind a switch that passes nothing yet, or slower to start: who
/// seems alone so soon after the link came looks again every [`AGAIN`].
const YOUNG_LINK: Duration = Duration::from_secs(2 * 60);

/// A server that has answered before counts as gone after this many silences.
const SILENCES: u32 = 3;

/// Between two looks, whatever machines say: nobody can make us ask all the time.
const SUSPICION_PAUSE: Duration = Duration::from_secs(2);

/// A cable that is moved to another LAN is out for longer than this.
const LINK_CHECK: Duration = Duration::from_millis(250);

/// Decides, and keeps deciding until the process ends. `set_address`: the interface's
/// address is ours to set and remove; else a workstation's own one is used.
pub fn run(world: &Arc<World>, set_address: bool) {
    let link_since = Instant::now();
    let card = Card::new(world, set_address);
    let mut host = Host { world, card, silences: 0, link_since, passes: false };
    match world.config.mode {
        Mode::Server => {
            host.become_server();
            while world.role() != Role::Server {
                thread::sleep(AGAIN);
                host.become_server();
            }
            host.notes_when_the_link_is_back();
        }
        Mode::Auto | Mode::Proxy => loop {
            host.wait_for_link();
            let pause = host.decide();
            host.wait_with_link(pause);
        },
    }
}

/// The appliance as a host of its LAN.
struct Host<'a> {
    world: &'a World,
    card: Card<'a>,
    /// How often in a row nobody answered who had answered before.
    silences: u32,
    /// Since when there is a link, as far as we saw.
    link_since: Instant,
    /// Whether our port is known to pass frames since then.
    passes: bool,
}

impl Host<'_> {
    /// Takes the role that fits what is on the LAN now; returns when to look again.
    fn decide(&mut self) -> Duration {
        let found = self.look_for_others();
        self.silences = if matches!(found, Ok(None)) { self.silences + 1 } else { 0 };
        let had_company = matches!(self.world.role(), Role::Proxy(_) | Role::Silent(_));
        match found {
            // One lost packet must not make two servers.
            Ok(None) if had_company && self.silences < SILENCES && self.is_auto() => AGAIN,
            Ok(None) if self.is_auto() => self.become_server(),
            Ok(other) => self.become_proxy(other),
            Err(error) => {
                let name = &self.world.interface;
                log::warn!("{name}: cannot look for other DHCP servers: {error}");
                AGAIN
            }
        }
    }

    fn is_auto(&self) -> bool {
        self.world.config.mode == Mode::Auto
    }

    fn become_server(&mut self) -> Duration {
        let subnet = self.world.config.server.local.subnet;
        // The address before the first answer.
        if self.world.role() != Role::Server && !self.card.takes_own_address() {
            return AGAIN;
        }
        self.world.set_own_subnet(subnet);
        let held_back = self.is_auto() && !self.passes;
        self.world.hold_back(held_back);
        if self.world.take_role(Role::Server) {
            let pool = self.world.config.server.local.pool;
            match self.is_auto() {
                true => log::info!("no other DHCP server answers: giving addresses from {pool}"),
                false => log::info!("mode = \"server\": giving addresses from {pool}"),
            }
            if held_back {
                log::info!("nobody is heard yet: looks once more when the first machine asks");
            }
        }
        if self.link_since.elapsed() < YOUNG_LINK { AGAIN } else { EVERY }
    }

    /// Stops giving addresses at once, then looks for one of its own.
    fn become_proxy(&mut self, other: Option<OtherServer>) -> Duration {
        if self.world.role() == Role::Server {
            self.world.take_role(Role::Silent(other));
        }
        if let Some(other) = other
            && !matches!(self.world.role(), Role::Proxy(_))
        {
            log::warn!("another DHCP server is here: {other}; this box gives no addresses");
        }
        let Some((subnet, pause)) = self.card.guest_address() else {
            self.world.take_role(Role::Silent(other));
            log::warn!("{}: no address from the other DHCP server yet", self.world.interface);
            return AGAIN;
        };
        self.world.set_own_subnet(subnet);
        if self.world.take_role(Role::Proxy(other)) {
            log::info!("working as {subnet} beside the DHCP server that gives the addresses");
        }
        pause.min(EVERY)
    }

    fn look_for_others(&mut self) -> io::Result<Option<OtherServer>> {
        let own = self.world.own_subnet().address();
        let passes = self.passes || passes_by_now(self.link_since.elapsed());
        let found = search(&self.world.interface, own, transaction()?, passes)?;
        self.passes = found.passes;
        Ok(found.other)
    }

    /// A LAN that we were alone on may have another server when we are back: without a
    /// link we are nobody, and have no address.
    fn wait_for_link(&mut self) {
        let name = &self.world.interface;
        if iface::has_link(name) {
            return;
        }
        log::warn!("{name}: no link; plug a cable into the LAN");
        self.world.take_role(Role::Probing);
        self.card.leaves();
        while !iface::has_link(name) {
            thread::sleep(LINK_CHECK);
        }
        self.world.was_away();
        self.link_since = Instant::now();
        self.passes = false;
    }

    /// Whoever reported without a link was not heard.
    fn notes_when_the_link_is_back(&self) {
        let name = &self.world.interface;
        loop {
            while iface::has_link(name) {
                thread::sleep(LINK_CHECK);
            }
            log::warn!("{name}: no link; plug a cable into the LAN");
            while !iface::has_link(name) {
                thread::sleep(LINK_CHECK);
            }
            self.world.was_away();
            log::info!("{name}: the link is back");
        }
    }

    /// Waits until it is time to look again: no longer than the link lasts, and sooner when a
    /// machine talks with another server, or is the first one that is heard at all.
    fn wait_with_link(&mut self, pause: Duration) {
        let name = &self.world.interface;
        let waits_for_somebody = self.world.role() == Role::Server && !self.passes;
        let ear = waits_for_somebody.then(|| Ear::open(name).ok()).flatten();
        let started = Instant::now();
        while started.elapsed() < pause && iface::has_link(name) {
            if started.elapsed() >= SUSPICION_PAUSE && self.world.takes_suspicion() {
                return;
            }
            match ear.as_ref().map(|ear| ear.hears_somebody(LINK_CHECK)) {
                Some(Ok(true)) => {
                    self.passes = true;
                    return;
                }
                Some(Ok(false)) => {}
                Some(Err(_)) | None => thread::sleep(LINK_CHECK),
            }
        }
    }
}
