//! Whether we may give addresses here: asked at the start, and ever after.
//!
//! A DHCP server that nobody asked for is the worst that this product could do: with any
//! doubt it stays silent.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::Mode;
use crate::dhcp::probe::{OtherServer, PATIENCE, search};
use crate::world::{Role, World};

/// While alone: another server that is switched on is seen within this time.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// While silent: an operator who switches the other server off does not wait long.
const EVERY_WHILE_SILENT: Duration = Duration::from_secs(30);

/// Before the first question on a link that just came up.
const WITHOUT_LINK: Duration = Duration::from_millis(250);

/// Decides, and keeps deciding until the process ends.
pub fn run(world: &Arc<World>) {
    match world.config.mode {
        Mode::Server => announce(world, Role::Server),
        Mode::Proxy => announce(world, Role::Silent(None)),
        Mode::Auto => watch(world),
    }
}

fn watch(world: &World) {
    let mut told_of_link = false;
    loop {
        if !crate::net::iface::has_link(&world.interface) {
            if !told_of_link {
                log::warn!("{}: no link; plug a cable into the LAN", world.interface);
                told_of_link = true;
            }
            // A LAN that we were alone on may have another server when we are back.
            world.become_(Role::Probing);
            thread::sleep(WITHOUT_LINK);
            continue;
        }
        told_of_link = false;
        let pause = match probe(world) {
            Ok(None) => {
                announce(world, Role::Server);
                EVERY
            }
            Ok(Some(other)) => {
                announce(world, Role::Silent(Some(other)));
                EVERY_WHILE_SILENT
            }
            Err(error) => {
                log::warn!("{}: cannot look for other DHCP servers: {error}", world.interface);
                EVERY_WHILE_SILENT
            }
        };
        thread::sleep(pause);
    }
}

fn probe(world: &World) -> std::io::Result<Option<OtherServer>> {
    let mut transaction = [0; 4];
    getrandom::fill(&mut transaction).map_err(|error| std::io::Error::other(error.to_string()))?;
    let own = world.endpoint.address;
    search(&world.interface, own, u32::from_be_bytes(transaction), PATIENCE)
}

fn announce(world: &World, role: Role) {
    if !world.become_(role) {
        return;
    }
    match role {
        Role::Probing => {}
        Role::Server => log::info!(
            "no other DHCP server answers: giving addresses from {}",
            world.config.server.pool
        ),
        Role::Silent(Some(other)) => log::warn!(
            "another DHCP server is here: {other}. This box gives no addresses; switch that \
             server off, or use a network of its own"
        ),
        Role::Silent(None) => log::info!("mode = \"proxy\": giving no addresses"),
    }
}
