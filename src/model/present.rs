//! How a recorded time is compared with the present, when the clock may have been wrong as it was written. This is
//! the one rule for every record that ends, falls due or is deleted by age:
//!
//! - a record dated far in the future was made while the clock was ahead, and counts from the moment when the clock
//!   was set back;
//! - a record made while the clock was behind counts from the moment when the clock was set right;
//! - a record made before the clock was set forward is measured by the time that really passed, while the jump is
//!   doubted.
//!
//! So a clock jump ends nothing, and nothing lasts longer than one lifetime from when the clock was right; longer by
//! the length of the jump if that is shorter than a lifetime, because once that date has come it cannot be told from
//! a true one.

use chrono::TimeDelta;

use crate::base::clock::Timestamp;

use super::clock_trust::{ClockTrust, Jump, SMALL, UNSEEN};

/// One reading of the clock, with what is known about the clock.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// The time of day.
    pub now: Timestamp,
    trust: ClockTrust,
}

impl Present {
    /// At `now`, with the last note about the clock. A note that is too old, or in the future, means that the clock
    /// has just jumped and this was not noted yet.
    pub(crate) fn new(now: Timestamp, noted: Option<ClockTrust>) -> Self {
        let trust = noted.unwrap_or(ClockTrust::new(now));
        let passed = now - trust.noted;
        let jumped = passed > UNSEEN || passed < -SMALL;
        let trust = if jumped { trust.jumped(Jump { from: trust.noted, to: now }) } else { trust };
        Self { now, trust }
    }

    /// At `now`, with a trusted clock.
    pub fn at(now: Timestamp) -> Self {
        Self::new(now, None)
    }

    /// The latest time at which a record dated `dated` can have been made.
    pub(crate) fn made(&self, dated: Timestamp) -> Timestamp {
        if dated - self.now > UNSEEN {
            // Made before the clock was set back; a date that no note explains counts from now.
            return self.trust.back.min(self.now);
        }
        let behind = self.trust.behind.filter(|behind| (behind.from..=behind.to).contains(&dated));
        behind.map_or(dated, |behind| behind.right.min(self.now).max(dated))
    }

    /// When something made at `made` to last until `until` ends.
    pub(crate) fn end(&self, made: Timestamp, until: Timestamp) -> Timestamp {
        // An end that was limited later, once the clock was right, is kept.
        if until < made { until } else { self.made(made) + (until - made) }
    }

    /// Whether something made at `made` to last until `until` has ended.
    pub(crate) fn is_over(&self, made: Timestamp, until: Timestamp) -> bool {
        self.trust.now_for(made, self.now) >= self.end(made, until)
    }

    /// Whether something made at `made` has lasted for `time`.
    pub(crate) fn has_lasted(&self, made: Timestamp, time: TimeDelta) -> bool {
        self.is_over(made, made.checked_add_signed(time).unwrap_or(Timestamp::MAX_UTC))
    }

    /// The earliest time that it can be now: for planned instants, such as an event.
    pub(crate) fn earliest(&self) -> Timestamp {
        self.trust.earliest(self.now)
    }

    /// When the clock was set forward, if nothing may be deleted by age yet because of that.
    pub(crate) fn set_forward(&self) -> Option<Timestamp> {
        self.trust.set_forward(self.now)
    }

    /// The earliest date of records made since `since`, a recent instant: earlier if the clock was set forward
    /// meanwhile.
    pub(crate) fn first_date(&self, since: Timestamp) -> Timestamp {
        let jump =
            self.trust.last.filter(|jump| jump.by() > TimeDelta::zero() && since < jump.to && jump.to <= self.now);
        jump.map_or(since, |jump| since - jump.by())
    }

    /// The cutoff for records older than `keep`.
    pub(crate) fn older_than(&self, keep: TimeDelta) -> Cutoff {
        Cutoff { before: self.now.checked_sub_signed(keep).unwrap_or(Timestamp::MIN_UTC), present: *self }
    }
}

/// What is deleted by age: everything made before an instant. Callers that delete check first whether the clock can
/// be trusted.
#[derive(Clone, Copy, Debug)]
pub struct Cutoff {
    before: Timestamp,
    present: Present,
}

