//! Converts a stored release into one that can be rendered, and a release file into one that can be stored.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::model::contact::ContactBook;
use crate::model::release::{Blob, Release, ReleaseRecord};
use crate::render::finding::Finding;
use crate::render::source::{Draft, Kinds, SourceSettings, parse};
use crate::store::{Read, Store, StoreError};

/// A release with its record.
#[derive(Clone, Debug)]
pub struct LoadedRelease {
    /// The stored record; its stamp identifies the content.
    pub record: Read<ReleaseRecord>,
    /// Ready to render: contacts and boilerplate as of when it was added, files with their hashes.
    pub release: Release,
}

/// Why a release could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its text cannot be parsed any more: written by another version of this program, or damaged.
    #[error("release {id} cannot be read: {}", first(.findings))]
    Unreadable {
        /// Its id.
        id: ReleaseId,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn first(findings: &[Finding]) -> String {
    findings.first().map(Finding::to_string).unwrap_or_default()
}

/// Loads a release; `None` when the id does not exist.
///
/// # Errors
/// [`LoadError`].
pub async fn load(store: &Store, id: ReleaseId) -> Result<Option<LoadedRelease>, LoadError> {
    let Some(record) = store.release(id).await? else { return Ok(None) };
    let release = read_record(&record.value).map_err(|findings| LoadError::Unreadable { id, findings })?;
    Ok(Some(LoadedRelease { record, release }))
}

/// Parses the release in a record.
///
/// # Errors
/// What is wrong with its text; it was valid when it was added.
pub fn read_record(record: &ReleaseRecord) -> Result<Release, Vec<Finding>> {
    let kinds = Kinds::Stored(record.summary.kind.clone());
    let settings = SourceSettings { zone: record.zone, country_code: record.country_code.clone(), kinds };
    let parsed = parse(&record.source, &settings);
    let draft = parsed.draft.filter(|_| parsed.findings.is_empty()).ok_or(parsed.findings)?;
    let mut release = draft.resolve(&record.book)?;
    release.attach(&record.files);
    Ok(release)
}

/// The record of a checked draft; its id is assigned by [`Store::add_release`].
pub fn record_of(
    source: &str,
    draft: &Draft,
    book: &ContactBook,
    files: BTreeMap<String, Blob>,
    settings: &SourceSettings,
    (created, created_by): (Timestamp, &str),
) -> ReleaseRecord {
    let book = draft.snapshot(book);
    let (release, _) = draft.resolve_leniently(&book);
    ReleaseRecord {
        id: ReleaseId(0),
        source: source.to_owned(),
        book,
        files,
        zone: settings.zone,
        country_code: settings.country_code.clone(),
        summary: release.summary(),
        created,
        created_by: created_by.to_owned(),
    }
}
