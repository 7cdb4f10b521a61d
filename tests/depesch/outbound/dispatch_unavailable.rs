//! When the store is unavailable, dispatch waits; when it loses a response, dispatch reads before it decides. It
//! continues by itself, each reader gets the mail, and possible duplicates are reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use depesch::model::mailing::{Stage, UncertainPolicy};
use depesch::store::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Key, KeyRange, Value};
use depesch::store::maintenance::Maintenance;
use depesch::store::memory::MemoryEngine;

use crate::support::office::Office;

/// An in-memory engine that does not answer while it is away, and loses every n-th response to a commit.
struct Unsteady {
    inner: MemoryEngine,
    is_away: Arc<AtomicBool>,
    loses_each: Arc<AtomicUsize>,
    commits: AtomicUsize,
}

impl Unsteady {
    fn new(is_away: &Arc<AtomicBool>, loses_each: &Arc<AtomicUsize>) -> Arc<Self> {
        let (is_away, loses_each) = (is_away.clone(), loses_each.clone());
        Arc::new(Self { inner: MemoryEngine::new(), is_away, loses_each, commits: AtomicUsize::new(0) })
    }

    fn not_now<T: Send + 'static>(&self, action: &'static str) -> Option<EngineFuture<'_, T>> {
        let error = EngineError::Unavailable { action, reason: "as the test wants it".to_owned() };
        self.is_away.load(Ordering::SeqCst).then(|| Box::pin(std::future::ready(Err(error))) as EngineFuture<'_, T>)
    }
}

impl Maintenance for Unsteady {}

impl Engine for Unsteady {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.not_now("read").unwrap_or_else(|| self.inner.get(key))
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.not_now("read").unwrap_or_else(|| self.inner.scan(range, limit))
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        if let Some(refused) = self.not_now("written") {
            return refused;
        }
        let each = self.loses_each.load(Ordering::SeqCst);
        let count = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if each == 0 || !count.is_multiple_of(each) {
            return self.inner.commit(batch);
        }
        Box::pin(async move {
            match self.inner.commit(batch).await? {
                Commit::Applied => {
                    Err(EngineError::Ambiguous { action: "written", reason: "as the test wants it".to_owned() })
                }
                conflict => Ok(conflict),
            }
        })
    }
}

#[tokio::test]
async fn deliveries_resume_after_a_long_outage_of_the_store() {
    let (is_away, loses_each) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let office = Office::over(Unsteady::new(&is_away, &loses_each));
    office.subscribers(20).await;
    let goes = is_away.clone();
    *office.relay.witness.lock().unwrap() = Some(Box::new(move |_| {
        goes.store(true, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { is_away.load(Ordering::SeqCst) }).await;
    office.ten_minutes().await;
    *office.relay.witness.lock().unwrap() = None;
    is_away.store(false, Ordering::SeqCst);
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
    assert_eq!(office.tally(id).await.accepted, 20);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_in_the_store() {
    for each in [2, 3, 5, 7] {
        let (is_away, loses_each) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let office = Office::over(Unsteady::new(&is_away, &loses_each));
        office.subscribers(20).await;
        let id = office.mailing(UncertainPolicy::Resend).await;
        loses_each.store(each, Ordering::SeqCst);
        // The start's number is allocated before dispatch begins its loop, so the caller retries here.
        let dispatcher = loop {
            if let Ok(dispatcher) = office.dispatcher().await {
                break dispatcher;
            }
        };
        let finished = || async {
            office.clock.advance(chrono::Duration::seconds(5));
            matches!(office.stage(id).await, Stage::Finished { .. })
        };
        office.until(finished).await;
        dispatcher.drain().await;
        let given = office.relay.given().len();
        let mut readers = office.relay.given();
        readers.sort();
        readers.dedup();
        let tally = office.tally(id).await;
        assert_eq!((readers.len(), tally.accepted), (20, 20), "each {each}. answer: {tally:?}");
        assert!((given - 20) as u64 <= tally.resent, "each {each}. answer: {given} went out, {} shown", tally.resent);
    }
}