impl Cutoff {
    /// Whether a record dated `dated` is before the cutoff.
    pub fn has(&self, dated: Timestamp) -> bool {
        self.present.made(dated) < self.before
    }

    /// The instant itself: for what ends at a planned instant, such as an event.
    pub(crate) fn instant(&self) -> Timestamp {
        self.before
    }
}

impl From<Timestamp> for Cutoff {
    /// The cutoff at `before`, with a trusted clock.
    fn from(before: Timestamp) -> Self {
        Self { before, present: Present::at(before) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    const DAY: i64 = 24 * 60;
    const YEARS: i64 = 3650 * DAY;

    fn jump(from: i64, to: i64) -> Jump {
        Jump { from: at(from), to: at(to) }
    }

    /// At `now`, where the last note is of `noted`.
    fn present(trust: ClockTrust, now: i64) -> Present {
        Present::new(at(now), Some(ClockTrust { noted: at(now), ..trust }))
    }

    #[test]
    fn without_a_jump_the_dates_count() {
        let usual = Present::at(at(0));
        assert!(usual.is_over(at(-5), at(0)) && !usual.is_over(at(-5), at(1)));
        assert!(
            usual.older_than(TimeDelta::minutes(5)).has(at(-6)) && !usual.older_than(TimeDelta::minutes(5)).has(at(-5))
        );
        assert_eq!(usual.earliest(), at(0));
    }

    #[test]
    fn what_a_clock_ahead_made_lasts_one_lifetime_from_when_it_was_right() {
        let trust = ClockTrust::new(at(-99)).jumped(jump(0, YEARS)).jumped(jump(YEARS + 10, 10));
        let (made, until) = (at(YEARS + 5), at(YEARS + 5 + DAY));
        assert!(!present(trust, 10).is_over(made, until));
        assert_eq!(present(trust, 60).end(made, until), at(10 + DAY));
        assert!(present(trust, 10 + DAY).is_over(made, until));
        let keep = TimeDelta::days(1);
        assert!(
            !present(trust, 9 + DAY).older_than(keep).has(made) && present(trust, 11 + DAY).older_than(keep).has(made)
        );
        // Nothing is known of when it was set right.
        assert!(!Present::at(at(60)).is_over(made, until));
    }

    #[test]
    fn what_a_clock_behind_made_is_not_over_when_it_is_right() {
        let trust = ClockTrust::new(at(-99)).jumped(jump(0, -YEARS)).jumped(jump(10 - YEARS, 10));
        let (made, until) = (at(5 - YEARS), at(5 - YEARS + DAY));
        assert!(!present(trust, 11).is_over(made, until));
        assert!(present(trust, 10 + DAY).is_over(made, until));
        assert!(present(trust, 11).is_over(at(-2 * DAY), at(-DAY)), "what was made long before");
    }

    #[test]
    fn a_clock_ahead_ends_nothing_that_was_made_before() {
        for by in [30, 2 * DAY, YEARS] {
            let trust = ClockTrust::new(at(-99)).jumped(jump(0, by));
            assert!(!present(trust, by + 19).is_over(at(-10), at(20)));
            assert!(present(trust, by + 20).is_over(at(-10), at(20)));
            assert!(present(trust, by + 20).is_over(at(by + 5), at(by + 20)), "made since");
            assert_eq!(present(trust, by + 20).earliest(), at(20));
        }
    }

    #[test]
    fn a_jump_that_was_not_noted_yet_is_seen() {
        let noted = ClockTrust::new(at(0));
        let ahead = Present::new(at(YEARS), Some(noted));
        assert!(!ahead.is_over(at(-10), at(20)));
        let back = Present::new(at(-YEARS), Some(noted));
        assert!(!back.is_over(at(-10), at(20)), "not at once");
        assert_eq!(back.end(at(-10), at(20)), at(30 - YEARS));
    }

    #[test]
    fn an_end_that_was_bounded_stands() {
        assert!(Present::at(at(5)).is_over(at(YEARS), at(5)) && !Present::at(at(5)).is_over(at(YEARS), at(6)));
    }
}
