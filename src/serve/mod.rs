//! The servers: DHCP, TFTP and HTTP over one inventory and one fleet.
//!
//! Everything that can be refused is opened first; then each server runs on a thread of its
//! own, and HTTP with the signals on a tokio runtime. There is one way out: SIGTERM.

mod banner;
mod card;
mod console;
mod role;
mod sockets;

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::confine;
use crate::dhcp::socket::DhcpSocket;
use crate::fleet::store::Store;
use crate::guard::guarded;
use crate::heartbeat::{self, Heart};
use crate::http::people::People;
use crate::mdns::server::Door;
use crate::net::iface;
use crate::world::media::{self, Scanner, Sticks};
use crate::world::recorder::Recorder;
use crate::world::{self, SAFE_MODE, World, verifier};
use crate::{control, dhcp, http, logging, syslog, tftp};

/// What PID 1 and the panel leave for us. Settings of the next start are there: we read only.
const RUN: &str = "/run/pxeberry";

/// PID 1 makes this file when the state partition cannot be used.
const STATE_IS_LOST: &str = "/run/pxeberry/state-is-lost";

/// Answers over HTTP that may wait for the card at once; it writes one at a time.
const DESKS: usize = 3;

/// Beside them: one for pages, one for a password.
const DESKS_FOR_PEOPLE: usize = 2;

/// Descriptors that the servers hold for themselves: sockets, threads' wake-ups, the state.
const OWN_DESCRIPTORS: u64 = 40;

/// What of the machine is ours: all of it on the appliance, nothing on a workstation.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    /// The interface's address is ours to set and remove.
    pub set_address: bool,
    /// Sticks are mounted for us; a folder without one is no stick.
    pub mounted_sticks: bool,
    /// Everything that we need can be read by a user of our own.
    pub own_user: bool,
}

/// Serves until SIGTERM.
pub fn run(config: Config, owned: Owned) -> ExitCode {
    match start(config, owned) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log::error!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn start(mut config: Config, owned: Owned) -> Result<(), String> {
    let Owned { set_address, mounted_sticks, own_user } = owned;
    share_one_heap();
    let descriptors = descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(DESKS + DESKS_FOR_PEOPLE)
        .build()
        .map_err(|error| format!("tokio cannot start: {error}"))?;
    // Before the first scan: a stick that comes while we start must not be missed.
    let signals = Signals::catch(&runtime).map_err(|error| format!("signals: {error}"))?;
    let interface = interface(&config)?;
    let address = config.server.address();
    // An address that comes and goes is nothing to bind to.
    let listen_at = if set_address { Ipv4Addr::UNSPECIFIED } else { address };
    let sockets = sockets::sockets(&config, &interface, listen_at)?;
    let dhcp = DhcpSocket::new(sockets.dhcp, &interface, address)
        .map_err(|error| format!("dhcp: {interface}: {error}"))?;
    let store = store(&config);
    let control = control::server::listen(&config.control, own_user.then_some(confine::OWN_USER));
    // Where the control socket is: in memory, on the appliance.
    let recorder = Recorder::open(&config.control.with_file_name("recorder"));
    confine::confine(&folders(&config), own_user);
    let password = config.admin.password.take();
    let mut world = World::new(config, interface, store);
    world.keep_record(recorder);
    world.hears_syslog = sockets.syslog.is_some();
    let world = Arc::new(world);
    if Path::new(SAFE_MODE).exists() {
        world.enter_safe_mode();
    }
    let (scanner, requests) = media::scanner();
    scanner.request();
    // The screen's own letters are ASCII.
    log::info!("the servers are {}", confine::in_force().words().replace(" · ", "; "));
    log::info!(
        "serving on {}, HTTP on port {}",
        world.interface,
        world.config.http.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" and ")
    );
    let sticks = if mounted_sticks { Sticks::Mounted } else { Sticks::Folders };
    in_background("scan", &world, move |world| media::run(world, sticks, &requests))?;
    in_background("verify", &world, |world| verifier::run(world))?;
    in_background("role", &world, move |world| role::run(world, set_address))?;
    let for_tftp = descriptors / 4;
    in_background("tftp", &world, move |world| {
        tftp::server::run(world, &sockets.tftp, for_tftp);
    })?;
    in_background("dhcp", &world, move |world| dhcp::server::run(world, &dhcp))?;
    let proxydhcp = sockets.proxydhcp;
    // A thread of its own, which has nothing else to do than wait.
    proxydhcp.set_nonblocking(false).map_err(|error| format!("proxydhcp: {error}"))?;
    in_background("proxydhcp", &world, move |world| dhcp::server::run_proxy(world, &proxydhcp))?;
    if let Some(lines) = sockets.syslog {
        lines.set_nonblocking(false).map_err(|error| format!("syslog: {error}"))?;
        in_background("syslog", &world, move |world| syslog::server::run(world, &lines))?;
    }
    let door = sockets.mdns.and_then(|socket| mdns(&world, socket));
    if logging::has_console() {
        beside("banner", &world, |world| console::run(world));
    }
    let for_button = scanner.clone();
    in_background("control", &world, move |world| {
        control::server::run(world, &for_button, control);
    })?;
    let people = People::new(password, scanner.clone());
    let edge = http::server::Edge::new(Arc::clone(&world), descriptors / 4 * 3, people);
    let served = serve_http(&world, &edge, sockets.http, runtime, (signals, scanner));
    if let Some(door) = door {
        door.leaves(&world);
    }
    log::info!("stopped");
    served
}

