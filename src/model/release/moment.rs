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

/// A time of which only the month, the season or the year is known: "2017-05", "våren 2017", "2017".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day that may be meant.
    pub first: NaiveDate,
    /// The last day that may be meant.
    pub last: NaiveDate,
}

/// The words of a season, with its first and last month as they are commonly meant. A winter has no year of its own.
const SEASONS: [(&[&str], u32, u32); 4] = [
    (&["vår", "våren", "spring"], 1, 6),
    (&["sommar", "sommaren", "summer"], 5, 9),
    (&["höst", "hösten", "autumn", "fall"], 8, 12),
    (&["vinter", "vintern", "winter"], 1, 12),
];

impl Period {
    /// A year.
    pub(crate) fn year(year: i32) -> Option<Self> {
        Self::months(year, 1, 12)
    }

    fn months(year: i32, first: u32, last: u32) -> Option<Self> {
        if !(1000..=9999).contains(&year) {
            return None;
        }
        let next = if last == 12 { (year + 1, 1) } else { (year, last + 1) };
        let last = NaiveDate::from_ymd_opt(next.0, next.1, 1)?.pred_opt()?;
        Some(Self { first: NaiveDate::from_ymd_opt(year, first, 1)?, last })
    }

    /// Parses a year, a month such as `2017-05`, or a season such as `våren 2017` or `spring of 2017`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        if let Some((year, month)) = text.split_once('-') {
            let month = Some(month).filter(|month| month.len() == 2)?.parse().ok()?;
            return Self::months(year.parse().ok()?, month, month);
        }
        let Some((season, year)) = text.rsplit_once(char::is_whitespace) else { return Self::year(text.parse().ok()?) };
        let season = season.trim().trim_start_matches("the ").trim_end_matches(" of").trim();
        let (_, first, last) = SEASONS.iter().find(|(words, ..)| words.contains(&season))?;
        Self::months(year.parse().ok()?, *first, *last)
    }

    /// The day in its middle: the nearest to all of it.
    pub(crate) fn middle(&self) -> NaiveDate {
        let half = (self.last - self.first).num_days() / 2;
        self.first.checked_add_signed(chrono::Duration::days(half)).unwrap_or(self.first)
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
    fn periods_are_read_as_people_write_them() {
        let period = |text: &str| Period::parse(text).map(|p| format!("{} {}", p.first, p.last));
        assert_eq!(period("2017").as_deref(), Some("2017-01-01 2017-12-31"));
        assert_eq!(period("2016-02").as_deref(), Some("2016-02-01 2016-02-29"));
        assert_eq!(period("våren 2017").as_deref(), Some("2017-01-01 2017-06-30"));
        assert_eq!(period("Autumn of 2017").as_deref(), Some("2017-08-01 2017-12-31"));
        for text in ["soon", "2017-13", "2017-5", "våren", "17", "mitten av 2017"] {
            assert_eq!(period(text), None, "{text}");
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
