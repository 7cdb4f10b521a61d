//! Public holidays in Sweden (lag 1989:253 om allmänna helgdagar), and the eves on which offices are closed.

use chrono::{Datelike, NaiveDate, Weekday};

/// Days after Easter Sunday.
const BY_EASTER: [(i64, &str); 6] = [
    (-2, "långfredagen"),
    (-1, "påskafton"),
    (0, "påskdagen"),
    (1, "annandag påsk"),
    (39, "Kristi himmelsfärdsdag"),
    (49, "pingstdagen"),
];

/// The name of the holiday on a day, in Swedish; `None` on all other days, including ordinary Sundays.
pub(super) fn swedish_holiday(day: NaiveDate) -> Option<&'static str> {
    let fixed = match (day.month(), day.day()) {
        (1, 1) => Some("nyårsdagen"),
        (1, 6) => Some("trettondedag jul"),
        (5, 1) => Some("första maj"),
        (6, 6) => Some("nationaldagen"),
        (12, 24) => Some("julafton"),
        (12, 25) => Some("juldagen"),
        (12, 26) => Some("annandag jul"),
        (12, 31) => Some("nyårsafton"),
        _ => None,
    };
    let by_weekday = || match (day.weekday(), day.month(), day.day()) {
        (Weekday::Fri, 6, 19..=25) => Some("midsommarafton"),
        (Weekday::Sat, 6, 20..=26) => Some("midsommardagen"),
        (Weekday::Sat, 10, 31) | (Weekday::Sat, 11, 1..=6) => Some("alla helgons dag"),
        _ => None,
    };
    let by_easter = || {
        let days = (day - easter(day.year())?).num_days();
        BY_EASTER.iter().find(|(after, _)| *after == days).map(|(_, name)| *name)
    };
    fixed.or_else(by_weekday).or_else(by_easter)
}

/// Easter Sunday in the Gregorian calendar: the algorithm of Meeus, Jones and Butcher (J. Meeus, Astronomical Algorithms,
/// ch. 8).
fn easter(year: i32) -> Option<NaiveDate> {
    let (golden, century, rest) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let leap = century / 4;
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - leap - correction + 15).rem_euclid(30);
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4).rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let days = epact + weekday - 7 * late + 114;
    NaiveDate::from_ymd_opt(year, u32::try_from(days / 31).ok()?, u32::try_from(days % 31 + 1).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn easter_falls_where_almanacs_have_it() {
        for text in ["2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2027-03-28", "2038-04-25"] {
            assert_eq!(easter(day(text).year()), Some(day(text)));
        }
    }

    #[test]
    fn holidays_of_a_year_are_known_and_other_days_are_none() {
        for (text, name) in [
            ("2027-01-06", "trettondedag jul"),
            ("2027-03-26", "långfredagen"),
            ("2027-03-29", "annandag påsk"),
            ("2027-05-06", "Kristi himmelsfärdsdag"),
            ("2027-05-16", "pingstdagen"),
            ("2027-06-06", "nationaldagen"),
            ("2027-06-25", "midsommarafton"),
            ("2026-10-31", "alla helgons dag"),
            ("2027-11-06", "alla helgons dag"),
        ] {
            assert_eq!(swedish_holiday(day(text)), Some(name), "{text}");
        }
        for text in ["2027-01-04", "2027-03-25", "2027-06-18", "2027-10-30", "2027-11-07", "2027-05-17"] {
            assert_eq!(swedish_holiday(day(text)), None, "{text}");
        }
    }
}
