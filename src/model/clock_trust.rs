//! How far the time of day can be trusted after it jumped: what must not happen early also waits for the time that
//! really passed.

use chrono::TimeDelta;

use crate::base::clock::Timestamp;

/// A clock that is ahead by less is trusted: corrections by seconds are normal.
pub(crate) const SMALL: TimeDelta = TimeDelta::seconds(60);
/// A smaller change of the clock is not a jump: time services make such corrections all the time.
const LEAST_JUMP: TimeDelta = TimeDelta::seconds(2);
/// A jump that may have set the clock right (by less than two weeks, or seen only at a start, when the daemon may
/// have been off for as long) is trusted after this time, in which a person can correct the clock.
pub(crate) const BELIEVED_AFTER: TimeDelta = TimeDelta::hours(20);
/// A start this long after the last note is doubted.
const LONG_OFF: TimeDelta = TimeDelta::days(14);
/// How long a jump is reported.
const TOLD_FOR: TimeDelta = TimeDelta::hours(1);
/// Notes about the clock are written more often than this: an older note means a jump that has not been detected yet.
pub(crate) const UNSEEN: TimeDelta = TimeDelta::minutes(20);
/// A jump within this time after the machine's start is taken as a correction of its clock.
pub(crate) const AFTER_BOOT: TimeDelta = TimeDelta::minutes(10);

/// A jump: the time of day changed by more or less than the time that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The time of day that was expected.
    pub from: Timestamp,
    /// The time of day that was shown.
    pub to: Timestamp,
}

impl Jump {
    /// The jump when the clock shows `now` instead of `expected`; `None` for less than two seconds.
    pub(crate) fn between(expected: Timestamp, now: Timestamp) -> Option<Self> {
        let jump = Self { from: expected, to: now };
        (jump.by().abs() >= LEAST_JUMP).then_some(jump)
    }

    /// How far the clock was set forward; negative when it was set back.
    pub(crate) fn by(&self) -> TimeDelta {
        self.to - self.from
    }
}

/// A period in which the clock was behind, in the times that it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The time shown when it fell behind.
    pub from: Timestamp,
    /// The time shown before it was set right.
    pub to: Timestamp,
    /// The time shown right after that.
    pub right: Timestamp,
}

/// What is known of the clock; stored, so that a restart does not forget that it may be ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockTrust {
    /// When this was noted, by the time of day.
    pub noted: Timestamp,
    /// How far the time of day is ahead of the time that passed; negative when it is behind.
    pub ahead: TimeDelta,
    /// The time shown right after the clock was last set forward: records dated up to here are older than the jump.
    pub since: Option<Timestamp>,
    /// Whether that was detected only at a start.
    pub at_start: bool,
    /// The last jump, in either direction.
    pub last: Option<Jump>,
    /// The time shown right after the clock was last set back, or at the first start: records dated far in the future
    /// are older than this.
    pub back: Timestamp,
    /// The last period in which the clock was behind.
    pub behind: Option<Behind>,
}

