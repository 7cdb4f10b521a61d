//! Checks all stored data byte by byte and names what damage affects: journal, checkpoints and index (see
//! [`super::embedded::check`]), attachments by their hashes, and received mail by the places that records name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::base::id::{InboundId, PostId, ReleaseId};
use crate::base::token::to_hex;
use crate::model::inbound::SpoolPlace;
use crate::model::post::PostState;

use super::backup::BackupError;
use super::backup::create::blob_paths;
use super::embedded::check::{Examined, Finding, examine};
use super::embedded::survey::Survey;
use super::embedded::{OpenError, Settings};
use super::engine::Engine;
use super::journal::disk::numbered_files;
use super::spool::{SUFFIX, SpoolError, check as spool_check};
use super::{Store, StoreError, names};

/// Records read at once.
const PAGE: usize = 500;

/// What to do about a damaged index table.
const REPAIR: &str = "\u{201c}depesch store check --repair\u{201d} rewrites them";

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Journal, checkpoints and index.
    pub survey: Survey,
    /// Everything that differs from what was written.
    pub findings: Vec<Finding>,
    /// Number of attachments read.
    pub blobs: u64,
    /// Number of segments of received mail read.
    pub spool: u64,
}

/// Why the check could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The store is in use, does not exist, or cannot be read at all.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Received mail cannot be read.
    #[error("the spool: {0}")]
    Spool(#[from] SpoolError),
    /// Attachments cannot be listed.
    #[error(transparent)]
    Blobs(#[from] BackupError),
}

impl Check {
    /// Whether rows of index tables are wrong; [`super::Store::repair_rows`] repairs them.
    pub fn has_wrong_rows(&self) -> bool {
        self.findings.iter().any(|finding| finding.is_table)
    }

    /// Whether nothing is wrong except what a crash may leave.
    pub fn is_sound(&self) -> bool {
        self.survey.is_sound() && self.findings.iter().all(|finding| finding.harmless)
    }
}

/// Reads everything in the store's directory, and the attachments and mail beside it.
///
/// # Errors
/// [`CheckError`].
pub async fn check(directory: &Path, settings: &Settings) -> Result<Check, CheckError> {
    let mut examined: Examined = examine(directory, settings)?;
    let mut findings = std::mem::take(&mut examined.findings);
    let store = examined.records.take().map(|records| Store::new(Arc::new(records) as Arc<dyn Engine>));
    // Rows are compared with records, which is meaningful only if the records are as written.
    if let Some(store) = store.as_ref().filter(|_| examined.is_trusted) {
        findings.extend(table_finding(directory, store).await?);
    }
    let state_directory = directory.parent().unwrap_or(directory);
    let (blobs, found) = check_blobs(&state_directory.join("blobs"), store.as_ref()).await?;
    findings.extend(found);
    let (spool, found) = check_spool(&state_directory.join("spool"), (store.as_ref(), examined.is_trusted)).await?;
    findings.extend(found);
    for finding in &mut findings {
        let keys = std::mem::take(&mut finding.keys);
        for key in &keys {
            finding.hits.push(name(key, store.as_ref()).await);
        }
        finding.keys = keys;
    }
    Ok(Check { survey: examined.survey.clone(), findings, blobs, spool })
}

/// What is wrong with the index tables.
async fn table_finding(directory: &Path, store: &Store) -> Result<Option<Finding>, CheckError> {
    let wrong = store.wrong_rows().await?;
    if wrong.is_empty() {
        return Ok(None);
    }
    let what = format!("{} rows of index tables disagree with their records: {REPAIR}", wrong.len());
    let keys = wrong.into_iter().map(|row| row.key.0).collect();
    Ok(Some(Finding { keys, is_table: true, ..Finding::new(&directory.join("index"), None, what) }))
}

/// Reads the attachments and mail beside a store that is open, and reports what records name but is missing or
/// incomplete.
///
/// # Errors
/// [`CheckError`].
pub(crate) async fn files_beside(store: &Store, state_directory: &Path) -> Result<Vec<Finding>, CheckError> {
    let (_, mut found) = check_blobs(&state_directory.join("blobs"), Some(store)).await?;
    found.extend(check_spool(&state_directory.join("spool"), (Some(store), true)).await?.1);
    Ok(found)
}

/// A readable name for a key; for a delivery also its recipient, where that can still be read.
async fn name(key: &[u8], store: Option<&Store>) -> String {
    if let (Some((mailing, sequence)), Some(store)) = (names::delivery(key), store) {
        let chunk = super::ledger::chunk_of(sequence);
        let place = (sequence.0 - super::ledger::first_of(chunk).0) as usize;
        if let Some(subscriber) = store.chunk(mailing, chunk).await.ok().and_then(|ids| ids.get(place).copied()) {
            return format!("delivery of {mailing} to {subscriber}");
        }
    }
    names::words(key)
}

async fn check_blobs(directory: &Path, store: Option<&Store>) -> Result<(u64, Vec<Finding>), CheckError> {
    let mut named = match store {
        Some(store) => named(store).await.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let (mut count, mut findings) = (0, Vec::new());
    for path in blob_paths(directory)? {
        count += 1;
        let hex = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let by = named.remove(&hex);
        let what = match hash_of(&path) {
            Ok(found) if found == hex => continue,
            Ok(_) => "the attachment has changed".to_owned(),
            Err(e) => format!("the attachment cannot be read: {e}"),
        };
        let mut finding = Finding::new(&path, None, what);
        finding.hits.extend(by.into_iter().flatten());
        findings.push(finding);
    }
    for (hex, by) in named {
        let mut finding = Finding::new(&directory.join(&hex[..2]).join(&hex), None, "the attachment is missing");
        finding.hits.extend(by);
        findings.push(finding);
    }
    Ok((count, findings))
}

fn hash_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let count = file.read(&mut piece)?;
        match piece.get(..count).filter(|part| !part.is_empty()) {
            Some(part) => hash.update(part),
            None => return Ok(to_hex(&hash.finalize())),
        }
    }
}