/// The box has a name on its LAN. Without it all else works.
fn mdns(world: &Arc<World>, socket: UdpSocket) -> Option<Arc<Door>> {
    let (page, port) = (&world.config.page, world.config.http.page_port());
    let door = Door::new(socket, &page.name, port).map(Arc::new);
    let door = door.map_err(|error| log::warn!("mdns: {error}")).ok()?;
    let answers = Arc::clone(&door);
    beside("mdns", world, move |world| answers.run(world));
    Some(door)
}

/// Work that machines do not need: if it ends, a line of the log says so, and all goes on.
fn beside(name: &'static str, world: &Arc<World>, work: impl FnOnce(&Arc<World>) + Send + 'static) {
    let world = Arc::clone(world);
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || work(&world));
    if let Err(error) = spawned {
        log::warn!("no thread for {name}: {error}");
    }
}

/// How many descriptors connections and transfers may have: as many as the system grants.
fn descriptors() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // A right that everybody has; without it the smaller limit serves.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        limit = getrlimit(Resource::Nofile);
    }
    let granted = limit.current.unwrap_or(u64::MAX).saturating_sub(OWN_DESCRIPTORS);
    usize::try_from(granted).unwrap_or(usize::MAX)
}

/// By default each thread has a heap of its own, which keeps what it has had in use once: in a
/// room that boots at once, a third more memory.
fn share_one_heap() {
    // SAFETY: takes two numbers, and is called while there is one thread (mallopt(3)).
    #[cfg(target_env = "gnu")]
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// What PID 1 or a person sends us.
struct Signals {
    rescan: Signal,
    stop: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on a signal waits for its handler.
    fn catch(runtime: &Runtime) -> std::io::Result<Signals> {
        let _context = runtime.enter();
        Ok(Signals {
            rescan: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

fn in_background(
    name: &'static str,
    world: &Arc<World>,
    work: impl FnOnce(&Arc<World>) + Send + 'static,
) -> Result<(), String> {
    let world = Arc::clone(world);
    let guarded = move || guarded(name, || work(&world));
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(guarded);
    spawned.map(drop).map_err(|error| format!("no thread for {name}: {error}"))
}

/// HTTP, signals and the heartbeat share one thread: none of them computes.
fn serve_http(
    world: &Arc<World>,
    edge: &Arc<http::server::Edge>,
    listeners: Vec<TcpListener>,
    runtime: Runtime,
    (mut signals, scanner): (Signals, Scanner),
) -> Result<(), String> {
    let served = runtime.block_on(async {
        for listener in listeners {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(Arc::clone(edge).serve(listener));
        }
        tokio::spawn(beat(Arc::clone(world)));
        tokio::spawn(scan_when_told(signals.rescan, scanner));
        tokio::select! {
            _ = signals.stop.recv() => {}
            _ = signals.interrupt.recv() => {}
        }
        Ok::<(), std::io::Error>(())
    });
    // Reads from a dead stick may never end; nothing waits for them.
    runtime.shutdown_background();
    served.map_err(|error| format!("http: {error}"))
}

/// SIGHUP: a stick came or went, or somebody changed one.
async fn scan_when_told(mut signal: Signal, scanner: Scanner) {
    while signal.recv().await.is_some() {
        scanner.request();
    }
}

/// Tells PID 1 that this thread still turns, and what only PID 1 can do.
async fn beat(world: Arc<World>) {
    let Some(mut heart) = Heart::from_supervisor() else { return };
    world.restart.is_possible();
    let mut clock = tokio::time::interval(heartbeat::INTERVAL);
    loop {
        clock.tick().await;
        heart.beat();
        if world.restart.take() {
            heart.asks_for_restart();
        }
    }
}

fn interface(config: &Config) -> Result<String, String> {
    match &config.interface {
        Some(name) if iface::exists(name) => Ok(name.clone()),
        Some(name) => Err(format!(
            "interface {name:?} does not exist; there are: {}",
            iface::wired().join(", ")
        )),
        None => iface::first_with_link().ok_or_else(|| {
            "no wired interface has a link; plug a cable in, or name one with interface = \"eth0\""
                .to_owned()
        }),
    }
}

/// All that the servers touch after their start; the database, the record and the
/// log are open by then.
fn folders(config: &Config) -> Vec<PathBuf> {
    // A static program finds no getrandom(2) by its name, and reads these instead.
    let random = ["/dev/random", "/dev/urandom"];
    let kernel = ["/proc", "/sys/class/net", "/sys/devices"].into_iter().chain(random);
    let kernel = kernel.map(PathBuf::from);
    let own = [config.media.clone(), config.boot.loaders.clone(), PathBuf::from(RUN)];
    let loaders = world::loaders::debian_folders().map(PathBuf::from);
    kernel.chain(own).chain(loaders).collect()
}

/// Without a memory everything still serves, but nothing is armed.
fn store(config: &Config) -> Option<(Store, crate::fleet::store::Saved)> {
    if Path::new(STATE_IS_LOST).exists() {
        log::error!("there is no state partition: nothing is remembered, so nothing is installed");
        return None;
    }
    match Store::open(&config.state) {
        Ok(opened) => Some(opened),
        Err(error) => {
            log::error!("{error}; nothing is remembered, so nothing is installed");
            None
        }
    }
}
