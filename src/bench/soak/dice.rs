//! A small generator, so that a run that failed can be made again as far as time allows: each actor has dice of its own,
//! made of the run's seed.

/// Dice. The same seed gives the same throws.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one actor.
    pub fn new(seed: u64, actor: &str) -> Self {
        let seed = xxhash_rust::xxh3::xxh3_64_with_seed(actor.as_bytes(), seed);
        // Zero would be thrown for ever.
        Self(seed | 1)
    }

    /// A number below `end`, which is not 0 (xorshift64).
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % end.max(1)
    }

    /// True in so many of a hundred throws.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A time from `least` to `most` milliseconds.
    pub fn pause(&mut self, least: u64, most: u64) -> std::time::Duration {
        std::time::Duration::from_millis(least + self.below(most.saturating_sub(least) + 1))
    }
}
