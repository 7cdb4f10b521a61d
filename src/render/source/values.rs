//! Values of single fields: texts, words, links, dates and times, each with its own error messages.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::section::{Found, Section};
use crate::model::release::{Moment, Period, names};
use crate::render::{links, rules};

impl Section<'_, '_> {
    /// A text of one line; an empty one counts as absent.
    pub(super) fn line_text(&mut self, key: &'static str) -> Option<String> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        self.one_line(&found.key, found.line, &text)
    }

    /// A heading: a text of one line, where an empty one means none.
    pub(super) fn heading(&mut self, key: &'static str) -> Option<String> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        Some(self.one_line(&found.key, found.line, &text).unwrap_or_default())
    }

    /// A required text of one line; empty if missing, which is reported.
    pub(super) fn need(&mut self, key: &'static str, example: &str) -> String {
        self.line_text(key).unwrap_or_else(|| {
            self.miss(key, example);
            String::new()
        })
    }

    /// A text of one or more lines.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        let text = text.trim_matches(['\n', ' ', '\t']).to_owned();
        self.clean(&found.key, found.line, &text, true)?;
        (!text.is_empty()).then_some(text)
    }

    /// Texts of one line each; a single one counts as an array of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(found) = self.take(key) else { return Vec::new() };
        match found.value {
            DeValue::Array(array) => {
                let entry = |(index, value)| self.indexed((&found.key, &found.written), index, value);
                let entries: Vec<Found<'_>> = array.into_iter().enumerate().map(entry).collect();
                entries.iter().filter_map(|f| self.one_line(&f.key, f.line, &self.string(f)?)).collect()
            }
            _ => {
                let text = self.string(&found);
                text.and_then(|text| self.one_line(&found.key, found.line, &text)).into_iter().collect()
            }
        }
    }

    pub(super) fn string(&self, found: &Found<'_>) -> Option<String> {
        match &found.value {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                self.wrong(found, other, "text");
                None
            }
        }
    }

    /// The trimmed text, if it is one clean, non-empty line.
    pub(super) fn one_line(&self, key: &str, line: u32, text: &str) -> Option<String> {
        // U+00A0 is kept everywhere: only invisible blanks are trimmed.
        let text = text.trim_matches([' ', '\t', '\n']);
        self.clean(key, line, text, false)?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn clean(&self, key: &str, line: u32, text: &str, many_lines: bool) -> Option<()> {
        match text.chars().find(|c| c.is_control() && *c != '\t' && !(many_lines && *c == '\n')) {
            None => Some(()),
            Some('\n') => {
                self.refuse(key, line, "line-break", &[]);
                None
            }
            Some(c) => {
                self.refuse(key, line, "control", &[("code", &format!("U+{:04X}", u32::from(c)))]);
                None
            }
        }
    }

    /// A value with a textual form of its own; `form` names a text of the rule `value`.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, key: &'static str, form: &str) -> Option<T> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        match text.trim().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(
                    &found.key,
                    found.line,
                    form,
                    &[("given", &shown(&text)), ("why", &shown(&error.to_string()))],
                );
                None
            }
        }
    }

    /// A zone of the IANA database.
    pub(super) fn zone(&mut self, key: &'static str) -> Option<Tz> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        match crate::model::zone::zone(text.trim()) {
            Ok(zone) => Some(zone),
            Err(error) => {
                self.refuse(&found.key, found.line, "zone", &[("why", &shown(&error.to_string()))]);
                None
            }
        }
    }

    /// One of a set of words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        let choice = all.iter().copied().find(|choice| names::is_word(text.trim(), word(*choice)));
        if choice.is_none() {
            let words: Vec<&str> =
                all.iter().map(|choice| names::shown_word(word(*choice), self.log.language)).collect();
            let values = [("given", shown(&text)), ("words", words.join(", "))];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            self.refuse(&found.key, found.line, "word", &values);
        }
        choice
    }

    /// A web link. Other schemes are refused: a link in a mail must not run anything.
    pub(super) fn link(&mut self, key: &'static str) -> Option<String> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        let text = self.one_line(&found.key, found.line, &text)?;
        match links::target(&text) {
            Ok(link) => Some(link),
            Err(fault) => {
                let (text, value) = fault.text();
                let (why, fix) = rules::texts("link", text, self.log.language, &[("value", value)]);
                self.refuse(&found.key, found.line, "link", &[("why", &why), ("fix", &fix)]);
                None
            }
        }
    }

    /// A number from 0.
    pub(super) fn number(&mut self, key: &'static str) -> Option<u32> {
        let found = self.take(key)?;
        let number = found.value.as_integer().and_then(|i| u32::from_str_radix(i.as_str(), i.radix()).ok());
        if number.is_none() {
            self.wrong(&found, &found.value, "number");
        }
        number
    }

    /// A day with or without a time, in local time of `zone`.
    pub(super) fn moment(&mut self, key: &'static str, zone: Tz) -> Option<Moment> {
        let found = self.take(key)?;
        let DeValue::Datetime(value) = &found.value else {
            self.wrong(&found, &found.value, "moment");
            return None;
        };
        self.existing_moment(&found, value, zone)
    }

    /// A day with or without a time, or a month, a season or a year.
    pub(super) fn moment_or_period(&mut self, key: &'static str, zone: Tz) -> (Option<Moment>, Option<Period>) {
        let Some(found) = self.take(key) else { return (None, None) };
        let period = match &found.value {
            DeValue::Datetime(value) => return (self.existing_moment(&found, value, zone), None),
            DeValue::String(text) => Period::parse(text),
            DeValue::Integer(year) => i32::from_str_radix(year.as_str(), year.radix()).ok().and_then(Period::year),
            _ => None,
        };
        if period.is_none() {
            self.wrong(&found, &found.value, "period");
        }
        (None, period)
    }

    fn existing_moment(&self, found: &Found<'_>, value: &Datetime, zone: Tz) -> Option<Moment> {
        let moment = read_moment(value, zone);
        match moment {
            None => self.refuse(&found.key, found.line, "no-such-day", &[("given", &value.to_string())]),
            Some(moment) if !moment.exists(zone) => {
                let values = [("given", value.to_string()), ("zone", zone.to_string())];
                let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
                self.refuse(&found.key, found.line, "no-such-time", &values);
                return None;
            }
            Some(_) => {}
        }
        moment
    }

    /// A clock time, native or in printed form (`9.30`).
    pub(super) fn clock_time(&mut self, key: &'static str) -> Option<NaiveTime> {
        let found = self.take(key)?;
        let time = match &found.value {
            DeValue::Datetime(Datetime { date: None, time: Some(time), offset: None }) => {
                NaiveTime::from_hms_opt(time.hour.into(), time.minute.into(), 0)
            }
            DeValue::String(text) => printed_time(text),
            _ => None,
        };
        if time.is_none() {
            self.refuse(&found.key, found.line, "clock-time", &[]);
        }
        time
    }
}

