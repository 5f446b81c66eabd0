//! What scenarios with real DHCP clients begin with, and the lines that they expect.

use super::appliance::{Appliance, Server};
use super::lan::{Lan, Machine};
use super::transcript::Transcript;

/// The machine that a scenario is about.
pub const CLIENT: &str = "52:54:00:00:00:41";

/// Has an address by hand, which nobody told the server.
const SQUATTER: &str = "52:54:00:00:00:66";

/// What the server adds to every address that it gives.
pub const TERMS: &str = "unicast from 10.10.10.1 lease=12.0h router=10.10.10.1 dns=10.10.10.1";

/// A server with router and name server, and who listens.
pub fn server() -> (Server, Transcript) {
    let transcript = Transcript::begin();
    (appliance().starts(), transcript)
}

/// The same box, not switched on.
pub fn appliance() -> Appliance {
    Appliance::new("server", "server.router = \"10.10.10.1\"\nserver.dns = [\"10.10.10.1\"]")
}

/// The conversation of a client that knows nothing and gets `address`.
pub fn four_steps(address: &str) -> String {
    format!("> DISCOVER broadcast\n{}", three_steps(address))
}

/// Its part from the OFFER on.
pub fn three_steps(address: &str) -> String {
    format!(
        "< OFFER {address} {TERMS}\n\
         > REQUEST broadcast wants={address} server=10.10.10.1\n\
         < ACK {address} {TERMS}\n"
    )
}

/// The conversation in which it keeps `address` for longer.
pub fn renewal(address: &str, way: &str) -> String {
    format!("> REQUEST {way} has={address}\n< ACK {address} {TERMS}\n")
}

/// Somebody gives his machine this address by hand.
pub fn squatter(lan: &Lan, address: &str) -> Machine {
    let squatter = lan.machine(SQUATTER);
    squatter.use_address(address.parse().unwrap());
    squatter
}

/// Nothing that the machine sends to the server alone arrives any more; broadcasts do.
pub fn cannot_reach_the_server(machine: &Machine) {
    let policy = ["xfrm", "policy", "add", "dst", "10.10.10.1/32", "dir", "out"];
    machine.run("ip", &[&policy[..], &["action", "block"]].concat()).good();
}

/// The box moves to another network: 192.168.7.0/24.
pub fn server_of_another_network() -> Server {
    super::tools::run("ip", &["address", "add", "192.168.7.1/24", "dev", "srv0"]);
    let other = Appliance::new(
        "server",
        "server.address = \"192.168.7.1/24\"\n\
         server.pool = \"192.168.7.100-192.168.7.100\"",
    );
    other.starts()
}

/// And here the machine comes home, with the address of the other network in its memory.
pub fn moves_here(other: Server) -> Server {
    other.dies();
    super::tools::run("ip", &["address", "del", "192.168.7.1/24", "dev", "srv0"]);
    let here = appliance();
    std::fs::remove_dir_all(here.state()).unwrap();
    here.starts()
}

/// What a machine says that asks for its address of the other network, and what it is told.
pub const REFUSED: &str =
    "> REQUEST broadcast wants=192.168.7.100\n< NAK broadcast from 10.10.10.1\n";
