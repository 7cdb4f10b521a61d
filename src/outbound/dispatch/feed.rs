//! The feeder of one mailing: leases its chunks, resolves what a crash left in doubt, and puts deliveries into the
//! queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::composition::message::PrepareError;
use crate::model::clock_trust::Jump;
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::model::mailing::{Mailing, Pause, PauseReason, Stage, UncertainPolicy};
use crate::runtime::clock_jump::{JumpWatch, Reading};
use crate::runtime::heartbeat::Heartbeat;
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{Lease, Row, chunk_of, put_delivery, put_lease};
use crate::store::{Read, StoreError};

use super::work::{Job, Run};
use super::{Shared, history, settle};

/// Number of due deliveries read at a time.
const DUE_STEP: usize = 2048;
/// Maximum sleep: deliveries deferred while the clock was ahead are found within it.
const LONGEST_SLEEP: Duration = Duration::seconds(60);

/// Feeds one mailing until it is finished, stopped, or the daemon drains.
pub(super) async fn run(shared: &Arc<Shared>, mailing: Read<Mailing>, heartbeat: &Heartbeat) -> Result<(), StoreError> {
    let prepared = match shared.parts.messages.prepare(&mailing.value).await {
        Ok(prepared) => prepared,
        Err(PrepareError::Store(error)) => return Err(error),
        Err(PrepareError::Broken(what)) => return pause(shared, mailing.value.id, PauseReason::Broken { what }).await,
    };
    // A person who resumes a paused mailing has seen the breaker's report.
    let expected = history::expected(&shared.parts.store, &mailing.value).await?;
    shared.policy.begin(mailing.value.id, expected);
    let run = Arc::new(Run::new(mailing, prepared));
    let fed = feed(shared, &run, heartbeat).await;
    run.stop();
    // For as long as the relay is lost: the workers' own heartbeats tell whether they are well.
    heartbeat.rests();
    // The workers give back what they hold before another feeder may start on this mailing.
    while !run.outstanding().is_empty() && !shared.is_draining() {
        tokio::select! {
            () = run.given_back.notified() => {}
            // What is left in the queue then is never given back.
            () = shared.until_draining() => {}
        }
    }
    fed
}

async fn feed(shared: &Arc<Shared>, run: &Arc<Run>, heartbeat: &Heartbeat) -> Result<(), StoreError> {
    let mut unswept = unsettled(shared, run).await?;
    let mut reopened = run.current().value.reopened;
    let clock = &shared.parts.clock;
    let mut jumps = JumpWatch::new(&**clock);
    let mut noted = noted_jump(shared).await?;
    let renewal = Duration::seconds(i64::from(shared.parts.settings.lease_seconds.max(3)) / 3);
    let mut renew_at = clock.steady() + renewal;
    while !run.is_stopped() && !shared.is_draining() {
        heartbeat.works();
        // One reading for all decisions of this round: what falls due after it is found by the next round, and is
        // what this one waits for.
        let (Reading { now, steady }, jump) = jumps.observe(&**clock);
        let woken = shared.parts.notifier.notified();
        let given_back = run.given_back.notified();
        let read = shared.parts.store.mailing(run.current().value.id).await?;
        if !run.refresh(read) {
            break;
        }
        // Settled deliveries were reopened: they are in chunks already swept.
        if run.current().value.reopened != reopened {
            reopened = run.current().value.reopened;
            unswept = unsettled(shared, run).await?;
        }
        let renews = steady >= renew_at;
        if renews {
            renew(shared, run, now).await?;
            renew_at = steady + renewal;
        }
        // Deliveries deferred while the clock was ahead are not in order of time: all chunks are examined. A jump
        // there and back while this round waited for the workers is known only from the scheduler's note.
        let last = noted_jump(shared).await?;
        if jump.is_some() || last != noted {
            noted = last;
            unswept = unsettled(shared, run).await?;
        }
        // What a worker had to leave unchanged is found in its chunk again.
        unswept.extend(run.take_left());
        let full = run.outstanding().len() >= shared.parts.settings.chunks_ahead;
        if !full {
            if let Some(chunk) = next_chunk(shared, run, &mut unswept, now).await? {
                if work_on(shared, run, chunk, now, heartbeat).await? {
                    continue;
                }
                // Another node has it: examined again when leases are renewed.
                unswept.insert(chunk);
            }
            if run.outstanding().is_empty() && unswept.is_empty() && settle::finish(shared, run, now).await? {
                break;
            }
        }
        // What was due at the reading is in a chunk that is being worked on: it is examined when the chunk is given
        // back.
        let longest = (renew_at - steady).min(LONGEST_SLEEP).to_std().unwrap_or_default();
        let next = if full { None } else { shared.parts.store.next_due(run.current().value.id, now).await? };
        tokio::select! {
            () = woken => {}
            () = given_back => {}
            () = clock.wait_until(next.unwrap_or(Timestamp::MAX_UTC), longest) => {}
            () = shared.until_draining() => {}
        }
    }
    Ok(())
}

/// The chunks that are neither settled nor being worked on.
async fn unsettled(shared: &Shared, run: &Run) -> Result<BTreeSet<u32>, StoreError> {
    let mailing = run.current();
    let settled = shared.parts.store.settled_chunks(mailing.value.id).await?;
    let chunks = 0..mailing.value.frozen().map_or(0, |f| f.chunks);
    Ok(chunks.filter(|chunk| !settled.contains_key(chunk) && !run.works_on(*chunk)).collect())
}

/// The last clock jump noted by the scheduler.
async fn noted_jump(shared: &Shared) -> Result<Option<Jump>, StoreError> {
    Ok(shared.parts.store.clock_trust().await?.and_then(|trust| trust.last))
}

