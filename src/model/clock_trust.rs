//! How far the time of day can be believed after it jumped: what must not come early waits until it has come by the
//! time that passed, too.

use chrono::TimeDelta;

use crate::base::clock::Timestamp;

/// A clock that is ahead by less is believed: correcting a clock by seconds is usual.
pub const SMALL: TimeDelta = TimeDelta::seconds(60);
/// A change of the clock by less is no jump: time services correct it so all the time.
const LEAST_JUMP: TimeDelta = TimeDelta::seconds(2);
/// A jump that may well have set the clock right (by less than two weeks, or seen only at a start, where perhaps the daemon
/// was off for so long) is believed after this time, in which a person can set it right.
const BELIEVED_AFTER: TimeDelta = TimeDelta::hours(20);
/// A start that comes so much later than the last note is doubted.
const LONG_OFF: TimeDelta = TimeDelta::days(14);
/// How long a jump is told of.
const TOLD_FOR: TimeDelta = TimeDelta::hours(1);

/// The time of day changed by more or less than the time that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// What the clock would show without it.
    pub from: Timestamp,
    /// What it showed instead.
    pub to: Timestamp,
}

impl Jump {
    /// That the clock shows `now` where it should show `expected`; `None` for less than two seconds.
    pub fn between(expected: Timestamp, now: Timestamp) -> Option<Self> {
        let jump = Self { from: expected, to: now };
        (jump.by().abs() >= LEAST_JUMP).then_some(jump)
    }

    /// By how much the clock was set forward; negative when it was set back.
    pub fn by(&self) -> TimeDelta {
        self.to - self.from
    }
}

/// What is known of the clock: kept, so that a restart does not forget that it may stand ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockTrust {
    /// When this was noted, by the time of day.
    pub noted: Timestamp,
    /// By how much the time of day is ahead of the time that passed; negative when it is behind.
    pub ahead: TimeDelta,
    /// What the clock showed right after it was last set forward: what was made up to here was made before.
    pub since: Option<Timestamp>,
    /// Whether that was seen only at a start.
    pub at_start: bool,
    /// The last jump, in whichever direction.
    pub last: Option<Jump>,
}

impl ClockTrust {
    /// A clock that nothing is known against.
    pub fn new(now: Timestamp) -> Self {
        Self { noted: now, ahead: TimeDelta::zero(), since: None, at_start: false, last: None }
    }

    /// What a start at `now` knows, after what was noted before it, when how much time passed is not known.
    pub fn at_start(self, now: Timestamp) -> Self {
        let noted = self.settled(self.noted);
        let passed = now - noted.noted;
        let jump = Some(Jump { from: noted.noted, to: now });
        let earliest = noted.noted - noted.ahead.max(TimeDelta::zero());
        if noted.is_doubted(noted.noted) && passed >= TimeDelta::zero() {
            // It stood ahead, and still does.
            Self { noted: now, ..noted }
        } else if now < earliest - SMALL {
            // It stands behind what is known to have passed: being set right is no jump.
            Self { ahead: now - earliest, since: None, last: jump, ..Self::new(now) }
        } else if passed > LONG_OFF {
            Self { ahead: passed, since: Some(now), at_start: true, last: jump, ..Self::new(now) }
        } else if passed < -SMALL {
            // It stood ahead, and was set right.
            Self { last: jump, ..Self::new(now) }
        } else {
            Self { ahead: noted.ahead.min(TimeDelta::zero()), last: noted.last, ..Self::new(now) }
        }
    }

    /// What is known at `now` when it is known that so much time passed since this was noted, whatever the clock did: the
    /// jump in between, if there was one, is known exactly.
    pub fn after(self, passed: TimeDelta, now: Timestamp) -> Self {
        let expected = self.noted.checked_add_signed(passed).unwrap_or(self.noted);
        match Jump::between(expected, now) {
            Some(jump) => self.jumped(jump),
            None => Self { noted: now, ..self.settled(now) },
        }
    }

    /// After a jump.
    pub fn jumped(self, jump: Jump) -> Self {
        let forward = jump.by() > TimeDelta::zero();
        let ahead = self.ahead.checked_add(&jump.by()).unwrap_or(self.ahead);
        let since = if forward && ahead > SMALL { Some(jump.to) } else { self.since };
        Self { noted: jump.to, ahead, since, at_start: self.at_start && !forward, last: Some(jump) }.settled(jump.to)
    }

    /// After a jump that set right a clock that was wrong when the machine started.
    pub fn corrected(self, jump: Jump) -> Self {
        Self { last: Some(jump), ..Self::new(jump.to) }
    }

    /// What is still true at `now`: most jumps are believed after a while.
    pub fn settled(self, now: Timestamp) -> Self {
        match self.since {
            Some(since) if self.ahead > TimeDelta::zero() => {
                let over = now - since >= BELIEVED_AFTER && (self.at_start || self.ahead <= LONG_OFF);
                if over { Self { ahead: TimeDelta::zero(), since: None, at_start: false, ..self } } else { self }
            }
            _ => self,
        }
    }

    /// Whether the clock may stand ahead.
    pub fn is_doubted(&self, now: Timestamp) -> bool {
        let settled = self.settled(now);
        settled.ahead > SMALL && settled.since.is_some()
    }

    /// The instant by which something made at `made` is judged when the clock shows `now`: for what was made before the
    /// clock was set forward, the earlier one that is possible, for what lies ahead must not come early. What was made
    /// after it is judged by the clock.
    pub fn now_for(&self, made: Timestamp, now: Timestamp) -> Timestamp {
        match self.since {
            Some(since) if self.is_doubted(now) && made < since => now - self.ahead,
            _ => now,
        }
    }

    /// The jump to tell a person of, if the last was seen within the hour or leaves the clock in doubt.
    pub fn told(&self, now: Timestamp) -> Option<Jump> {
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
}
