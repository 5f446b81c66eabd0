//! Keeps the banner on the box's screens: the HDMI one and the serial line are consoles of
//! the kernel, whose log our lines go through.

use std::thread;
use std::time::{Duration, Instant};

use super::banner::{Facts, Pacer, Sticks, lines};
use crate::boot::plan::Media;
use crate::control::machines::Counts;
use crate::logging;
use crate::net::iface;
use crate::world::World;

/// A person waits longer than this for a screen to wake up.
const LOOK: Duration = Duration::from_secs(1);

/// Runs for as long as the process does.
pub fn run(world: &World) {
    let mut pacer = Pacer::default();
    let mut looked = None;
    loop {
        let now = (world.revision(), world.role(), iface::has_link(&world.interface));
        // Some states are a question of time.
        let facts = match looked.take() {
            Some((before, facts)) if before == now && !starting(&facts) => facts,
            _ => facts(world, now.2),
        };
        if pacer.is_due(&facts, logging::lines_said(), Instant::now()) {
            logging::banner(&lines(&facts));
        }
        looked = Some((now, facts));
        thread::sleep(LOOK);
    }
}

fn starting(facts: &Facts) -> bool {
    facts.sticks == Sticks::Reading
}

fn facts(world: &World, link: bool) -> Facts {
    let shelf = world.shelf();
    let sticks = match world.media_of(&shelf) {
        _ if !shelf.refused.is_empty() && !shelf.scanning => Sticks::Refused,
        _ if shelf.scanning => Sticks::Reading,
        Media::Starting => Sticks::Reading,
        Media::None => Sticks::None,
        Media::Refused => Sticks::Refused,
        Media::Ready => Sticks::Ready(shelf.inventory.images.len(), Counts::of(world).all()),
    };
    Facts {
        interface: world.interface.clone(),
        link,
        subnet: world.own_subnet(),
        port: world.config.http.page_port(),
        name: world.called(),
        role: world.role(),
        pool: world.config.server.local.pool.to_string(),
        sticks,
    }
}
