//! Code that ran once: given back, so that a program of many roles weighs no more in this one
//! than what it does.
//!
//! The kernel maps sixteen pages around each one that is touched, and the program's functions
//! and constants lie all over its eight megabytes. What is still needed comes back by itself.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;
use std::time::Duration;

/// After its start, and then now and then: what ran meanwhile is not needed any more, either.
pub const FORGET_EVERY: Duration = Duration::from_secs(20);

/// No page of Linux on 64-bit ARM is larger.
const LARGEST_PAGE: usize = 64 * 1024;

/// Gives the program's code and constants back to the page cache.
pub fn forget() {
    // SAFETY: the function has the type that is asked for, and no data is handed to it.
    unsafe { libc::dl_iterate_phdr(Some(forget_object), ptr::null_mut()) };
}

/// The first object is the program itself; none behind it is looked at.
unsafe extern "C" fn forget_object(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut c_void,
) -> c_int {
    const THE_FIRST_IS_ENOUGH: c_int = 1;
    // SAFETY: valid while this runs, and nobody writes to it (dl_iterate_phdr(3)).
    let (headers, base) = unsafe {
        let info = &*info;
        let count = usize::from(info.dlpi_phnum);
        (slice::from_raw_parts(info.dlpi_phdr, count), info.dlpi_addr)
    };
    let is_constant = |header: &&libc::Elf64_Phdr| {
        header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0
    };
    for header in headers.iter().filter(is_constant) {
        let begin = usize::try_from(base + header.p_vaddr).unwrap_or_default();
        let end = begin.saturating_add(usize::try_from(header.p_memsz).unwrap_or_default());
        give_back(begin.next_multiple_of(LARGEST_PAGE), end / LARGEST_PAGE * LARGEST_PAGE);
    }
    THE_FIRST_IS_ENOUGH
}

/// `begin` and `end` are within a segment of the program that nobody can write to.
fn give_back(begin: usize, end: usize) {
    let Some(length) = end.checked_sub(begin) else { return };
    // SAFETY: the range is mapped from the program's file, read-only: nobody has changed it, and
    // a page that is given back is read again from there when it is touched (madvise(2),
    // MADV_DONTNEED). A failure changes nothing.
    unsafe { libc::madvise(ptr::without_provenance_mut(begin), length, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_forgotten_runs_on() {
        for _ in 0..3 {
            super::forget();
            assert_eq!("still here".to_uppercase(), "STILL HERE");
            let thread = std::thread::spawn(|| format!("{:?}", std::time::Duration::from_secs(1)));
            assert_eq!(thread.join().unwrap(), "1s");
        }
    }
}