/// The attachments that records name, and the records that name each.
async fn named(store: &Store) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut after = ReleaseId(0);
    loop {
        let page = store.releases(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for release in &page {
            for blob in release.files.values() {
                named.entry(to_hex(&blob.sha256)).or_default().insert(format!("release {}", release.id));
            }
        }
    }
    let mut after = PostId(0);
    loop {
        let page = store.posts(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(named) };
        after = last.value.id;
        let posts = page.iter().map(|read| &read.value);
        for post in posts.filter(|post| matches!(post.state, PostState::Held(_) | PostState::Approved { .. })) {
            named.entry(to_hex(&post.blob.sha256)).or_default().insert(format!("post {}", post.id));
        }
    }
}

/// The records of `store` name where messages lie; only if they are trusted is the rest reported as harmless.
async fn check_spool(
    directory: &Path,
    (store, mut is_trusted): (Option<&Store>, bool),
) -> Result<(u64, Vec<Finding>), CheckError> {
    let mut places: BTreeMap<u64, Vec<(SpoolPlace, InboundId)>> = BTreeMap::new();
    let mut after = None;
    while let Some(store) = store {
        let Ok(page) = store.scan_inbound(after, PAGE).await else {
            is_trusted = false;
            break;
        };
        let Some(last) = page.last() else { break };
        after = Some(last.value.id);
        for read in &page {
            places.entry(read.value.place.segment).or_default().push((read.value.place, read.value.id));
        }
    }
    let (mut count, mut findings) = (0, Vec::new());
    let listed = numbered_files(directory, SUFFIX).map_err(SpoolError::io(directory, "read"))?;
    for (number, path) in listed {
        count += 1;
        let mut places = places.remove(&number).unwrap_or_default();
        let length = fs::metadata(&path).map_err(SpoolError::io(&path, "read"))?.len();
        for (from, to) in spool_check::unreadable(&path, number)? {
            let mut finding = Finding::new(&path, Some((from, to)), "incoming mail is damaged");
            let is_in = |place: &SpoolPlace| place.offset < to && place.offset + u64::from(place.length) > from;
            let hit: Vec<InboundId> = places.iter().filter(|(place, _)| is_in(place)).map(|(_, id)| *id).collect();
            places.retain(|(place, _)| !is_in(place));
            finding.hits.extend(hit.iter().map(|id| format!("message {id}")));
            if hit.is_empty() && store.is_some() && is_trusted {
                finding.harmless = true;
                finding.what = "bytes outside any message: a write that was never acknowledged".to_owned();
            }
            findings.push(finding);
        }
        let beyond: Vec<String> =
            places.iter().filter(|(place, _)| place.offset >= length).map(|(_, id)| format!("message {id}")).collect();
        if !beyond.is_empty() {
            let what = "the end of the segment is missing";
            findings.push(Finding { hits: beyond, ..Finding::new(&path, Some((length, length)), what) });
        }
    }
    for (number, lost) in places {
        let path = super::journal::disk::numbered_path(directory, number, SUFFIX);
        let hits = lost.iter().map(|(_, id)| format!("message {id}")).collect();
        findings.push(Finding { hits, ..Finding::new(&path, None, "the segment is missing") });
    }
    Ok((count, findings))
}
