//! One request, answered by what we are to the LAN: decides, does what concerns memory, and
//! says the line that a person waits for. The card comes later.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::decide::{Context, Effect, Verdict, decide};
use super::lease::DECLINE_HOLD;
use super::proxy::{self, Door};
use super::reply::BootReply;
use super::route::Route;
use super::shape::Shape;
use super::story;
use super::wire::{Kind, Reply, Request};
use crate::boot::arch::{Program, program};
use crate::boot::plan::boot_reply;
use crate::fleet::life::Event;
use crate::fleet::timeline::{Source, Weight};
use crate::net::Mac;
use crate::world::{Role, Touched, World};

/// What a request leads to.
#[derive(Debug, Default)]
pub struct Answer {
    /// The reply with its way.
    pub reply: Option<(Reply, Route)>,
    /// An address that must be looked for on the LAN before the request is decided anew.
    pub probe: Option<Ipv4Addr>,
}

/// Answers what came to port 67; what must survive a power cut is added to `touched`.
pub fn answer(world: &World, request: &Request, door: Door, touched: &mut Vec<Touched>) -> Answer {
    let role = world.role();
    let asking = program(request);
    if let Some(platform) = asking.platform() {
        world.with_fleet(|fleet| fleet.saw_platform(request.mac, platform));
    }
    world.heard_uuid(request.mac, request.uuid.as_deref(), touched);
    if asking != Program::Other && world.knows(request.mac) {
        world.learn(request.mac, |facts| facts.learn_request(request, asking));
    }
    if knows_what_to_say(world) && request.kind == Kind::Discover && is_firmware(asking) {
        world.note(request.mac, Event::FirmwareStarts, touched);
        world.asks_for_boot(request.mac, asking, touched);
    }
    if asking == Program::Other && has_just_started(request) {
        world.system_starts(request.mac, touched);
    }
    match role {
        // Firmware that looks for a boot server: no address is asked for (PXE 2.1 §2.2.1).
        Role::Server | Role::Proxy(_) if looks_for_boot_server(request) => {
            Answer { reply: boot_server(world, request, door), probe: None }
        }
        Role::Server if world.gives_addresses() => as_server(world, request, asking, touched),
        Role::Proxy(_) => Answer { reply: as_proxy(world, request, asking, door), probe: None },
        Role::Probing | Role::Server | Role::Silent(_) => Answer::default(),
    }
}

/// Who runs longer asks from the address that it has, and who has chosen a server has asked
/// before (RFC 2131 §4.3.2).
fn has_just_started(request: &Request) -> bool {
    let anew = request.kind == Kind::Discover
        || request.kind == Kind::Request && request.server_id.is_none();
    anew && request.ciaddr.is_unspecified()
}

/// From the address that it has (PXE 2.1 table 2-1, note 3). In any other message the item
/// means nothing, and must not keep a machine from its address.
fn looks_for_boot_server(request: &Request) -> bool {
    let asks = matches!(request.kind, Kind::Request | Kind::Inform);
    asks && request.boot_item.is_some() && !request.ciaddr.is_unspecified()
}

/// Whether a machine is answered now, if it is one of those that we answer.
pub fn knows_what_to_say(world: &World) -> bool {
    world.gives_addresses() || matches!(world.role(), Role::Proxy(_))
}

/// Answers what came to port 4011, from `from`.
pub fn at_proxy_port(world: &World, request: &Request, from: SocketAddrV4) -> Option<Reply> {
    if !matches!(world.role(), Role::Server | Role::Proxy(_)) {
        return None;
    }
    world.took_boot_offer(request.mac);
    let boot = boot_for(world, request, program(request));
    let (reply, _) =
        proxy::answer(request, Door::Proxy(from), &boot, Shape::InOffer, world.own_subnet())?;
    log::info!("proxydhcp: {} loads {}", world.name(request.mac), reply.file);
    story::asked_at_proxy_port(world, request.mac, &reply.file);
    Some(reply)
}

/// Somebody else was found at an address before it was offered.
pub fn somebody_is_at(
    world: &World,
    request: &Request,
    address: Ipv4Addr,
    by: [u8; 6],
    touched: &mut Vec<Touched>,
) {
    let now = world.now();
    let effect = Effect::Decline(request.mac, address, now + DECLINE_HOLD);
    world.with_fleet(|fleet| apply(effect, &mut fleet.leases, now, touched));
    let by = Mac::new(by).map_or_else(|| "somebody".to_owned(), |mac| world.name(mac));
    let taken = format!("{by} uses {address}, which was to be offered to it");
    world.happened_to_known(request.mac, Source::Dhcp, Weight::Warning, &taken);
    let reserved = world.shelf().inventory.machine(request.mac).and_then(|m| m.address);
    if reserved == Some(address) {
        let who = world.name(request.mac);
        log::error!("dhcp: {by} uses {address}, which is kept for {who}; it gets another one");
    } else {
        log::warn!("dhcp: {by} uses {address} without having it from here; it is left alone");
    }
}

/// What the machine is told to load.
fn boot_for(world: &World, request: &Request, asking: Program) -> BootReply {
    let (inventory, endpoint) = (world.shelf().inventory, world.endpoint());
    let machine = inventory.to_install(request.mac, world.config.boot.unknown);
    let driver = world.with_fleet(|fleet| fleet.loaders.driver(request.mac));
    boot_reply(request.mac, asking, machine.as_deref(), &world.config.boot, endpoint, driver)
}

