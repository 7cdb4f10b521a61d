//! Values of single fields: texts, words, links, dates and times, each with its own error messages.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::section::{Found, Section};
use crate::model::release::Moment;
use crate::render::links;

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
        let Some(Found { key: path, line, value }) = self.take(key) else { return Vec::new() };
        match value {
            DeValue::Array(array) => {
                let found: Vec<Found<'_>> =
                    array.into_iter().enumerate().map(|(index, value)| self.indexed(&path, index, value)).collect();
                found.iter().filter_map(|f| self.one_line(&f.key, f.line, &self.string(f)?)).collect()
            }
            other => {
                let found = Found { key: path, line, value: other };
                let text = self.string(&found);
                text.and_then(|text| self.one_line(&found.key, line, &text)).into_iter().collect()
            }
        }
    }

    fn string(&self, found: &Found<'_>) -> Option<String> {
        match &found.value {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                self.wrong(&found.key, found.line, other, "a text", "put it in quotation marks");
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
                self.refuse(key, line, "this must be one line, but contains a line break", "write it on one line");
                None
            }
            Some(c) => {
                let said = format!("it contains the control character U+{:04X}", u32::from(c));
                self.refuse(key, line, said, "remove it");
                None
            }
        }
    }

    /// A value with a textual form of its own.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, key: &'static str, fix: &str) -> Option<T> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        match text.trim().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let said: String = error.to_string().chars().filter(|c| !c.is_control()).collect();
                self.refuse(&found.key, found.line, said, fix);
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
                let said: String = error.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
                self.refuse(&found.key, found.line, said, "");
                None
            }
        }
    }

    /// One of a set of words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
        let found = self.take(key)?;
        let text = self.string(&found)?;
        let choice = all.iter().copied().find(|choice| word(*choice) == text.trim());
        if choice.is_none() {
            let words: Vec<&str> = all.iter().map(|choice| word(*choice)).collect();
            let shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
            let said = format!("\u{201c}{shown}\u{201d} is not one of the words known here");
            self.refuse(&found.key, found.line, said, format!("write one of: {}", words.join(", ")));
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
                self.refuse(&found.key, found.line, format!("this link does not work in a mail: {fault}"), fault.fix());
                None
            }
        }
    }

    /// A number from 0.
    pub(super) fn number(&mut self, key: &'static str) -> Option<u32> {
        let found = self.take(key)?;
        let number = found.value.as_integer().and_then(|i| u32::from_str_radix(i.as_str(), i.radix()).ok());
        if number.is_none() {
            self.wrong(&found.key, found.line, &found.value, "a whole number from 0", "write it in digits, unquoted");
        }
        number
    }

    /// A day with or without a time, in local time of `zone`.
    pub(super) fn moment(&mut self, key: &'static str, zone: Tz) -> Option<Moment> {
        let found = self.take(key)?;
        let fix = "write a date and time, unquoted: 2026-11-26T09:30:00, or a date alone: 2026-11-26";
        let DeValue::Datetime(value) = &found.value else {
            self.wrong(&found.key, found.line, &found.value, "a date or a date with a time", fix);
            return None;
        };
        let moment = read_moment(value, zone);
        match moment {
            None => self.refuse(&found.key, found.line, format!("{value} does not exist"), fix),
            Some(moment) if !moment.exists(zone) => {
                let said = format!("{value} does not exist in {zone}: the clock is set forward past it");
                self.refuse(&found.key, found.line, said, "write a time before or after the change");
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
            self.refuse(
                &found.key,
                found.line,
                "this is not a clock time",
                "write 09:30:00, or \"9.30\" in quotation marks",
            );
        }
        time
    }
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
