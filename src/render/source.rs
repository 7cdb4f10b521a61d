//! The release file: TOML between `+++` lines, then Markdown. From text to a [`Draft`], with everything that is wrong
//! said at once; then, with the contact book, to a [`Release`].
//!
//! No I/O here: callers read files and hand in text. Hostile text gives findings, never a panic.

use chrono_tz::Tz;

use crate::model::contact::{Contact, ContactBook, ContactRole};
use crate::model::release::Release;

use super::finding::{Finding, sort};

mod contacts;
mod event;
mod fields;
mod log;
mod material;
mod people;
mod programme;
mod section;
mod split;
mod values;

pub mod book;
pub mod resolve;

pub use log::Positions;

/// Longer files are refused before they are read: bytes.
pub const MAX_SOURCE: usize = 1_000_000;

/// What a release file need not say, because the installation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// The zone of times without one.
    pub zone: Tz,
    /// The country of national phone numbers, e.g. `46`.
    pub country_code: String,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self { zone: chrono_tz::Europe::Stockholm, country_code: "46".to_owned() }
    }
}

/// A release as its file says it: contacts and boilerplate may be names that the contact book explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What the file says itself; its contacts and boilerplates are empty, and an issuer given by id has no name yet.
    pub release: Release,
    /// Contacts in order.
    pub contacts: Vec<DraftContact>,
    /// Boilerplates in order.
    pub boilerplates: Vec<DraftBoilerplate>,
    /// Where each field stands in the file.
    pub positions: Positions,
}

/// A contact as the file gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftContact {
    /// Why they are named.
    pub role: ContactRole,
    /// Who.
    pub who: DraftWho,
}

/// A person, or the name of one.
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
    /// An organisation of the contact book; the newest text in the release's language when no revision is named.
    Book {
        /// Its id.
        organisation: String,
        /// Which text.
        revision: Option<u32>,
    },
    /// Written out.
    Inline {
        /// The organisation's name, as printed.
        name: String,
        /// The text, Markdown.
        text: String,
    },
}

/// What came of reading a file.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What could be read; `None` when the file as such could not. It may be used only when there are no errors.
    pub draft: Option<Draft>,
    /// Everything that is wrong, by line.
    pub findings: Vec<Finding>,
}

/// Reads a release file.
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
    let log = log::Log::new(&split);
    let (table, errors) = toml::de::DeTable::parse_recoverable(&split.front);
    let broken = !errors.is_empty();
    for error in errors {
        log.syntax(&error);
    }
    let root = section::Section::root(table.into_inner(), &log);
    let draft = fields::read(root, &split, settings);
    log.check_body(&split);
    let (mut findings, positions) = log.into_parts();
    if broken {
        log::drop_echoes(&mut findings);
        return Parsed { draft: None, findings };
    }
    Parsed { draft: Some(Draft { positions, ..draft }), findings }
}

impl Draft {
    /// The part of `book` that this draft refers to: what a release keeps as its snapshot.
    pub fn snapshot(&self, book: &ContactBook) -> ContactBook {
        resolve::snapshot(self, book)
    }

    /// Looks up what the draft only names.
    ///
    /// # Errors
    /// Every name that the book does not know.
    pub fn resolve(&self, book: &ContactBook) -> Result<Release, Vec<Finding>> {
        let (release, findings) = self.resolve_leniently(book);
        if findings.is_empty() { Ok(release) } else { Err(findings) }
    }

    /// As [`Draft::resolve`], but what is not found is left out: for a check that goes on to say all else.
    pub fn resolve_leniently(&self, book: &ContactBook) -> (Release, Vec<Finding>) {
        resolve::resolve(self, book)
    }

    /// The file names that the release needs beside it, each once.
    pub fn files(&self) -> Vec<&str> {
        let attachments = self.release.attachments.iter().map(|a| a.file.as_str());
        let images = self.release.images.iter().filter_map(|i| i.file.as_deref());
        let mut names: Vec<&str> = attachments.chain(images).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
