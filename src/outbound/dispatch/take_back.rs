//! Takes refusals back when a breaker opens: the deliveries are deferred again, their scores are undone, subscribers
//! suspended by them are reinstated, and the mailing is paused if necessary.
//!
//! Noted in the store before it begins, and finished at the next start after a crash; each step can be repeated.

use crate::base::clock::Timestamp;
use crate::model::breaker::Doubted;
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::model::mailing::{Mailing, PauseReason, Stage};
use crate::store::engine::Batch;
use crate::store::ledger::{Lease, Row, put_delivery, put_lease, reopen};
use crate::store::mailings::put_mailing;
use crate::store::taking_back::{self, TakingBack};
use crate::store::{Attempt, Read, Store, StoreError, mailings};
use crate::subscribers::bounces;
use crate::subscribers::bounces::TakeBack;

use super::{Shared, feed};

/// Takes back the refusals of a breaker that opened.
pub(super) async fn begin(shared: &Shared, doubted: &Doubted, pause: Option<&str>) -> Result<(), StoreError> {
    // What was refused before the clock was set forward has an earlier date.
    let present = shared.parts.store.present(shared.parts.clock.now()).await?;
    let since = present.first_date(doubted.since);
    let whats: Vec<TakingBack> = doubted
        .mailings
        .iter()
        .map(|mailing| TakingBack {
            mailing: *mailing,
            domain: doubted.domain.clone(),
            since,
            until: doubted.until,
            pause: pause.map(str::to_owned),
        })
        .collect();
    let mut batch = Batch::new();
    whats.iter().for_each(|what| taking_back::put(&mut batch, what));
    shared.parts.store.commit(batch).await?;
    tracing::warn!(evidence = doubted.evidence, "refusals are not believed, or blame the sender: they are taken back");
    for what in &whats {
        finish(shared, what).await?;
    }
    Ok(())
}

/// Finishes what a crash interrupted.
pub(super) async fn finish_all(shared: &Shared) -> Result<(), StoreError> {
    for what in shared.parts.store.taking_back().await? {
        finish(shared, &what).await?;
    }
    Ok(())
}

async fn finish(shared: &Shared, what: &TakingBack) -> Result<(), StoreError> {
    let (store, now) = (&shared.parts.store, shared.parts.clock.now());
    pause(shared, what).await?;
    // No worker is about to commit one of them.
    let _alone = shared.scoring.write().await;
    let which = TakeBack { mailing: what.mailing, domain: what.domain.as_deref(), since: what.since };
    let done = async {
        let people = bounces::take_back(store, now, &which).await?;
        Ok((people, deliveries(store, what).await?))
    };
    match done.await {
        Ok((people, deliveries)) => {
            tracing::info!(mailing = %what.mailing, deliveries, people, "refusals were taken back");
        }
        // A damaged record stops no mail.
        Err(StoreError::Record(error)) => {
            tracing::error!(mailing = %what.mailing, %error, "refusals cannot be taken back");
        }
        Err(error) => return Err(error),
    }
    // This sets a finished mailing back to sending.
    pause(shared, what).await?;
    let mut batch = Batch::new();
    taking_back::delete(&mut batch, what);
    store.commit(batch).await?;
    shared.parts.notifier.notify();
    Ok(())
}

async fn pause(shared: &Shared, what: &TakingBack) -> Result<(), StoreError> {
    let Some(evidence) = what.pause.clone() else { return Ok(()) };
    let mailing = shared.parts.store.mailing(what.mailing).await?;
    match mailing.is_some_and(|read| matches!(read.value.stage, Stage::Sending(_)) && read.value.pause.is_none()) {
        true => feed::pause(shared, what.mailing, PauseReason::Breaker { evidence }).await,
        false => Ok(()),
    }
}

/// Defers failed deliveries again; returns how many.
async fn deliveries(store: &Store, what: &TakingBack) -> Result<u64, StoreError> {
    let Some(mailing) = store.mailing(what.mailing).await? else { return Ok(0) };
    let Some(frozen) = mailing.value.frozen() else { return Ok(0) };
    let settled = store.settled_chunks(what.mailing).await?;
    let mut changed = 0;
    for chunk in 0..frozen.chunks {
        if settled.get(&chunk).is_none_or(|tally| tally.failed > 0) {
            changed += in_chunk(store, what, chunk).await?;
        }
    }
    Ok(changed)
}

async fn in_chunk(store: &Store, what: &TakingBack, chunk: u32) -> Result<u64, StoreError> {
    let id = what.mailing;
    store
        .attempt(|| async move {
            let Some(mailing) = store.mailing(id).await? else { return Ok(Attempt::Leave(0)) };
            let lease = store.lease(id, chunk).await?;
            let mut changes = Vec::new();
            for row in store.chunk_rows(id, chunk).await? {
                if let Some(after) = after(store, what, &row).await? {
                    changes.push((row, after));
                }
            }
            if changes.is_empty() {
                return Ok(Attempt::Leave(0));
            }
            let changed = changes.len() as u64;
            let batch = batch(mailing, chunk, lease, &changes);
            Ok(batch.map_or(Attempt::Leave(0), |batch| Attempt::Commit(batch, changed)))
        })
        .await
}

/// The delivery after the refusal was taken back; `None` if it is not concerned.
async fn after(store: &Store, what: &TakingBack, row: &Row) -> Result<Option<Delivery>, StoreError> {
    let DeliveryState::Failed { at, cause } = &row.delivery.state else { return Ok(None) };
    if *at < what.since || !matches!(cause, Cause::Reply { .. } | Cause::Message(_)) {
        return Ok(None);
    }
    if let Some(domain) = &what.domain {
        let Some(read) = store.subscriber(row.subscriber).await? else { return Ok(None) };
        if !read.value.address.domain().eq_ignore_ascii_case(domain) {
            return Ok(None);
        }
    }
    let state = DeliveryState::Deferred { first: *at, until: what.until, cause: cause.clone() };
    Ok(Some(Delivery { state, ..row.delivery.clone() }))
}

/// One commit for a chunk. If the chunk is leased, the lease changes with it, so that its holder recounts the chunk;
/// otherwise its tally is removed, and the mailing changes, so that it is not finished meanwhile. `None` if the
/// mailing was cancelled.
fn batch(
    mut mailing: Read<Mailing>,
    chunk: u32,
    lease: Option<Read<Lease>>,
    changes: &[(Row, Delivery)],
) -> Option<Batch> {
    let id = mailing.value.id;
    let mut batch = Batch::new();
    match lease {
        Some(held) => {
            let until: Timestamp = held.value.until + chrono::Duration::milliseconds(1);
            put_lease(&mut batch, id, chunk, Some(held.stamp), Some(&Lease { until, ..held.value }));
            mailings::expect(&mut batch, &mailing);
            changes.iter().for_each(|(row, after)| drop(put_delivery(&mut batch, id, row, after)));
        }
        None => {
            mailing.value.reopen().ok()?;
            put_mailing(&mut batch, &mailing.value, Some(mailing.stamp));
            changes.iter().for_each(|(row, after)| reopen(&mut batch, id, row, after));
        }
    }
    Some(batch)
}
