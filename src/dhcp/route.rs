//! Where a reply goes (RFC 2131 §4.1, §4.3.2). Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::wire::{Kind, Reply, Request};
use super::{CLIENT_PORT, SERVER_PORT};
use crate::net::{Mac, Subnet};

/// The way of one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To a relay, or to a client that already has its address.
    Unicast(SocketAddrV4),
    /// To everybody on the interface.
    Broadcast,
    /// To this hardware address, which need not answer ARP for the address.
    Hardware(Mac, Ipv4Addr),
}

/// The route of `reply`, which answers `request`; `own`: the network of our own interface.
pub fn route(request: &Request, reply: &Reply, own: Subnet) -> Route {
    if !request.giaddr.is_unspecified() {
        return Route::Unicast(SocketAddrV4::new(request.giaddr, SERVER_PORT));
    }
    if reply.kind == Kind::Nak {
        return Route::Broadcast;
    }
    // Only to the address that the client has from us, or says it has on our network
    // (INFORM): else anybody could have us send to anybody.
    if !request.ciaddr.is_unspecified() && [reply.yiaddr, reply.ciaddr].contains(&request.ciaddr) {
        // Whom nobody answers for would block the way for all others while the kernel asks.
        return match own.contains(request.ciaddr) {
            true => Route::Hardware(request.mac, request.ciaddr),
            false => Route::Unicast(SocketAddrV4::new(request.ciaddr, CLIENT_PORT)),
        };
    }
    if request.wants_broadcast() || reply.yiaddr.is_unspecified() {
        return Route::Broadcast;
    }
    Route::Hardware(request.mac, reply.yiaddr)
}
