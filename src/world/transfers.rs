//! How many files are on their way, for limits and for the LEDs; how far each is; and when a
//! machine has been handed all of one, in whatever parts.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::locked;
use super::taken::Taken;

/// What is told when the last byte of a file was handed over.
pub type WhenSent = Box<dyn FnOnce() + Send>;

/// A counter of running transfers.
#[derive(Debug, Clone, Default)]
pub struct Transfers(Arc<Counted>);

/// A running transfer; it is over when it is dropped.
#[derive(Debug)]
pub struct Transfer {
    of: Transfers,
    parcel: Option<Arc<Parcel>>,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Its path on the stick.
    pub file: String,
    /// Bytes that were handed over.
    pub sent: u64,
    /// Bytes in all.
    pub size: u64,
}

#[derive(Debug, Default)]
struct Counted {
    running: AtomicUsize,
    parcels: Mutex<Vec<Arc<Parcel>>>,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Parcel {
    to: Ipv4Addr,
    file: String,
    first: u64,
    size: u64,
    /// Up to here.
    sent: AtomicU64,
}

impl Transfers {
    /// How many are running.
    pub fn count(&self) -> usize {
        self.0.running.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn begin(&self) -> Transfer {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        Transfer { of: self.clone(), parcel: None }
    }

    /// One more, which is shown with the machine at `to`. A part of a file begins at `first`.
    pub fn begin_file(&self, to: Ipv4Addr, file: &str, first: u64, size: u64) -> Transfer {
        let sent = AtomicU64::new(first);
        let parcel = Arc::new(Parcel { to, file: file.to_owned(), first, size, sent });
        locked(&self.0.parcels).push(Arc::clone(&parcel));
        let mut transfer = self.begin();
        transfer.parcel = Some(parcel);
        transfer
    }

    /// One more, unless `most` are running.
    pub fn begin_within(&self, most: usize) -> Option<Transfer> {
        let before = self.0.running.fetch_add(1, Ordering::Relaxed);
        // Dropping it gives the place back, also when it was one too many.
        let transfer = Transfer { of: self.clone(), parcel: None };
        (before < most).then_some(transfer)
    }

    /// For a part of a file that is `size` bytes long: what is to be told when the machine at
    /// `to` has been handed all of it, in this part and in those before it.
    pub fn once_whole(
        &self,
        to: Ipv4Addr,
        file: &str,
        part: Range<u64>,
        size: u64,
        tell: WhenSent,
    ) -> WhenSent {
        locked(&self.0.taken).begins(to, file, &part, size);
        let (all, file) = (self.clone(), file.to_owned());
        Box::new(move || {
            if all.is_whole(to, &file, part, size) {
                tell();
            }
        })
    }

    /// With a part that is out now.
    fn is_whole(&self, to: Ipv4Addr, file: &str, part: Range<u64>, size: u64) -> bool {
        // A connection whose other end is gone may take minutes to end; the rest is asked for on
        // another one.
        let parcels = locked(&self.0.parcels);
        let others = parcels.iter().filter(|parcel| parcel.to == to && parcel.file == file);
        let parts = others.map(|parcel| parcel.handed_over()).chain([part.clone()]);
        let mut taken = locked(&self.0.taken);
        let is_all = taken.is_all(to, file, parts, size);
        match is_all {
            true => taken.ends(to, file),
            // Of two that end at once, the later one sees the other: it is counted after this.
            false => taken.took(to, file, part),
        }
        is_all
    }

    /// What is on its way now, and to whom; what began last is last.
    pub fn under_way(&self) -> Vec<(Ipv4Addr, Progress)> {
        let parcels = locked(&self.0.parcels);
        let progress = |parcel: &Arc<Parcel>| {
            let sent = parcel.sent.load(Ordering::Relaxed);
            (parcel.to, Progress { file: parcel.file.clone(), sent, size: parcel.size })
        };
        parcels.iter().map(progress).collect()
    }
}

impl Transfer {
    /// So many bytes more were handed over.
    pub fn sent(&self, bytes: u64) {
        if let Some(parcel) = &self.parcel {
            parcel.sent.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Parcel {
    fn handed_over(&self) -> Range<u64> {
        self.first..self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.of.0.running.fetch_sub(1, Ordering::Relaxed);
        if let Some(parcel) = &self.parcel {
            let mut parcels = locked(&self.of.0.parcels);
            locked(&self.of.0.taken).took(parcel.to, &parcel.file, parcel.handed_over());
            parcels.retain(|other| !Arc::ptr_eq(other, parcel));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);

    #[test]
    fn a_place_is_free_again_when_its_transfer_ends() {
        let transfers = Transfers::default();
        let first = transfers.begin_within(1);
        assert!(first.is_some());
        assert!(transfers.begin_within(1).is_none());
        assert_eq!(transfers.count(), 1, "the refused one took no place");
        drop(first);
        assert!(transfers.begin_within(1).is_some());
    }

    #[test]
    fn a_file_is_shown_with_its_progress_until_it_ends() {
        let transfers = Transfers::default();
        let file = transfers.begin_file(NODE, "linux", 10, 100);
        file.sent(20);
        assert_eq!(transfers.count(), 1);
        let progress = Progress { file: "linux".to_owned(), sent: 30, size: 100 };
        assert_eq!(transfers.under_way(), [(NODE, progress)]);
        drop(file);
        assert!(transfers.under_way().is_empty() && transfers.count() == 0);
    }

    /// Whether it is told when bytes 60 to 100 are out.
    fn is_told_with_the_end(transfers: &Transfers) -> bool {
        let told = Arc::new(AtomicUsize::new(0));
        let tells = Arc::clone(&told);
        let tell = Box::new(move || {
            tells.fetch_add(1, Ordering::Relaxed);
        });
        transfers.once_whole(NODE, "disk.img", 60..100, 100, tell)();
        told.load(Ordering::Relaxed) == 1
    }

    #[test]
    fn a_file_is_whole_when_its_rest_is_taken_after_it_broke_off() {
        let transfers = Transfers::default();
        assert!(!is_told_with_the_end(&transfers));
        let broken = transfers.begin_file(NODE, "disk.img", 0, 100);
        let _tell = transfers.once_whole(NODE, "disk.img", 0..100, 100, Box::new(|| ()));
        broken.sent(60);
        assert!(is_told_with_the_end(&transfers), "its connection has not ended yet");
        drop(broken);
        assert!(!is_told_with_the_end(&transfers), "that was told");
    }

    #[test]
    fn what_was_handed_over_before_a_connection_ended_counts() {
        let transfers = Transfers::default();
        let broken = transfers.begin_file(NODE, "disk.img", 0, 100);
        let _tell = transfers.once_whole(NODE, "disk.img", 0..100, 100, Box::new(|| ()));
        broken.sent(60);
        drop(broken);
        assert!(is_told_with_the_end(&transfers));
    }

    #[test]
    fn who_takes_all_of_it_in_one_part_has_it_however_many_others_begin_meanwhile() {
        let transfers = Transfers::default();
        let told = Arc::new(AtomicUsize::new(0));
        let tells = Arc::clone(&told);
        let tell = Box::new(move || tells.store(1, Ordering::Relaxed));
        let tell = transfers.once_whole(NODE, "disk.img", 0..100, 100, tell);
        for other in 0..10_000_u32 {
            let other = Ipv4Addr::from(other);
            let _ = transfers.once_whole(other, "disk.img", 0..1, 100, Box::new(|| ()));
        }
        tell();
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn of_two_parts_that_end_at_once_the_later_one_tells() {
        let transfers = Transfers::default();
        let begun = [0, 60].map(|first| transfers.begin_file(NODE, "disk.img", first, 100));
        // Out, but not counted yet.
        transfers.once_whole(NODE, "disk.img", 0..60, 100, Box::new(|| unreachable!()))();
        assert!(is_told_with_the_end(&transfers));
        drop(begun);
    }
}
