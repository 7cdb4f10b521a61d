//! Recurrence: the usual cron expression of five fields, evaluated on local time in an IANA zone.
//!
//! `minute hour day-of-month month day-of-week`, with `*`, lists, ranges, steps, English names of three letters, and
//! `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Sunday is 0 or 7.
//!
//! **Days**: when both day fields restrict (neither begins with `*`), a day that matches *either* matches; otherwise
//! it must match both. This is the rule of Vixie's cron, which people know.
//!
//! **Clock changes**: each local occurrence fires once. In a spring gap it fires at the first instant after the gap
//! (several occurrences in one gap fire there once, together); in an autumn fold it fires at the first of the two. So
//! a recurrence at every quarter of an hour does not fire in the second of the doubled hours.
//!
//! The `cron` crate computes the calendar, but only with its own syntax (seconds, Sunday = 1, one day field
//! restricted at a time) and on a time line without clock changes: used directly, it skips times in a gap and fires
//! twice in a fold.

use std::str::FromStr;

use chrono::{NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::base::clock::Timestamp;

use super::zone;
use field::{FIELDS, Field, Values};

mod field;

/// A repeating schedule.
#[derive(Clone, Debug)]
pub struct Recurrence {
    source: String,
    zone: Tz,
    /// One, or two when a day may match either day field.
    calendars: Vec<cron::Schedule>,
}

/// An invalid cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// Not five fields.
    #[error(
        "\u{201c}{given}\u{201d} has {count} fields, not five: minute hour day-of-month month day-of-week, \
             e.g. \u{201c}30 3 * * *\u{201d} for each night at 03:30"
    )]
    Count {
        /// The expression.
        given: String,
        /// Number of fields.
        count: usize,
    },
    /// An unknown word after `@`.
    #[error("\u{201c}{0}\u{201d} is unknown; known are @hourly, @daily, @weekly, @monthly and @yearly")]
    Nickname(String),
    /// One field is wrong.
    #[error("the {field} field \u{201c}{given}\u{201d}: {reason}")]
    Field {
        /// Which of the five.
        field: &'static str,
        /// Its text.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The fields are valid but no day matches, e.g. 30 February.
    #[error("\u{201c}{0}\u{201d} never occurs: none of its months has such a day")]
    Never(String),
    /// The zone is invalid.
    #[error(transparent)]
    Zone(#[from] zone::TimeError),
    /// The `cron` crate rejects the generated expression: a fault of this program.
    #[error("\u{201c}{given}\u{201d} was rejected by the calendar library ({reason}); please report this")]
    Calendar {
        /// The expression.
        given: String,
        /// Its error.
        reason: String,
    },
}

impl Recurrence {
    /// Parses a cron expression, to be evaluated in the IANA zone of this name.
    ///
    /// # Errors
    /// [`RecurrenceError`] says which field is wrong and what it accepts.
    pub fn new(expression: &str, zone_name: &str) -> Result<Self, RecurrenceError> {
        let zone = zone::zone(zone_name)?;
        let source = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let spelled = spell_out(&source)?;
        let fields = read_fields(&spelled)?;
        let calendars = calendars(&source, &fields)?;
        let recurrence = Self { source, zone, calendars };
        // 29 February is at most eight years away; from this start, four.
        let start = chrono::DateTime::<Utc>::UNIX_EPOCH;
        match recurrence.next_after(start) {
            Some(_) => Ok(recurrence),
            None => Err(RecurrenceError::Never(recurrence.source)),
        }
    }

    /// The first occurrence strictly after `after`; `None` beyond the year 2100.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        // Later local times never name earlier instants (see `zone`): nothing before this local time is still to
        // come. In the second half of a fold some local times after it have passed already, hence the loop.
        let mut local = after.with_timezone(&self.zone).naive_local();
        loop {
            local = self.next_local(local)?;
            let (at, _) = zone::instant(local, self.zone);
            if at > after {
                return Some(at);
            }
        }
    }

    /// The next occurrence on the local time line, which has no clock changes: as if it were UTC.
    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let after = after.and_utc();
        self.calendars.iter().filter_map(|calendar| calendar.after(&after).next()).min().map(|at| at.naive_utc())
    }
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.zone == other.zone
    }
}

fn spell_out(source: &str) -> Result<String, RecurrenceError> {
    if !source.starts_with('@') {
        return Ok(source.to_owned());
    }
    let spelled = match source.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return Err(RecurrenceError::Nickname(source.to_owned())),
    };
    Ok(spelled.to_owned())
}

fn read_fields(spelled: &str) -> Result<[Values; 5], RecurrenceError> {
    let texts: Vec<&str> = spelled.split_whitespace().collect();
    let Ok(texts) = <[&str; 5]>::try_from(texts.as_slice()) else {
        return Err(RecurrenceError::Count { given: spelled.to_owned(), count: texts.len() });
    };
    let read = |field: Field, text: &str| {
        field::read(field, text).map_err(|reason| RecurrenceError::Field {
            field: field.word(),
            given: text.to_owned(),
            reason,
        })
    };
    let [a, b, c, d, e] = FIELDS;
    Ok([read(a, texts[0])?, read(b, texts[1])?, read(c, texts[2])?, read(d, texts[3])?, read(e, texts[4])?])
}

fn calendars(source: &str, fields: &[Values; 5]) -> Result<Vec<cron::Schedule>, RecurrenceError> {
    let [minutes, hours, days, months, weekdays] = fields;
    let list = |values: &Values, shift: u32| {
        values.values.iter().map(|v| (v + shift).to_string()).collect::<Vec<_>>().join(",")
    };
    // In the crate, Sunday is 1.
    let (day_list, weekday_list) = (list(days, 0), list(weekdays, 1));
    let pairs: &[(&str, &str)] = match days.star || weekdays.star {
        true => &[(&day_list, &weekday_list)],
        false => &[(&day_list, "*"), ("*", &weekday_list)],
    };
    pairs
        .iter()
        .map(|(day, weekday)| {
            let form = format!("0 {} {} {day} {} {weekday}", list(minutes, 0), list(hours, 0), list(months, 0));
            cron::Schedule::from_str(&form)
                .map_err(|e| RecurrenceError::Calendar { given: source.to_owned(), reason: e.to_string() })
        })
        .collect()
}

#[cfg(test)]
mod tests;
