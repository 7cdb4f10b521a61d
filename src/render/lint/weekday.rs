//! Rules that weekday and date agree wherever both are printed, and that a printed day is the machine value's day.

use chrono::{Datelike, NaiveDate, Weekday};

use super::date_names::{DateNames, FoundDate};
use super::texts;
use super::{Finding, Severity, Subject};
use crate::model::release::names::AuthorLanguage;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    let names = DateNames::of(&["sv", "en", release.language.primary()]);
    let reference = Reference::of(subject);
    for written in texts::all(subject) {
        for date in names.find(written.text) {
            let line = written.line(subject, date.at);
            let found = disagreement(subject, &date, &reference);
            findings.extend(found.map(|finding| finding.of(written.key.clone()).at(line)));
        }
    }
    printed_facts(subject, &names, &reference, findings);
}

/// What tells the year of a date without one.
struct Reference {
    /// The day near which such dates are.
    near: NaiveDate,
    /// Years that may be meant instead: those named in the release, if no field gives a date.
    years: Vec<i32>,
}

impl Reference {
    fn of(subject: &Subject<'_>) -> Self {
        let release = subject.release;
        let event = release.event.as_ref().map(|e| e.start.date);
        let fact = release.facts.iter().find_map(|f| f.time).map(|span| span.start.date);
        let period = release.facts.iter().find_map(|f| f.period).map(|period| period.middle());
        let published = release.published.map(|m| m.date);
        match event.or(fact).or(period).or(published) {
            Some(near) => Self { near, years: Vec::new() },
            // A text from another year is not judged by the present one.
            None => {
                let near = subject.context.now.with_timezone(&release.zone).date_naive();
                let mut years: Vec<i32> = texts::all(subject).iter().flat_map(|written| years(written.text)).collect();
                years.extend(release.updated.map(|updated| updated.date.year()));
                Self { near, years }
            }
        }
    }
}

/// The years named in a text.
fn years(text: &str) -> impl Iterator<Item = i32> {
    let numbers = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() == 4);
    numbers.filter_map(|word| word.parse().ok()).filter(|year| (1900..=2100).contains(year))
}

fn disagreement(subject: &Subject<'_>, found: &FoundDate, reference: &Reference) -> Option<Finding> {
    let say = |text, values: &[(&str, String)]| {
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Finding::said(Severity::Warning, ("weekday", text), subject.language(), &values)
    };
    let printed = found.weekday?;
    let Some(date) = found.date(reference.near) else {
        return Some(say("no-such-day", &[("day", found.day.to_string()), ("month", found.month.to_string())]));
    };
    let fits = |date: NaiveDate| date.weekday() == printed;
    let in_year = |year: &i32| NaiveDate::from_ymd_opt(*year, found.month, found.day);
    if fits(date) || (found.year.is_none() && reference.years.iter().filter_map(in_year).any(fits)) {
        return None;
    }
    let weekday = weekday_name(date.weekday(), subject.language()).to_owned();
    Some(say("disagrees", &[("date", date.to_string()), ("weekday", weekday), ("word", found.word.clone())]))
}

fn weekday_name(day: Weekday, language: AuthorLanguage) -> &'static str {
    let (english, swedish) = match day {
        Weekday::Mon => ("Monday", "måndag"),
        Weekday::Tue => ("Tuesday", "tisdag"),
        Weekday::Wed => ("Wednesday", "onsdag"),
        Weekday::Thu => ("Thursday", "torsdag"),
        Weekday::Fri => ("Friday", "fredag"),
        Weekday::Sat => ("Saturday", "lördag"),
        Weekday::Sun => ("Sunday", "söndag"),
    };
    language.pick(english, swedish)
}

/// A fact whose printed day differs from its machine value would send people there on the wrong day.
fn printed_facts(subject: &Subject<'_>, names: &DateNames, reference: &Reference, findings: &mut Vec<Finding>) {
    for (index, fact) in subject.release.facts.iter().enumerate() {
        let days = match (fact.time, fact.period) {
            (Some(span), _) => span.start.date..=span.end.unwrap_or(span.start).date,
            (None, Some(period)) => period.first..=period.last,
            (None, None) => continue,
        };
        if days.is_empty() {
            continue; // It ends before it begins, which is said elsewhere.
        }
        let near = fact.period.map_or(reference.near, |period| period.middle());
        let printed: Vec<NaiveDate> = names.find(&fact.printed).iter().filter_map(|d| d.date(near)).collect();
        if let Some(wrong) = printed.iter().find(|date| !days.contains(date)) {
            let values = [("printed", wrong.to_string()), ("start", days.start().to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            findings.push(subject.warning(("printed-date", "differs"), format!("facts[{index}].printed"), &values));
        }
    }
}
