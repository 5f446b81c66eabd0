//! What DHCP tells a machine's timeline: what it asked with, and what it was answered.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::decide::{Effect, Verdict};
use super::route::Route;
use super::wire::{Kind, Reply, Request};
use super::{CLIENT_PORT, SERVER_PORT};
use crate::boot::arch::Program;
use crate::fleet::stage::{Sign, Stage};
use crate::fleet::timeline::{Source, Weight};
use crate::net::Mac;
use crate::world::World;

/// What a request leads to where we give the addresses.
pub fn tell(world: &World, request: &Request, asking: Program, verdict: &Verdict) {
    let mac = request.mac;
    for effect in &verdict.effects {
        match effect {
            Effect::Decline(_, address, _) => {
                note(world, mac, Weight::Warning, &declined(*address));
            }
            Effect::Release(_) => note(world, mac, Weight::Info, "gives its address back"),
            Effect::PoolIsFull(_) => note(world, mac, Weight::Error, "no address is left for it"),
            _ => {}
        }
    }
    let Some((reply, _)) = &verdict.reply else { return };
    let is_firmware = super::answer::is_firmware(asking);
    let address = reply.yiaddr;
    match reply.kind {
        Kind::Offer if is_firmware => {
            let words = format!("{}: is offered {address}{}", asks(request, asking), loads(reply));
            note(world, mac, Weight::Info, &words);
            if world.knows(mac) {
                world.saw(mac, &Sign::Offered);
            }
        }
        Kind::Ack if is_firmware => {
            note(world, mac, Weight::Info, &format!("has taken {address}{}", loads(reply)));
            world.saw(mac, &Sign::Reaches(Stage::Address));
        }
        Kind::Ack if !address.is_unspecified() => {
            note(world, mac, Weight::Info, &format!("its system has {address}"));
            world.saw(mac, &Sign::SystemAsks);
        }
        Kind::Nak => {
            let wanted = request.requested.unwrap_or(request.ciaddr);
            let words = format!("asked for {wanted}, which is not its own, and was refused (NAK)");
            note(world, mac, Weight::Warning, &words);
        }
        _ => {}
    }
}

/// A machine takes what another DHCP server offers.
pub fn chose(world: &World, request: &Request, asking: Program, server: Ipv4Addr) {
    let words = format!("takes the address that another DHCP server offers: {server}");
    note(world, request.mac, Weight::Warning, &words);
    if super::answer::is_firmware(asking) && world.knows(request.mac) {
        world.saw(request.mac, &Sign::ChoseServer(server));
    }
}

/// The same beside another server, which gives the addresses. `file`: none where the machine
/// is asked to come to port 4011 for it.
pub fn offered_beside(world: &World, request: &Request, asking: Program, file: Option<&str>) {
    if request.kind != Kind::Discover {
        return;
    }
    let what = match file {
        Some(file) => format!("is offered {file}; another server gives the address"),
        None => "may ask on port 4011; another server gives the address".to_owned(),
    };
    note(world, request.mac, Weight::Info, &format!("{}: {what}", asks(request, asking)));
}

/// A machine asked on port 4011.
pub fn asked_at_proxy_port(world: &World, mac: Mac, file: &str) {
    note(world, mac, Weight::Info, &format!("asks on port 4011: is told to load {file}"));
}

/// Between which ends a request came. A socket does not tell whom a packet was for: whoever
/// has no address asks everybody.
pub fn ends_in(world: &World, from: SocketAddrV4, port: u16) -> [(Ipv4Addr, u16); 2] {
    let to = match from.ip().is_unspecified() {
        true => Ipv4Addr::BROADCAST,
        false => world.own_subnet().address(),
    };
    [(*from.ip(), from.port()), (to, port)]
}

/// Between which ends an answer goes.
pub fn ends_out(world: &World, route: Route) -> [(Ipv4Addr, u16); 2] {
    let to = match route {
        Route::Unicast(to) => (*to.ip(), to.port()),
        Route::Broadcast => (Ipv4Addr::BROADCAST, CLIENT_PORT),
        Route::Hardware(_, address) => (address, CLIENT_PORT),
    };
    [(world.own_subnet().address(), SERVER_PORT), to]
}

fn note(world: &World, mac: Mac, weight: Weight, words: &str) {
    world.happened_to_known(mac, Source::Dhcp, weight, words);
}

fn declined(address: Ipv4Addr) -> String {
    format!("found somebody else at {address} and does not take it (DECLINE)")
}

/// With the client's own words: vendor class, and the architecture that it names.
fn asks(request: &Request, asking: Program) -> String {
    /// `PXEClient:Arch:00007:UNDI:003016`; what is longer is nobody's.
    const LONGEST_CLASS: usize = 40;
    let class = String::from_utf8_lossy(&request.vendor_class);
    let class: String = class.chars().take(LONGEST_CLASS).collect();
    let arch = request.arch.map(|arch| format!(", architecture {arch}")).unwrap_or_default();
    let what = super::answer::words(asking);
    format!("asks for a network boot ({what}, {class}{arch})")
}

fn loads(reply: &Reply) -> String {
    match reply.file.as_str() {
        "" => String::new(),
        file => format!(", to load {file}"),
    }
}
