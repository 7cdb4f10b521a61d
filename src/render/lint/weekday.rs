//! Rules that weekday and date agree wherever both are printed, and that a printed day is the machine value's day.

use chrono::{Datelike, NaiveDate, Weekday};

use super::date_names::{DateNames, FoundDate};
use super::{Finding, Severity, Subject};
use crate::model::release::names::AuthorLanguage;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    let names = DateNames::of(&["sv", "en", release.language.primary()]);
    let reference = reference(subject);
    for (key, text) in single_lines(subject) {
        for date in names.find(text) {
            findings.extend(disagreement(subject, &date, reference).map(|finding| subject.place(finding, key.clone())));
        }
    }
    for date in names.find(&release.body) {
        if let Some(finding) = disagreement(subject, &date, reference) {
            let before = release.body[..date.at].matches('\n').count();
            let line = subject.positions.body.saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
            findings.push(finding.of("body").at(Some(line)));
        }
    }
    printed_facts(subject, &names, reference, findings);
}

/// The day near which dates without a year are assumed to be.
fn reference(subject: &Subject<'_>) -> NaiveDate {
    let release = subject.release;
    let event = release.event.as_ref().map(|e| e.start.date);
    let fact = release.facts.iter().find_map(|f| f.time).map(|span| span.start.date);
    let published = release.published.map(|m| m.date);
    let now = subject.context.now.with_timezone(&release.zone).date_naive();
    event.or(fact).or(published).unwrap_or(now)
}

fn disagreement(subject: &Subject<'_>, found: &FoundDate, reference: NaiveDate) -> Option<Finding> {
    let say = |text, values: &[(&str, String)]| {
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Finding::said(Severity::Warning, ("weekday", text), subject.language(), &values)
    };
    let printed = found.weekday?;
    let Some(date) = found.date(reference) else {
        return Some(say("no-such-day", &[("day", found.day.to_string()), ("month", found.month.to_string())]));
    };
    if date.weekday() == printed {
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

/// All texts except the body, with their fields.
fn single_lines<'a>(subject: &Subject<'a>) -> Vec<(String, &'a str)> {
    let release = subject.release;
    let mut texts: Vec<(String, &str)> = vec![("headline".to_owned(), release.headline.as_str())];
    let single = [
        ("subject", &release.subject),
        ("kicker", &release.kicker),
        ("lead", &release.lead),
        ("media_welcome", &release.media_welcome),
        ("editor_note", &release.editor_note),
        ("usage_terms", &release.usage_terms),
        ("change", &release.change),
    ];
    texts.extend(single.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.as_deref()?))));
    for (index, fact) in release.facts.iter().enumerate() {
        texts.push((format!("facts[{index}].printed"), fact.printed.as_str()));
    }
    for (index, slot) in release.programme.iter().enumerate() {
        let fields = [("time", &slot.printed_time), ("title", &slot.title), ("text", &slot.text)];
        let given = fields.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
        texts.extend(given.map(|(name, text)| (format!("programme[{index}].{name}"), text)));
    }
    texts
}

/// A fact whose printed day differs from its machine value would send people there on the wrong day.
fn printed_facts(subject: &Subject<'_>, names: &DateNames, reference: NaiveDate, findings: &mut Vec<Finding>) {
    for (index, fact) in subject.release.facts.iter().enumerate() {
        let Some(span) = fact.time else { continue };
        let printed: Vec<NaiveDate> = names.find(&fact.printed).iter().filter_map(|d| d.date(reference)).collect();
        let days = span.start.date..=span.end.unwrap_or(span.start).date;
        if days.is_empty() {
            continue; // It ends before it begins, which is said elsewhere.
        }
        if let Some(wrong) = printed.iter().find(|date| !days.contains(date)) {
            let values = [("printed", wrong.to_string()), ("start", span.start.date.to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            findings.push(subject.warning(("printed-date", "differs"), format!("facts[{index}].printed"), &values));
        }
    }
}
