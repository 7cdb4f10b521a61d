//! Rules that weekday and date agree wherever both are printed, and that a printed day is the machine value's day.

use chrono::{Datelike, NaiveDate};

use super::date_names::{DateNames, FoundDate};
use super::{Finding, Subject};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    let names = DateNames::of(&["sv", "en", release.language.primary()]);
    let reference = reference(subject);
    for (key, text) in single_lines(subject) {
        for date in names.find(text) {
            if let Some(finding) = disagreement(&date, reference) {
                findings.push(subject.place(finding, key.clone()));
            }
        }
    }
    for date in names.find(&release.body) {
        if let Some(finding) = disagreement(&date, reference) {
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

fn disagreement(found: &FoundDate, reference: NaiveDate) -> Option<Finding> {
    let Some(date) = found.date(reference) else {
        let said = format!("there is no {} {}", found.day, found.month);
        return found.weekday.map(|_| Finding::warning("weekday", said, "check day and month"));
    };
    let printed = found.weekday?;
    if date.weekday() == printed {
        return None;
    }
    let said = format!("{date} is a {}, but \u{201c}{}\u{201d} is printed", date.format("%A"), found.word);
    Some(Finding::warning("weekday", said, "change the weekday or the date"))
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
            let said = format!("{wrong} is printed, but the calendar gets {}", span.start.date);
            let finding = Finding::warning("printed-date", said, "make the printed date and start agree");
            findings.push(subject.place(finding, format!("facts[{index}].printed")));
        }
    }
}
