//! HTTP on the LAN: the client is firmware, so bytes matter.
//!
//! `Content-Length` comes first and in Title-Case, HEAD equals GET, ranges work, nothing is
//! chunked or redirected. `route`, `range` and `condition` are pure; `answer` looks things up; `response`
//! and `body` send them; `story` tells it to the timeline; `server` is the edge with its limits.

mod answer;
mod body;
mod condition;
mod config;
mod guests;
mod page;
mod range;
mod response;
mod route;
pub mod server;
mod story;
mod wire;
