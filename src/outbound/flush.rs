//! A flush: deferred deliveries and notices become due now, because a person knows that the relay or a receiver is repaired.

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, NoticeId};
use crate::model::ledger::{Delivery, DeliveryState};
use crate::model::mailing::Stage;
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{Row, chunk_of, put_delivery};
use crate::store::notices::put_over;
use crate::store::{CONFLICT_TRIES, Store, StoreError};

/// Notices changed in one commit.
const NOTICES_AT_ONCE: usize = 256;

/// What is to be due now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// Only of this mailing; without it of all that are being sent, and notices, which belong to no mailing.
    pub mailing: Option<MailingId>,
    /// Only to this domain.
    pub domain: Option<String>,
}

/// What a flush made due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Deliveries.
    pub deliveries: u64,
    /// Notices: mails of our own that belong to no mailing.
    pub notices: u64,
}

/// Makes deferred deliveries and notices due at `now`; returns how many. Dispatcher and notices' worker must be notified
/// afterwards. Done twice it changes nothing more.
///
/// # Errors
/// [`StoreError`]: what was changed before stays so, and the same may be asked again.
pub async fn flush(store: &Store, now: Timestamp, what: &Flush) -> Result<Flushed, StoreError> {
    let deliveries = deliveries(store, now, what).await?;
    let notices = match what.mailing {
        Some(_) => 0,
        None => notices(store, now, what.domain.as_deref()).await?,
    };
    Ok(Flushed { deliveries, notices })
}

async fn deliveries(store: &Store, now: Timestamp, what: &Flush) -> Result<u64, StoreError> {
    let mut changed = 0;
    for mailing in store.mailings().await?.into_iter().map(|read| read.value) {
        if what.mailing.is_some_and(|id| id != mailing.id) || !matches!(mailing.stage, Stage::Sending(_)) {
            continue;
        }
        let due = store.due(mailing.id, None, usize::MAX).await?;
        let later = due.into_iter().filter(|(at, _)| *at > now);
        let chunks: BTreeSet<u32> = later.map(|(_, sequence)| chunk_of(sequence)).collect();
        for chunk in chunks {
            changed += in_chunk(store, now, (mailing.id, chunk), what.domain.as_deref()).await?;
        }
    }
    Ok(changed)
}

async fn in_chunk(
    store: &Store,
    now: Timestamp,
    (mailing, chunk): (MailingId, u32),
    domain: Option<&str>,
) -> Result<u64, StoreError> {
    for _ in 0..CONFLICT_TRIES {
        let (mut batch, mut changed) = (Batch::new(), 0);
        for row in store.chunk_rows(mailing, chunk).await? {
            let Some(after) = due_now(&row, now) else { continue };
            if let Some(domain) = domain {
                let Some(read) = store.subscriber(row.subscriber).await? else { continue };
                if !read.value.address.domain().eq_ignore_ascii_case(domain) {
                    continue;
                }
            }
            put_delivery(&mut batch, mailing, &row, &after);
            changed += 1;
        }
        if changed == 0 || store.commit(batch).await? == Commit::Applied {
            return Ok(changed);
        }
    }
    Err(StoreError::Contended(CONFLICT_TRIES))
}

async fn notices(store: &Store, now: Timestamp, domain: Option<&str>) -> Result<u64, StoreError> {
    let mut changed = 0;
    let later = store.notices_later(now, usize::MAX).await?;
    for some in later.chunks(NOTICES_AT_ONCE) {
        changed += some_notices(store, now, some, domain).await?;
    }
    Ok(changed)
}

async fn some_notices(
    store: &Store,
    now: Timestamp,
    notices: &[NoticeId],
    domain: Option<&str>,
) -> Result<u64, StoreError> {
    for _ in 0..CONFLICT_TRIES {
        let (mut batch, mut changed) = (Batch::new(), 0);
        for id in notices {
            let read = match store.notice(*id).await {
                Ok(Some(read)) => read,
                // One that cannot be read is logged when its time comes, and holds up no other.
                Ok(None) | Err(StoreError::Record(_)) => continue,
                Err(error) => return Err(error),
            };
            let Some(after) = read.value.due_now(now) else { continue };
            if domain.is_some_and(|domain| !after.recipient.domain().eq_ignore_ascii_case(domain)) {
                continue;
            }
            put_over(&mut batch, &read, &after);
            changed += 1;
        }
        if changed == 0 || store.commit(batch).await? == Commit::Applied {
            return Ok(changed);
        }
    }
    Err(StoreError::Contended(CONFLICT_TRIES))
}

/// The delivery, due now; `None` for one that does not wait.
fn due_now(row: &Row, now: Timestamp) -> Option<Delivery> {
    let DeliveryState::Deferred { first, until, cause } = &row.delivery.state else { return None };
    let state = DeliveryState::Deferred { first: *first, until: now, cause: cause.clone() };
    (*until > now).then(|| Delivery { state, ..row.delivery.clone() })
}