impl ClockTrust {
    /// A clock without known faults.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { noted: now, ahead: TimeDelta::zero(), since: None, at_start: false, last: None, back: now, behind: None }
    }

    /// The state at a start at `now`, given the last note, when it is unknown how much time passed since.
    pub(crate) fn at_start(self, now: Timestamp) -> Self {
        let noted = self.settled(self.noted);
        let passed = now - noted.noted;
        let jump = Some(Jump { from: noted.noted, to: now });
        let earliest = noted.noted - noted.ahead.max(TimeDelta::zero());
        // Knowledge of earlier periods is kept; where the clock was set back while the daemon was off, the new jump
        // counts instead.
        let kept = Self { back: noted.back, behind: noted.behind, ..Self::new(now) };
        let set_back = Self { back: now, ..kept };
        let stood_behind = noted.ahead < -SMALL;
        let off = passed + noted.ahead.min(TimeDelta::zero());
        if noted.is_doubted(noted.noted) && passed >= TimeDelta::zero() {
            // It was ahead, and still is.
            Self { noted: now, ..noted }
        } else if now < earliest - SMALL {
            // It is behind the time known to have passed: a correction is not a jump.
            Self { ahead: now - earliest, last: jump, ..set_back }
        } else if stood_behind && (-SMALL..=LONG_OFF).contains(&off) {
            // It was behind, and was set right.
            let behind = Behind { from: noted.back, to: noted.noted + UNSEEN, right: now };
            Self { behind: Some(behind), last: jump, ..kept }
        } else if passed > LONG_OFF {
            Self { ahead: passed, since: Some(now), at_start: true, last: jump, ..kept }
        } else if passed < -SMALL {
            // It was ahead, and was set right.
            Self { last: jump, ..set_back }
        } else {
            Self { ahead: noted.ahead.min(TimeDelta::zero()), last: noted.last, ..kept }
        }
    }

    /// The state at `now` when `passed` is known to have passed since this was noted, however the clock changed: a
    /// jump in between is known exactly.
    pub(crate) fn after(self, passed: TimeDelta, now: Timestamp) -> Self {
        let expected = self.noted.checked_add_signed(passed).unwrap_or(self.noted);
        match Jump::between(expected, now) {
            Some(jump) => self.jumped(jump),
            None => Self { noted: now, ..self.settled(now) },
        }
    }

    /// The state after a jump.
    pub(crate) fn jumped(self, jump: Jump) -> Self {
        let forward = jump.by() > TimeDelta::zero();
        let ahead = self.ahead.checked_add(&jump.by()).unwrap_or(self.ahead);
        let since = if forward && ahead > SMALL { Some(jump.to) } else { self.since };
        let back = if jump.by() < -SMALL { jump.to } else { self.back };
        let behind = match forward && self.ahead < -SMALL {
            true => Some(Behind { from: self.back, to: jump.from, right: jump.to }),
            false => self.behind,
        };
        let at_start = self.at_start && !forward;
        Self { noted: jump.to, ahead, since, at_start, last: Some(jump), back, behind }.settled(jump.to)
    }

    /// The state after a jump that corrected a clock that was wrong when the machine started.
    pub(crate) fn corrected(self, jump: Jump) -> Self {
        let begun = jump.from.checked_sub_signed(AFTER_BOOT).unwrap_or(jump.from);
        let behind = Behind { from: begun.max(self.back), to: jump.from, right: jump.to };
        let is_forward = jump.by() > TimeDelta::zero();
        let (back, behind) = if is_forward { (self.back, Some(behind)) } else { (jump.to, self.behind) };
        Self { last: Some(jump), back, behind, ..Self::new(jump.to) }
    }

    /// Drops what no longer holds at `now`: most jumps are trusted after a while.
    pub(crate) fn settled(self, now: Timestamp) -> Self {
        match self.since {
            Some(since) if self.ahead > TimeDelta::zero() => {
                let over = now - since >= BELIEVED_AFTER && (self.at_start || self.ahead <= LONG_OFF);
                if over { Self { ahead: TimeDelta::zero(), since: None, at_start: false, ..self } } else { self }
            }
            _ => self,
        }
    }

    /// Whether the clock may be ahead.
    pub fn is_doubted(&self, now: Timestamp) -> bool {
        let settled = self.settled(now);
        settled.ahead > SMALL && settled.since.is_some()
    }

    /// The time to compare with for a record made at `made` when the clock shows `now`: for records from before the
    /// clock was set forward, the earlier possible one, since nothing planned may happen early; for later records,
    /// the clock.
    pub(crate) fn now_for(&self, made: Timestamp, now: Timestamp) -> Timestamp {
        match self.since {
            Some(since) if self.is_doubted(now) && made < since => now - self.ahead,
            _ => now,
        }
    }

    /// When the clock was set forward, while a person still has time to correct it before anything is deleted by age.
    pub(crate) fn set_forward(&self, now: Timestamp) -> Option<Timestamp> {
        let lately = |since: &Timestamp| (TimeDelta::zero()..BELIEVED_AFTER).contains(&(now - *since));
        self.since.filter(lately).filter(|_| self.ahead > SMALL)
    }

    /// The earliest true time when the clock shows `at`: for deadlines and other planned instants.
    pub(crate) fn earliest(&self, at: Timestamp) -> Timestamp {
        let stands_ahead = self.is_doubted(at) && self.since.is_some_and(|since| at >= since);
        if stands_ahead { at - self.ahead } else { at }
    }

    /// The jump to report, if the last was seen within the hour or leaves the clock in doubt.
    pub(crate) fn told(&self, now: Timestamp) -> Option<Jump> {
        self.last.filter(|jump| self.is_doubted(now) || (TimeDelta::zero()..TOLD_FOR).contains(&(now - jump.to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    const YEARS: i64 = 3650 * 24 * 60;

    fn jump(from: i64, to: i64) -> Jump {
        Jump { from: at(from), to: at(to) }
    }

    #[test]
    fn what_was_made_before_a_jump_ahead_waits_for_real_time() {
        for by in [30, 14 * 24 * 60 + 1, YEARS] {
            let trust = ClockTrust::new(at(0)).jumped(jump(10, 10 + by));
            assert_eq!(trust.now_for(at(5), at(10 + by)), at(10));
            assert_eq!(trust.now_for(at(5), at(60 + by)), at(60));
            assert_eq!(trust.now_for(at(11 + by), at(12 + by)), at(12 + by), "made after it");
            assert!(trust.is_doubted(at(10 + by)) && trust.told(at(500 + by)).is_some());
            let day_after = at(10 + by + 20 * 60);
            assert_eq!(trust.is_doubted(day_after), by > 30, "so much was never right");
        }
        assert!(!ClockTrust::new(at(0)).jumped(jump(10, 11)).is_doubted(at(11)), "a minute is usual");
    }

    #[test]
    fn set_right_again_nothing_is_held() {
        let right = ClockTrust::new(at(0)).jumped(jump(10, 10 + YEARS)).jumped(jump(20 + YEARS, 20));
        assert_eq!((right.now_for(at(5), at(20)), right.is_doubted(at(20))), (at(20), false));
        assert!(right.told(at(30)).is_some() && right.told(at(81)).is_none());
        let behind = ClockTrust::new(at(0)).jumped(jump(10, 10 - YEARS)).jumped(jump(20 - YEARS, 20));
        assert_eq!(behind.now_for(at(5), at(20)), at(20), "a clock that was behind and is right");
        let corrected = ClockTrust::new(at(0)).corrected(jump(1, YEARS));
        assert_eq!(corrected.now_for(at(0), at(YEARS)), at(YEARS), "set right when the machine started");
    }

    #[test]
    fn a_restart_remembers() {
        let ahead = ClockTrust::new(at(0)).jumped(jump(10, 10 + YEARS));
        let still = ahead.at_start(at(15 + YEARS));
        assert_eq!(still.now_for(at(5), at(15 + YEARS)), at(15));
        let right = ahead.at_start(at(20));
        assert_eq!(right.now_for(at(5), at(20)), at(20));
        let usual = ClockTrust::new(at(0)).at_start(at(600));
        assert!(!usual.is_doubted(at(600)) && usual.told(at(600)).is_none());
    }

    #[test]
    fn a_jump_while_the_daemon_was_off_is_known_where_the_time_that_passed_is() {
        for by in [60, YEARS] {
            let ahead = ClockTrust::new(at(0)).after(at(9) - at(0), at(9 + by));
            assert_eq!(ahead.now_for(at(5), at(10 + by)), at(10), "{by}");
            assert_eq!(ahead.last, Some(jump(9, 9 + by)));
            let right = ahead.after(at(11) - at(9), at(11));
            assert_eq!((right.is_doubted(at(11)), right.last), (false, Some(jump(11 + by, 11))));
        }
        let off = ClockTrust::new(at(0)).after(at(YEARS) - at(0), at(YEARS));
        assert!(!off.is_doubted(at(YEARS)) && off.last.is_none(), "it was off so long");
    }

    #[test]
    fn a_start_long_after_is_doubted_for_most_of_a_day() {
        let off = ClockTrust::new(at(0)).at_start(at(YEARS));
        assert!(off.is_doubted(at(YEARS)) && off.is_doubted(at(YEARS + 19 * 60)));
        assert!(!off.is_doubted(at(YEARS + 20 * 60)));
        assert!(off.at_start(at(YEARS + 60)).is_doubted(at(YEARS + 60)), "and after another start");
    }

    #[test]
    fn a_start_with_a_clock_that_is_behind_is_doubted_by_no_more_than_it_was_off() {
        let right = ClockTrust::new(at(0)).at_start(at(-YEARS)).jumped(jump(5 - YEARS, 30));
        assert_eq!(right.now_for(at(-9), at(30)), at(5), "what cannot be known is not claimed");
    }

    #[test]
    fn it_is_known_when_the_clock_was_set_back_and_while_it_stood_behind() {
        let ahead = ClockTrust::new(at(0)).jumped(jump(10, 10 + YEARS));
        assert_eq!((ahead.back, ahead.earliest(at(15 + YEARS))), (at(0), at(15)));
        let right = ahead.jumped(jump(20 + YEARS, 20));
        assert_eq!((right.back, right.behind, right.earliest(at(30))), (at(20), None, at(30)));
        assert_eq!(ahead.at_start(at(25)).back, at(25), "set back while the daemon was off");
        assert_eq!(right.at_start(at(600)).back, at(20), "and a start changes nothing");
        let fell = ClockTrust::new(at(0)).jumped(jump(10, 10 - YEARS));
        let behind = Behind { from: at(10 - YEARS), to: at(20 - YEARS), right: at(20) };
        let right = fell.jumped(jump(20 - YEARS, 20));
        assert_eq!((right.back, right.behind), (at(10 - YEARS), Some(behind)));
        let noted = ClockTrust { noted: at(20 - YEARS), ..fell };
        let started = noted.at_start(at(60));
        assert_eq!(started.behind.map(|behind| behind.right), Some(at(60)));
        assert!(!started.is_doubted(at(60)), "set right while the daemon was off");
        let boot = ClockTrust::new(at(0)).at_start(at(-YEARS)).corrected(jump(1 - YEARS, 30)).behind;
        assert_eq!(boot, Some(Behind { from: at(-YEARS), to: at(1 - YEARS), right: at(30) }));
        let late = ClockTrust::new(at(0)).at_start(at(500)).corrected(jump(505, 510)).behind;
        assert_eq!(late.map(|behind| behind.from), Some(at(495)), "not all that was ever made");
    }
}