/// A text of the author in a message.
pub(super) fn shown(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(200).collect()
}

fn read_moment(value: &Datetime, zone: Tz) -> Option<Moment> {
    let date = value.date?;
    let date = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())?;
    let Some(time) = value.time else { return Some(Moment { date, time: None }) };
    let time = NaiveTime::from_hms_opt(time.hour.into(), time.minute.into(), time.second.unwrap_or(0).into())?;
    let minutes = match value.offset {
        None => return Some(Moment { date, time: Some(time) }),
        Some(Offset::Z) => 0,
        Some(Offset::Custom { minutes }) => minutes,
    };
    let utc = date.and_time(time).checked_sub_signed(chrono::Duration::minutes(minutes.into()))?;
    let local = utc.and_utc().with_timezone(&zone).naive_local();
    Some(Moment { date: local.date(), time: Some(local.time()) })
}

/// A printed clock time: `9`, `9.30`, `09:30`, with or without "kl.".
pub(super) fn printed_time(text: &str) -> Option<NaiveTime> {
    let text = text.trim();
    let text = ["klockan", "kl.", "kl"].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text);
    let text = text.trim_matches([' ', '\u{a0}']);
    let (hour, minute) = text.split_once(['.', ':']).unwrap_or((text, "0"));
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
    if !digits(hour) || !(minute == "0" || (digits(minute) && minute.len() == 2)) {
        return None;
    }
    NaiveTime::from_hms_opt(hour.parse().ok()?, minute.parse().ok()?, 0)
}

/// A printed range of clock times: `9.30–10.00`; the end may be absent.
pub(super) fn printed_range(text: &str) -> Option<(NaiveTime, Option<NaiveTime>)> {
    match text.split_once(['\u{2013}', '\u{2014}', '-']) {
        Some((start, end)) => Some((printed_time(start)?, Some(printed_time(end)?))),
        None => Some((printed_time(text)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_clock_times_as_people_print_them() {
        let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        assert_eq!(printed_range("kl.\u{a0}9.30\u{2013}16.00"), Some((time(9, 30), Some(time(16, 0)))));
        assert_eq!(printed_range("09:30 - 10"), Some((time(9, 30), Some(time(10, 0)))));
        assert_eq!(printed_range("9.30"), Some((time(9, 30), None)));
        assert_eq!(printed_range("25.00"), None);
        assert_eq!(printed_range("cirka nio"), None);
    }
}
