//! When a deferred delivery is retried, and when it is given up: the retry table (RFC 5321 §4.5.4.1).

use chrono::Duration;

use crate::base::clock::Timestamp;

/// The retry table: waits are short at first and grow, so that a greylisting relay is retried soon and a broken one
/// rarely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryTable {
    /// Wait after the first refusal: 10 minutes.
    pub first: Duration,
    /// Factor from each wait to the next: 2.
    pub factor: f64,
    /// Maximum wait: 4 hours.
    pub longest: Duration,
    /// Random part of each wait, as a share of it in both directions: 0.5, which makes the first wait 5 to 15
    /// minutes. So deliveries that were refused together are not retried together.
    pub jitter: f64,
    /// Time from the first attempt after which a delivery fails: 4 days. One last attempt is made at that time. Time
    /// alone does not fail it: see [`RetryTable::least_attempts`].
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

/// Minimum wait, whatever the table says.
const SHORTEST: Duration = Duration::seconds(1);
/// Maximum number of attempts required before giving up, for a table with very short waits.
const MOST_ATTEMPTS: u32 = 100;

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextAttempt {
    /// Try again, not before this instant.
    At(Timestamp),
    /// Give up: the delivery failed.
    GiveUp,
}

impl RetryTable {
    /// When to retry after the `attempts`-th attempt (from 1) ended at `now`, the first having been made at `first`.
    /// The same `seed` and `attempts` give the same jitter, also over restarts.
    ///
    /// A clock that was set forward makes everything look old, and one that was wrong at the first attempt puts
    /// `first` in the future. So giving up requires both the time and the number of attempts that the table makes in
    /// that time; and where `first` is impossible, the attempts alone.
    pub(crate) fn next_attempt(&self, first: Timestamp, now: Timestamp, attempts: u32, seed: u64) -> NextAttempt {
        let age = now - first;
        if self.is_over(first, now, attempts) {
            return NextAttempt::GiveUp;
        }
        let next = now + self.wait(attempts, seed);
        // The last attempt is made exactly at the end, if that is still in the future.
        let last = first.checked_add_signed(self.give_up_after).filter(|last| *last > now && age >= Duration::zero());
        NextAttempt::At(last.map_or(next, |last| next.min(last)))
    }

    /// Whether a delivery is given up at `now` after `attempts` attempts, the first of them at `first`.
    pub(crate) fn is_over(&self, first: Timestamp, now: Timestamp, attempts: u32) -> bool {
        let age = now - first;
        let has_passed = age >= self.give_up_after || age < Duration::zero();
        has_passed && attempts >= self.least_attempts()
    }

    /// Attempts required before a delivery is given up, however much time seems to have passed: the number that the
    /// table makes in [`RetryTable::give_up_after`] with the longest possible jitter.
    pub(crate) fn least_attempts(&self) -> u32 {
        let (mut attempts, mut passed) = (1u32, Duration::zero());
        while passed < self.give_up_after && attempts < MOST_ATTEMPTS {
            passed += self.longest_wait(attempts);
            attempts += 1;
        }
        attempts
    }

    /// The longest wait after the `attempts`-th attempt, including jitter.
    fn longest_wait(&self, attempts: u32) -> Duration {
        self.scaled(attempts, 1.0 + self.jitter)
    }

    /// Whether a delivery deferred until `until` after `attempts` attempts is due at `now`: its time has come, or is
    /// further ahead than the table can produce, because the clock was ahead when it was deferred. `other` is the
    /// longest deferral with another cause, such as a domain's rest.
    pub(crate) fn is_due(&self, until: Timestamp, attempts: u32, other: Duration, now: Timestamp) -> bool {
        until <= now || until - now > self.longest_wait(attempts.max(1)).max(other)
    }

    /// The latest possible due time at `now`, for any number of attempts; a later one was set while the clock was
    /// ahead. `other`: see [`RetryTable::is_due`].
    pub(crate) fn latest(&self, other: Duration, now: Timestamp) -> Timestamp {
        now.checked_add_signed(self.longest.max(SHORTEST).max(other)).unwrap_or(now)
    }

    fn wait(&self, attempts: u32, seed: u64) -> Duration {
        self.scaled(attempts, 1.0 + self.jitter * (2.0 * fraction(seed, attempts) - 1.0))
    }

    fn scaled(&self, attempts: u32, jitter: f64) -> Duration {
        let longest = self.longest.num_milliseconds() as f64;
        let grown = self.first.num_milliseconds() as f64 * self.factor.powi(attempts.saturating_sub(1).min(64) as i32);
        // The bounds keep the wait at a second or more, also with an odd table.
        Duration::milliseconds((grown.min(longest) * jitter).clamp(1000.0, longest.max(1000.0)) as i64)
    }
}

/// A pseudo-random number from 0 to 1: the finaliser of SplitMix64.
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
    fn a_clock_that_jumps_fails_nothing_at_once_and_keeps_nothing_for_ever() {
        let table = RetryTable::default();
        let years = Duration::days(3650);
        // Ahead after the first attempt, ahead at the first attempt, and back to 1970.
        for (first, mut now) in [(at(0), at(0) + years), (at(0) + years, at(0)), (Timestamp::UNIX_EPOCH, at(0))] {
            let (began, mut attempts) = (now, 1);
            while let NextAttempt::At(next) = table.next_attempt(first, now, attempts, 3) {
                assert!(next > now && next - now <= Duration::hours(4));
                (now, attempts) = (next, attempts + 1);
            }
            let took = now - began;
            assert!(took > Duration::days(2) && took < Duration::days(5), "{took} for {attempts} attempts");
        }
    }

    #[test]
    fn what_lies_further_ahead_than_the_table_goes_is_due() {
        let (table, rest) = (RetryTable::default(), Duration::minutes(10));
        assert!(table.is_due(at(0), 1, rest, at(0)) && !table.is_due(at(1), 1, rest, at(0)));
        assert!(!table.is_due(at(15), 1, rest, at(0)) && table.is_due(at(16), 1, rest, at(0)));
        assert!(!table.is_due(at(16), 1, Duration::minutes(30), at(0)), "something else puts off for longer");
        assert!(!table.is_due(at(240), 9, rest, at(0)) && table.is_due(at(241), 9, rest, at(0)));
        assert!((0..1000).all(|seed| !table.is_due(at(0) + wait(&table, 3, seed), 3, rest, at(0))));
        assert_eq!(table.latest(rest, at(0)), at(240));
    }

    #[test]
    fn a_table_of_short_waits_gives_up_by_time() {
        let second = Duration::seconds(1);
        let table =
            RetryTable { first: second, longest: second, give_up_after: Duration::days(30), ..RetryTable::default() };
        assert_eq!(table.least_attempts(), MOST_ATTEMPTS);
        assert_eq!(table.next_attempt(at(0), at(0) + table.give_up_after, 5000, 1), NextAttempt::GiveUp);
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
