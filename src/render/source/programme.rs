//! Parses programme slots, presentations and series rows.

use chrono::{NaiveDate, NaiveTime};
use toml::de::DeValue;
use toml::value::Datetime;

use super::section::Section;
use super::values::printed_range;
use crate::model::release::{ItemForm, Presentation, ProgrammeItem, SeriesDate, SeriesRow, Slot};

impl<'i, 'l> Section<'i, 'l> {
    pub(super) fn programme(&mut self, key: &'static str) -> Vec<Slot> {
        self.sections(key).into_iter().map(slot).collect()
    }

    pub(super) fn presentations(&mut self, key: &'static str) -> Vec<Presentation> {
        self.sections(key).into_iter().map(presentation).collect()
    }

    pub(super) fn series(&mut self, key: &'static str) -> Vec<SeriesRow> {
        self.sections(key).into_iter().filter_map(series_row).collect()
    }

    /// A day without a time.
    pub(super) fn day(&mut self, key: &'static str) -> Option<NaiveDate> {
        let moment = self.moment(key, chrono_tz::UTC)?;
        Some(moment.date)
    }

    /// Parses `time = "9.30–10.00"` or `time = 09:30:00` into the printed text, the start and the end.
    fn slot_time(&mut self) -> (Option<String>, Option<NaiveTime>, Option<NaiveTime>) {
        let Some(found) = self.take("time") else { return (None, None, None) };
        match &found.value {
            DeValue::String(text) => {
                let printed = self.one_line(&found.key, found.line, text);
                // "efter lunch" is a time for people; only the calendar and the lint ignore it.
                let range = printed.as_deref().and_then(printed_range);
                (printed, range.map(|r| r.0), range.and_then(|r| r.1))
            }
            DeValue::Datetime(Datetime { date: None, time: Some(time), offset: None }) => {
                (None, NaiveTime::from_hms_opt(time.hour.into(), time.minute.into(), 0), None)
            }
            other => {
                self.wrong(&found, other, "slot-time");
                (None, None, None)
            }
        }
    }

    /// A day, or a text such as "våren 2026".
    fn series_date(&mut self) -> Option<SeriesDate> {
        let Some(found) = self.take("date") else {
            self.miss("date", "2026-11-26, \"våren 2026\"");
            return None;
        };
        match &found.value {
            DeValue::String(text) => self.one_line(&found.key, found.line, text).map(SeriesDate::Printed),
            DeValue::Datetime(Datetime { date: Some(date), time: None, .. }) => {
                let day = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into());
                if day.is_none() {
                    self.refuse(&found.key, found.line, "no-such-day", &[("given", &date.to_string())]);
                }
                day.map(SeriesDate::Day)
            }
            other => {
                self.wrong(&found, other, "day-or-season");
                None
            }
        }
    }
}

fn slot(mut section: Section<'_, '_>) -> Slot {
    let (printed_time, start, end) = section.slot_time();
    let slot = Slot {
        date: section.day("date"),
        start: section.clock_time("start").or(start),
        end: section.clock_time("end").or(end),
        printed_time,
        title: section.line_text("title"),
        text: section.text("text"),
        people: section.people("people"),
        items: section.sections("items").into_iter().map(item).collect(),
    };
    if slot.title.is_none() && slot.items.is_empty() {
        section.miss("title", "\"Inledning\"");
    }
    section.finish();
    slot
}

fn item(mut section: Section<'_, '_>) -> ProgrammeItem {
    let item = ProgrammeItem {
        form: section.word("form", &ItemForm::ALL, ItemForm::word).unwrap_or_default(),
        title: section.line_text("title"),
        people: section.people("people"),
    };
    if item.title.is_none() && item.people.is_empty() {
        section.miss("title", "\"Vägen framåt\"");
    }
    section.finish();
    item
}

fn presentation(mut section: Section<'_, '_>) -> Presentation {
    let presentation = Presentation {
        title: section.need("title", "\"Vägen framåt\""),
        speakers: section.people("speakers"),
        text: section.text("text"),
        attachment: section.line_text("attachment"),
        url: section.link("url"),
        quote: section.quote("quote"),
    };
    section.finish();
    presentation
}

fn series_row(mut section: Section<'_, '_>) -> Option<SeriesRow> {
    let date = section.series_date();
    let place = section.need("place", "\"Örebro\"");
    let (attachment, url) = (section.line_text("attachment"), section.link("url"));
    section.finish();
    Some(SeriesRow { date: date?, place, attachment, url })
}
