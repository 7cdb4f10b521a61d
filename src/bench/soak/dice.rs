//! A small random generator, so that a failed run can be repeated as far as timing allows: each actor has its own,
//! derived from the run's seed.

/// A random generator. The same seed gives the same numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The generator for one actor.
    pub(crate) fn new(seed: u64, actor: &str) -> Self {
        let seed = xxhash_rust::xxh3::xxh3_64_with_seed(actor.as_bytes(), seed);
        // From zero, only zeros would follow.
        Self(seed | 1)
    }

    /// A number below `end`, which must not be 0 (xorshift64).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % end.max(1)
    }

    /// `true` with this probability in percent.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A duration from `least` to `most` milliseconds.
    pub(crate) fn pause(&mut self, least: u64, most: u64) -> std::time::Duration {
        std::time::Duration::from_millis(least + self.below(most.saturating_sub(least) + 1))
    }
}
