//! From a record to a checked row.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::base::address::Address;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::base::spreadsheet_cell;
use crate::base::unicode;

use super::columns::{Column, Columns};
use super::mailbox;
use super::records::Record;
use super::states::{Standing, StateColumn};

/// The longest name of a person or an organisation, in characters.
const LONGEST_NAME: usize = 200;
/// The longest value of an attribute, in characters.
const LONGEST_ATTRIBUTE: usize = 4000;
/// The replacement for a character that could not be decoded.
const LOST: char = '\u{fffd}';

/// The fields of one person in a row. An empty cell changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// The full name.
    pub name: Option<String>,
    /// The language of the subscriber's mails.
    pub language: Option<Language>,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// All beats: they replace the stored ones.
    pub beats: Option<BTreeSet<String>>,
    /// All regions: they replace the stored ones.
    pub regions: Option<BTreeSet<String>>,
    /// Attributes: each replaces the stored one with its name.
    pub attributes: BTreeMap<String, String>,
    /// Lists to add the person to.
    pub lists: BTreeSet<ListName>,
}

/// One checked row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The record as in the file.
    pub record: Record,
    /// The person's address.
    pub address: Address,
    /// The person's fields.
    pub fields: Fields,
}

/// Whether all cells are empty, as in the rows that Excel sometimes writes at the end.
pub(crate) fn is_blank(record: &Record) -> bool {
    record.cells().all(|cell| cell.trim_matches(unicode::is_unseen).is_empty())
}

/// Why a row is not imported, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is unreadable or invalid.
    Wrong(String),
    /// It states that this address may not get mail.
    LeftOut(Address, String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Wrong(reason)
    }
}

/// Parses and checks one record.
///
/// # Errors
/// The record, and the reason why it is not imported.
pub fn read(columns: &Columns, record: Record) -> Result<Row, (Record, Refusal)> {
    match read_fields(columns, &record) {
        Ok((address, fields)) => Ok(Row { record, address, fields }),
        Err(refusal) => Err((record, refusal)),
    }
}

/// Evaluates a cell that states who may get mail: the reason if this person may not.
fn state(columns: &Columns, index: usize, column: StateColumn, cell: &str) -> Result<Option<String>, String> {
    let heading = &columns.headings[index];
    match columns.words.states.read(column, cell) {
        Ok(Some(Standing::Out)) if cell.is_empty() => Ok(Some(format!("left out: \u{201c}{heading}\u{201d} is empty"))),
        Ok(Some(Standing::Out)) => Ok(Some(format!("left out: \u{201c}{heading}\u{201d} is \u{201c}{cell}\u{201d}"))),
        Ok(Some(Standing::Active) | None) => Ok(None),
        Err(()) => Err(format!(
            "\u{201c}{heading}\u{201d} says who may get mail, and what \u{201c}{cell}\u{201d} means there is not known: say \
             --state \"{cell}=active\" or --state \"{cell}=out\"; if the column is about something else, --column \
             ignore=\"{heading}\""
        )),
    }
}

