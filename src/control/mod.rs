//! The control side: a Unix socket for the panel and for commands on the box itself.
//!
//! tiny_http serves it, and only here: on the LAN one request could end the process. Only
//! root can connect.

pub mod client;
pub mod metrics;
pub mod server;
pub mod status;
