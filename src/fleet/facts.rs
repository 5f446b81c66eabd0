//! What a machine's firmware and loader said of it. Pure.

use serde::{Deserialize, Serialize};

/// What is known of a machine; each part is what the machine itself said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `BIOS`, `UEFI`
    pub firmware: Option<String>,
    /// `x86_64`, `arm64`
    pub arch: Option<String>,
    /// Whether Secure Boot is on.
    pub secure_boot: Option<bool>,
    /// Its memory.
    pub memory_mib: Option<u64>,
    /// Its network card.
    pub nic: Option<String>,
    /// The network loader that it runs.
    pub loader: Option<String>,
}
