//! The DHCP server's loop: takes what has arrived, decides all of it, writes it down in
//! one commit, then answers. A room that boots at once costs the card one write.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::decide::{Context, Effect, decide};
use super::lease::Lendable;
use super::proxy::{self, Door};
use super::route::Route;
use super::socket::DhcpSocket;
use super::wire::{self, Kind, Reply, Request};
use crate::boot::arch::{Program, program};
use crate::boot::plan::boot_reply;
use crate::fleet::life::Event;
use crate::net::Mac;
use crate::world::{Role, Touched, World};

/// Packets decided together. More wait in the socket's buffer.
const BATCH: usize = 64;

/// Looks up from the socket this often, to see whether the role has changed.
const PATIENCE: Duration = Duration::from_secs(1);

/// After an error of the socket itself (interface down): do not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// The longest frame; what is longer is cut, and refused at the gate.
const LONGEST_PACKET: usize = 2048;

/// Serves until the process ends.
pub fn run(world: &Arc<World>, socket: &DhcpSocket) {
    loop {
        if let Err(error) = socket.wait(PATIENCE).and_then(|()| round(world, socket)) {
            log::warn!("dhcp: {error}");
            std::thread::sleep(ERROR_PAUSE);
        }
    }
}

/// Everything that has arrived, at most [`BATCH`] packets.
fn round(world: &World, socket: &DhcpSocket) -> std::io::Result<()> {
    let mut buffer = [0; LONGEST_PACKET];
    let mut answers = Vec::new();
    let mut touched = Vec::new();
    for _ in 0..BATCH {
        let Some(length) = socket.receive(&mut buffer)? else {
            break;
        };
        let packet = buffer.get(..length).unwrap_or_default();
        match wire::parse(packet) {
            Ok(request) => answers.extend(answer(world, &request, &mut touched)),
            Err(reason) => log::debug!("dhcp: a packet is ignored: {reason}"),
        }
    }
    if !world.write_down(&touched) {
        // Nobody relies on an answer that was never given; clients ask again.
        return Ok(());
    }
    for (reply, route) in answers {
        if let Err(error) = socket.send(&wire::encode(&reply), route) {
            log::warn!("dhcp: {}: the answer could not be sent: {error}", world.name(reply.mac));
        }
    }
    Ok(())
}

/// Answers what comes to port 4011: firmware that wants its boot data a second time.
pub fn run_proxy(world: &World, socket: &UdpSocket) {
    loop {
        if let Err(error) = proxy_round(world, socket) {
            log::warn!("proxydhcp: {error}");
            std::thread::sleep(ERROR_PAUSE);
        }
    }
}

fn proxy_round(world: &World, socket: &UdpSocket) -> std::io::Result<()> {
    let mut buffer = [0; LONGEST_PACKET];
    let (length, from) = socket.recv_from(&mut buffer)?;
    let SocketAddr::V4(from) = from else {
        return Ok(());
    };
    let request = match wire::parse(buffer.get(..length).unwrap_or_default()) {
        Ok(request) => request,
        Err(reason) => {
            log::debug!("proxydhcp: a packet from {from} is ignored: {reason}");
            return Ok(());
        }
    };
    if let Some((reply, _)) = beside_another(world, &request, Door::Proxy(from)) {
        log::info!("proxydhcp: {} loads {}", world.name(request.mac), reply.file);
        socket.send_to(&wire::encode(&reply), from)?;
    }
    Ok(())
}

/// Decides one request by what we are to the LAN, and does what concerns memory; the card
/// comes later.
fn answer(world: &World, request: &Request, touched: &mut Vec<Touched>) -> Option<(Reply, Route)> {
    let role = world.role();
    let asking = program(request);
    let answers = matches!(role, Role::Server | Role::Proxy(_));
    if answers && request.kind == Kind::Discover && is_firmware(asking) {
        world.note(request.mac, Event::FirmwareStarts, touched);
    }
    match role {
        Role::Server => as_server(world, request, asking, touched),
        Role::Proxy(_) => {
            let answer = beside_another(world, request, Door::Server)?;
            let (who, file) = (world.name(request.mac), &answer.0.file);
            log::info!("proxydhcp: {who} boots ({}): {file}", words(asking));
            Some(answer)
        }
        Role::Probing | Role::Silent(_) => None,
    }
}

