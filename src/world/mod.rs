//! The state that all servers share, and the few questions and events that it answers.
//!
//! Locks are held for moments, in the order media → fleet, never while writing to the card
//! except for the fleet's own: what a client relies on is on disk before its answer leaves.

mod boots;
mod called;
pub mod content;
pub mod counters;
mod dhcp;
mod fleet;
mod identity;
mod lives;
pub mod loaders;
pub mod media;
pub mod readers;
pub mod recorder;
pub mod restart;
pub mod stories;
mod taken;
mod timelines;
pub mod transfers;
pub mod turns;
pub mod verifier;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::boot::Endpoint;
use crate::boot::arch::Platform;
use crate::boot::plan::{Asker, Media, Plan, Situation, plan};
use crate::config::Config;
use crate::dhcp::Seconds;
use crate::dhcp::lease::Binding;
use crate::dhcp::probe::OtherServer;
use crate::fleet::store::{Change, Saved, Store};
use crate::inventory::{Inventory, MediaFile, Problem};
use crate::net::{Mac, Subnet, neighbours};
use crate::verify::{Gate, Verdicts};

use counters::Counters;
pub use fleet::{Fleet, Touched};
pub use lives::TOKEN_LENGTH;
use readers::Readers;
use restart::Restart;
use transfers::Transfers;

/// USB sticks need up to ten seconds to show up after power-on; until then "no stick" may
/// not be true, and a machine is asked to wait rather than sent to its disk.
const SETTLING: Duration = Duration::from_secs(12);

/// Made when the button was held at power-on: safe mode outlives a restart of the servers.
pub const SAFE_MODE: &str = "/run/pxeberry/safe-mode";

/// What we are to the LAN's machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Finding out whether there is another DHCP server.
    Probing,
    /// Giving addresses.
    Server,
    /// Naming the boot files beside another server, which gives the addresses.
    Proxy(Option<OtherServer>),
    /// Giving nothing: another server is here, and we have no address from it yet.
    Silent(Option<OtherServer>),
}

/// The sticks as they serve now.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// The last good content.
    pub inventory: Arc<Inventory>,
    /// What is known of the origin of its files.
    pub verdicts: Arc<Verdicts>,
    /// How many sticks there are.
    pub sticks: usize,
    /// Whether a scan is running.
    pub scanning: bool,
    /// When the newest one began.
    pub scan_began: Option<Instant>,
    /// Whether the content of a stick serves; it does not before the first scan has ended
    /// well.
    pub accepted: bool,
    /// Why the newest content was refused; empty if it serves.
    pub refused: Vec<Problem>,
}

/// Everything that the servers share.
pub struct World {
    /// The configuration in force.
    pub config: Config,
    /// The interface that we serve on.
    pub interface: String,
    /// Whether installers' log lines are heard.
    pub hears_syslog: bool,
    /// Files on their way to machines, by TFTP and HTTP.
    pub transfers: Transfers,
    /// What they have done.
    pub counters: Counters,
    /// Who reads from the sticks.
    pub readers: Readers,
    /// Whether the box is to restart.
    pub restart: Restart,
    shelf: watch::Sender<Shelf>,
    fleet: Mutex<Fleet>,
    flight: timelines::Flight,
    revision: watch::Sender<u64>,
    role: Mutex<Role>,
    own_subnet: Mutex<Subnet>,
    called: Mutex<Option<String>>,
    held_back: AtomicBool,
    displaced: AtomicBool,
    store: Option<Store>,
    commits: Mutex<()>,
    memory_lost: bool,
    safe_mode: AtomicBool,
    suspicion: AtomicBool,
    started: Instant,
    epoch: Seconds,
}

impl World {
    /// A world with what the card remembered; `store` is none when nothing can be written.
    pub fn new(config: Config, interface: String, store: Option<(Store, Saved)>) -> World {
        let (store, saved) = store.map_or((None, Saved::default()), |(s, saved)| (Some(s), saved));
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        World {
            hears_syslog: false,
            transfers: Transfers::default(),
            counters: Counters::default(),
            readers: Readers::default(),
            restart: Restart::default(),
            shelf: watch::Sender::new(Shelf {
                inventory: Arc::new(Inventory::default()),
                verdicts: Arc::default(),
                sticks: 0,
                scanning: false,
                scan_began: None,
                accepted: false,
                refused: Vec::new(),
            }),
            memory_lost: saved.lost,
            fleet: Mutex::new(Fleet::new(saved)),
            flight: timelines::Flight::default(),
            revision: watch::Sender::new(0),
            role: Mutex::new(Role::Probing),
            own_subnet: Mutex::new(config.server.local.subnet),
            called: Mutex::default(),
            held_back: AtomicBool::new(false),
            displaced: AtomicBool::new(false),
            store,
            commits: Mutex::new(()),
            safe_mode: AtomicBool::new(false),
            suspicion: AtomicBool::new(false),
            started: Instant::now(),
            epoch: since_1970.as_secs(),
            config,
            interface,
        }
    }

    /// The present; it never runs backwards, whatever happens to the clock.
    pub fn now(&self) -> Seconds {
        self.epoch + self.started.elapsed().as_secs()
    }

    /// Since the servers started.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether anything may be installed. Not without a memory, because an installed
    /// machine would look like a new one; not in safe mode.
    pub fn may_install(&self) -> bool {
        self.store.is_some() && !self.safe_mode.load(Ordering::Relaxed)
    }

