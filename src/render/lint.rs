//! Checks a release before it is sent. Errors stop it, warnings are shown.
//!
//! Pure: external facts (the time, files, the contact book) are passed in as a [`LintContext`].

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::model::contact::ContactBook;
use crate::model::release::attachment::AttachmentBudget;
use crate::model::release::names::{self, AuthorLanguage};
use crate::model::release::{Blob, Release};

use super::finding::{Finding, Severity, sort};
use super::manifest::Manifest;
use super::markdown::Reading;
use super::picture::ScaledPictures;
use super::source::{Draft, Positions};

mod fields;
mod files;
mod holidays;
mod leftovers;
mod markup;
mod name_spelling;
mod people;
mod places;
mod style;
mod texts;
mod times;
mod weekday;
mod wording;

pub(crate) mod date_names;

pub(crate) use files::file_name_fault;

/// The state of a file that a release refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Found.
    Found(Blob),
    /// Missing or unreadable: the system's error.
    Missing(String),
    /// Must not be read, e.g. a symbolic link: the reason.
    Refused(String),
}

/// What the rules use besides the release.
pub struct LintContext<'a> {
    /// The current time.
    pub now: Timestamp,
    /// When it is to be sent, if known.
    pub send_at: Option<Timestamp>,
    /// The manifest of its kind; `None` when there are no templates for that kind.
    pub manifest: Option<&'a Manifest>,
    /// How texts in the release's language are parsed.
    pub reading: &'a Reading,
    /// The names of all existing kinds, as the author would write them.
    pub kinds: Vec<String>,
    /// The contact book, for newer boilerplate.
    pub book: &'a ContactBook,
    /// The state of each file that the release refers to; a missing name was not checked.
    pub files: &'a BTreeMap<String, FileState>,
    /// The pictures among them, scaled, or why that is impossible; a missing name was not tried.
    pub pictures: &'a ScaledPictures,
    /// The size limit of attachments in one mail.
    pub budget: AttachmentBudget,
    /// Whether an image without alt text is an error.
    pub require_alt_text: bool,
}

/// A release and its context, as passed to each rule.
struct Subject<'a> {
    release: &'a Release,
    positions: &'a Positions,
    context: &'a LintContext<'a>,
}

impl Subject<'_> {
    /// The language of findings.
    fn language(&self) -> AuthorLanguage {
        self.positions.language
    }

    /// An error about a field, with a text of `rules.toml`.
    fn error(&self, text: (&'static str, &str), key: impl Into<String>, values: &[(&str, &str)]) -> Finding {
        self.place(Finding::said(Severity::Error, text, self.language(), values), key)
    }

    /// A warning about a field, with a text of `rules.toml`.
    fn warning(&self, text: (&'static str, &str), key: impl Into<String>, values: &[(&str, &str)]) -> Finding {
        self.place(Finding::said(Severity::Warning, text, self.language(), values), key)
    }

    /// The name of a field, as the author would write it.
    fn shown<'k>(&self, field: &'k str) -> &'k str {
        names::shown(field, self.language())
    }

    /// Adds the field and that field's line to a finding.
    fn place(&self, finding: Finding, key: impl Into<String>) -> Finding {
        let key = key.into();
        let line = self.positions.line(&key);
        finding.of(key).at(line)
    }
}

/// Runs all rules on a draft and the release that it resolves to; returns the findings by line.
pub fn lint(draft: &Draft, release: &Release, context: &LintContext<'_>) -> Vec<Finding> {
    let subject = Subject { release, positions: &draft.positions, context };
    let mut findings = Vec::new();
    fields::check(&subject, draft, &mut findings);
    times::check(&subject, &mut findings);
    weekday::check(&subject, &mut findings);
    people::check(&subject, &mut findings);
    files::check(&subject, &mut findings);
    style::check(&subject, &mut findings);
    wording::check(&subject, &mut findings);
    name_spelling::check(&subject, &mut findings);
    markup::check(&subject, &mut findings);
    places::check(&subject, &mut findings);
    subject.positions.name_fields(&mut findings);
    sort(&mut findings);
    findings
}
