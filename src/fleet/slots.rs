//! Places of one size in a file, each for one thing at a time. Pure.

/// A place.
pub type Slot = u32;

/// Which places are taken.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    free: Vec<Slot>,
    /// Those from here on were never taken.
    next: Slot,
}

impl Slots {
    /// A free place; a new one behind all others only when there is none.
    pub fn take(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// A place is free again.
    pub fn give(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    /// How many are taken.
    pub fn used(&self) -> usize {
        usize::try_from(self.next).unwrap_or(usize::MAX) - self.free.len()
    }
}
