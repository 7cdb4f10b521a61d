//! Parses the event and its RSVP, and the labelled facts.

use chrono_tz::Tz;

use super::section::Section;
use crate::model::release::{Event, EventStatus, Fact, Invite, Moment, Period, Rsvp, Span};

impl<'i, 'l> Section<'i, 'l> {
    pub(super) fn event(&mut self, key: &'static str, zone: Tz) -> Option<Event> {
        let mut section = self.section(key)?;
        let zone = section.zone("zone").unwrap_or(zone);
        let start = section.moment("start", zone);
        if !section.was_given("start") {
            section.miss("start", "2026-11-26T09:30:00");
        }
        let (end, previous_start) = (section.moment("end", zone), section.moment("previous_start", zone));
        let rsvp = section.rsvp("rsvp", zone);
        let read = |start| Event {
            title: section.line_text("title"),
            start,
            end,
            zone,
            venue: section.line_text("venue"),
            street: section.line_text("street"),
            city: section.line_text("city"),
            map: section.link("map"),
            stream: section.link("stream"),
            organisers: section.texts("organisers"),
            status: section.word("status", &EventStatus::ALL, EventStatus::word).unwrap_or_default(),
            previous_start,
            rsvp,
            invite: section.word("invite", &Invite::ALL, Invite::word),
            uid: section.line_text("uid"),
            sequence: section.number("sequence").unwrap_or(0),
        };
        // Read to its end even without a start, so that all other errors are reported too.
        let event = read(start.unwrap_or(Moment { date: chrono::NaiveDate::MIN, time: None }));
        section.finish();
        start.map(|_| event)
    }

    fn rsvp(&mut self, key: &'static str, zone: Tz) -> Option<Rsvp> {
        let mut section = self.section(key)?;
        let to = section.parsed("to", "address");
        if !section.was_given("to") {
            section.miss("to", "\"press@example.org\"");
        }
        let deadline = section.moment("deadline", zone);
        let fields = section.texts("fields");
        let capacity = section.number("capacity");
        let entrance_time = section.clock_time("entrance_time");
        section.finish();
        Some(Rsvp { to: to?, deadline, fields, capacity, entrance_time })
    }

    pub(super) fn facts(&mut self, key: &'static str, zone: Tz) -> Vec<Fact> {
        self.sections(key).into_iter().map(|section| fact(section, zone)).collect()
    }
}

fn fact(mut section: Section<'_, '_>, zone: Tz) -> Fact {
    let label = section.need("label", "\"Tid\"");
    let printed = section.text("printed").unwrap_or_else(|| {
        section.miss("printed", "\"torsdag 26 november 2026\"");
        String::new()
    });
    let (start, period) = section.moment_or_period("start", zone);
    let (end, until) = section.moment_or_period("end", zone);
    let last = until.map(|until| until.last).or(end.map(|end| end.date));
    let period = period.map(|period| Period { last: last.unwrap_or(period.last), ..period });
    let time = start.map(|start| Span { start, end: end.or(last.map(|date| Moment { date, time: None })) });
    let fact = Fact { label, printed, time, period, place: section.line_text("place") };
    section.finish();
    fact
}
