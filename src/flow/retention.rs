//! What is dropped by age: attachments that no release names, keys by which repeated requests are known, wishes that were
//! never confirmed.
//! Everything that tells what became of somebody's mail stays.

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::store::blobs::{BlobError, Blobs};
use crate::store::{Store, StoreError};

/// Releases read at a time.
const PAGE: usize = 200;

/// Why nothing more was dropped; what was dropped before stays so.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The store failed. As nobody knows then what is still needed, nothing was dropped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An attachment could not be looked at or removed.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Removes attachments that were last received before `before` and that no release names, nor a subscriber's consent
/// ledger. Says how many.
///
/// The candidates are listed before the releases are read: a release that is added meanwhile sends its files first,
/// which makes them young again.
///
/// # Errors
/// [`RetentionError`].
pub async fn drop_attachments(store: &Store, blobs: &Blobs, before: Timestamp) -> Result<usize, RetentionError> {
    let mut candidates = blobs.received_before(before).await?;
    if candidates.is_empty() {
        return Ok(0);
    }
    let named = named(store).await?;
    candidates.retain(|sha256| !named.contains(sha256));
    let mut dropped = 0;
    for sha256 in &candidates {
        if !store.is_evidence(sha256).await? {
            blobs.remove_if_before(sha256, before).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// For so many days a repeated request is known by its key.
pub const KEY_DAYS: i64 = 30;

/// Forgets idempotency keys older than [`KEY_DAYS`]. Says how many.
///
/// # Errors
/// [`StoreError`]: what was forgotten before stays so.
pub async fn forget_keys(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let before = now - chrono::Duration::days(KEY_DAYS);
    let (mut forgotten, mut cursor) = (0, None);
    loop {
        let (count, next) = store.forget_answered(before, cursor, PAGE).await?;
        forgotten += count;
        cursor = next;
        if cursor.is_none() {
            return Ok(forgotten);
        }
    }
}

/// Forgets what was asked for by mail and never confirmed, and used tokens, once they have expired. Says how many.
///
/// # Errors
/// [`StoreError`]: what was forgotten before stays so.
pub async fn forget_wishes(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let (mut forgotten, mut cursor) = (0, None);
    loop {
        let (count, next) = store.forget_wishes(now, cursor, PAGE).await?;
        forgotten += count;
        cursor = next;
        if cursor.is_none() {
            return Ok(forgotten);
        }
    }
}

/// The attachments of all releases.
async fn named(store: &Store) -> Result<BTreeSet<[u8; 32]>, StoreError> {
    let (mut named, mut after) = (BTreeSet::new(), ReleaseId(0));
    loop {
        let page = store.releases(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(named) };
        after = last.id;
        named.extend(page.iter().flat_map(|release| release.files.values()).map(|blob| blob.sha256));
    }
}