/// Boot data without an address.
fn beside_another(world: &World, request: &Request, door: Door) -> Option<(Reply, Route)> {
    if !matches!(world.role(), Role::Server | Role::Proxy(_)) {
        return None;
    }
    let endpoint = world.endpoint();
    let boot = boot_reply(request.mac, program(request), &world.config.boot, endpoint);
    proxy::answer(request, door, &boot, endpoint.address)
}

fn as_server(
    world: &World,
    request: &Request,
    asking: Program,
    touched: &mut Vec<Touched>,
) -> Option<(Reply, Route)> {
    // Everybody hears which server a machine has chosen: the first sign of a new one.
    if request.server_id.is_some_and(|server| server != world.config.server.subnet.address()) {
        world.suspect_another_server();
    }
    let boot = boot_reply(request.mac, asking, &world.config.boot, world.endpoint());
    let inventory = world.shelf().inventory;
    let now = world.now();
    let mut newly_full = false;
    let verdict = world.with_fleet(|fleet| {
        let server = &world.config.server;
        let context = Context {
            server,
            leases: &fleet.leases,
            reservations: &Lendable { reservations: inventory.as_ref(), subnet: server.subnet },
            boot: &boot,
            now,
        };
        let verdict = decide(request, &context);
        for effect in &verdict.effects {
            match *effect {
                Effect::Offer(mac, address, until) => {
                    // A newcomer gets one; a machine that has its own proves nothing.
                    fleet.pool_is_full &= fleet.leases.binding(mac).is_some();
                    fleet.leases.offer(mac, address, until);
                }
                Effect::Bind(mac, binding) => fleet.leases.bind(mac, binding),
                Effect::Release(mac) => fleet.leases.release(mac, now),
                Effect::Decline(mac, address, until) => fleet.leases.decline(mac, address, until),
                Effect::PoolIsFull(_) => {
                    newly_full = !std::mem::replace(&mut fleet.pool_is_full, true);
                }
            }
        }
        touched.extend(verdict.effects.iter().filter_map(must_survive));
        verdict
    });
    if newly_full {
        tell_pool_is_full(world, request.mac);
    }
    tell(world, request, asking, &verdict);
    verdict.reply
}

/// What of an effect must survive a power cut.
fn must_survive(effect: &Effect) -> Option<Touched> {
    match *effect {
        Effect::Bind(mac, _) | Effect::Release(mac) => Some(Touched::Lease(mac)),
        Effect::Offer(..) | Effect::Decline(..) | Effect::PoolIsFull(_) => None,
    }
}

fn is_firmware(asking: Program) -> bool {
    !matches!(asking, Program::Other | Program::RaspberryPi)
}

/// Clients without an address ask again every few seconds, for ever: said once.
fn tell_pool_is_full(world: &World, mac: Mac) {
    log::error!(
        "dhcp: {}: no address is left in {}; make server.pool larger",
        world.name(mac),
        world.config.server.pool
    );
}

/// One line per step that a person waits for.
fn tell(world: &World, request: &Request, asking: Program, verdict: &super::decide::Verdict) {
    let who = || world.name(request.mac);
    for effect in &verdict.effects {
        if let Effect::Decline(_, address, _) = effect {
            log::warn!("dhcp: {}: somebody else uses {address}; left alone for a day", who());
        }
    }
    let Some((reply, _)) = &verdict.reply else {
        return;
    };
    match reply.kind {
        Kind::Offer if is_firmware(asking) => {
            log::info!("dhcp: {} boots ({}): {}", who(), words(asking), reply.yiaddr);
        }
        Kind::Ack if !reply.file.is_empty() => {
            log::info!("dhcp: {} is {} and loads {}", who(), reply.yiaddr, reply.file);
        }
        Kind::Ack if !reply.yiaddr.is_unspecified() => {
            log::info!("dhcp: {} is {}", who(), reply.yiaddr);
        }
        Kind::Nak => log::info!("dhcp: {}: asked for an address that is not its own", who()),
        _ => {}
    }
}

fn words(asking: Program) -> String {
    match asking {
        Program::Rom(platform) => format!("{platform:?} firmware"),
        Program::HttpRom(platform) => format!("{platform:?} firmware, HTTP boot"),
        Program::Ipxe(platform) | Program::LesserIpxe(platform) => format!("{platform:?} iPXE"),
        Program::RaspberryPi => "Raspberry Pi".to_owned(),
        Program::Other => "operating system".to_owned(),
    }
}
