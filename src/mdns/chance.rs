//! So that many boxes do not speak at once; nothing secret. Pure.

use std::time::Duration;

/// Marsaglia's xorshift.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// The same seed makes the same numbers.
    pub fn new(seed: u64) -> Chance {
        Chance(seed | 1)
    }

    /// Less than `most`.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.0 % most)
    }

    /// At least `least`, and less than `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + self.up_to(most.saturating_sub(least))
    }
}
