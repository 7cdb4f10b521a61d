//! Failed deliveries are retried and uncertain ones decided; the counts add up at every moment.

use std::sync::Arc;

use depesch::base::id::{MailingId, SubscriberId};
use depesch::mailings::reopen::{Choice, Decision, ReopenError, Reopened, decide};
use depesch::model::decision::Resolution;
use depesch::model::ledger::Tally;
use depesch::model::mailing::{Mailing, Stage};
use depesch::store::engine::Batch;
use depesch::store::ledger::{Lease, put_lease};
use depesch::store::memory::MemoryEngine;
use depesch::store::{Store, StoreError};

use crate::support::failing::{FailingCommits, Failure};
use crate::support::mailings::{accepted, failed, minute, put_frozen, settle, store, uncertain};

const AUDIENCE: u32 = 600;

/// A finished mailing to 600 in three chunks: in each chunk one failed with 550, one with 554, one uncertain.
async fn finished(store: &Store) -> MailingId {
    let m = put_frozen(store, 1, AUDIENCE).await;
    let state = |n: u32| match n % 256 {
        3 => failed(550, "5.1.1 no such user"),
        5 => failed(554, "5.7.1 looks like spam"),
        7 => uncertain(),
        _ => accepted(),
    };
    settle(store, &m, (0..AUDIENCE).map(state).collect()).await;
    let finish = |m: &mut Mailing, _: &mut Batch| {
        m.stage = Stage::Finished { frozen: m.frozen().unwrap(), at: minute(70) };
        Ok::<(), StoreError>(())
    };
    store.update_mailing(m.id, finish).await.unwrap();
    m.id
}

async fn stage_and_tally(store: &Store) -> (&'static str, Tally) {
    let m = store.mailing(MailingId(1)).await.unwrap().unwrap().value;
    let tally = store.tally(&m).await.unwrap();
    assert_eq!(tally.audience(), u64::from(AUDIENCE));
    (m.stage.word(), tally)
}

fn resolve(resolution: Resolution) -> Decision {
    Decision::Resolve { resolution, by: "eva".into(), at: minute(80) }
}

#[tokio::test]
async fn failed_deliveries_wait_again_and_the_mailing_sends() {
    let store = store();
    let id = finished(&store).await;
    let done = decide(&store, id, &Choice::default(), &Decision::Retry).await.unwrap();
    assert_eq!(done, Reopened { changed: 6, busy: 0 });
    let (stage, tally) = stage_and_tally(&store).await;
    assert_eq!((stage, tally.waiting, tally.failed, tally.uncertain, tally.accepted), ("sending", 6, 0, 3, 591));
    let again = decide(&store, id, &Choice::default(), &Decision::Retry).await.unwrap();
    assert_eq!(again, Reopened::default());
}

#[tokio::test]
async fn only_the_selected_deliveries_are_retried() {
    for choice in [
        Choice { codes: [554].into(), ..Choice::default() },
        Choice { statuses: ["5.7.1".into()].into(), ..Choice::default() },
        // Sequence 5 is the subscriber with the number 6, and so on.
        Choice { subscribers: [6, 262, 518, 1].map(SubscriberId).into(), ..Choice::default() },
    ] {
        let store = store();
        let id = finished(&store).await;
        let done = decide(&store, id, &choice, &Decision::Retry).await.unwrap();
        assert_eq!(done.changed, 3, "{choice:?}");
        assert_eq!(stage_and_tally(&store).await.1.failed, 3);
    }
}

#[tokio::test]
async fn uncertain_deliveries_are_resolved() {
    let cases = [
        (Resolution::Again, "sending", 3, 591, 6),
        (Resolution::Accepted, "finished", 0, 594, 6),
        (Resolution::Failed, "finished", 0, 591, 9),
    ];
    for (resolution, stage, waiting, accepted, failed) in cases {
        let store = store();
        let id = finished(&store).await;
        let done = decide(&store, id, &Choice::default(), &resolve(resolution)).await.unwrap();
        assert_eq!(done.changed, 3);
        let (found, tally) = stage_and_tally(&store).await;
        assert_eq!((found, tally.waiting, tally.accepted, tally.failed), (stage, waiting, accepted, failed));
        assert_eq!(tally.uncertain, 0);
        // The stored tally equals the tally of the deliveries.
        let settled = store.settled_chunks(id).await.unwrap();
        assert_eq!(settled.len(), if resolution == Resolution::Again { 0 } else { 3 });
    }
}

#[tokio::test]
async fn a_chunk_in_progress_is_left_alone_and_counted_as_busy() {
    let store = store();
    let id = finished(&store).await;
    let mut batch = Batch::new();
    let lease = Lease { node: "depesch".into(), until: minute(100), fence: 1 };
    put_lease(&mut batch, id, 1, None, Some(&lease));
    store.commit(batch).await.unwrap();
    let done = decide(&store, id, &Choice::default(), &Decision::Retry).await.unwrap();
    assert_eq!(done, Reopened { changed: 4, busy: 2 });
    let done = decide(&store, id, &Choice::default(), &resolve(Resolution::Failed)).await.unwrap();
    assert_eq!(done, Reopened { changed: 2, busy: 1 });
    stage_and_tally(&store).await;
}

#[tokio::test]
async fn a_cancelled_mailing_is_not_tried_again_but_can_be_decided() {
    let store = store();
    let m = put_frozen(&store, 1, AUDIENCE).await;
    settle(&store, &m, vec![failed(550, "5.1.1 no such user"), uncertain()]).await;
    let cancel = |m: &mut Mailing, _: &mut Batch| m.cancel("bo", minute(70)).map_err(|e| panic!("{e}"));
    store.update_mailing::<StoreError>(m.id, cancel).await.unwrap();
    let refused = decide(&store, m.id, &Choice::default(), &Decision::Retry).await.unwrap_err();
    assert!(matches!(refused, ReopenError::Transition(_)) && refused.to_string().contains("cancelled"), "{refused}");
    assert!(decide(&store, m.id, &Choice::default(), &resolve(Resolution::Again)).await.is_err());
    decide(&store, m.id, &Choice::default(), &resolve(Resolution::Accepted)).await.unwrap();
    let (stage, tally) = stage_and_tally(&store).await;
    assert_eq!((stage, tally.accepted, tally.failed, tally.cancelled), ("cancelled", 1, 1, 598));
}

#[tokio::test]
async fn a_failure_at_any_commit_leaves_a_ledger_that_adds_up_and_a_mailing_that_sends_what_waits() {
    for failure in [Failure::Before, Failure::After] {
        for at in 0..=3 {
            let engine = Arc::new(MemoryEngine::new());
            let steady = Store::new(engine.clone());
            let id = finished(&steady).await;
            let failing = Store::new(FailingCommits::new(engine, at, failure));
            let first = decide(&failing, id, &Choice::default(), &Decision::Retry).await;
            assert_eq!(first.is_ok(), at == 3);
            let (stage, tally) = stage_and_tally(&steady).await;
            let chunks = at as u64 + u64::from(failure == Failure::After && at < 3);
            assert_eq!(tally.waiting, 2 * chunks, "{failure:?} {at}");
            assert_eq!(stage, if chunks == 0 { "finished" } else { "sending" });
            decide(&steady, id, &Choice::default(), &Decision::Retry).await.unwrap();
            assert_eq!(stage_and_tally(&steady).await.1.waiting, 6);
        }
    }
}
