//! Syslog (RFC 3164, RFC 5424) by UDP: the log of installers, into their machines' timelines.
//!
//! `message` (pure) reads a line, `limit` (pure) says whose line is heard. Nobody but a machine
//! that has an address from us, or is seen on the wire, is.

mod limit;
pub mod message;
pub mod server;
