//! Deletes by age: unreferenced attachments and posts, idempotency keys, unconfirmed requests, and handled incoming
//! mail. Records of the outcome of mail are kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{InboundId, PostId, ReleaseId};
use crate::inbound::post::SEEN_DAYS;
use crate::model::inbound::{Inbound, InboundState};
use crate::model::mailing::Stage;
use crate::model::post::{Post, PostState};
use crate::model::present::{Cutoff, Present};
use crate::store::blobs::{BlobError, Blobs};
use crate::store::engine::{Batch, Commit};
use crate::store::inbound;
use crate::store::spool::{Spool, SpoolError};
use crate::store::{Read, Store, StoreError, posts};

pub(crate) mod files;
pub(crate) mod former;
pub mod notices;
pub(crate) mod people;
pub mod rules;

/// Number of records read at a time.
const PAGE: usize = 200;

/// Why no more was deleted; what was deleted before stays deleted.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The store failed. Because it is unknown then what is still needed, nothing was deleted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An attachment could not be examined or removed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A segment of the spool could not be examined or removed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Captured mails, or what a recovery set aside, could not be examined or removed.
    #[error("{path} could not be searched: {error}")]
    Files {
        /// The path.
        path: std::path::PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
}

/// Removes attachments and posts last received before the cutoff and not referenced: by no release, no post held or
/// sent, no subscriber's consent ledger. Returns how many.
///
/// The candidates are listed before the releases are read: a release added meanwhile sends its files first, which
/// makes them recent again.
///
/// # Errors
/// [`RetentionError`].
pub async fn drop_attachments(
    store: &Store,
    blobs: &Blobs,
    cutoff: impl Into<Cutoff>,
) -> Result<usize, RetentionError> {
    let cutoff = cutoff.into();
    let old = old_attachments(store, blobs, cutoff).await?;
    for sha256 in &old {
        blobs.remove_if_before(sha256, cutoff).await?;
    }
    Ok(old.len())
}

/// The attachments and posts that [`drop_attachments`] would remove.
async fn old_attachments(store: &Store, blobs: &Blobs, old: Cutoff) -> Result<Vec<[u8; 32]>, RetentionError> {
    let mut candidates = blobs.received_before(old).await?;
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let needed = needed_files(store, &candidates).await?;
    candidates.retain(|sha256| !needed.contains(sha256));
    Ok(candidates)
}

/// Those of `files` that must stay: referenced by a release, a post that is held or was sent, or a subscriber's
/// consent ledger.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn needed_files(store: &Store, files: &[[u8; 32]]) -> Result<BTreeSet<[u8; 32]>, StoreError> {
    let mut needed = BTreeSet::new();
    if files.is_empty() {
        return Ok(needed);
    }
    let named = named(store).await?;
    for sha256 in files {
        if named.contains(sha256) || store.is_evidence(sha256).await? {
            needed.insert(*sha256);
        }
    }
    Ok(needed)
}

/// The result of deleting old incoming mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedMail {
    /// Number of spool segments removed.
    pub segments: usize,
    /// Number of message records removed with them.
    pub messages: usize,
    /// Old segments that stay, each with the messages it stays for: they wait, or need a person.
    pub held: BTreeMap<u64, Vec<InboundId>>,
}

/// Removes the spool segments last written to before the cutoff, with the records of their messages. A segment with
/// an unhandled message stays, and so do all its records.
///
/// # Errors
/// [`RetentionError`].
pub async fn drop_mail(store: &Store, spool: &Spool, cutoff: impl Into<Cutoff>) -> Result<DroppedMail, RetentionError> {
    let cutoff = cutoff.into();
    let (old, held) = old_segments(store, spool, cutoff).await?;
    let mut dropped = DroppedMail { held, ..DroppedMail::default() };
    if old.is_empty() {
        return Ok(dropped);
    }
    let mut after = None;
    while let Some((last, page)) = page(store, after, &old).await? {
        after = Some(last);
        let mut batch = Batch::new();
        page.iter().for_each(|read| inbound::delete(&mut batch, read));
        if !batch.is_empty() && store.commit(batch).await? != Commit::Applied {
            // One of them was just changed and may be needed: the next run decides.
            return Err(StoreError::Contended(1).into());
        }
        dropped.messages += page.len();
    }
    for segment in old {
        dropped.segments += usize::from(spool.drop_segment(segment, cutoff).await?);
    }
    Ok(dropped)
}

/// Old segments, each with the messages it stays for.
type HeldSegments = BTreeMap<u64, Vec<InboundId>>;

