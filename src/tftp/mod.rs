//! TFTP (RFC 1350, 2347, 2348, 2349, 7440): the first programs of a boot.
//!
//! `tree` (pure) makes a clean name of what a ROM asks for; `server` drives async-tftp with
//! limits. Names are looked up in the boot tree, never on the file system.

pub mod server;
pub mod tree;
