//! Programmes, numbered presentations and series.

use chrono::{NaiveDate, NaiveTime};

use super::person::Person;
use super::quote::Quote;

/// One slot of a programme.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slot {
    /// The day, where the programme runs over several.
    pub date: Option<NaiveDate>,
    /// The start.
    pub start: Option<NaiveTime>,
    /// The end.
    pub end: Option<NaiveTime>,
    /// The time as the author printed it; wins over start and end.
    pub printed_time: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// A short description.
    pub text: Option<String>,
    /// Its participants, if it has no items of its own.
    pub people: Vec<Person>,
    /// The talks, dialogues and panels in it.
    pub items: Vec<ProgrammeItem>,
}

/// A talk, a dialogue or a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgrammeItem {
    /// Its form.
    pub form: ItemForm,
    /// Its title.
    pub title: Option<String>,
    /// Its participants.
    pub people: Vec<Person>,
}

/// The form of a programme item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ItemForm {
    /// One person speaks.
    #[default]
    Talk,
    /// Two or more in conversation.
    Dialogue,
    /// A panel.
    Panel,
}

impl ItemForm {
    /// The word in release files.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Dialogue => "dialogue",
            Self::Panel => "panel",
        }
    }

    /// All of them, for messages.
    pub(crate) const ALL: [Self; 3] = [Self::Talk, Self::Dialogue, Self::Panel];
}

/// A presentation in a documentation release; its number is its position, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Presentation {
    /// Its title.
    pub title: String,
    /// Who held it.
    pub speakers: Vec<Person>,
    /// A description, in Markdown.
    pub text: Option<String>,
    /// The file of its slides: the name of an attachment.
    pub attachment: Option<String>,
    /// A link to it.
    pub url: Option<String>,
    /// A quotation from it.
    pub quote: Option<Quote>,
}

/// A stop of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesRow {
    /// The date.
    pub date: SeriesDate,
    /// The place.
    pub place: String,
    /// The file of this stop: the name of an attachment.
    pub attachment: Option<String>,
    /// A link to it.
    pub url: Option<String>,
}

/// A date, possibly known only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesDate {
    /// A day.
    Day(NaiveDate),
    /// Free text, e.g. "våren 2017".
    Printed(String),
}
