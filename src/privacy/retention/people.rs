//! Deletes details about people by age: server replies about deliveries, answers to invitations. The counts of each
//! mailing stay for ever.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId, SubscriberId};
use crate::events::{event_of, over_at};
use crate::model::bounce::Bounce;
use crate::model::mailing::{Mailing, Stage};
use crate::model::present::Cutoff;
use crate::model::rsvp::Rsvp;
use crate::privacy::erasure::without_words;
use crate::store::bounces::put_bounce;
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, StoreError, ledger, mailings, rsvps};

/// Number of records read at a time, and maximum changed in one commit.
const PAGE: usize = 500;

/// Removes server replies from the deliveries and bounces of mailings that ended before the cutoff: codes and classes
/// stay. Returns for how many deliveries and bounces.
///
/// # Errors
/// [`StoreError`]: what was removed stays removed.
pub(crate) async fn forget_words(store: &Store, old: Cutoff) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    let mut mailings = store.pages(mailings::all());
    while let Some(read) = mailings.next().await? {
        let mailing = read.value;
        let Some(over) = over(&mailing).filter(|over| old.has(*over)) else { continue };
        // Once for each time that it ended: a mailing may be reopened.
        if store.words_forgotten(mailing.id).await? == Some(over) {
            continue;
        }
        forgotten += forget_words_of(store, &mailing).await?;
        store.note_words_forgotten(mailing.id, over).await?;
    }
    Ok(forgotten)
}

/// Since when a mailing has ended.
fn over(mailing: &Mailing) -> Option<Timestamp> {
    match &mailing.stage {
        Stage::Finished { at, .. } | Stage::Cancelled { at, frozen: Some(_), .. } => Some(*at),
        _ => None,
    }
}

async fn forget_words_of(store: &Store, mailing: &Mailing) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for chunk in 0..mailing.frozen().map_or(0, |frozen| frozen.chunks) {
        let mut batch = Batch::new();
        for row in &store.chunk_rows(mailing.id, chunk).await? {
            let scrubbed = without_words(&row.delivery);
            if scrubbed != row.delivery {
                ledger::put_delivery(&mut batch, mailing.id, row, &scrubbed);
                forgotten += 1;
            }
        }
        committed(store, batch).await?;
    }
    forgotten += forget_evidence(store, mailing.id).await?;
    Ok(forgotten)
}

async fn forget_evidence(store: &Store, mailing: MailingId) -> Result<u64, StoreError> {
    let (mut forgotten, mut after) = (0, SubscriberId(0));
    loop {
        let page = store.bounces_of_mailing(mailing, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(forgotten) };
        after = last.subscriber;
        let mut batch = Batch::new();
        for bounce in page.iter().filter(|bounce| !bounce.evidence.is_empty()) {
            let Some(read) = store.bounce(mailing, bounce.subscriber).await? else { continue };
            let scrubbed = Bounce { evidence: String::new(), ..read.value };
            put_bounce(&mut batch, Some(read.stamp), &scrubbed);
            forgotten += 1;
        }
        committed(store, batch).await?;
    }
}

/// Deletes answers to invitations whose events ended before `before`. Returns how many. An event that cannot be read
/// counts as ended with its last answer.
///
/// # Errors
/// [`StoreError`]: what was deleted before stays deleted.
pub(crate) async fn drop_answers(store: &Store, before: Timestamp) -> Result<u64, StoreError> {
    let (mut dropped, mut cursor, mut ends) = (0, None, Ends::new());
    loop {
        let (page, next) = store.scan_rsvps(cursor, PAGE).await?;
        let mut batch = Batch::new();
        for (hash, read) in &page {
            let over = answer_over(store, &mut ends, &read.value).await?;
            if over.is_none_or(|over| over < before) {
                rsvps::delete(&mut batch, hash, read);
                dropped += 1;
            }
        }
        committed(store, batch).await?;
        cursor = next;
        if cursor.is_none() {
            return Ok(dropped);
        }
    }
}

/// The ends of events that were looked up.
pub(super) type Ends = BTreeMap<ReleaseId, Option<Timestamp>>;

/// When an answer ended: the end of its event, or its last change if that is later.
pub(super) async fn answer_over(
    store: &Store,
    ends: &mut Ends,
    answer: &Rsvp,
) -> Result<Option<Timestamp>, StoreError> {
    let last = answer.changes.last().map(|change| change.at);
    Ok(end_of(store, ends, answer.event).await?.max(last))
}

async fn end_of(store: &Store, known: &mut Ends, event: ReleaseId) -> Result<Option<Timestamp>, StoreError> {
    if let Some(end) = known.get(&event) {
        return Ok(*end);
    }
    let end = match event_of(store, event).await {
        Ok((_, loaded)) => loaded.release.event.as_ref().map(over_at),
        Err(crate::events::RsvpError::Store(error)) => return Err(error),
        Err(_) => None,
    };
    known.insert(event, end);
    Ok(end)
}

async fn committed(store: &Store, batch: Batch) -> Result<(), StoreError> {
    match batch.is_empty() || store.commit(batch).await? == Commit::Applied {
        true => Ok(()),
        // One of them was just changed: the next run decides.
        false => Err(StoreError::Contended(1)),
    }
}
