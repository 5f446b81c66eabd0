//! The control side: a Unix socket for the panel and for commands on the box itself.
//!
//! tiny_http serves it, and only here: on the LAN one request could end the process. Only
//! root can connect. `api` knows neither: the LAN's side carries the same answers.

mod acts;
pub mod api;
pub mod client;
mod edge;
pub mod images;
pub mod machines;
pub mod metrics;
pub mod server;
pub mod status;
