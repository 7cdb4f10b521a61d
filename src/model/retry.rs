//! When to try a deferred delivery again, and when to give up: the retry table (RFC 5321 §4.5.4.1).

use chrono::Duration;

use crate::base::clock::Timestamp;

/// The table: waits begin short and grow, so that a greylisting relay is met soon and a broken one seldom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryTable {
    /// The wait after the first refusal: 10 minutes.
    pub first: Duration,
    /// Each later wait is so many times the one before: 2.
    pub factor: f64,
    /// No wait is longer: 4 hours.
    pub longest: Duration,
    /// Each wait is longer or shorter by up to this part of it: 0.5, which makes 5 to 15 minutes of the first. So
    /// deliveries that were refused together do not come back together.
    pub jitter: f64,
    /// So long after the first attempt a delivery counts as failed: 4 days. One last attempt is made just then.
    pub give_up_after: Duration,
}

impl Default for RetryTable {
    fn default() -> Self {
        Self {
            first: Duration::minutes(10),
            factor: 2.0,
            longest: Duration::hours(4),
            jitter: 0.5,
            give_up_after: Duration::days(4),
        }
    }
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// Try again, not before this instant.
    At(Timestamp),
    /// The time is over: the delivery failed.
    GiveUp,
}

impl RetryTable {
    /// When to try again after the `attempts`-th attempt (from 1) ended at `now`, the first having been made at
    /// `first`. The same `seed` and `attempts` give the same jitter: nothing is left to chance, also over restarts.
    pub fn next_attempt(&self, first: Timestamp, now: Timestamp, attempts: u32, seed: u64) -> NextAttempt {
        let last = first + self.give_up_after;
        if now >= last {
            return NextAttempt::GiveUp;
        }
        NextAttempt::At((now + self.wait(attempts, seed)).min(last))
    }

    fn wait(&self, attempts: u32, seed: u64) -> Duration {
        let longest = self.longest.num_milliseconds() as f64;
        let grown = self.first.num_milliseconds() as f64 * self.factor.powi(attempts.saturating_sub(1).min(64) as i32);
        let jitter = 1.0 + self.jitter * (2.0 * fraction(seed, attempts) - 1.0);
        // No number becomes negative or endless here: a table with odd values still gives a wait of a second or more.
        Duration::milliseconds((grown.min(longest) * jitter).clamp(1000.0, longest.max(1000.0)) as i64)
    }
}

/// A number from 0 to 1 that looks like chance: the finish of SplitMix64.
fn fraction(seed: u64, attempts: u32) -> f64 {
    let mut mixed = seed.wrapping_add((u64::from(attempts) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap() + Duration::minutes(minutes)
    }

    fn wait(table: &RetryTable, attempts: u32, seed: u64) -> Duration {
        match table.next_attempt(at(0), at(0), attempts, seed) {
            NextAttempt::At(next) => next - at(0),
            NextAttempt::GiveUp => panic!("gave up at once"),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let table = RetryTable { jitter: 0.0, ..RetryTable::default() };
        let waits: Vec<i64> = (1..=8).map(|attempts| wait(&table, attempts, 7).num_minutes()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 240, 240, 240]);
        assert_eq!(wait(&table, u32::MAX, 7), Duration::hours(4));
    }

    #[test]
    fn the_first_wait_lies_between_5_and_15_minutes_and_is_the_same_each_time() {
        let table = RetryTable::default();
        let waits: Vec<Duration> = (0..1000).map(|seed| wait(&table, 1, seed)).collect();
        assert!(waits.iter().all(|w| (Duration::minutes(5)..=Duration::minutes(15)).contains(w)));
        assert!(waits.iter().any(|w| *w < Duration::minutes(6)) && waits.iter().any(|w| *w > Duration::minutes(14)));
        assert_eq!(waits[17], wait(&table, 1, 17));
        assert_ne!(wait(&table, 1, 17), wait(&table, 2, 17) / 2);
        assert!((0..1000).all(|seed| wait(&table, 30, seed) <= Duration::hours(4)));
    }

    #[test]
    fn gives_up_after_four_days_with_one_last_attempt() {
        let table = RetryTable::default();
        let last = at(0) + Duration::days(4);
        assert_eq!(table.next_attempt(at(0), last - Duration::minutes(1), 40, 1), NextAttempt::At(last));
        assert_eq!(table.next_attempt(at(0), last, 41, 1), NextAttempt::GiveUp);
        let (mut now, mut attempts) = (at(0), 1);
        while let NextAttempt::At(next) = table.next_attempt(at(0), now, attempts, 3) {
            assert!(next > now);
            (now, attempts) = (next, attempts + 1);
        }
        assert!((20..60).contains(&attempts), "{attempts} attempts in four days");
    }
}