fn as_proxy(
    world: &World,
    request: &Request,
    asking: Program,
    door: Door,
) -> Option<(Reply, Route)> {
    let boot = boot_for(world, request, asking);
    let shape = shape_for(world, request, asking, &boot);
    let answer = proxy::answer(request, door, &boot, shape, world.own_subnet())?;
    let (who, what) = (world.name(request.mac), words(asking));
    let file = (shape == Shape::InOffer).then_some(answer.0.file.as_str());
    story::offered_beside(world, request, asking, file);
    match shape {
        Shape::InOffer => log::info!("proxydhcp: {who} boots ({what}): {}", answer.0.file),
        Shape::OnAsking => log::info!("proxydhcp: {who} boots ({what}): may ask on port 4011"),
    }
    Some(answer)
}

/// iPXE that was loaded proves that its firmware took what it was offered. Only a ROM that
/// loads by TFTP can be asked to come to port 4011.
fn shape_for(world: &World, request: &Request, asking: Program, boot: &BootReply) -> Shape {
    if request.kind != Kind::Discover {
        return Shape::InOffer;
    }
    if matches!(asking, Program::Ipxe(_)) {
        world.took_boot_offer(request.mac);
    }
    if !matches!((asking, boot), (Program::Rom(_), BootReply::Pxe(_))) {
        return Shape::InOffer;
    }
    let now = world.now();
    let choice = world.with_fleet(|fleet| fleet.shapes.offer(request.mac, request.xid, now));
    if choice.changed {
        let who = world.name(request.mac);
        log::warn!("proxydhcp: {who}: nothing followed our offer; trying the other kind of offer");
    }
    choice.shape
}

fn boot_server(world: &World, request: &Request, door: Door) -> Option<(Reply, Route)> {
    let boot = boot_for(world, request, program(request));
    proxy::answer(request, door, &boot, Shape::InOffer, world.own_subnet())
}

fn as_server(
    world: &World,
    request: &Request,
    asking: Program,
    touched: &mut Vec<Touched>,
) -> Answer {
    // Everybody hears which server a machine has chosen: the first sign of a new one.
    let own = world.config.server.address();
    let elsewhere = |server| server != own && Some(server) != request.server_override;
    if let Some(other) = request.server_id.filter(|server| elsewhere(*server)) {
        world.suspect_another_server();
        if request.kind == Kind::Request {
            story::chose(world, request, asking, other);
        }
    }
    let boot = boot_for(world, request, asking);
    let inventory = world.shelf().inventory;
    let now = world.now();
    let mut newly_full = false;
    let verdict = world.with_fleet(|fleet| {
        let context = Context {
            server: &world.config.server,
            leases: &fleet.leases,
            reservations: inventory.as_ref(),
            boot: &boot,
            now,
        };
        let verdict = decide(request, &context);
        for effect in &verdict.effects {
            match *effect {
                // A newcomer gets one; a machine that has its own proves nothing.
                Effect::Offer(mac, ..) | Effect::SilentOffer(mac, ..) => {
                    fleet.pool_is_full &= fleet.leases.binding(mac).is_some();
                }
                Effect::PoolIsFull(_) => {
                    newly_full = !std::mem::replace(&mut fleet.pool_is_full, true);
                }
                _ => {}
            }
            apply(*effect, &mut fleet.leases, now, touched);
        }
        verdict
    });
    if newly_full {
        tell_pool_is_full(world, request);
    }
    tell(world, request, asking, &verdict);
    story::tell(world, request, asking, &verdict);
    Answer { reply: verdict.reply, probe: verdict.probe }
}

fn apply(
    effect: Effect,
    leases: &mut super::lease::Leases,
    now: super::Seconds,
    touched: &mut Vec<Touched>,
) {
    touched.extend(effect.apply(leases, now).into_iter().map(Touched::Lease));
}

/// Whether it is a program that boots from the network.
pub(super) fn is_firmware(asking: Program) -> bool {
    !matches!(asking, Program::Other | Program::RaspberryPi)
}

/// Clients without an address ask again every few seconds, for ever: said once.
fn tell_pool_is_full(world: &World, request: &Request) {
    let server = &world.config.server;
    let relayed = server.relayed.iter().find(|network| network.subnet.contains(request.giaddr));
    log::error!(
        "dhcp: {}: no address is left in {}; make {} larger",
        world.name(request.mac),
        relayed.unwrap_or(&server.local).pool,
        if relayed.is_some() { "its relay's pool" } else { "server.pool" },
    );
}

/// One line per step that a person waits for.
fn tell(world: &World, request: &Request, asking: Program, verdict: &Verdict) {
    let who = || world.name(request.mac);
    for effect in &verdict.effects {
        if let Effect::Decline(_, address, _) = effect {
            log::warn!("dhcp: {}: somebody else uses {address}; it is left alone", who());
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

/// What asks, for people.
pub(super) fn words(asking: Program) -> String {
    match asking {
        Program::Rom(platform) => format!("{platform:?} firmware"),
        Program::HttpRom(platform) => format!("{platform:?} firmware, HTTP boot"),
        Program::Ipxe(platform) | Program::LesserIpxe(platform) => format!("{platform:?} iPXE"),
        Program::UBoot(_) => "U-Boot".to_owned(),
        Program::RaspberryPi => "Raspberry Pi".to_owned(),
        Program::Other => "operating system".to_owned(),
    }
}
