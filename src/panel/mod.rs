//! LEDs and button.

use std::process::ExitCode;

use crate::config::Config;

/// Runs the panel until SIGTERM.
pub fn run(_config: &Config) -> ExitCode {
    ExitCode::FAILURE
}