    /// Nothing is installed until the next start: the button was held at power-on.
    pub fn enter_safe_mode(&self) {
        if !self.safe_mode.swap(true, Ordering::Relaxed) {
            log::warn!("safe mode: nothing is installed until this box is switched off and on");
        }
    }

    /// The sticks as they serve now.
    pub fn shelf(&self) -> Shelf {
        self.shelf.borrow().clone()
    }

    /// Changes the shelf and wakes who waits for it.
    pub fn change_shelf(&self, change: impl FnOnce(&mut Shelf)) {
        self.shelf.send_modify(change);
        self.changed();
    }

    /// To wait for a change of the sticks.
    pub fn watch_shelf(&self) -> watch::Receiver<Shelf> {
        self.shelf.subscribe()
    }

    /// What the sticks are doing, as the boot plan sees it.
    pub fn media(&self) -> Media {
        self.media_of(&self.shelf.borrow())
    }

    /// The same of a shelf that was taken before. What is looked up on one shelf is "not
    /// there" or "not yet" by that shelf: by a newer one, a file that came in between would
    /// be missing for good.
    pub fn media_of(&self, shelf: &Shelf) -> Media {
        if shelf.sticks > 0 && shelf.accepted {
            Media::Ready
        } else if shelf.sticks > 0 && !shelf.refused.is_empty() && !shelf.scanning {
            Media::Refused
        } else if shelf.scanning || self.started.elapsed() < SETTLING {
            Media::Starting
        } else {
            Media::None
        }
    }

    /// May a machine have this file? Everybody who gives one asks here.
    pub fn gate(&self, file: &MediaFile) -> Gate {
        self.shelf.borrow().verdicts.gate(file)
    }

    /// Where machines reach us.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.own_subnet().address(),
            port: self.config.http.first_port(),
            syslog: self.hears_syslog,
        }
    }

    /// The machine behind an address: by our leases where we gave it, else as the kernel
    /// saw it on the wire.
    pub fn machine_at(&self, address: Ipv4Addr) -> Option<Mac> {
        match self.role() {
            Role::Server => locked(&self.fleet).leases.holder(address, self.now()),
            _ => neighbours::machine_at(address, &self.interface),
        }
    }

    /// The address that the machine has from us.
    pub fn address_of(&self, mac: Mac) -> Option<Binding> {
        locked(&self.fleet).leases.binding(mac).filter(|binding| binding.expires > self.now())
    }

    /// Reads or changes leases and records; the caller writes down what it changed.
    pub fn with_fleet<T>(&self, act: impl FnOnce(&mut Fleet) -> T) -> T {
        act(&mut locked(&self.fleet))
    }

    /// Writes what was touched to the card, as it is now; it is there when this returns.
    /// False: tell nobody of it.
    pub fn write_down(&self, touched: &[Touched]) -> bool {
        let (Some(store), false) = (&self.store, touched.is_empty()) else {
            return true;
        };
        // One commit after the other, each with the newest values: a slower thread cannot
        // overwrite what a faster one has written.
        let _turn = locked(&self.commits);
        let changes: Vec<Change> = self.with_fleet(|fleet| {
            touched.iter().filter_map(|touched| fleet.change(*touched)).collect()
        });
        match store.save(&changes) {
            Ok(()) => true,
            Err(error) => {
                log::error!("{error}; is the SD card full or failing?");
                false
            }
        }
    }

    /// What a running system's machine boots, and whether it is armed for it. Of a machine
    /// whose firmware has not been heard, what fits any: its installer runs already.
    pub fn plan(&self, mac: Mac) -> Plan {
        const COMMONEST_FIRST: [Platform; 3] =
            [Platform::Bios, Platform::Efi64, Platform::EfiArm64];
        let with = |platform| self.plan_for(Asker { mac, platform, loader: None });
        if let Some(platform) = self.platform(mac) {
            return with(platform);
        }
        let [first, others @ ..] = COMMONEST_FIRST;
        let plan = with(first);
        let installs = |plan: &Plan| matches!(plan, Plan::Install(_));
        if installs(&plan) {
            return plan;
        }
        others.map(with).into_iter().find(installs).unwrap_or(plan)
    }

    /// What the machine boots that asks with this loader.
    pub fn plan_for(&self, asker: Asker) -> Plan {
        let shelf = self.shelf();
        let phase = self.phase(asker.mac);
        plan(asker, phase, &self.situation(&shelf))
    }

    /// What a plan depends on.
    pub fn situation<'a>(&'a self, shelf: &'a Shelf) -> Situation<'a> {
        Situation {
            inventory: &shelf.inventory,
            verdicts: &shelf.verdicts,
            media: self.media_of(shelf),
            boot: &self.config.boot,
            endpoint: self.endpoint(),
        }
    }

    /// `node-1 (52:54:00:00:00:01)`, or the MAC alone.
    pub fn name(&self, mac: Mac) -> String {
        let shelf = self.shelf.borrow();
        match shelf.inventory.machine(mac).and_then(|machine| machine.name.as_deref()) {
            Some(name) => format!("{name} ({mac})"),
            None => mac.to_string(),
        }
    }
}

/// A panic elsewhere must not silence every server: the data is whole between statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
