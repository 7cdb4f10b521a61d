//! Rules about the order of times: events, deadlines, embargo, and the time of sending.

use chrono::{Datelike, NaiveTime, Weekday};
use chrono_tz::Tz;

use super::holidays::swedish_holiday;
use super::{Finding, Severity, Subject};
use crate::base::clock::Timestamp;
use crate::model::release::{Event, EventStatus, Moment, Slot, names};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(event) = &subject.release.event {
        check_event(subject, event, findings);
        check_rsvp(subject, event, findings);
    }
    for (index, fact) in subject.release.facts.iter().enumerate() {
        if let Some(span) = fact.time
            && span.end.is_some_and(|end| end < span.start)
        {
            findings.push(subject.error(("time-order", "fact"), format!("facts[{index}].end"), &[]));
        }
    }
    check_programme(subject, findings);
    check_publication(subject, findings);
}

fn check_event(subject: &Subject<'_>, event: &Event, findings: &mut Vec<Finding>) {
    let (start, end) = (event.start_instant(), event.end_instant());
    if end.is_some_and(|end| end < start) {
        findings.push(subject.error(("time-order", "event"), "event.end", &[]));
    }
    // Some kinds report on past events; for the others an event in the past is a mistake.
    let documents = subject.release.relations.iter().any(|r| r.kind.word() == "documentation-of");
    let looks_back = documents || subject.context.manifest.is_some_and(|manifest| manifest.looks_back);
    let over = end.unwrap_or(start) < subject.context.now;
    if over && !looks_back {
        findings.push(subject.warning(("past-event", "over"), "event.start", &[]));
    } else if !looks_back && subject.context.send_at.is_some_and(|sent| begun(event, sent)) {
        findings.push(subject.warning(("sent-late", "after-start"), "event.start", &[]));
    }
    if event.status == EventStatus::Moved && event.previous_start.is_none() {
        findings.push(subject.warning(("moved", "no-previous"), "event.status", &[]));
    }
    if event.status != EventStatus::Planned {
        check_update(subject, event, findings);
    }
    if event.status == EventStatus::Planned && event.previous_start.is_some() {
        findings.push(subject.warning(("moved", "no-status"), "event", &[]));
    }
}

/// Whether an event has begun; one without a time may begin at any time of its day.
fn begun(event: &Event, at: Timestamp) -> bool {
    match event.start.time {
        Some(_) => event.start_instant() <= at,
        None => event.start.date < at.with_timezone(&event.zone).date_naive(),
    }
}

/// Calendars identify a moved or cancelled event by its UID (RFC 5546 §2.1.4); its SEQUENCE increases automatically.
fn check_update(subject: &Subject<'_>, event: &Event, findings: &mut Vec<Finding>) {
    if !subject.context.manifest.is_some_and(|manifest| manifest.calendar) {
        return;
    }
    if event.uid.is_none() && subject.release.announced_in().is_none() {
        let status = names::shown_word(event.status.word(), subject.language());
        findings.push(subject.warning(("event-uid", "unknown"), "event.status", &[("status", status)]));
    }
}

fn check_rsvp(subject: &Subject<'_>, event: &Event, findings: &mut Vec<Finding>) {
    let Some(deadline) = event.rsvp.as_ref().and_then(|rsvp| rsvp.deadline) else { return };
    // A day without a time lasts until its end, so it may be the event's own day.
    let after = match (deadline.time, event.start.time) {
        (Some(_), Some(_)) => deadline.instant(event.zone) > event.start_instant(),
        _ => deadline.date > event.start.date,
    };
    let key = "event.rsvp.deadline";
    if after {
        findings.push(subject.error(("rsvp-deadline", "after-start"), key, &[]));
    } else if deadline.time.is_some() && deadline.instant(event.zone) < subject.context.now {
        findings.push(subject.warning(("rsvp-deadline", "passed"), key, &[]));
    }
}

fn check_programme(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut before: Option<(&Slot, NaiveTime)> = None;
    for (index, slot) in subject.release.programme.iter().enumerate() {
        let key = format!("programme[{index}]");
        if let (Some(start), Some(end)) = (slot.start, slot.end)
            && end < start
        {
            findings.push(subject.error(("time-order", "slot"), key.clone(), &[]));
        }
        let Some(start) = slot.start else { continue };
        if before.is_some_and(|(last, time)| last.date == slot.date && start < time) {
            findings.push(subject.warning(("programme-order", "earlier"), key, &[]));
        }
        before = Some((slot, start));
    }
}

fn check_publication(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    let sent = subject.context.send_at.unwrap_or(subject.context.now);
    if let Some(embargo) = &release.embargo {
        if embargo.ends() <= sent {
            findings.push(subject.warning(("embargo", "ended"), "embargo.until", &[]));
        } else if subject.context.send_at.is_some() {
            findings.push(subject.warning(("embargo", "before"), "embargo.until", &[]));
        }
    }
    if release.expires.is_some_and(|expires| has_passed(expires, release.zone, sent)) {
        findings.push(subject.warning(("expired", "before-sent"), "expires", &[]));
    }
    if let (Some(published), Some(updated)) = (release.published, release.updated)
        && updated.date < published.date
    {
        findings.push(subject.warning(("time-order", "updated"), "updated", &[]));
    }
    if let Some(sent) = subject.context.send_at {
        check_day(subject, sent, findings);
    }
}

/// Whether a time has passed; a day lasts until its end.
fn has_passed(moment: Moment, zone: Tz, at: Timestamp) -> bool {
    match moment.time {
        Some(_) => moment.instant(zone) <= at,
        None => moment.date < at.with_timezone(&zone).date_naive(),
    }
}

/// Sundays and holidays are known for Sweden: they are checked for releases in Swedish or in Swedish time.
fn check_day(subject: &Subject<'_>, sent: Timestamp, findings: &mut Vec<Finding>) {
    let release = subject.release;
    if release.language.primary() != "sv" && release.zone != chrono_tz::Europe::Stockholm {
        return;
    }
    let day = sent.with_timezone(&release.zone).date_naive();
    let date = day.to_string();
    let (text, name) = match swedish_holiday(day) {
        Some(name) => ("holiday", name),
        None if day.weekday() == Weekday::Sun => ("sunday", ""),
        None => return,
    };
    // It is about the mailing, not about a field.
    let values = [("date", date.as_str()), ("name", name)];
    findings.push(Finding::said(Severity::Warning, ("holiday", text), subject.language(), &values));
}
