//! Release files: TOML between `+++` lines, then Markdown. Parses a text into a [`Draft`], with all errors reported
//! at once; then, with the contact book, into a [`Release`].
//!
//! No I/O here: callers read files and pass in text. Hostile text gives findings, never a panic.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::model::contact::{Contact, ContactBook, ContactRole};
use crate::model::release::{Kind, Release};

use super::finding::{Finding, sort};

mod contacts;
mod event;
mod fields;
mod front;
mod log;
mod material;
mod people;
mod pictures;
mod programme;
mod quotation_marks;
mod section;
mod split;
mod values;

pub mod book;
pub(crate) mod resolve;

pub(crate) use log::Positions;

/// Maximum size of a file in bytes; longer ones are refused before they are read.
pub(crate) const MAX_SOURCE: usize = 1_000_000;

/// Defaults from the installation for what a release file leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// The zone of times without one.
    pub zone: Tz,
    /// The country code of national phone numbers, e.g. `46`.
    pub country_code: String,
    /// How files name kinds.
    pub kinds: Kinds,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self { zone: chrono_tz::Europe::Stockholm, country_code: "46".to_owned(), kinds: Kinds::default() }
    }
}

/// Which kind a file means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Further names of kinds, from their manifests, such as "pressmeddelande"; any other name is a kind's own.
    Named(BTreeMap<String, Kind>),
    /// It is known: the file is stored, and was read when it was added. Names of kinds may have changed since.
    Stored(Kind),
}

impl Default for Kinds {
    fn default() -> Self {
        Self::Named(BTreeMap::new())
    }
}

/// A release as its file has it: contacts and boilerplate may be ids in the contact book.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The file's own content; its contacts and boilerplates are empty, and an issuer given by id has no name yet.
    pub release: Release,
    /// Contacts in order.
    pub contacts: Vec<DraftContact>,
    /// Boilerplates in order.
    pub boilerplates: Vec<DraftBoilerplate>,
    /// The line of each field in the file.
    pub positions: Positions,
}

/// A contact as the file gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftContact {
    /// The role.
    pub role: ContactRole,
    /// The person.
    pub who: DraftWho,
}

/// A contact written out, or an id.
#[derive(Clone, Debug, PartialEq)]
pub enum DraftWho {
    /// Written out.
    Inline(Contact),
    /// An id of the contact book.
    Book(String),
}

/// A boilerplate as the file gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum DraftBoilerplate {
    /// An organisation in the contact book; the newest text in the release's language if no revision is given.
    Book {
        /// Its id.
        organisation: String,
        /// The revision of the text.
        revision: Option<u32>,
    },
    /// Written out.
    Inline {
        /// The organisation's name, as printed.
        name: String,
        /// The text, in Markdown.
        text: String,
    },
}

/// The result of parsing a file.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The parsed file; `None` when it is not a release file at all. Use it only if there are no errors.
    pub draft: Option<Draft>,
    /// All errors and warnings, by line.
    pub findings: Vec<Finding>,
}

/// Parses a release file.
pub fn parse(text: &str, settings: &SourceSettings) -> Parsed {
    let mut parsed = read(text, settings);
    sort(&mut parsed.findings);
    parsed
}

fn read(text: &str, settings: &SourceSettings) -> Parsed {
    let split = match split::split(text) {
        Ok(split) => split,
        Err(finding) => return Parsed { draft: None, findings: vec![finding] },
    };
    let front = front::read(split);
    let log = log::Log::new(&front.split, front.language);
    let root = section::Section::root(front.table(&log), &log);
    let mut draft = fields::read(root, &front.split, settings);
    pictures::add(&mut draft.release, &front.split, &log);
    log.check_body(&front.split);
    let (mut findings, positions) = log.into_parts();
    if log::drop_echoes(&mut findings) {
        return Parsed { draft: None, findings };
    }
    Parsed { draft: Some(Draft { positions, ..draft }), findings }
}

impl Draft {
    /// The part of `book` that this draft refers to: what a release stores as its snapshot.
    pub fn snapshot(&self, book: &ContactBook) -> ContactBook {
        resolve::snapshot(self, book)
    }

    /// Looks up the ids in the draft.
    ///
    /// # Errors
    /// Every id that is not in the book.
    pub fn resolve(&self, book: &ContactBook) -> Result<Release, Vec<Finding>> {
        let (release, findings) = self.resolve_leniently(book);
        if findings.is_empty() { Ok(release) } else { Err(findings) }
    }

    /// Does the same as [`Draft::resolve`], but leaves out what is not found: for a check that continues with all
    /// other rules.
    pub fn resolve_leniently(&self, book: &ContactBook) -> (Release, Vec<Finding>) {
        resolve::resolve(self, book)
    }

    /// The names of the files of its images.
    pub fn pictures(&self) -> Vec<&str> {
        self.release.images.iter().filter_map(|image| image.file.as_deref()).collect()
    }

    /// The names of the files that the release needs, without duplicates.
    pub fn files(&self) -> Vec<&str> {
        let attachments = self.release.attachments.iter().map(|a| a.file.as_str());
        let images = self.release.images.iter().filter_map(|i| i.file.as_deref());
        let mut names: Vec<&str> = attachments.chain(images).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
