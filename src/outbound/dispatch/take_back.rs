//! Taking back what was refused when a breaker opens: the deliveries are deferred again, their scores are undone, whom they
//! suspended gets mail again, and the mailing pauses if it must.
//!
//! Noted in the store before it is begun, and finished at the next start after a crash; each step can be done twice.

use crate::base::clock::Timestamp;
use crate::model::breaker::Doubted;
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::model::mailing::{Mailing, PauseReason, Stage};
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{Lease, Row, put_delivery, put_lease, reopen};
use crate::store::mailings::put_mailing;
use crate::store::taking_back::{self, TakingBack};
use crate::store::{CONFLICT_TRIES, Read, Store, StoreError, keys};
use crate::subscribers::bounces;
use crate::subscribers::bounces::TakeBack;

use super::{Shared, feed};

/// Takes back what a breaker that opened says.
pub(super) async fn begin(shared: &Shared, doubted: &Doubted, pause: Option<&str>) -> Result<(), StoreError> {
    // What was refused before the clock was set forward bears an earlier date.
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
    // No worker is just about to commit one of them.
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
        // One damaged record stops no mail.
        Err(StoreError::Record(error)) => {
            tracing::error!(mailing = %what.mailing, %error, "refusals cannot be taken back");
        }
        Err(error) => return Err(error),
    }
    // A finished mailing sends again by it.
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

/// Defers again what failed; gives how many deliveries that were.
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
    for _ in 0..CONFLICT_TRIES {
        let Some(mailing) = store.mailing(id).await? else { return Ok(0) };
        let lease = store.lease(id, chunk).await?;
        let mut changes = Vec::new();
        for row in store.chunk_rows(id, chunk).await? {
            if let Some(after) = after(store, what, &row).await? {
                changes.push((row, after));
            }
        }
        if changes.is_empty() {
            return Ok(0);
        }
        let Some(batch) = batch(mailing, chunk, lease, &changes) else { return Ok(0) };
        if store.commit(batch).await? == Commit::Applied {
            return Ok(changes.len() as u64);
        }
    }
    Err(StoreError::Contended(CONFLICT_TRIES))
}

/// The delivery after it was taken back; `None` where it is not meant.
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

/// One commit for a chunk. Where it is leased, the lease changes with it, so that its holder counts the chunk anew; else
/// its tally goes, and the mailing changes, so that it is not finished meanwhile. `None` where the mailing was withdrawn.
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
            batch.expect(keys::mailing(id), mailing.stamp);
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
