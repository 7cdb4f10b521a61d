//! What a press office would want to be told before a release goes out. Errors stop it, warnings are shown.
//!
//! Pure: what must be asked of the world (the time, files, the contact book) comes in a [`LintContext`].

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::model::contact::ContactBook;
use crate::model::release::attachment::AttachmentBudget;
use crate::model::release::{Blob, Release};

use super::finding::{Finding, sort};
use super::manifest::Manifest;
use super::markdown::Reading;
use super::source::{Draft, Positions};

mod fields;
mod files;
mod leftovers;
mod markup;
mod people;
mod style;
mod times;
mod weekday;

pub mod date_names;

pub use files::file_name_fault;

/// What is known of a file that a release names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is there.
    Found(Blob),
    /// It is not there, or cannot be read: the system's words.
    Missing(String),
    /// It must not be read, e.g. a symbolic link: why.
    Refused(String),
}

/// What the rules look at besides the release.
pub struct LintContext<'a> {
    /// The present instant.
    pub now: Timestamp,
    /// When it is to be sent, where that is known.
    pub send_at: Option<Timestamp>,
    /// What its kind needs; `None` when there are no templates of that kind.
    pub manifest: Option<&'a Manifest>,
    /// How texts in the release's language are read.
    pub reading: &'a Reading,
    /// The names of all kinds that there are.
    pub kinds: Vec<&'a str>,
    /// The contact book, for newer boilerplate.
    pub book: &'a ContactBook,
    /// What each file that the release names is; a name that is not in here was not looked at.
    pub files: &'a BTreeMap<String, FileState>,
    /// How much may travel in one mail.
    pub budget: AttachmentBudget,
}

/// A release with what is known of it, as each rule gets it.
struct Subject<'a> {
    release: &'a Release,
    positions: &'a Positions,
    context: &'a LintContext<'a>,
}

impl Subject<'_> {
    /// A finding with its field and that field's line.
    fn place(&self, finding: Finding, key: impl Into<String>) -> Finding {
        let key = key.into();
        let line = self.positions.line(&key);
        finding.of(key).at(line)
    }
}

/// Everything that the rules have to say of a draft and the release that it resolves to, by line.
pub fn lint(draft: &Draft, release: &Release, context: &LintContext<'_>) -> Vec<Finding> {
    let subject = Subject { release, positions: &draft.positions, context };
    let mut findings = Vec::new();
    fields::check(&subject, draft, &mut findings);
    times::check(&subject, &mut findings);
    weekday::check(&subject, &mut findings);
    people::check(&subject, &mut findings);
    files::check(&subject, &mut findings);
    style::check(&subject, &mut findings);
    markup::check(&subject, &mut findings);
    sort(&mut findings);
    findings
}
