//! The answers to an event as CSV that is safe to open in a spreadsheet program (see [`crate::base::spreadsheet`]).

use crate::base::spreadsheet::Sheet;
use crate::model::rsvp::{Detail, Rsvp};

use super::overview::{Answered, Overview};

/// The column headings.
pub(crate) const COLUMNS: [&str; 13] = [
    "name",
    "newsroom",
    "function",
    "press card",
    "answer",
    "people",
    "when",
    "address",
    "comment",
    "late",
    "over capacity",
    "to be seen",
    "known, not given",
];

/// The complete file. With `excel` it starts with a byte order mark and separates cells by `;`.
pub fn csv(overview: &Overview, excel: bool) -> Vec<u8> {
    let mut sheet = Sheet::for_program(excel);
    sheet.row(COLUMNS);
    overview.answers.iter().for_each(|answered| sheet.row(row(answered)));
    sheet.take()
}

fn row(answered: &Answered) -> Vec<String> {
    let rsvp = &answered.rsvp;
    let person = &rsvp.person;
    let text = |detail: &Option<Detail>| detail.as_ref().map(|detail| detail.text.clone()).unwrap_or_default();
    let mark = |is: bool| if is { "yes".to_owned() } else { String::new() };
    let current = rsvp.current();
    let at = current.map(|change| change.at.format("%Y-%m-%d %H:%M:%SZ").to_string());
    vec![
        text(&person.name),
        text(&person.newsroom),
        text(&person.function),
        text(&person.press_card),
        rsvp.answer().word().to_owned(),
        person.people.map(|people| people.to_string()).unwrap_or_default(),
        at.unwrap_or_default(),
        rsvp.address.to_string(),
        current.map(|change| change.comment.clone()).unwrap_or_default(),
        mark(current.is_some_and(|change| change.late)),
        mark(answered.over_capacity),
        mark(rsvp.to_be_seen()),
        known(rsvp).join(", "),
    ]
}

/// The columns whose values come from a subscriber record, not from an answer.
pub(crate) fn known(rsvp: &Rsvp) -> Vec<&'static str> {
    let person = &rsvp.person;
    let fields = [("name", &person.name), ("newsroom", &person.newsroom)];
    let known = fields.into_iter().filter(|(_, detail)| detail.as_ref().is_some_and(|detail| !detail.given));
    known.map(|(name, _)| name).collect()
}
