//! HTTP on the LAN: the client is firmware, so bytes matter.
//!
//! `Content-Length` comes first and in Title-Case, HEAD equals GET, ranges work, nothing is
//! chunked or redirected. `route`, `range` and `condition` are pure; `answer` looks things up; `response`,
//! `body`, `sending` and `wire` send them; `story` tells it to the timeline; `server` is the edge with its limits.

pub mod admin;
mod answer;
mod body;
pub mod condition;
mod config;
mod guests;
mod page;
pub mod people;
pub mod range;
mod report;
mod response;
pub mod route;
mod sending;
pub mod server;
pub mod socket;
mod story;
mod webhook;
mod wire;