fn read_fields(columns: &Columns, record: &Record) -> Result<(Address, Fields), Refusal> {
    let (mut mailbox, mut out) = (None, None);
    let (mut first_name, mut last_name) = (None, None);
    let mut fields = Fields::default();
    for (index, cell) in record.cells().enumerate() {
        let cell = match spreadsheet_cell::restore(cell) {
            Cow::Borrowed(cell) => text_of_formula(cell.trim()),
            restored => restored,
        };
        let cell = cell.trim();
        let is_empty = cell.is_empty() || (!cell.is_ascii() && cell.trim_matches(unicode::is_unseen).is_empty());
        if let Some(Column::State(column)) = columns.columns.get(index) {
            out = state(columns, index, *column, if is_empty { "" } else { cell })?.or(out);
            continue;
        }
        if is_empty {
            continue;
        }
        match columns.columns.get(index) {
            Some(Column::Address) => mailbox = Some(mailbox::read(cell)?),
            Some(Column::Name) => fields.name = Some(one_line("the name", cell)?),
            Some(Column::FirstName) => first_name = Some(one_line("the first name", cell)?),
            Some(Column::LastName) => last_name = Some(one_line("the last name", cell)?),
            Some(Column::Organisation) => fields.organisation = Some(one_line("the organisation", cell)?),
            Some(Column::Language) => fields.language = Some(columns.words.language(cell)?),
            Some(Column::Beats) => fields.beats = Some(words("the beats", cell)?),
            Some(Column::Regions) => fields.regions = Some(words("the regions", cell)?),
            Some(Column::Lists) => fields.lists = lists(cell)?,
            Some(Column::Attribute(_)) if !columns.named[index] && columns.words.states.is_end(cell) => {
                let heading = &columns.headings[index];
                return Err(Refusal::Wrong(format!(
                    "\u{201c}{heading}\u{201d} is \u{201c}{cell}\u{201d}: if it says who may get mail, say --column \
                     \"subscription state={heading}\"; if not, --column ignore=\"{heading}\""
                )));
            }
            Some(Column::Attribute(name)) => {
                if let Some(value) = attribute(name, cell)? {
                    fields.attributes.insert(name.clone(), value);
                }
            }
            Some(Column::Ignored | Column::State(_)) => {}
            Some(Column::Nameless) => {
                return Err(format!("column {} has a value but no heading", index + 1).into());
            }
            None => {
                let headings = columns.columns.len();
                return Err(format!("it has a value in column {}, but there are {headings} headings", index + 1).into());
            }
        }
    }
    let mailbox = mailbox.ok_or_else(|| "the address is empty".to_owned())?;
    if let Some(reason) = out {
        return Err(Refusal::LeftOut(mailbox.address, reason));
    }
    if fields.name.is_none() && (first_name.is_some() || last_name.is_some()) {
        let parts: Vec<String> = [first_name, last_name].into_iter().flatten().collect();
        fields.name = Some(parts.join(" "));
    }
    if fields.name.is_none() {
        fields.name = mailbox.name.map(|name| one_line("the name", &name)).transpose()?;
    }
    Ok((mailbox.address, fields))
}

/// The text in `="0701740605"`, which programs write to force a spreadsheet to keep it; other cells unchanged.
fn text_of_formula(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.replace("\"\"", "").contains('"') => Cow::Owned(text.replace("\"\"", "\"")),
        _ => Cow::Borrowed(cell),
    }
}

fn within(what: &str, cell: &str, most: usize) -> Result<(), String> {
    // A text never has fewer bytes than characters, so characters are counted only if necessary.
    match cell.len() > most && cell.chars().count() > most {
        true => Err(format!("{what} is longer than {most} characters")),
        false => Ok(()),
    }
}

/// The cleaned value of an attribute; `None` if it is empty.
///
/// # Errors
/// Why the value is invalid, for a person to read.
pub(crate) fn attribute(name: &str, value: &str) -> Result<Option<String>, String> {
    let value = unicode::tidy_trimmed(value);
    within(name, &value, LONGEST_ATTRIBUTE)?;
    showable(name, &value)?;
    Ok((!value.is_empty()).then(|| value.into_owned()))
}

fn showable(what: &str, text: &str) -> Result<(), String> {
    match text.chars().find(|c| *c == LOST || (c.is_control() && !matches!(c, '\r' | '\n' | '\t'))) {
        None => Ok(()),
        Some(LOST) => Err(format!(
            "{what} holds \u{201c}{LOST}\u{201d} (U+FFFD): a letter was lost when the file was written or read; correct it, \
             or say with --encoding what the file is written in"
        )),
        Some(c) => {
            Err(format!("{what} holds a character that cannot be shown (a control character, U+{:04X})", u32::from(c)))
        }
    }
}

/// Cleans text and puts it on one line with single spaces.
///
/// # Errors
/// Why the text is invalid, for a person to read.
pub(crate) fn one_line(what: &str, cell: &str) -> Result<String, String> {
    let cell = unicode::tidy(cell);
    within(what, &cell, LONGEST_NAME)?;
    showable(what, &cell)?;
    let mut text = String::with_capacity(cell.len());
    for word in cell.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    Ok(text)
}

/// Words separated by `,`, `;`, `|` or a new line, in the form in which they are compared (see [`unicode::key`]).
///
/// # Errors
/// Why the words are invalid, for a person to read.
pub(crate) fn words(what: &str, cell: &str) -> Result<BTreeSet<String>, String> {
    within(what, cell, LONGEST_ATTRIBUTE)?;
    let words = cell.split([',', ';', '|', '\n']).map(unicode::key).filter(|word| !word.is_empty());
    words.map(|word| one_line(what, &word)).collect()
}

fn lists(cell: &str) -> Result<BTreeSet<ListName>, String> {
    let names = cell.split(|c: char| ",;|".contains(c) || c.is_whitespace());
    let names = names.filter(|name| !name.trim_matches(unicode::is_unseen).is_empty());
    names.map(|name| name.parse().map_err(|e: crate::base::id::IdError| e.to_string())).collect()
}
