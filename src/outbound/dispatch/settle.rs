//! Settles work: gives chunks back, finishes mailings, closes cancelled ones.

use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::model::ledger::{Cause, Delivery, DeliveryState, Tally};
use crate::model::mailing::{Mailing, Stage};
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{Row, put_delivery, put_lease, put_tally, tallies};
use crate::store::{Store, StoreError, mailings};

use super::Shared;
use super::work::{Chunk, Run};

/// Releases the lease of a chunk that is not worked on any more; writes its tally when all of it is settled.
pub(super) async fn give_back(shared: &Arc<Shared>, run: &Run, chunk: &Chunk) -> Result<(), StoreError> {
    let (store, mailing) = (&shared.parts.store, run.current());
    loop {
        let lease = chunk.lease();
        let rows = store.chunk_rows(mailing.value.id, chunk.number).await?;
        let mut batch = Batch::new();
        put_lease(&mut batch, mailing.value.id, chunk.number, Some(lease.clone()), None);
        if rows.iter().all(|row| row.delivery.is_settled()) {
            put_tally(&mut batch, mailing.value.id, chunk.number, &tally(rows.iter().map(|row| &row.delivery)));
        }
        if store.commit(batch).await? == Commit::Applied {
            // A deferred delivery is found by its due time, unless that was set while the clock was ahead; other open
            // ones are found only by their chunk.
            let now = shared.parts.clock.now();
            let open = |row: &Row| match row.delivery.state {
                DeliveryState::Waiting | DeliveryState::InDoubt { .. } => true,
                DeliveryState::Deferred { until, .. } => until > now && shared.is_due(until, &row.delivery, now),
                _ => false,
            };
            if rows.iter().any(open) {
                run.leave(chunk.number);
            }
            break;
        }
        match store.lease(mailing.value.id, chunk.number).await? {
            // Our own renewal, of which the feeder may not know yet.
            Some(held) if held.value.node == shared.parts.settings.node && held.value.fence == shared.fence => {
                chunk.renewed(held.stamp);
            }
            // It ran out and belongs to another node now: examined again when that has ended.
            _ => {
                run.leave(chunk.number);
                break;
            }
        }
    }
    run.end(chunk.number);
    Ok(())
}

fn tally<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> Tally {
    let mut tally = Tally::default();
    deliveries.for_each(|delivery| tally.add(delivery));
    tally
}

/// Finishes a mailing if all its chunks are settled; `false` when something is still open.
pub(super) async fn finish(shared: &Shared, run: &Run, now: Timestamp) -> Result<bool, StoreError> {
    let (store, mailing) = (&shared.parts.store, run.current());
    let Some(frozen) = mailing.value.frozen() else { return Ok(false) };
    if store.count(tallies(mailing.value.id)).await? < u64::from(frozen.chunks) {
        return Ok(false);
    }
    let mut batch = Batch::new();
    let mut finished = mailing.value.clone();
    finished.stage = Stage::Finished { frozen, at: now };
    mailings::put_mailing(&mut batch, &finished, Some(mailing.stamp.clone()));
    let done = store.commit(batch).await? == Commit::Applied;
    if done {
        tracing::info!(mailing = %finished.id, audience = frozen.audience, "mailing finished");
        shared.policy.forget(finished.id);
        shared.parts.notifier.notify();
    }
    Ok(done)
}

/// Closes the ledger of a cancelled mailing: what a crash left in doubt becomes uncertain, what was open is recorded
/// as cancelled with its chunk's tally, and nothing is due any more.
pub(super) async fn close(shared: &Shared, mailing: &Mailing) -> Result<(), StoreError> {
    let store = &shared.parts.store;
    let Some(frozen) = mailing.frozen() else { return Ok(()) };
    let settled = store.settled_chunks(mailing.id).await?;
    for chunk in (0..frozen.chunks).filter(|chunk| !settled.contains_key(chunk)) {
        close_chunk(shared, store, mailing, chunk).await?;
    }
    if store.count(tallies(mailing.id)).await? == u64::from(frozen.chunks)
        && let Some(read) = store.mailing(mailing.id).await?.filter(|read| read.value == *mailing)
    {
        let mut batch = Batch::new();
        mailings::put_closed(&mut batch, &read);
        // On a conflict the next round finds it among the open mailings again.
        store.commit(batch).await?;
    }
    Ok(())
}

async fn close_chunk(shared: &Shared, store: &Store, mailing: &Mailing, chunk: u32) -> Result<(), StoreError> {
    let held = store.lease(mailing.id, chunk).await?;
    let now = shared.parts.clock.now();
    if held.as_ref().is_some_and(|held| held.value.is_of_other(&shared.parts.settings.node, now)) {
        return Ok(());
    }
    let mut batch = Batch::new();
    let mut total = Tally::default();
    for row in store.chunk_rows(mailing.id, chunk).await? {
        let closed = closed(mailing, &row, now);
        total.add(&closed);
        if closed != row.delivery && row.stamp.is_some() {
            put_delivery(&mut batch, mailing.id, &row, &closed);
        }
    }
    put_lease(&mut batch, mailing.id, chunk, held.map(|h| h.stamp), None);
    put_tally(&mut batch, mailing.id, chunk, &total);
    // On a conflict others are doing it; the next start checks again.
    store.commit(batch).await?;
    Ok(())
}

fn closed(mailing: &Mailing, row: &Row, now: Timestamp) -> Delivery {
    match row.delivery.state {
        DeliveryState::InDoubt { .. } => {
            Delivery { state: DeliveryState::Uncertain { at: now, cause: Cause::Stopped }, ..row.delivery.clone() }
        }
        _ => mailing.settle(row.delivery.clone()),
    }
}
