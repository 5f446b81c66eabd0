//! pxeberry: a Raspberry Pi that network-installs a room of machines.
//!
//! One binary, four roles: PID 1 ([`init`]), the servers ([`serve`]), the LEDs with the button
//! ([`panel`]) and a prompt on each console ([`prompt`]). Dependencies point one way: servers → domain → [`net`], [`config`].

pub mod boot;
pub mod cli;
pub mod config;
pub mod confine;
pub mod control;
pub mod dhcp;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod fleet;
pub mod guard;
pub mod heartbeat;
pub mod http;
pub mod init;
pub mod inventory;
pub mod logging;
pub mod mdns;
pub mod net;
pub mod panel;
pub mod prompt;
pub mod report;
pub mod serve;
pub mod syslog;
pub mod tftp;
pub mod verify;
pub mod world;
