//! TFTP (RFC 1350, 2347, 2348, 2349, 7440): the first programs of a boot.
//!
//! `request` (pure) reads what clients write, `tree` (pure) makes a clean name of what a ROM
//! asks for, `places` (pure) says whose turn it is. `door` keeps port 69; `server` drives
//! async-tftp, which reads a `download`. Names are looked up in the boot tree, never on the
//! file system.

mod door;
mod download;
mod places;
pub mod request;
pub mod server;
pub mod tree;
mod woken;
