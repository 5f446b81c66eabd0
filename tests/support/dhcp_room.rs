//! The server without its sockets: each packet goes the way that it goes in the product,
//! and what is to be remembered is remembered in one table. Pure, like the code it calls.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::net::Ipv4Addr;

use pxeberry::boot::Endpoint;
use pxeberry::boot::arch::program;
use pxeberry::boot::loader::Driver;
use pxeberry::boot::plan::boot_reply;
use pxeberry::config::{self, Config};
use pxeberry::dhcp::Seconds;
use pxeberry::dhcp::decide::{Context, Verdict, decide};
use pxeberry::dhcp::lease::Leases;
use pxeberry::dhcp::proxy::{self, Door};
use pxeberry::dhcp::reply::BootReply;
use pxeberry::dhcp::shape::Shape;
use pxeberry::dhcp::site::Reservations;
use pxeberry::dhcp::wire::{Reply, Request};
use pxeberry::net::Mac;

/// Two machines have addresses by the stick: one in the pool, one below it.
pub struct Stick;

impl Stick {
    fn rows() -> [(Mac, Ipv4Addr); 2] {
        [(0x41, 120), (0x42, 20)].map(|(mac, address)| {
            let mac = Mac::new([0x52, 0x54, 0, 0, 0, mac]).unwrap();
            (mac, Ipv4Addr::new(10, 10, 10, address))
        })
    }
}

impl Reservations for Stick {
    fn reserved_for(&self, mac: Mac) -> Option<Ipv4Addr> {
        Stick::rows().iter().find(|row| row.0 == mac).map(|row| row.1)
    }
    fn holder_of(&self, address: Ipv4Addr) -> Option<Mac> {
        Stick::rows().iter().find(|row| row.1 == address).map(|row| row.0)
    }
    fn names(&self, mac: Mac) -> bool {
        self.reserved_for(mac).is_some()
    }
}

/// A server and its lease table.
pub struct Room {
    pub config: Config,
    pub leases: Leases,
    pub now: Seconds,
}

impl Room {
    /// With the default settings, a router and a name server.
    pub fn new() -> Room {
        let text = "server.router = \"10.10.10.254\"\nserver.dns = [\"10.10.10.1\"]";
        let config = config::parse(text).unwrap();
        Room { config, leases: Leases::new(), now: 1_700_000_000 }
    }

    /// The server's own address.
    pub fn own(&self) -> Ipv4Addr {
        self.config.server.address()
    }

    /// What the DHCP server answers; it remembers what it must. Nobody is found at an address
    /// that is looked for.
    pub fn as_server(&mut self, request: &Request) -> Option<Reply> {
        let mut verdict = self.decides(request);
        if verdict.probe.is_some() {
            verdict = self.decides(request);
        }
        verdict.reply.map(|(reply, _)| reply)
    }

    /// The decision, with its effects done.
    pub fn decides(&mut self, request: &Request) -> Verdict {
        let boot = self.boot(request);
        let context = Context {
            server: &self.config.server,
            leases: &self.leases,
            reservations: &Stick,
            boot: &boot,
            now: self.now,
        };
        let verdict = decide(request, &context);
        for effect in &verdict.effects {
            effect.apply(&mut self.leases, self.now);
        }
        verdict
    }

    /// What the box answers beside another server, to a request that came from `door`.
    pub fn as_proxy(&self, request: &Request, door: Door, shape: Shape) -> Option<Reply> {
        let own = self.config.server.local.subnet;
        proxy::answer(request, door, &self.boot(request), shape, own).map(|(reply, _)| reply)
    }

    fn boot(&self, request: &Request) -> BootReply {
        let endpoint = Endpoint { address: self.own(), port: 8080, syslog: true };
        boot_reply(
            request.mac,
            program(request),
            None,
            &self.config.boot,
            endpoint,
            Driver::default(),
        )
    }
}
