//! The lab: an emulated Raspberry Pi with the finished image, emulated PCs, and the switch
//! between them.
//!
//! Shared by the emulated tests and by `image/demo`. Everything runs in software, without
//! root, on Unix sockets: nothing of it can reach a real network. It builds nothing:
//! `image/build` and `tests/support/pc/build` make what it starts.

pub mod appliance;
pub mod bystander;
pub mod console;
pub mod dhcp;
pub mod failure;
pub mod lan;
pub mod ncm;
pub mod pc;
pub mod pins;
pub mod process;
pub mod qmp;
pub mod rhythm;
pub mod screen;
pub mod stick;
pub mod usb_nic;
pub mod workshop;

pub use appliance::{Appliance, Card};
pub use failure::{Failure, Result};
pub use lan::Lan;
pub use pc::{Nic, Pc, PcParts};
pub use stick::{FileSystem, StickContent};
pub use workshop::Workshop;
