//! How the time that a record holds is judged at present, when the clock may have been wrong as it was written. It is the
//! one rule for every record that ends, falls due or is deleted by its age:
//!
//! - what is dated far later than the present was made by a clock that stood ahead, and counts from the moment when that
//!   was set back;
//! - what was made while the clock stood behind counts from the moment when that was set right;
//! - what was made before the clock was set forward is judged by the time that passed, as long as that is doubted.
//!
//! So nothing ends because of a clock jump, and nothing lasts longer than one lifetime from when the clock was right; longer by
//! the jump where that is no longer than a lifetime, for its date cannot be told from a true one once that has come.

use chrono::TimeDelta;

use crate::base::clock::Timestamp;

use super::clock_trust::{ClockTrust, Jump, SMALL, UNSEEN};

/// One reading of the clock, with what is known of the clock.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// The time of day.
    pub now: Timestamp,
    trust: ClockTrust,
}

impl Present {
    /// At `now`, with what was last noted of the clock. A note that is too old, or lies ahead, means that the clock has just
    /// jumped and that this was not noted yet.
    pub fn new(now: Timestamp, noted: Option<ClockTrust>) -> Self {
        let trust = noted.unwrap_or(ClockTrust::new(now));
        let passed = now - trust.noted;
        let jumped = passed > UNSEEN || passed < -SMALL;
        let trust = if jumped { trust.jumped(Jump { from: trust.noted, to: now }) } else { trust };
        Self { now, trust }
    }

    /// At `now`, with nothing known against the clock.
    pub fn at(now: Timestamp) -> Self {
        Self::new(now, None)
    }

    /// When something dated `dated` was made at the latest.
    pub fn made(&self, dated: Timestamp) -> Timestamp {
        if dated - self.now > UNSEEN {
            // Made before the clock was set back; a date that no note explains counts from now.
            return self.trust.back.min(self.now);
        }
        let behind = self.trust.behind.filter(|behind| (behind.from..=behind.to).contains(&dated));
        behind.map_or(dated, |behind| behind.right.min(self.now).max(dated))
    }

    /// When something ends that was made at `made` to last until `until`.
    pub fn end(&self, made: Timestamp, until: Timestamp) -> Timestamp {
        // An end that was bounded later, once the clock was right, stands.
        if until < made { until } else { self.made(made) + (until - made) }
    }

    /// Whether something is over that was made at `made` to last until `until`.
    pub fn is_over(&self, made: Timestamp, until: Timestamp) -> bool {
        self.trust.now_for(made, self.now) >= self.end(made, until)
    }

    /// Whether something that was made at `made` has lasted for `time`.
    pub fn has_lasted(&self, made: Timestamp, time: TimeDelta) -> bool {
        self.is_over(made, made.checked_add_signed(time).unwrap_or(Timestamp::MAX_UTC))
    }

    /// The earliest that it can be now: for what is planned for an instant, such as an event.
    pub fn earliest(&self) -> Timestamp {
        self.trust.earliest(self.now)
    }

    /// When the clock was set forward, if nothing may be deleted by age yet because of that.
    pub fn set_forward(&self) -> Option<Timestamp> {
        self.trust.set_forward(self.now)
    }

    /// The earliest date on what was made since `since`, not long ago: earlier where the clock was set forward meanwhile.
    pub fn first_date(&self, since: Timestamp) -> Timestamp {
        let jump =
            self.trust.last.filter(|jump| jump.by() > TimeDelta::zero() && since < jump.to && jump.to <= self.now);
        jump.map_or(since, |jump| since - jump.by())
    }

    /// What is older than `keep`.
    pub fn older_than(&self, keep: TimeDelta) -> Cutoff {
        Cutoff { before: self.now.checked_sub_signed(keep).unwrap_or(Timestamp::MIN_UTC), present: *self }
    }
}

/// What is deleted by age: all that was made before an instant. Whether the clock may be believed by what deletes is for
/// the caller to ask.
#[derive(Clone, Copy, Debug)]
pub struct Cutoff {
    before: Timestamp,
    present: Present,
}

impl Cutoff {
    /// Whether something dated `dated` is so old.
    pub fn has(&self, dated: Timestamp) -> bool {
        self.present.made(dated) < self.before
    }

    /// The instant itself: for what is over at an instant that was planned, such as an event.
    pub fn instant(&self) -> Timestamp {
        self.before
    }
}

impl From<Timestamp> for Cutoff {
    /// All that was made before `before`, with nothing known against the clock.
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
