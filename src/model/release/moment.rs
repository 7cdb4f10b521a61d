//! Times as authors write them: a day, or a day and a time, in local time.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use crate::base::clock::Timestamp;
use crate::model::zone::{self, Meeting};

/// A day with or without a time, in a zone given by the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The day.
    pub date: NaiveDate,
    /// The time on that day; `None` means the whole day.
    pub time: Option<NaiveTime>,
}

impl Moment {
    /// The day of an instant in `zone`.
    pub(crate) fn day_of(at: Timestamp, zone: Tz) -> Self {
        Self { date: at.with_timezone(&zone).date_naive(), time: None }
    }

    /// The local time; midnight for a whole day.
    pub fn local(&self) -> NaiveDateTime {
        self.date.and_time(self.time.unwrap_or(NaiveTime::MIN))
    }

    /// The instant in `zone`; clock changes are handled as in [`crate::model::zone`].
    pub(crate) fn instant(&self, zone: Tz) -> Timestamp {
        zone::instant(self.local(), zone).0
    }

    /// Whether this local time exists in `zone`.
    pub(crate) fn exists(&self, zone: Tz) -> bool {
        self.time.is_none() || zone::instant(self.local(), zone).1 != Meeting::Gap
    }
}

/// A time span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The start.
    pub start: Moment,
    /// The end, if known.
    pub end: Option<Moment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(day: u32, month: u32, hour: u32, minute: u32) -> Moment {
        Moment {
            date: NaiveDate::from_ymd_opt(2027, month, day).unwrap(),
            time: Some(NaiveTime::from_hms_opt(hour, minute, 0).unwrap()),
        }
    }

    #[test]
    fn finds_the_instant_across_clock_changes() {
        let zone = chrono_tz::Europe::Stockholm;
        assert_eq!(moment(12, 1, 9, 30).instant(zone).to_rfc3339(), "2027-01-12T08:30:00+00:00");
        // The gap of 28 March: 02:30 does not exist, 03:00 summer time is next.
        assert!(!moment(28, 3, 2, 30).exists(zone));
        assert_eq!(moment(28, 3, 2, 30).instant(zone).to_rfc3339(), "2027-03-28T01:00:00+00:00");
        // The fold of 31 October: the first 02:30 counts.
        assert_eq!(moment(31, 10, 2, 30).instant(zone).to_rfc3339(), "2027-10-31T00:30:00+00:00");
    }
}
