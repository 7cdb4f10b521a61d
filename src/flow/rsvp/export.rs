//! The answers to an event as a file for a spreadsheet: safe to open in one (see [`crate::flow::formula`]).

use crate::model::rsvp::{Detail, Rsvp};

use super::super::formula;
use super::overview::{Answered, Overview};

/// The columns.
pub const COLUMNS: [&str; 13] = [
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

/// The whole file. With `excel` a byte order mark first, and `;` between cells.
pub fn csv(overview: &Overview, excel: bool) -> Vec<u8> {
    let octets = if excel { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
    let delimiter = if excel { b';' } else { b',' };
    let ends = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(ends).from_writer(octets);
    let mut write = |cells: Vec<String>| {
        // All rows have as many cells, and writing to a vector does not fail.
        let _ = writer.write_record(cells.iter().map(|cell| formula::defuse(cell).into_owned()));
    };
    write(COLUMNS.map(str::to_owned).to_vec());
    overview.answers.iter().for_each(|answered| write(row(answered)));
    writer.into_inner().unwrap_or_default()
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

/// The columns whose content nobody gave in an answer.
pub fn known(rsvp: &Rsvp) -> Vec<&'static str> {
    let person = &rsvp.person;
    let fields = [("name", &person.name), ("newsroom", &person.newsroom)];
    let known = fields.into_iter().filter(|(_, detail)| detail.as_ref().is_some_and(|detail| !detail.given));
    known.map(|(name, _)| name).collect()
}
