//! Randomness that replays, and how much of it a run affords.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

/// SplitMix64: a counter, and a mix of its bits. Every seed gives a good sequence.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The sequence of one case of many: it does not depend on the cases before.
    pub fn of_case(seed: u64, number: u64) -> Random {
        let mut random = Random(seed ^ number.rotate_left(32));
        Random(random.next())
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// This many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// One of them.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Where the sequences begin: always at the same place, unless a person wants others.
pub fn seed() -> u64 {
    std::env::var("PXEBERRY_SEED").map_or(1, |seed| seed.parse().expect("PXEBERRY_SEED"))
}

/// How often to try: `usual` with every change, `thorough` in `tests/run --all`.
pub fn rounds(usual: u64, thorough: u64) -> u64 {
    if std::env::var_os("PXEBERRY_THOROUGH").is_some() { thorough } else { usual }
}
