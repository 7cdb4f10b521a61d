//! Incoming mail is removed by age, in whole segments, and never before it is handled.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use depesch::base::clock::{FakeClock, Timestamp};
use depesch::base::id::InboundId;
use depesch::model::inbound::{Arrival, Inbound, InboundKind, InboundState, Via};
use depesch::privacy::retention::{DroppedMail, RetentionError, drop_mail};
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};
use depesch::store::inbound::{InboundIds, put_handled, put_new, put_stuck};
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolError, SpoolSettings};

use crate::support::failing::{Count, FailingEngine, Failure};

/// Files are stamped by the machine's clock, whatever clock a test uses.
#[allow(clippy::disallowed_methods)]
fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(days * 86_400)
}

struct Office {
    store: Store,
    engine: Arc<FailingEngine>,
    spool: Spool,
    ids: InboundIds,
    _directory: tempfile::TempDir,
}

impl Office {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(FailingEngine::over(Arc::new(MemoryEngine::new())));
        let store = Store::new(engine.clone());
        let spool = open(directory.path());
        Self { ids: InboundIds::new(store.clone()), store, engine, spool, _directory: directory }
    }

    /// Receives a message into its own segment.
    async fn take(&self, text: &str) -> Inbound {
        let id = self.ids.take(1).await.unwrap().next().unwrap();
        let (at, helo) = (Timestamp::from(days_ago(0)), String::new());
        let arrival = Arrival { at, via: Via::File, peer: None, helo, encrypted: false, sender: None };
        let place = self.spool.append(text.as_bytes().to_vec()).await.unwrap();
        let recipient = "media@lists.example.org".to_owned();
        let inbound = Inbound { id, arrival, recipient, place, state: InboundState::Waiting };
        let mut batch = Batch::new();
        put_new(&mut batch, &inbound);
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
        inbound
    }

    async fn end(&self, id: InboundId, stuck: bool) {
        let read = self.store.inbound(id).await.unwrap().unwrap();
        let (mut batch, at) = (Batch::new(), read.value.arrival.at);
        match stuck {
            true => put_stuck(&mut batch, &read, at, "the parser failed on it"),
            false => put_handled(&mut batch, &read, at, InboundKind::Command, "subscribed"),
        }
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
    }

    /// Makes the segment with this message look as if it was last written this many days ago.
    async fn age(&self, inbound: &Inbound, days: u64) {
        let segments = self.spool.segments().await.unwrap();
        let segment = segments.iter().find(|segment| segment.number == inbound.place.segment).unwrap();
        std::fs::File::options().append(true).open(&segment.path).unwrap().set_modified(days_ago(days)).unwrap();
    }

    async fn drop_mail(&self) -> Result<DroppedMail, RetentionError> {
        drop_mail(&self.store, &self.spool, depesch::base::clock::Timestamp::from(days_ago(90))).await
    }

    async fn is_there(&self, inbound: &Inbound) -> (bool, bool) {
        let record = self.store.inbound(inbound.id).await.unwrap().is_some();
        let bytes = match self.spool.read(inbound.place).await {
            Ok(_) => true,
            Err(SpoolError::Dropped { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        (record, bytes)
    }
}

fn open(directory: &Path) -> Spool {
    let settings = SpoolSettings { segment_bytes: 1, ..SpoolSettings::default() };
    let clock = Arc::new(FakeClock::at("2026-11-02T09:00:00Z".parse().unwrap()));
    Spool::open(&directory.join("spool"), settings, clock).unwrap()
}

#[tokio::test]
async fn handled_mail_is_removed_by_age_and_unhandled_mail_is_kept() {
    let office = Office::new();
    assert_eq!(office.drop_mail().await.unwrap(), DroppedMail::default());
    let (old, young) = (office.take("old").await, office.take("young").await);
    let (waiting, stuck) = (office.take("waiting").await, office.take("stuck").await);
    // Another recipient of the stuck message, for whom it was handled.
    let twin = Inbound { id: InboundId(9000), state: InboundState::Waiting, ..stuck.clone() };
    let mut batch = Batch::new();
    put_new(&mut batch, &twin);
    office.store.commit(batch).await.unwrap();
    for (inbound, is_stuck) in [(&old, false), (&young, false), (&stuck, true), (&twin, false)] {
        office.end(inbound.id, is_stuck).await;
    }
    for inbound in [&old, &waiting, &stuck] {
        office.age(inbound, 91).await;
    }
    office.age(&young, 89).await;
    let held = [(waiting.place.segment, vec![waiting.id]), (stuck.place.segment, vec![stuck.id])].into();
    assert_eq!(office.drop_mail().await.unwrap(), DroppedMail { segments: 1, messages: 1, held });
    assert_eq!(office.is_there(&old).await, (false, false));
    for kept in [&young, &waiting, &stuck, &twin] {
        assert_eq!(office.is_there(kept).await, (true, true), "{}", kept.id);
    }
    office.end(waiting.id, false).await;
    let dropped = office.drop_mail().await.unwrap();
    assert_eq!((dropped.segments, dropped.messages, dropped.held.len()), (1, 1, 1));
    assert_eq!(office.is_there(&waiting).await, (false, false));
    // Mail received after a drop is unaffected.
    let new = office.take("new").await;
    assert_eq!(office.is_there(&new).await, (true, true));
}

#[tokio::test]
async fn nothing_is_dropped_while_the_store_cannot_tell_what_waits() {
    let office = Office::new();
    let waiting = office.take("waiting").await;
    office.age(&waiting, 91).await;
    for nth in 1..4 {
        office.engine.fail_at(Count::All, nth, Failure::Before);
        let outcome = office.drop_mail().await;
        assert_eq!(office.is_there(&waiting).await, (true, true), "{nth}: {outcome:?}");
    }
    office.end(waiting.id, false).await;
    office.engine.fail_at(Count::Commits, 1, Failure::Before);
    assert!(office.drop_mail().await.is_err());
    assert_eq!(office.is_there(&waiting).await, (true, true));
    // The records were deleted, but the response was lost: the next run drops the segment.
    office.engine.fail_at(Count::Commits, 1, Failure::After);
    assert!(office.drop_mail().await.is_err());
    assert_eq!(office.drop_mail().await.unwrap().segments, 1);
    assert_eq!(office.is_there(&waiting).await, (false, false));
}
