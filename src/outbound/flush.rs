//! Flush: makes deferred deliveries and notices due now, once a person knows that the relay or a receiver works
//! again.

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, NoticeId};
use crate::model::ledger::{Delivery, DeliveryState};
use crate::model::mailing::Stage;
use crate::store::engine::Batch;
use crate::store::ledger::{Row, chunk_of, put_delivery};
use crate::store::notices::put_over;
use crate::store::{Attempt, Store, StoreError, ledger, mailings, notices};

/// Maximum number of notices changed in one commit.
const NOTICES_AT_ONCE: usize = 256;

/// Selects what becomes due now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// Only deliveries of this mailing; `None`: of all that are being sent, and notices, which belong to no mailing.
    pub mailing: Option<MailingId>,
    /// Only to this domain.
    pub domain: Option<String>,
}

/// Numbers of what a flush made due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Deliveries.
    pub deliveries: u64,
    /// Notices: mails of our own that belong to no mailing.
    pub notices: u64,
}

/// Makes deferred deliveries and notices due at `now`; returns how many. Notify dispatcher and notice sender
/// afterwards. A repetition changes nothing more.
///
/// # Errors
/// [`StoreError`]: what was changed before stays so, and the request can be repeated.
pub async fn flush(store: &Store, now: Timestamp, what: &Flush) -> Result<Flushed, StoreError> {
    let deliveries = deliveries(store, now, what).await?;
    let notices = match what.mailing {
        Some(_) => 0,
        None => all_notices(store, now, what.domain.as_deref()).await?,
    };
    Ok(Flushed { deliveries, notices })
}

async fn deliveries(store: &Store, now: Timestamp, what: &Flush) -> Result<u64, StoreError> {
    let mut changed = 0;
    let mut open = store.pages(mailings::open());
    while let Some(mailing) = open.next().await?.map(|read| read.value) {
        if what.mailing.is_some_and(|id| id != mailing.id) || !matches!(mailing.stage, Stage::Sending(_)) {
            continue;
        }
        let (mut later, mut chunks) = (store.pages(ledger::due_after(mailing.id, now)), BTreeSet::new());
        while let Some((_, sequence)) = later.next().await? {
            chunks.insert(chunk_of(sequence));
        }
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
    store
        .attempt(|| async move {
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
            Ok(if changed == 0 { Attempt::Leave(0) } else { Attempt::Commit(batch, changed) })
        })
        .await
}

async fn all_notices(store: &Store, now: Timestamp, domain: Option<&str>) -> Result<u64, StoreError> {
    let (mut changed, mut some) = (0, Vec::with_capacity(NOTICES_AT_ONCE));
    let mut later = store.pages(notices::due_after(now));
    loop {
        let next = later.next().await?;
        let is_over = next.is_none();
        some.extend(next.map(|(_, id)| id));
        if some.len() == NOTICES_AT_ONCE || (is_over && !some.is_empty()) {
            changed += some_notices(store, now, &some, domain).await?;
            some.clear();
        }
        if is_over {
            return Ok(changed);
        }
    }
}

async fn some_notices(
    store: &Store,
    now: Timestamp,
    notices: &[NoticeId],
    domain: Option<&str>,
) -> Result<u64, StoreError> {
    store
        .attempt(|| async move {
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
            Ok(if changed == 0 { Attempt::Leave(0) } else { Attempt::Commit(batch, changed) })
        })
        .await
}

/// The delivery, due now; `None` if it is not deferred.
fn due_now(row: &Row, now: Timestamp) -> Option<Delivery> {
    let DeliveryState::Deferred { first, until, cause } = &row.delivery.state else { return None };
    let state = DeliveryState::Deferred { first: *first, until: now, cause: cause.clone() };
    (*until > now).then(|| Delivery { state, ..row.delivery.clone() })
}
