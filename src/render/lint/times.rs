//! Rules about the order of times: events, deadlines, embargo.

use chrono::NaiveTime;

use super::{Finding, Subject};
use crate::model::release::{Event, EventStatus, Slot};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(event) = &subject.release.event {
        check_event(subject, event, findings);
        check_rsvp(subject, event, findings);
    }
    for (index, fact) in subject.release.facts.iter().enumerate() {
        if let Some(span) = fact.time
            && span.end.is_some_and(|end| end < span.start)
        {
            let finding = Finding::error("time-order", "it ends before it begins", "change start or end");
            findings.push(subject.place(finding, format!("facts[{index}].end")));
        }
    }
    check_programme(subject, findings);
    check_publication(subject, findings);
}

fn check_event(subject: &Subject<'_>, event: &Event, findings: &mut Vec<Finding>) {
    let mut say = |finding: Finding, key: &str| findings.push(subject.place(finding, key));
    let (start, end) = (event.start_instant(), event.end_instant());
    if end.is_some_and(|end| end < start) {
        say(Finding::error("time-order", "the event ends before it begins", "change start or end"), "event.end");
    }
    // Some kinds report on past events; for the others an event in the past is a mistake.
    let over = end.unwrap_or(start) < subject.context.now;
    let looks_back = subject.release.relations.iter().any(|r| r.kind.word() == "documentation-of");
    if over && !subject.context.manifest.is_some_and(|manifest| manifest.looks_back) && !looks_back {
        let fix =
            "check year and month; a release about a past event needs a kind that looks back, such as documentation";
        say(Finding::warning("past-event", "the event is in the past", fix), "event.start");
    }
    if event.status == EventStatus::Moved && event.previous_start.is_none() {
        let fix = "write previous_start, so that readers see what changed";
        say(Finding::warning("moved", "the event is moved, but its previous start is missing", fix), "event.status");
    }
    if event.status != EventStatus::Planned {
        check_update(subject, event, findings);
    }
    let mut say = |finding: Finding, key: &str| findings.push(subject.place(finding, key));
    if event.status == EventStatus::Planned && event.previous_start.is_some() {
        let fix = "write status = \"moved\"";
        say(Finding::warning("moved", "there is a previous start, but the event is not moved", fix), "event");
    }
}

/// Calendars identify a moved or cancelled event by its UID (RFC 5546 §2.1.4); its SEQUENCE increases automatically.
fn check_update(subject: &Subject<'_>, event: &Event, findings: &mut Vec<Finding>) {
    if !subject.context.manifest.is_some_and(|manifest| manifest.calendar) {
        return;
    }
    let status = event.status.word();
    if event.uid.is_none() && subject.release.announced_in().is_none() {
        let said = format!("the event is {status}, but calendars cannot tell which one: it has no uid");
        let fix =
            "write the uid of the invitation, or [[relations]] with kind = \"update-of\" and to = its number (r12)";
        findings.push(subject.place(Finding::warning("event-uid", said, fix), "event.status"));
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
        let finding = Finding::error("rsvp-deadline", "the deadline is after the event begins", "set an earlier one");
        findings.push(subject.place(finding, key));
    } else if deadline.time.is_some() && deadline.instant(event.zone) < subject.context.now {
        let finding = Finding::warning("rsvp-deadline", "the deadline has passed", "set a later one");
        findings.push(subject.place(finding, key));
    }
}

fn check_programme(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut before: Option<(&Slot, NaiveTime)> = None;
    for (index, slot) in subject.release.programme.iter().enumerate() {
        let key = format!("programme[{index}]");
        if let (Some(start), Some(end)) = (slot.start, slot.end)
            && end < start
        {
            let finding = Finding::error("time-order", "this slot ends before it begins", "change its time");
            findings.push(subject.place(finding, key.clone()));
        }
        let Some(start) = slot.start else { continue };
        if before.is_some_and(|(last, time)| last.date == slot.date && start < time) {
            let fix = "check the time; on another day, give the slot its date";
            let finding = Finding::warning("programme-order", "this slot begins before the one above it", fix);
            findings.push(subject.place(finding, key));
        }
        before = Some((slot, start));
    }
}

fn check_publication(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    let mut say = |finding: Finding, key: &str| findings.push(subject.place(finding, key));
    let sent = subject.context.send_at.unwrap_or(subject.context.now);
    if let Some(embargo) = &release.embargo {
        if embargo.ends() <= sent {
            let fix = "remove it, or set a later time";
            say(Finding::warning("embargo", "the embargo will have ended when this is sent", fix), "embargo.until");
        } else if subject.context.send_at.is_some() {
            let said = "this is sent before its embargo ends: all recipients are trusted to wait";
            let fix = "send it when the embargo ends, unless that is what you mean";
            say(Finding::warning("embargo", said, fix), "embargo.until");
        }
    }
    let instant = |m: crate::model::release::Moment| m.instant(release.zone);
    if release.expires.is_some_and(|expires| expires.time.is_some() && instant(expires) <= sent) {
        say(Finding::warning("expired", "it expires before it is sent", "set a later time"), "expires");
    }
    if let (Some(published), Some(updated)) = (release.published, release.updated)
        && updated.date < published.date
    {
        let finding = Finding::warning("time-order", "it was updated before it was published", "change one of them");
        say(finding, "updated");
    }
}
