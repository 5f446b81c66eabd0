//! The vocabulary of the network: hardware addresses, subnets, pools, interfaces.
//!
//! `mac` and `subnet` are pure; the others ask the kernel.

pub mod arp;
pub mod iface;
pub mod link;
pub mod listen;
mod mac;
pub mod neighbours;
pub mod packet;
mod subnet;
pub mod wake;

pub use mac::{Mac, ParseMacError};
pub use subnet::{Pool, Subnet, SubnetError};
