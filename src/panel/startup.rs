//! Code that ran once: given back, so that a program of many roles weighs no more in this one
//! than what it does.
//!
//! The kernel maps sixteen pages around each one that is touched, and the program's functions
//! lie all over its seven megabytes. What is still needed comes back by itself.

use std::time::Duration;

/// After its start, and then now and then: what ran meanwhile is not needed any more, either.
pub const FORGET_EVERY: Duration = Duration::from_secs(20);

/// No page of Linux on 64-bit ARM is larger.
const LARGEST_PAGE: usize = 64 * 1024;

/// Gives the program's code back to the page cache.
pub fn forget() {
    unsafe extern "C" {
        // By the linker: where the program begins, and where its code ends.
        static __executable_start: u8;
        static etext: u8;
    }
    let start = (&raw const __executable_start).addr().next_multiple_of(LARGEST_PAGE);
    let end = (&raw const etext).addr() / LARGEST_PAGE * LARGEST_PAGE;
    let Some(length) = end.checked_sub(start) else { return };
    // SAFETY: the range is within the program's own code, which is mapped from its file,
    // read-only: nobody has changed it, and a page that is given back is read again from
    // there when it is touched (madvise(2), MADV_DONTNEED). A failure changes nothing.
    unsafe { libc::madvise(std::ptr::without_provenance_mut(start), length, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_forgotten_runs_on() {
        for _ in 0..3 {
            super::forget();
            assert_eq!("still here".to_uppercase(), "STILL HERE");
        }
    }
}
