//! Whether we may give addresses here: asked at the start, and ever after.
//!
//! A DHCP server that nobody asked for is the worst that this product could do: with any
//! doubt it stays silent.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Mode;
use crate::dhcp::probe::{OtherServer, PATIENCE, search};
use crate::net::iface;
use crate::net::link::Interfaces;
use crate::world::{Role, World};

/// While alone: another server that is switched on is seen within this time.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// While silent: an operator who switches the other server off does not wait long.
const EVERY_WHILE_SILENT: Duration = Duration::from_secs(30);

/// A cable that is moved to another LAN is out for longer than this.
const LINK_CHECK: Duration = Duration::from_millis(250);

/// Decides, and keeps deciding until the process ends. With `set_address` the interface has
/// our address only while we are the DHCP server: nobody else can have it then.
pub fn run(world: &Arc<World>, set_address: bool) {
    match world.config.mode {
        Mode::Server => take(world, Role::Server, set_address),
        Mode::Proxy => take(world, Role::Silent(None), set_address),
        Mode::Auto => watch(world, set_address),
    }
}

fn watch(world: &World, set_address: bool) {
    let mut told_of_link = false;
    loop {
        if !iface::has_link(&world.interface) {
            if !told_of_link {
                log::warn!("{}: no link; plug a cable into the LAN", world.interface);
                told_of_link = true;
            }
            // A LAN that we were alone on may have another server when we are back.
            take(world, Role::Probing, set_address);
            thread::sleep(LINK_CHECK);
            continue;
        }
        told_of_link = false;
        let pause = match probe(world) {
            Ok(None) => {
                take(world, Role::Server, set_address);
                EVERY
            }
            Ok(Some(other)) => {
                take(world, Role::Silent(Some(other)), set_address);
                EVERY_WHILE_SILENT
            }
            Err(error) => {
                log::warn!("{}: cannot look for other DHCP servers: {error}", world.interface);
                EVERY_WHILE_SILENT
            }
        };
        wait_with_link(world, pause);
    }
}

/// Waits, but no longer than the link lasts.
fn wait_with_link(world: &World, pause: Duration) {
    let until = Instant::now() + pause;
    while Instant::now() < until && iface::has_link(&world.interface) {
        thread::sleep(LINK_CHECK);
    }
}

fn probe(world: &World) -> std::io::Result<Option<OtherServer>> {
    let mut transaction = [0; 4];
    getrandom::fill(&mut transaction).map_err(|error| std::io::Error::other(error.to_string()))?;
    let own = world.endpoint.address;
    search(&world.interface, own, u32::from_be_bytes(transaction), PATIENCE)
}

/// The address before the first answer, and no answer once it is gone.
fn take(world: &World, role: Role, set_address: bool) {
    if world.role() == role {
        return;
    }
    let serves = role == Role::Server;
    if set_address && serves && !change_address(world, serves) {
        return;
    }
    world.become_(role);
    if set_address && !serves {
        change_address(world, serves);
    }
    announce(world, role);
}

fn change_address(world: &World, wanted: bool) -> bool {
    let (name, subnet) = (&world.interface, world.config.server.subnet);
    let changed = Interfaces::open().and_then(|interfaces| match wanted {
        true => interfaces.set_address(name, subnet),
        false => interfaces.remove_address(name),
    });
    match changed {
        Ok(()) if wanted => log::info!("{name}: has the address {subnet}"),
        // There was none to remove.
        Err(error) if !wanted && error.kind() == io::ErrorKind::AddrNotAvailable => {}
        Ok(()) => {}
        Err(error) => {
            log::error!("{name}: its address cannot be changed: {error}");
            return false;
        }
    }
    true
}

fn announce(world: &World, role: Role) {
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
