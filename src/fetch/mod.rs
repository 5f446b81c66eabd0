//! `pxeberry fetch`: a release from its publisher into the stick's layout.
//!
//! Who publishes what and where is data: `publishers/*.toml`.

pub mod newest;
pub mod plan;
pub mod progress;
pub mod publisher;
pub mod url;