/// The next chunk with work: due retries come before what was never tried.
async fn next_chunk(
    shared: &Shared,
    run: &Run,
    unswept: &mut BTreeSet<u32>,
    now: Timestamp,
) -> Result<Option<u32>, StoreError> {
    let mailing = run.current().value.id;
    let due = shared.parts.store.due(mailing, Some(now), DUE_STEP).await?;
    let is_free = |chunk: &u32| !run.works_on(*chunk);
    if let Some(chunk) = due.iter().map(|(_, sequence)| chunk_of(*sequence)).find(is_free) {
        unswept.remove(&chunk);
        return Ok(Some(chunk));
    }
    // Due so late that only a clock that was ahead can have deferred it.
    let settings = &shared.parts.settings;
    let latest = settings.retry.latest(settings.longest_rest(), now);
    let ahead = shared.parts.store.due_later(mailing, latest, DUE_STEP).await?;
    let free = ahead.iter().map(|(due, sequence)| (due, chunk_of(*sequence))).find(|(_, chunk)| is_free(chunk));
    if let Some((due, chunk)) = free {
        tracing::warn!(%mailing, chunk, %due, "deliveries were deferred while the clock was ahead; they are tried now");
        unswept.remove(&chunk);
        return Ok(Some(chunk));
    }
    Ok(unswept.pop_first())
}

/// Leases a chunk, resolves what a crash left in doubt in it, and queues what is to be sent; `false` when another
/// node has it.
async fn work_on(
    shared: &Arc<Shared>,
    run: &Arc<Run>,
    number: u32,
    now: Timestamp,
    heartbeat: &Heartbeat,
) -> Result<bool, StoreError> {
    let (parts, mailing) = (&shared.parts, run.current());
    let held = parts.store.lease(mailing.value.id, number).await?;
    if held.as_ref().is_some_and(|held| held.value.is_of_other(&parts.settings.node, now)) {
        return Ok(false);
    }
    let rows = parts.store.chunk_rows(mailing.value.id, number).await?;
    let mut batch = Batch::new();
    let lease = lease(shared, now);
    let stamp = put_lease(&mut batch, mailing.value.id, number, held.map(|h| h.stamp), Some(&lease));
    let mut jobs = Vec::new();
    for row in rows {
        match &row.delivery.state {
            DeliveryState::InDoubt { .. } if mailing.value.uncertain == UncertainPolicy::Hold => {
                let state = DeliveryState::Uncertain { at: now, cause: Cause::Stopped };
                put_delivery(&mut batch, mailing.value.id, &row, &Delivery { state, ..row.delivery.clone() });
            }
            DeliveryState::Deferred { until, .. } if !shared.is_due(*until, &row.delivery, now) => {}
            DeliveryState::Waiting | DeliveryState::InDoubt { .. } | DeliveryState::Deferred { .. } => jobs.push(row),
            _ => {}
        }
    }
    let (Commit::Applied, Some(stamp)) = (parts.store.commit(batch).await?, stamp) else { return Ok(false) };
    // The queue accepts them as the workers progress, which may be only when a lost relay is back.
    heartbeat.rests();
    hand_out(shared, run, number, stamp, jobs).await?;
    Ok(true)
}

async fn hand_out(
    shared: &Arc<Shared>,
    run: &Arc<Run>,
    number: u32,
    lease: crate::store::engine::Value,
    rows: Vec<Row>,
) -> Result<(), StoreError> {
    // One more than there are jobs: the feeder's own, so that the chunk is not settled before all are queued.
    let chunk = run.begin(number, lease, rows.len() as u32 + 1);
    for row in rows {
        let job = Job { run: run.clone(), chunk: chunk.clone(), row };
        if !shared.queue.give(job).await {
            return Ok(());
        }
    }
    if chunk.job_done() {
        settle::give_back(shared, run, &chunk).await?;
    }
    Ok(())
}

fn lease(shared: &Shared, now: Timestamp) -> Lease {
    let settings = &shared.parts.settings;
    let until = now + Duration::seconds(i64::from(settings.lease_seconds));
    Lease { node: settings.node.clone(), until, fence: shared.fence }
}

async fn renew(shared: &Shared, run: &Run, now: Timestamp) -> Result<(), StoreError> {
    let mailing = run.current().value.id;
    for chunk in run.outstanding() {
        let mut batch = Batch::new();
        let lease = lease(shared, now);
        let stamp = put_lease(&mut batch, mailing, chunk.number, Some(chunk.lease()), Some(&lease));
        if let (Commit::Applied, Some(stamp)) = (shared.parts.store.commit(batch).await?, stamp) {
            chunk.renewed(stamp);
            continue;
        }
        // Refusals in it were taken back: the lease is still ours.
        let held = shared.parts.store.lease(mailing, chunk.number).await?;
        if let Some(held) = held.filter(|held| held.value.node == lease.node && held.value.fence == lease.fence) {
            chunk.renewed(held.stamp);
        }
    }
    Ok(())
}

/// Pauses a mailing with a reason; does nothing when it is neither being frozen nor sent any more.
pub(super) async fn pause(shared: &Shared, id: MailingId, reason: PauseReason) -> Result<(), StoreError> {
    let since = shared.parts.clock.now();
    tracing::warn!(mailing = %id, ?reason, "mailing paused");
    shared
        .parts
        .store
        .update_mailing::<StoreError>(id, |mailing, _| {
            if matches!(mailing.stage, Stage::Freezing { .. } | Stage::Sending(_)) && mailing.pause.is_none() {
                mailing.pause = Some(Pause { since, reason: reason.clone() });
            }
            Ok(())
        })
        .await?;
    shared.parts.notifier.notify();
    Ok(())
}
