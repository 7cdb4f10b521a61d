//! Dates and times in words: names and order from CLDR through ICU4X, the format of times from the labels file.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use icu_calendar::{Date, Gregorian};
use icu_datetime::fieldsets::{YMD, YMDE};
use icu_datetime::{DateTimeFormatterLoadError, FixedCalendarDateTimeFormatter};
use icu_locale_core::Locale;
use serde::Deserialize;

use crate::model::release::{Moment, Span};

/// How times are written in a language; the `[time]` table of a labels file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeForm {
    /// Before a time in running text, e.g. `kl. `.
    pub prefix: String,
    /// Between hour and minute, e.g. `.`.
    pub separator: String,
    /// Between the ends of a range, e.g. `–`.
    pub range: String,
    /// Between a day and a time, e.g. `, `.
    pub join: String,
}

/// Formats dates and times in one language.
///
/// ICU4X's formatters cannot be shared between threads, so they are created where they are used; this is a look-up in
/// compiled data.
pub struct DateWriter {
    locale: Locale,
    form: TimeForm,
}

impl DateWriter {
    /// Creates a writer for a CLDR locale, e.g. `sv` or `en-GB`.
    ///
    /// # Errors
    /// A text that says why this locale is not possible.
    pub(crate) fn new(locale: &str, form: TimeForm) -> Result<Self, String> {
        let wrong = |e: &dyn std::fmt::Display| format!("\u{201c}{locale}\u{201d} has no dates in words: {e}");
        let writer = Self { locale: locale.parse().map_err(|e| wrong(&e))?, form };
        writer.with_weekday().map_err(|e| wrong(&e))?;
        writer.without_weekday().map_err(|e| wrong(&e))?;
        Ok(writer)
    }

    fn with_weekday(&self) -> Result<FixedCalendarDateTimeFormatter<Gregorian, YMDE>, DateTimeFormatterLoadError> {
        FixedCalendarDateTimeFormatter::try_new((&self.locale).into(), YMDE::long())
    }

    fn without_weekday(&self) -> Result<FixedCalendarDateTimeFormatter<Gregorian, YMD>, DateTimeFormatterLoadError> {
        FixedCalendarDateTimeFormatter::try_new((&self.locale).into(), YMD::long())
    }

    /// "torsdag 16 mars 2017".
    pub(crate) fn day(&self, date: NaiveDate) -> String {
        match (gregorian(date), self.with_weekday()) {
            (Some(day), Ok(writer)) => writer.format(&day).to_string(),
            // Both are impossible: `new` has tried, and every chrono date is a Gregorian one.
            _ => date.to_string(),
        }
    }

    /// "16 mars 2017".
    pub(crate) fn short_day(&self, date: NaiveDate) -> String {
        match (gregorian(date), self.without_weekday()) {
            (Some(day), Ok(writer)) => writer.format(&day).to_string(),
            _ => date.to_string(),
        }
    }

    /// "9.30": without prefix, for a programme's column.
    pub(crate) fn bare_time(&self, time: NaiveTime) -> String {
        format!("{}{}{:02}", time.hour(), self.form.separator, time.minute())
    }

    /// "9.30–16.00": without prefix, for a programme's column.
    pub(crate) fn bare_range(&self, start: NaiveTime, end: Option<NaiveTime>) -> String {
        match end {
            Some(end) => format!("{}{}{}", self.bare_time(start), self.form.range, self.bare_time(end)),
            None => self.bare_time(start),
        }
    }

    /// "kl. 9.30–16.00".
    pub(crate) fn time(&self, start: NaiveTime, end: Option<NaiveTime>) -> String {
        format!("{}{}", self.form.prefix, self.bare_range(start, end))
    }

    /// "torsdag 16 mars 2017, kl. 9.30", or the day alone.
    pub(crate) fn moment(&self, moment: Moment) -> String {
        self.span(Span { start: moment, end: None })
    }

    /// "torsdag 16 mars 2017, kl. 9.30–16.00", or over several days, or without times.
    pub(crate) fn span(&self, span: Span) -> String {
        let (start, day) = (span.start, self.day(span.start.date));
        match (start.time, span.end) {
            (Some(time), Some(end)) if end.date == start.date => {
                format!("{day}{}{}", self.form.join, self.time(time, end.time))
            }
            (None, Some(end)) if end.date == start.date => day,
            (_, Some(end)) => {
                let one = |m: Moment| self.moment(m);
                // Spaces around the dash, because it joins more than single words.
                format!("{} {} {}", one(start), self.form.range, one(end))
            }
            (Some(time), None) => format!("{day}{}{}", self.form.join, self.time(time, None)),
            (None, None) => day,
        }
    }
}

fn gregorian(date: NaiveDate) -> Option<Date<Gregorian>> {
    let (month, day) = (u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?);
    Date::try_new_gregorian(date.year(), month, day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(day: u32, hour: u32, minute: u32) -> Moment {
        Moment { date: NaiveDate::from_ymd_opt(2017, 3, day).unwrap(), time: NaiveTime::from_hms_opt(hour, minute, 0) }
    }

    fn writer(locale: &str, prefix: &str, separator: &str) -> DateWriter {
        let form =
            TimeForm { prefix: prefix.into(), separator: separator.into(), range: "–".into(), join: ", ".into() };
        DateWriter::new(locale, form).unwrap()
    }

    #[test]
    fn swedish_as_newsrooms_write_it() {
        let swedish = writer("sv", "kl. ", ".");
        let span = Span { start: moment(16, 9, 30), end: Some(moment(16, 16, 0)) };
        assert_eq!(swedish.span(span), "torsdag 16 mars 2017, kl. 9.30–16.00");
        let days = Span { start: moment(16, 9, 30), end: Some(moment(17, 12, 0)) };
        assert_eq!(swedish.span(days), "torsdag 16 mars 2017, kl. 9.30 – fredag 17 mars 2017, kl. 12.00");
        assert_eq!(swedish.short_day(span.start.date), "16 mars 2017");
    }

    #[test]
    fn english_as_newsrooms_write_it() {
        let english = writer("en-GB", "", ":");
        let span = Span { start: moment(16, 9, 30), end: Some(moment(16, 16, 0)) };
        assert_eq!(english.span(span), "Thursday, 16 March 2017, 9:30–16:00");
        let day = Moment { time: None, ..span.start };
        assert_eq!(english.span(Span { start: day, end: Some(day) }), "Thursday, 16 March 2017");
    }
}
