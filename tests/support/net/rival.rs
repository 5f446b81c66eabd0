//! dnsmasq as the other DHCP server of the LAN.

use std::fs;
use std::net::Ipv4Addr;

use super::appliance::Server;
use super::lan::Machine;
use super::tools;

/// Its network card.
pub const RIVAL: &str = "52:54:00:00:00:77";

/// Its address.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 200);

/// What it adds to every address that it gives.
pub const RIVAL_TERMS: &str = "from 10.10.10.200 lease=1.0h router=10.10.10.200";

/// Starts it on a machine of the LAN, as in most routers: it pings an address for three
/// seconds before it offers it (`--no-ping`: it does not).
pub fn dnsmasq(machine: &Machine, more: &[&str]) -> Server {
    dnsmasq_with_range(machine, "--dhcp-range=10.10.10.210,10.10.10.220", more)
}

/// The same with other addresses to give.
pub fn dnsmasq_with_range(machine: &Machine, range: &str, more: &[&str]) -> Server {
    tools::need("dnsmasq");
    machine.use_address(ROUTER);
    fs::write("/run/dnsmasq.conf", "").unwrap();
    let words = [
        "dnsmasq",
        "--no-daemon",
        "--conf-file=/run/dnsmasq.conf",
        "--port=0",
        "--interface=eth0",
        "--dhcp-authoritative",
        "--dhcp-leasefile=/run/dnsmasq.leases",
        range,
    ];
    let words = [&words[..], more].concat();
    let server = Server::spawn(&mut machine.namespace.command(&words));
    server.log.wait_for("IP range");
    server
}
