//! PID 1 of the appliance.

use std::process::ExitCode;

/// Runs the appliance; returns only when the machine is going down.
pub fn run() -> ExitCode {
    ExitCode::FAILURE
}