/// The segments that [`drop_mail`] would remove, and the old ones that stay.
async fn old_segments(
    store: &Store,
    spool: &Spool,
    cutoff: Cutoff,
) -> Result<(BTreeSet<u64>, HeldSegments), RetentionError> {
    let old = spool.segments().await?.into_iter().filter(|segment| cutoff.has(segment.written));
    let mut old: BTreeSet<u64> = old.map(|segment| segment.number).collect();
    let mut held = HeldSegments::new();
    if old.is_empty() {
        return Ok((old, held));
    }
    // All records are examined, because their order does not correspond to segments; and all of them before the first
    // is removed.
    let mut after = None;
    while let Some((last, page)) = page(store, after, &old).await? {
        after = Some(last);
        for message in page.into_iter().filter(|read| !matches!(read.value.state, InboundState::Handled { .. })) {
            held.entry(message.value.place.segment).or_default().push(message.value.id);
        }
    }
    // A notice that forwards a message needs it until it is sent. It was written when its message became handled, so
    // the notice of a message found handled above exists by now.
    for segment in store.segments_of_notices().await? {
        old.remove(&segment);
    }
    old.retain(|segment| !held.contains_key(segment));
    Ok((old, held))
}

/// The next records after `after` in one of `segments`, and the last one examined; `None` at the end.
async fn page(
    store: &Store,
    after: Option<InboundId>,
    segments: &BTreeSet<u64>,
) -> Result<Option<(InboundId, Vec<Read<Inbound>>)>, StoreError> {
    let mut page = store.scan_inbound(after, PAGE).await?;
    let Some(last) = page.last().map(|read| read.value.id) else { return Ok(None) };
    page.retain(|read| segments.contains(&read.value.place.segment));
    Ok(Some((last, page)))
}

/// Days for which a repeated request is recognised by its key.
pub const KEY_DAYS: i64 = 30;

/// Deletes idempotency keys older than [`KEY_DAYS`]. Returns how many.
///
/// # Errors
/// [`StoreError`]: what was deleted before stays deleted.
pub async fn forget_keys(store: &Store, present: &Present) -> Result<u64, StoreError> {
    store.forget_answered(present.older_than(chrono::Duration::days(KEY_DAYS))).await
}

/// Deletes unconfirmed requests and used tokens, once they have expired. Returns how many.
///
/// # Errors
/// [`StoreError`]: what was deleted before stays deleted.
pub(crate) async fn forget_requests(store: &Store, present: &Present) -> Result<u64, StoreError> {
    store.forget_requests(present).await
}

/// Deletes posts decided before the cutoff, except those whose mailing has not ended. Returns how many.
///
/// # Errors
/// [`StoreError`]: what was deleted before stays deleted.
pub async fn drop_posts(store: &Store, cutoff: impl Into<Cutoff>) -> Result<u64, StoreError> {
    let cutoff = cutoff.into();
    let (mut dropped, mut after) = (0, PostId(0));
    loop {
        let page = store.each_post(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(dropped) };
        after = *last;
        for (id, error) in page.iter().filter_map(|(id, read)| Some((id, read.as_ref().err()?))) {
            tracing::error!(post = %id, %error, "a post cannot be read; it is kept");
        }
        let mut batch = Batch::new();
        let posts = page.iter().filter_map(|(_, read)| read.as_ref().ok());
        for read in posts.filter(|read| read.value.decided().is_some_and(|at| cutoff.has(at))) {
            if is_over(store, &read.value).await? {
                posts::delete(&mut batch, read);
                dropped += 1;
            }
        }
        if !batch.is_empty() && store.commit(batch).await? != Commit::Applied {
            // A decided post does not change, so another process is deleting them: that is fine.
            return Ok(dropped);
        }
    }
}

/// Whether a post is not needed any more: it is decided, and no mailing sends it.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn is_over(store: &Store, post: &Post) -> Result<bool, StoreError> {
    let PostState::Approved { mailing, .. } = post.state else { return Ok(post.hold().is_none()) };
    let Some(mailing) = store.mailing(mailing).await? else { return Ok(true) };
    Ok(matches!(mailing.value.stage, Stage::Finished { .. } | Stage::Cancelled { .. } | Stage::Expired { .. }))
}

/// Deletes the Message-IDs that identify second copies of posts, once no copy is expected. Returns how many.
///
/// # Errors
/// [`StoreError`]: what was deleted before stays deleted.
pub(crate) async fn forget_seen(store: &Store, present: &Present) -> Result<u64, StoreError> {
    store.forget_seen(present.older_than(chrono::Duration::days(SEEN_DAYS))).await
}

/// The attachments of all releases, and the posts that are held or were sent.
async fn named(store: &Store) -> Result<BTreeSet<[u8; 32]>, StoreError> {
    let (mut named, mut after) = (BTreeSet::new(), ReleaseId(0));
    loop {
        let page = store.releases(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        named.extend(page.iter().flat_map(|release| release.files.values()).map(|blob| blob.sha256));
    }
    let mut after = PostId(0);
    loop {
        let page = store.posts(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(named) };
        after = last.value.id;
        let posts = page.iter().map(|read| &read.value);
        let needed = posts.filter(|post| matches!(post.state, PostState::Held(_) | PostState::Approved { .. }));
        named.extend(needed.map(|post| post.blob.sha256));
    }
}
