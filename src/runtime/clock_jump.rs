//! Whether the clock can be trusted by jobs that delete by age. A clock that one night is years ahead makes
//! everything old; so the first run after such a jump deletes nothing, and neither does any other for most of a day,
//! in which a person can correct the clock. If the daemon was really off for so long, only that day is lost.

use chrono::TimeDelta;

use crate::base::clock::{Clock, Timestamp};
use crate::model::clock_trust::{self, Jump};
use crate::store::{Store, StoreError};

/// Maximum time between the two readings of one moment, unless the process was delayed.
const AT_ONCE: TimeDelta = TimeDelta::milliseconds(500);

/// One reading of the clock, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The time of day.
    pub now: Timestamp,
    /// Steady time ([`Clock::steady`]).
    pub steady: Timestamp,
}

impl Reading {
    /// Reads `clock`.
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        let mut steady = clock.steady();
        let mut now = clock.now();
        for _ in 0..3 {
            let after = clock.steady();
            if after - steady < AT_ONCE {
                break;
            }
            (steady, now) = (after, clock.now());
        }
        Self { now, steady }
    }
}

/// Detects clock jumps: changes of the time of day by more or less than the time that passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JumpWatch {
    last: Reading,
}

impl JumpWatch {
    /// Starts watching.
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        Self { last: Reading::of(clock) }
    }

    /// The last reading.
    pub(crate) fn last(&self) -> Reading {
        self.last
    }

    /// Reads the clock; also returns the jump since the last reading, if there was one.
    pub(crate) fn observe(&mut self, clock: &dyn Clock) -> (Reading, Option<Jump>) {
        let reading = Reading::of(clock);
        let expected = self.last.now + (reading.steady - self.last.steady);
        self.last = reading;
        (reading, Jump::between(expected, reading.now))
    }
}

/// Maximum plausible delay; a later run means that the clock is wrong.
const LATE: TimeDelta = TimeDelta::days(14);

/// How long after a jump nothing is deleted by age: less than the day between two runs.
pub(crate) const DOUBTED_FOR: TimeDelta = clock_trust::BELIEVED_AFTER;

/// Until when nothing may be deleted by age, because the clock was set forward, or seems to have been; `None` when
/// deleting is allowed.
///
/// # Errors
/// [`StoreError`]: then nothing may be deleted either.
pub(crate) async fn deletes_nothing_until(store: &Store, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let jumped_at = store.clock_jump().await?.filter(|jumped_at| is_doubted(*jumped_at, now));
    let set_forward = store.present(now).await?.set_forward();
    Ok(jumped_at.max(set_forward).map(|since| since + DOUBTED_FOR))
}

/// Whether `now` is so much later than expected that the clock is probably wrong.
pub(crate) fn has_jumped(expected: Timestamp, now: Timestamp) -> bool {
    now - expected > LATE
}

/// Whether a jump detected at `jumped_at` still forbids deleting. One in the future, seen before the clock was corrected,
/// does not.
pub(crate) fn is_doubted(jumped_at: Timestamp, now: Timestamp) -> bool {
    (TimeDelta::zero()..DOUBTED_FOR).contains(&(now - jumped_at))
}

/// Whether there is a jump among the last of these times or between them and `now`: a distance that is much longer
/// than the one before it. `times` are in the order in which they were noted.
pub(crate) fn is_doubted_after(times: &[Timestamp], now: Timestamp) -> bool {
    let Some(first) = times.first() else { return false };
    let all: Vec<Timestamp> = [*first].into_iter().chain(times.iter().copied()).chain([now]).collect();
    all.windows(3).any(|three| match *three {
        [before, last, next] => {
            let usual = (last - before).max(TimeDelta::zero());
            has_jumped(last + usual, next) && is_doubted(next, now)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn day(day: i64) -> Timestamp {
        chrono::Utc.timestamp_opt(1_800_000_000 + day * 86_400, 0).unwrap()
    }

    #[test]
    fn late_is_no_jump_and_back_is_none_either() {
        assert!(!has_jumped(day(0), day(14)));
        assert!(has_jumped(day(0), day(15)));
        assert!(!has_jumped(day(700), day(0)));
    }

    #[test]
    fn a_jump_is_doubted_for_most_of_a_day() {
        assert!(is_doubted(day(5), day(5)));
        assert!(is_doubted(day(5), day(6) - TimeDelta::hours(5)));
        assert!(!is_doubted(day(5), day(6)));
        assert!(!is_doubted(day(700), day(6)), "the clock was set right");
    }

    #[test]
    fn a_distance_is_measured_by_the_one_before() {
        assert!(!is_doubted_after(&[], day(0)));
        assert!(is_doubted_after(&[day(0)], day(700)));
        assert!(!is_doubted_after(&[day(0), day(31), day(61)], day(92)), "backups once a month are no clock jump");
        let nights = [day(0), day(1), day(2)];
        assert!(!is_doubted_after(&nights, day(3)));
        assert!(is_doubted_after(&nights, day(700)));
        let jumped_at = [day(0), day(1), day(700), day(700) + TimeDelta::hours(1)];
        assert!(is_doubted_after(&jumped_at, day(700) + TimeDelta::hours(2)), "and what is made soon after");
        assert!(!is_doubted_after(&jumped_at, day(701)));
        assert!(!is_doubted_after(&jumped_at, day(2)), "the clock was set right");
        assert!(!is_doubted_after(&[day(1), day(700), day(2)], day(3)));
    }
}
