//! Names of days and months, from CLDR, and the dates in running text that contain them.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};
use icu_calendar::{Date, Gregorian};
use icu_datetime::FixedCalendarDateTimeFormatter;
use icu_datetime::fieldsets::{E, MD};
use icu_locale_core::Locale;

/// Names of days and months in some languages, lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct DateNames {
    weekdays: BTreeMap<String, Weekday>,
    months: BTreeMap<String, u32>,
}

/// A date found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundDate {
    /// The byte at which it begins.
    pub at: usize,
    /// The weekday printed with it.
    pub weekday: Option<Weekday>,
    /// The weekday as printed.
    pub word: String,
    /// The day of the month.
    pub day: u32,
    /// The month.
    pub month: u32,
    /// The year, if printed.
    pub year: Option<i32>,
}

impl DateNames {
    /// The names in several languages; a language without data is skipped.
    pub(crate) fn of(languages: &[&str]) -> Self {
        let mut names = Self::default();
        languages.iter().filter_map(|l| l.parse::<Locale>().ok()).for_each(|locale| names.add(&locale));
        names
    }

    fn add(&mut self, locale: &Locale) {
        let weekday = FixedCalendarDateTimeFormatter::<Gregorian, E>::try_new(locale.into(), E::long());
        let month = FixedCalendarDateTimeFormatter::<Gregorian, MD>::try_new(locale.into(), MD::long());
        let (Ok(weekday), Ok(month)) = (weekday, month) else { return };
        // 1 to 7 January 2024 are Monday to Sunday.
        for day in 1..=7u8 {
            let (Ok(date), Some(plain)) = (Date::try_new_gregorian(2024, 1, day), january(day)) else { continue };
            self.weekdays.insert(weekday.format(&date).to_string().to_lowercase(), plain.weekday());
        }
        for number in 1..=12u8 {
            let Ok(date) = Date::try_new_gregorian(2024, number, 1) else { continue };
            let name: String = month.format(&date).to_string().chars().filter(|c| c.is_alphabetic()).collect();
            self.months.insert(name.to_lowercase(), number.into());
        }
    }

    /// The weekday named by a word: "torsdag", also "torsdagen" and "torsdagens".
    fn weekday(&self, word: &str) -> Option<Weekday> {
        let found = |word: &str| self.weekdays.get(word).copied();
        found(word).or_else(|| ["en", "ens"].iter().find_map(|end| found(word.strip_suffix(end)?)))
    }

    /// Finds every date in `text` with a day and the name of a month: "torsdag den 11 mars 2027", "Thursday, March
    /// 11".
    pub(crate) fn find(&self, text: &str) -> Vec<FoundDate> {
        let words = words(text);
        let mut found = Vec::new();
        let mut next = 0;
        while next < words.len() {
            match self.date_at(&words[next..]) {
                Some((date, length)) => {
                    found.push(date);
                    next += length.max(1);
                }
                None => next += 1,
            }
        }
        found
    }

    /// A date at the first word, and its number of words.
    fn date_at(&self, words: &[Word]) -> Option<(FoundDate, usize)> {
        let first = words.first()?;
        let weekday = self.weekday(&first.text);
        let mut at = usize::from(weekday.is_some());
        while words.get(at).is_some_and(|w| ["den", "the"].contains(&w.text.as_str())) && at < 3 {
            at += 1;
        }
        let (mut day, mut month) = (None, None);
        while day.is_none() || month.is_none() {
            let word = words.get(at)?;
            at += 1;
            if word.text == "of" && day.is_some() {
                continue;
            }
            match (day_number(&word.text), self.months.get(&word.text)) {
                (Some(number), None) if day.is_none() => day = Some(number),
                (None, Some(number)) if month.is_none() => month = Some(*number),
                _ => return None,
            }
        }
        let year = words.get(at).filter(|w| w.text.len() == 4).and_then(|w| w.text.parse().ok());
        at += usize::from(year.is_some());
        let date = FoundDate { at: first.at, weekday, word: first.printed.clone(), day: day?, month: month?, year };
        Some((date, at))
    }
}

fn january(day: u8) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2024, 1, day.into())
}

struct Word {
    at: usize,
    text: String,
    printed: String,
}

/// Splits into words and numbers. A sentence end, a paragraph break or a slash separates what is around it.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start: Option<usize> = None;
    for (at, c) in text.char_indices().chain(std::iter::once((text.len(), ' '))) {
        let inside = c.is_alphanumeric() || c == ':';
        match (start, inside) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let printed = text[from..at].trim_matches(':');
                words.push(Word { at: from, text: printed.to_lowercase(), printed: printed.to_owned() });
                start = None;
            }
            _ => {}
        }
        if "/;()".contains(c) {
            words.push(Word { at, text: c.to_string(), printed: c.to_string() });
        }
    }
    words
}

/// "11", "11:e", "1:a", "11th", "1st".
fn day_number(word: &str) -> Option<u32> {
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, ending) = word.split_at(digits);
    let known = ["", ":e", ":a", "e", "th", "st", "nd", "rd"].contains(&ending);
    let number: u32 = number.parse().ok()?;
    (known && (1..=31).contains(&number)).then_some(number)
}

impl FoundDate {
    /// The date, in the printed year or in the year that brings it nearest to `reference`.
    pub(crate) fn date(&self, reference: NaiveDate) -> Option<NaiveDate> {
        match self.year {
            Some(year) => NaiveDate::from_ymd_opt(year, self.month, self.day),
            None => [-1, 0, 1]
                .iter()
                .filter_map(|shift| NaiveDate::from_ymd_opt(reference.year() + shift, self.month, self.day))
                .min_by_key(|date| (*date - reference).num_days().abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(Option<Weekday>, u32, u32, Option<i32>)>) {
        let found = DateNames::of(&["sv", "en"]).find(text);
        let first = found.first().map(|d| (d.weekday, d.day, d.month, d.year));
        assert_eq!(first, expected, "{text}: {found:?}");
    }

    #[test]
    fn finds_dates_as_people_write_them() {
        let thursday = Some(Weekday::Thu);
        check("Tid: torsdag 11 mars 2027, kl. 9.30", Some((thursday, 11, 3, Some(2027))));
        check("på torsdagen den 11:e mars", Some((thursday, 11, 3, None)));
        check("Thursday, March 11, 2027", Some((thursday, 11, 3, Some(2027))));
        check("on Thursday the 11th of March", Some((thursday, 11, 3, None)));
        check("senast 9 mars kl. 12", Some((None, 9, 3, None)));
        check("torsdagar i mars", None);
        check("11 marscher", None);
        check("fredag 40 mars", None);
    }
}
