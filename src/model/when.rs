//! Reads times as people type them, in Swedish and English: "2027-03-01 9.00", "i morgon 9", "1 mars kl 9", "March 1
//! at 9:30 am", "om 2 timmar". A day without a year, or a weekday, is the next one to come.

use chrono::{Datelike, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

use super::release::Moment;

/// Words for days from today.
const DAYS: [(&[&str], u64); 9] = [
    (&["i", "dag"], 0),
    (&["idag"], 0),
    (&["today"], 0),
    (&["i", "morgon"], 1),
    (&["imorgon"], 1),
    (&["tomorrow"], 1),
    (&["i", "övermorgon"], 2),
    (&["övermorgon"], 2),
    (&["the", "day", "after", "tomorrow"], 2),
];

/// The months, with their short forms.
const MONTHS: [&[&str]; 12] = [
    &["januari", "january", "jan"],
    &["februari", "february", "feb"],
    &["mars", "march", "mar"],
    &["april", "apr"],
    &["maj", "may"],
    &["juni", "june", "jun"],
    &["juli", "july", "jul"],
    &["augusti", "august", "aug"],
    &["september", "sept", "sep"],
    &["oktober", "october", "okt", "oct"],
    &["november", "nov"],
    &["december", "dec"],
];

/// The days of the week from Monday, with their short forms.
const WEEKDAYS: [&[&str]; 7] = [
    &["måndag", "monday", "mån", "mon"],
    &["tisdag", "tuesday", "tis", "tue"],
    &["onsdag", "wednesday", "ons", "wed"],
    &["torsdag", "thursday", "tors", "thu"],
    &["fredag", "friday", "fre", "fri"],
    &["lördag", "saturday", "lör", "sat"],
    &["söndag", "sunday", "sön", "sun"],
];

/// Units of "om 2 timmar" and "in 2 hours", in minutes.
const UNITS: [(&[&str], i64); 3] = [
    (&["minut", "minuter", "min", "minute", "minutes"], 1),
    (&["timme", "timmar", "tim", "h", "hour", "hours"], 60),
    (&["dag", "dagar", "dygn", "day", "days"], 24 * 60),
];

/// Words that may stand before a day or a time, and say nothing.
const PREFIXES: [&str; 9] = ["kl", "klockan", "på", "den", "at", "on", "the", "of", "nästa"];

/// The local time that a text names, seen from the local time `now`: a day, or a day and a time. `None` if it names
/// none, or more than one.
pub(crate) fn read(text: &str, now: NaiveDateTime) -> Option<Moment> {
    let words = words(text);
    if let Some(later) = from_now(&words) {
        // Seconds would suggest a precision that no person typed.
        let at = now.checked_add_signed(later)?;
        let minute = NaiveTime::from_hms_opt(chrono::Timelike::hour(&at), chrono::Timelike::minute(&at), 0)?;
        return Some(Moment { date: at.date(), time: Some(minute) });
    }
    let mut rest = words.as_slice();
    let (mut day, mut weekday, mut time) = (None, None, None);
    while !rest.is_empty() {
        rest = if let (None, Some((date, after))) = (day, day_at(rest, now.date())) {
            day = Some(date);
            after
        } else if PREFIXES.contains(&rest[0].as_str()) {
            &rest[1..]
        } else if let (None, Some(found)) = (weekday, weekday_of(&rest[0])) {
            weekday = Some(found);
            &rest[1..]
        } else if let (None, Some((found, after))) = (time, time_at(rest)) {
            time = Some(found);
            after
        } else {
            return None;
        };
    }
    let date = match (day, weekday) {
        // A weekday beside a date must be that of the date.
        (Some(date), Some(weekday)) => Some(date).filter(|date| date.weekday() == weekday)?,
        (Some(date), None) => date,
        (None, Some(weekday)) => next(weekday, now.date())?,
        (None, None) => return None,
    };
    Some(Moment { date, time })
}

/// Lower-case words, without the punctuation that people put around days and times.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['\u{a0}', ','], " ");
    let bare = |word: &str| word.trim_matches('.').to_owned();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// "om 2 timmar", "in 30 minutes".
fn from_now(words: &[String]) -> Option<Duration> {
    let [first, count, unit] = words else { return None };
    let count: i64 = ["om", "in"].contains(&first.as_str()).then(|| count.parse().ok()).flatten()?;
    let (_, minutes) = UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()))?;
    (0..=100_000).contains(&count).then(|| Duration::minutes(count * minutes))
}

/// A day at the beginning of the words, and the words after it.
fn day_at(words: &[String], today: NaiveDate) -> Option<(NaiveDate, &[String])> {
    if let Ok(date) = NaiveDate::parse_from_str(&words[0], "%Y-%m-%d") {
        return Some((date, &words[1..]));
    }
    let said = |names: &[&str]| words.len() >= names.len() && names.iter().zip(words).all(|(name, word)| name == word);
    if let Some((names, days)) = DAYS.iter().find(|(names, _)| said(names)) {
        return Some((today.checked_add_days(Days::new(*days))?, &words[names.len()..]));
    }
    let [first, second, ..] = words else { return None };
    // "1 mars", "1st of March", "March 1".
    let number = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
        let ordinal = ["", "st", "nd", "rd", "th", "a", "e"].contains(&&word[digits.len()..]);
        digits.parse::<u32>().ok().filter(|day| ordinal && digits.len() <= 2 && (1..=31).contains(day))
    };
    let (day, month, mut after) = match (number(first), month_of(second), month_of(first), number(second)) {
        (Some(day), Some(month), ..) | (_, _, Some(month), Some(day)) => (day, month, &words[2..]),
        _ if second == "of" && words.len() > 2 => (number(first)?, month_of(&words[2])?, &words[3..]),
        _ => return None,
    };
    let year = after.first().and_then(|word| word.parse::<i32>().ok()).filter(|year| (1970..=2200).contains(year));
    if let Some(year) = year {
        after = &after[1..];
        return Some((NaiveDate::from_ymd_opt(year, month, day)?, after));
    }
    // Eight years: 29 February may be as far away.
    let years = today.year()..today.year() + 9;
    let date = years.filter_map(|year| NaiveDate::from_ymd_opt(year, month, day)).find(|date| *date >= today)?;
    Some((date, after))
}

