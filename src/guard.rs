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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Set for the copy of this test that is to have a fault in it.
    const VICTIM: &str = "PXEBERRY_TEST_VICTIM";

    #[test]
    fn a_fault_in_a_thread_ends_the_process_and_work_that_ends_does_not() {
        if std::env::var_os(VICTIM).is_some() {
            guarded("done", || {});
            let thread = std::thread::spawn(|| guarded("victim", || panic!("a fault")));
            let _ = thread.join();
            // Nobody gets here.
            std::process::exit(0);
        }
        let own = std::env::current_exe().unwrap();
        let name = "guard::tests::a_fault_in_a_thread_ends_the_process_and_work_that_ends_does_not";
        let ran = Command::new(own).args(["--exact", name]).env(VICTIM, "yes").output().unwrap();
        assert_eq!(ran.status.code(), Some(FAULT), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}
