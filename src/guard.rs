//! Threads that must not end: half a server looks like a whole one.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Exit code of a server that found a fault in itself (EX_SOFTWARE of sysexits.h).
const FAULT: i32 = 70;

/// Does the work of a thread for as long as the process runs. A panic in it ends the process;
/// PID 1 keeps the sockets and starts it anew. The panic itself is a line of the log already.
pub fn guarded(name: &str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        log::error!("{name}: stopped by a fault in this program; all servers start anew");
        std::process::exit(FAULT);
    }
}
