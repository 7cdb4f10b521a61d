//! A stored release: the text as written, and a snapshot of everything it refers to.
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

/// A stored release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// Its id.
    pub id: ReleaseId,
    /// The file's text, as written.
    pub source: String,
    /// The contacts and texts that it refers to, as of when it was added.
    pub book: ContactBook,
    /// The content of each file that it refers to.
    pub files: BTreeMap<String, Blob>,
    /// The zone of times without one, as of when it was added.
    pub zone: Tz,
    /// The country code of national phone numbers, as of when it was added.
    pub country_code: String,
    /// A summary, so that lists need not parse the text.
    pub summary: ReleaseSummary,
    /// When it was added.
    pub created: Timestamp,
    /// Who added it.
    pub created_by: String,
}

/// The summary shown in a list of releases.
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
    /// The summary shown in a list of releases.
    pub(crate) fn summary(&self) -> ReleaseSummary {
        ReleaseSummary {
            kind: self.kind.clone(),
            language: self.language.clone(),
            headline: self.headline.clone(),
            issuer: self.issuers.first().map(|issuer| issuer.name.clone()).unwrap_or_default(),
        }
    }

    /// Records the content of each attachment and image found in `files`.
    pub(crate) fn attach(&mut self, files: &BTreeMap<String, Blob>) {
        for attachment in &mut self.attachments {
            attachment.blob = files.get(&attachment.file).copied();
        }
        for image in &mut self.images {
            image.blob = image.file.as_ref().and_then(|file| files.get(file)).copied();
        }
    }
}
