//! Programmes, numbered presentations and series.

use chrono::{NaiveDate, NaiveTime};

use super::person::Person;
use super::quote::Quote;

/// One slot of a programme.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slot {
    /// The day, where the programme runs over several.
    pub date: Option<NaiveDate>,
    /// The beginning.
    pub start: Option<NaiveTime>,
    /// The end.
    pub end: Option<NaiveTime>,
    /// The time as the author printed it; wins over start and end.
    pub printed_time: Option<String>,
    /// What it is.
    pub title: Option<String>,
    /// A line or two about it.
    pub text: Option<String>,
    /// Who is in it, where it has no items of its own.
    pub people: Vec<Person>,
    /// Talks, dialogues, panels in it.
    pub items: Vec<ProgrammeItem>,
}

/// A talk, a dialogue, a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgrammeItem {
    /// Its form.
    pub form: ItemForm,
    /// What it is called.
    pub title: Option<String>,
    /// Who is in it.
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
    pub fn word(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Dialogue => "dialogue",
            Self::Panel => "panel",
        }
    }

    /// All of them, for messages.
    pub const ALL: [Self; 3] = [Self::Talk, Self::Dialogue, Self::Panel];
}

/// A presentation in a documentation release; its number is its place, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Presentation {
    /// What it was called.
    pub title: String,
    /// Who held it.
    pub speakers: Vec<Person>,
    /// What it was about, Markdown.
    pub text: Option<String>,
    /// The file of its slides, as named among the attachments.
    pub attachment: Option<String>,
    /// A link to it.
    pub url: Option<String>,
    /// Something said in it.
    pub quote: Option<Quote>,
}

/// A stop of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesRow {
    /// When.
    pub date: SeriesDate,
    /// Where.
    pub place: String,
    /// The file of this stop, as named among the attachments.
    pub attachment: Option<String>,
    /// A link to it.
    pub url: Option<String>,
}

/// A date that may be known in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesDate {
    /// A day.
    Day(NaiveDate),
    /// What the author wrote, e.g. "våren 2017".
    Printed(String),
}
