//! The view of an event, its programme, and presentations for templates: the second part of [`super::view`].

use chrono::NaiveDate;
use serde_json::Value;

use crate::model::release::{Event, EventStatus, Presentation, ProgrammeItem, SeriesDate, SeriesRow, Slot};

use super::typography::with_stop;
use super::view::{Fields, ViewWriter, people_line, put, put_link, put_list, quote_block};

impl ViewWriter<'_> {
    pub(super) fn event(&self, event: &Event) -> Fields {
        let dates = &self.labels.dates;
        let mut fields = Fields::new();
        put(&mut fields, "title", event.title.as_deref());
        self.put_words(&mut fields, "when", Some(&self.when(event.start, event.end)));
        put(&mut fields, "date", Some(dates.day(event.start.date)));
        put(
            &mut fields,
            "time",
            event.start.time.map(|start| {
                let end = event.end.filter(|end| end.date == event.start.date).and_then(|end| end.time);
                dates.time(start, end)
            }),
        );
        put(&mut fields, "place", event.place());
        for (name, text) in [("venue", &event.venue), ("street", &event.street), ("city", &event.city)] {
            put(&mut fields, name, text.as_deref());
        }
        put_link(&mut fields, "map", event.map.as_deref());
        put_link(&mut fields, "stream", event.stream.as_deref());
        put(&mut fields, "organisers", Some(self.labels.list(&event.organisers)));
        put(&mut fields, "previous_when", event.previous_start.map(|m| dates.moment(m)));
        match event.status {
            EventStatus::Planned => {}
            EventStatus::Moved => put(&mut fields, "moved", self.status_word(event)),
            EventStatus::Cancelled => put(&mut fields, "cancelled", self.status_word(event)),
        }
        // Readers are not invited to a cancelled event.
        if let Some(rsvp) = event.rsvp.as_ref().filter(|_| event.status != EventStatus::Cancelled) {
            let mut answer = Fields::new();
            put(&mut answer, "to", Some(rsvp.to.as_str()));
            put(&mut answer, "deadline", rsvp.deadline.map(|m| dates.moment(m)));
            put(&mut answer, "fields", Some(self.labels.list(&rsvp.fields)));
            put(&mut answer, "capacity", rsvp.capacity.map(|n| n.to_string()));
            put(&mut answer, "entrance_time", rsvp.entrance_time.map(|t| dates.time(t, None)));
            fields.insert("rsvp".to_owned(), Value::Object(answer));
        }
        fields
    }

    /// The notice for an event that does not take place as announced.
    pub(super) fn status_word(&self, event: &Event) -> Option<&str> {
        let other_time = event.previous_start.is_some_and(|before| before != event.start);
        match event.status {
            EventStatus::Planned => None,
            EventStatus::Moved if other_time => Some(self.labels.word("new_time")),
            EventStatus::Moved => Some(self.labels.word("moved")),
            EventStatus::Cancelled => Some(self.labels.word("cancelled")),
        }
    }

    /// A slot; `day` is shown where a new day of the programme begins.
    pub(super) fn slot(&mut self, slot: &Slot, day: Option<NaiveDate>) -> Fields {
        let mut fields = Fields::new();
        put(&mut fields, "day", day.map(|d| self.labels.dates.day(d)));
        let machine = slot.start.map(|start| self.labels.dates.bare_range(start, slot.end));
        put(&mut fields, "time", slot.printed_time.clone().or(machine));
        put(&mut fields, "title", slot.title.as_deref());
        put(&mut fields, "people", Some(people_line(&slot.people)));
        if let Some(text) = &slot.text {
            self.put_inline(&mut fields, "about", text);
        }
        put_list(&mut fields, "items", slot.items.iter().map(|item| self.item(item)));
        fields
    }

    fn item(&self, item: &ProgrammeItem) -> Fields {
        let mut fields = Fields::new();
        // A talk is the default: only other forms are named.
        let form = item.form.word();
        put(&mut fields, "form", (form != "talk").then(|| self.labels.word(form)));
        put(&mut fields, "title", item.title.as_deref());
        put(&mut fields, "sentence", item.title.as_deref().map(with_stop));
        put(&mut fields, "people", Some(people_line(&item.people)));
        fields
    }

    pub(super) fn presentation(&mut self, presentation: &Presentation, number: usize, file: Option<Fields>) -> Fields {
        let mut fields = Fields::new();
        put(&mut fields, "number", Some(number.to_string()));
        put(&mut fields, "title", Some(presentation.title.as_str()));
        put(&mut fields, "speakers", Some(people_line(&presentation.speakers)));
        if let Some(text) = &presentation.text {
            self.put_inline(&mut fields, "about", text);
        }
        fields.extend(file.unwrap_or_default());
        put_link(&mut fields, "url", presentation.url.as_deref());
        if let Some(quote) = &presentation.quote {
            self.put_blocks(&mut fields, "quote", &[quote_block(quote, &self.labels.reading)]);
        }
        fields
    }

    pub(super) fn series_row(&self, row: &SeriesRow, file: Option<Fields>) -> Fields {
        let mut fields = Fields::new();
        let date = match &row.date {
            SeriesDate::Day(day) => self.labels.dates.short_day(*day),
            SeriesDate::Printed(printed) => printed.clone(),
        };
        put(&mut fields, "date", Some(date));
        put(&mut fields, "place", Some(row.place.as_str()));
        fields.extend(file.unwrap_or_default());
        put_link(&mut fields, "url", row.url.as_deref());
        fields
    }
}
