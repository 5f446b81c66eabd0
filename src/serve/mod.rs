//! The servers: DHCP, TFTP and HTTP over one inventory and one fleet.

use std::process::ExitCode;

use crate::config::Config;

/// Serves until SIGTERM.
pub fn run(_config: Config) -> ExitCode {
    ExitCode::FAILURE
}
