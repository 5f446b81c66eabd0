//! The vocabulary of the network: hardware addresses, subnets, pools, interfaces.
//!
//! `mac` and `subnet` are pure; `iface` asks the kernel.

pub mod iface;
mod mac;
mod subnet;

pub use mac::{Mac, ParseMacError};
pub use subnet::{Pool, Subnet, SubnetError};