fn month_of(word: &str) -> Option<u32> {
    let place = MONTHS.iter().position(|names| names.contains(&word))?;
    u32::try_from(place + 1).ok()
}

/// A weekday: "torsdag", also "torsdagen".
fn weekday_of(word: &str) -> Option<Weekday> {
    let place = |word: &str| WEEKDAYS.iter().position(|names| names.contains(&word));
    let place = place(word).or_else(|| place(word.strip_suffix("en")?))?;
    Weekday::try_from(u8::try_from(place).ok()?).ok()
}

/// The next such day after today.
fn next(weekday: Weekday, today: NaiveDate) -> Option<NaiveDate> {
    (1..=7).filter_map(|days| today.checked_add_days(Days::new(days))).find(|date| date.weekday() == weekday)
}

/// A time of day at the beginning of the words, and the words after it: "9", "9.30", "09:30", "9 am", "9:30pm".
fn time_at(words: &[String]) -> Option<(NaiveTime, &[String])> {
    let first = &words[0];
    let (digits, mut half) = match (first.strip_suffix("am"), first.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (first.as_str(), None),
    };
    let mut after = &words[1..];
    if half.is_none() {
        half = match after.first().map(|word| word.replace('.', "")).as_deref() {
            Some("am") => Some(0),
            Some("pm") => Some(12),
            _ => None,
        };
        after = &after[usize::from(half.is_some())..];
    }
    let mut parts = digits.split([':', '.']);
    let mut part = |most: u32, length: usize| match parts.next() {
        None => Some(0),
        Some(part) if part.len() <= 2 && part.len() >= length && part.bytes().all(|byte| byte.is_ascii_digit()) => {
            part.parse::<u32>().ok().filter(|number| *number <= most)
        }
        Some(_) => None,
    };
    let (hour, minute, second) = (part(23, 1)?, part(59, 2)?, part(59, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(half) => (1..=12).contains(&hour).then_some(hour % 12 + half)?,
    };
    Some((NaiveTime::from_hms_opt(hour, minute, second)?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read on Sunday 29 November 2026 at 22.10.
    fn read_on_sunday(text: &str) -> String {
        let now = NaiveDate::from_ymd_opt(2026, 11, 29).unwrap().and_hms_opt(22, 10, 30).unwrap();
        match read(text, now) {
            None => "?".to_owned(),
            Some(Moment { date, time: None }) => date.to_string(),
            Some(Moment { date, time: Some(time) }) => format!("{date} {}", time.format("%H:%M")),
        }
    }

    #[test]
    fn days_and_times_as_people_type_them() {
        for (text, expected) in [
            ("2027-03-01 9.00", "2027-03-01 09:00"),
            ("2027-03-01 kl. 9.30", "2027-03-01 09:30"),
            ("2027-03-01", "2027-03-01"),
            ("i morgon 9", "2026-11-30 09:00"),
            ("I morgon kl 9:05", "2026-11-30 09:05"),
            ("imorgon klockan 13", "2026-11-30 13:00"),
            ("i dag 23", "2026-11-29 23:00"),
            ("i övermorgon kl. 8", "2026-12-01 08:00"),
            ("tomorrow at 9 am", "2026-11-30 09:00"),
            ("the day after tomorrow 9:30pm", "2026-12-01 21:30"),
            ("12 am tomorrow", "2026-11-30 00:00"),
            ("1 mars kl 9", "2027-03-01 09:00"),
            ("den 1 december 2026, kl. 10.15", "2026-12-01 10:15"),
            ("29 nov 23.00", "2026-11-29 23:00"),
            ("28 november 9", "2027-11-28 09:00"),
            ("March 1, 2027, 9:30 a.m.", "2027-03-01 09:30"),
            ("1st of March at 14", "2027-03-01 14:00"),
            ("29 februari kl 9", "2028-02-29 09:00"),
            ("fredag 9", "2026-12-04 09:00"),
            ("på söndag kl. 9", "2026-12-06 09:00"),
            ("tisdag 1 december kl. 9", "2026-12-01 09:00"),
            ("kl 9 på torsdag", "2026-12-03 09:00"),
            ("om 2 timmar", "2026-11-30 00:10"),
            ("in 30 minutes", "2026-11-29 22:40"),
            ("om 3 dagar", "2026-12-02 22:10"),
        ] {
            assert_eq!(read_on_sunday(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_time_or_two_is_refused() {
        for text in [
            "",
            "snart",
            "9",
            "kl 9",
            "måndag 1 december kl. 9",
            "1 mars 2 mars",
            "9 10 i morgon",
            "i morgon 25",
            "i morgon 9.5",
            "i morgon 13 pm",
            "31 februari 9",
            "1/3 9.00",
            "om två timmar",
            "2027-13-01 9",
        ] {
            assert_eq!(read_on_sunday(text), "?", "{text}");
        }
    }
}
