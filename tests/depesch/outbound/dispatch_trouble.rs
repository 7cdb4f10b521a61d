//! A full disk, a damaged record, a panic or a stop at the wrong moment leaves no delivery unsettled for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use depesch::model::ledger::Tally;
use depesch::model::mailing::{PauseReason, Stage, UncertainPolicy};
use depesch::store::StoreError;
use depesch::store::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Expect, Key, KeyRange, Value};
use depesch::store::for_tests::engine as engine_of;
use depesch::store::for_tests::keys;
use depesch::store::maintenance::Maintenance;
use depesch::store::memory::MemoryEngine;
use tokio::sync::Semaphore;

use crate::support::office::{Office, noon};

/// An in-memory engine that is full while the test says so.
struct Filling {
    inner: MemoryEngine,
    full: Arc<AtomicBool>,
}

impl Maintenance for Filling {}

impl Engine for Filling {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.inner.scan(range, limit)
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        match self.full.load(Ordering::SeqCst) {
            true => Box::pin(std::future::ready(Err(EngineError::Full("as the test wants it".into())))),
            false => self.inner.commit(batch),
        }
    }
}

#[tokio::test]
async fn deliveries_resume_once_a_full_disk_has_space() {
    let full = Arc::new(AtomicBool::new(false));
    let office = Office::over(Arc::new(Filling { inner: MemoryEngine::new(), full: full.clone() }));
    office.subscribers(20).await;
    let fills = full.clone();
    *office.relay.witness.lock().unwrap() = Some(Box::new(move |_| {
        fills.store(true, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { full.load(Ordering::SeqCst) }).await;
    office.ten_minutes().await;
    *office.relay.witness.lock().unwrap() = None;
    full.store(false, Ordering::SeqCst);
    let finished = || async {
        office.clock.advance(chrono::Duration::milliseconds(20));
        matches!(office.stage(id).await, Stage::Finished { .. })
    };
    office.until(finished).await;
    dispatcher.drain().await;
    let mut given = office.relay.given();
    given.sort();
    given.dedup();
    assert_eq!((given.len(), office.relay.given().len()), (20, 20), "each got it once");
    assert_eq!(office.tally(id).await, Tally { accepted: 20, ..Tally::default() });
}

#[tokio::test]
async fn a_drain_ends_also_while_a_paused_mailing_waits_for_a_slow_relay() {
    let mut office = Office::new();
    office.connections = 1;
    office.subscribers(3).await;
    let (begun, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, opens) = (begun.clone(), held.clone());
    *office.relay.witness.lock().unwrap() = Some(Box::new(move |_| {
        begins.fetch_add(1, Ordering::SeqCst);
        let held = opens.clone();
        Box::pin(async move { held.acquire().await.unwrap().forget() })
    }));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = Arc::new(office.dispatcher().await.unwrap());
    office.until(|| async { begun.load(Ordering::SeqCst) == 1 }).await;
    let hold = office.store.update_mailing::<StoreError>(id, |mailing, _| {
        mailing.hold(PauseReason::Person { by: "anna".into() }, noon()).unwrap();
        Ok(())
    });
    hold.await.unwrap();
    office.notifier.notify();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let draining = dispatcher.clone();
    let drain = tokio::spawn(async move { draining.drain().await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    held.add_permits(1);
    office.until(|| async { drain.is_finished() }).await;
    assert_eq!(office.tally(id).await, Tally { accepted: 1, waiting: 2, ..Tally::default() });
}

async fn damage(office: &Office, id: depesch::base::id::SubscriberId) {
    let mut batch = Batch::new();
    batch.put(keys::subscriber(id), [1, 0xff, 0xff].as_slice());
    assert_eq!(office.store.commit(batch).await.unwrap(), Commit::Applied);
}

async fn is_held_back(office: &Office, id: depesch::base::id::MailingId) -> bool {
    let pause = office.store.mailing(id).await.unwrap().unwrap().value.pause;
    matches!(pause, Some(pause) if matches!(pause.reason, PauseReason::Broken { .. }))
}

#[tokio::test]
async fn a_damaged_subscriber_pauses_the_mailing_that_freezes_and_no_loop_runs_hot() {
    let office = Office::new();
    let damaged = office.subscriber("damaged").await;
    damage(&office, damaged).await;
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| is_held_back(&office, id)).await;
    assert!(matches!(office.stage(id).await, Stage::Freezing { .. }));
    dispatcher.drain().await;
}

#[tokio::test]
async fn a_damaged_subscriber_pauses_the_mailing_that_sends_and_stops_no_other() {
    let office = Office::new();
    let damaged = office.subscriber("damaged").await;
    let id = office.mailing(UncertainPolicy::Resend).await;
    depesch::mailings::audience::freeze(&office.store, &office.clock, id).await.unwrap();
    let record = engine_of(&office.store).get(&keys::subscriber(damaged)).await.unwrap().unwrap();
    damage(&office, damaged).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| is_held_back(&office, id)).await;
    // Repaired and resumed, it continues without a restart.
    let mut batch = Batch::new();
    batch.put(keys::subscriber(damaged), record);
    office.store.commit(batch).await.unwrap();
    let resume = office.store.update_mailing::<StoreError>(id, |mailing, _| {
        mailing.resume(noon()).unwrap();
        Ok(())
    });
    resume.await.unwrap();
    office.notifier.notify();
    office.until_finished(id).await;
    assert_eq!(office.relay.given(), ["damaged"]);
    dispatcher.drain().await;
}

#[tokio::test]
async fn a_message_whose_composition_panics_fails_alone() {
    let office = Office::new();
    for who in ["fine", "panics", "fine-too"] {
        office.subscriber(who).await;
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until_finished(id).await;
    assert_eq!(office.tally(id).await, Tally { accepted: 2, failed: 1, ..Tally::default() });
    dispatcher.drain().await;
}

/// Answers the renewal of a lease only long after other tasks have continued.
struct SlowRenewals {
    inner: MemoryEngine,
    lease: Key,
    renewals: Arc<AtomicUsize>,
}

impl Maintenance for SlowRenewals {}

impl Engine for SlowRenewals {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.inner.scan(range, limit)
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        let renews = |(key, expect): &(Key, Expect)| *key == self.lease && matches!(expect, Expect::Equals(_));
        let renews = batch.checks.iter().any(renews)
            && batch.writes.iter().any(|(key, value)| *key == self.lease && value.is_some());
        Box::pin(async move {
            let committed = self.inner.commit(batch).await;
            if renews {
                self.renewals.fetch_add(1, Ordering::SeqCst);
                for _ in 0..500 {
                    tokio::task::yield_now().await;
                }
            }
            committed
        })
    }
}

#[tokio::test]
async fn a_chunk_given_back_while_its_lease_is_being_renewed_is_settled() {
    let renewals = Arc::new(AtomicUsize::new(0));
    let lease = keys::lease(depesch::base::id::MailingId(1), 0);
    let office = Office::over(Arc::new(SlowRenewals { inner: MemoryEngine::new(), lease, renewals: renewals.clone() }));
    office.subscribers(1).await;
    let (begun, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, opens) = (begun.clone(), held.clone());
    *office.relay.witness.lock().unwrap() = Some(Box::new(move |_| {
        begins.fetch_add(1, Ordering::SeqCst);
        let held = opens.clone();
        Box::pin(async move { held.acquire().await.unwrap().forget() })
    }));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { begun.load(Ordering::SeqCst) == 1 }).await;
    office.clock.advance(chrono::Duration::seconds(301));
    office.until(|| async { renewals.load(Ordering::SeqCst) == 1 }).await;
    held.add_permits(1);
    office.until_finished(id).await;
    assert!(office.store.lease(id, 0).await.unwrap().is_none());
    dispatcher.drain().await;
}
