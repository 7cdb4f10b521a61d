//! A release as it is kept: the text as it was written, and a snapshot of all that it refers to.
//!
//! A record never changes: a changed text is a new release. So what was approved and queued is what is sent.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::attachment::Blob;
use super::{Kind, Release};
use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::base::language::Language;
use crate::model::contact::ContactBook;

/// A release as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// Its name.
    pub id: ReleaseId,
    /// The file's text, as written.
    pub source: String,
    /// The contacts and texts that it refers to, as they were when it was added.
    pub book: ContactBook,
    /// The content of each file that it names.
    pub files: BTreeMap<String, Blob>,
    /// The zone of times without one, as it was when it was added.
    pub zone: Tz,
    /// The country of national phone numbers, as it was when it was added.
    pub country_code: String,
    /// For listing without reading the text.
    pub summary: ReleaseSummary,
    /// When it was added.
    pub created: Timestamp,
    /// Who added it.
    pub created_by: String,
}

/// What a list of releases shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseSummary {
    /// Its kind.
    pub kind: Kind,
    /// Its language.
    pub language: Language,
    /// Its headline.
    pub headline: String,
    /// The first issuer's name.
    pub issuer: String,
}

impl Release {
    /// What a list of releases shows of it.
    pub fn summary(&self) -> ReleaseSummary {
        ReleaseSummary {
            kind: self.kind.clone(),
            language: self.language.clone(),
            headline: self.headline.clone(),
            issuer: self.issuers.first().map(|issuer| issuer.name.clone()).unwrap_or_default(),
        }
    }

    /// Notes the content of each attachment and image that `files` knows.
    pub fn attach(&mut self, files: &BTreeMap<String, Blob>) {
        for attachment in &mut self.attachments {
            attachment.blob = files.get(&attachment.file).copied();
        }
        for image in &mut self.images {
            image.blob = image.file.as_ref().and_then(|file| files.get(file)).copied();
        }
    }
}
