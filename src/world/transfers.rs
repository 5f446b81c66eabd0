//! How many files are on their way, for limits and for the LEDs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A counter of running transfers.
#[derive(Debug, Clone, Default)]
pub struct Transfers(Arc<AtomicUsize>);

/// A running transfer; it is over when it is dropped.
#[derive(Debug)]
pub struct Transfer(Transfers);

impl Transfers {
    /// How many are running.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn begin(&self) -> Transfer {
        self.0.fetch_add(1, Ordering::Relaxed);
        Transfer(self.clone())
    }

    /// One more, unless `most` are running.
    pub fn begin_within(&self, most: usize) -> Option<Transfer> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        // Dropping it gives the place back, also when it was one too many.
        let transfer = Transfer(self.clone());
        (before < most).then_some(transfer)
    }
}

impl Transfer {
    /// How many are running, this one included.
    pub fn running(&self) -> usize {
        self.0.count()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
