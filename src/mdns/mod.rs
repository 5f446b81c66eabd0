//! Multicast DNS (RFC 6762) and DNS-SD (RFC 6763): the page is found by name,
//! `http://pxeberry.local/`, and as a web server of the LAN.
//!
//! `record` (pure) is what we have to say, `message` (pure) reads and writes packets,
//! `responder` (pure) decides what is said when; `server` has the socket.
//!
//! The messages are those of the crate `domain`. The responder is ours: `mdns-sd` 0.21 keeps
//! what anybody tells it, without a limit (5,000 packets with 100,000 made-up addresses: from
//! 3 to 60 MiB), and listens on every interface, by IPv6 too; `libmdns` and `edge-mdns` take
//! a name without asking whether it is free.
//!
//! What it does not do: IPv6 (this box has none, and says so to whoever asks for such an
//! address), asking others for anything, questions by unicast, and waiting for the rest of a
//! list of known answers that fills several packets.

mod chance;
mod message;
mod record;
pub mod responder;
pub mod server;

use crate::net::listen::MDNS;

/// 5353.
const PORT: u16 = MDNS.port();
