//! An unsubscribe, a suppression or an erasure after the freeze is respected until the last moment (invariant 8).

use depesch::base::id::SubscriberId;
use depesch::model::mailing::{Stage, UncertainPolicy};
use depesch::model::suppression::{Suppression, SuppressionReason};
use depesch::store::engine::Batch;
use depesch::store::{subscribers, suppressions};
use depesch::transport::ConnectError;

use crate::support::office::{Office, noon};

#[tokio::test]
async fn who_left_after_the_freeze_gets_nothing() {
    let office = Office::new();
    let mut ids = Vec::new();
    for who in ["ended", "blocked", "erased", "stays"] {
        ids.push(office.subscriber(who).await);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    depesch::mailings::audience::freeze(&office.store, &office.clock, id).await.unwrap();
    assert!(matches!(office.stage(id).await, Stage::Sending(frozen) if frozen.audience == 4));

    office.unsubscribe(ids[0]).await;
    suppress(&office, ids[1]).await;
    let erased = office.store.subscriber(ids[2]).await.unwrap().unwrap();
    let mut batch = Batch::new();
    subscribers::delete(&mut batch, &erased);
    office.store.commit(batch).await.unwrap();

    let _dispatcher = office.dispatcher().await.unwrap();
    office.until_finished(id).await;
    assert_eq!(office.relay.given(), ["stays"]);
    let tally = office.tally(id).await;
    assert_eq!((tally.suppressed, tally.accepted, tally.audience()), (3, 1, 4));
}

#[tokio::test]
async fn who_leaves_while_the_relay_is_lost_gets_nothing() {
    let office = Office::new();
    let leaves = office.subscriber("leaves").await;
    office.subscriber("stays").await;
    let down = ConnectError::Unreachable("connection refused".into());
    office.relay.connects.lock().unwrap().extend(std::iter::repeat_n(down, 8));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    // Both messages are composed and wait for a connection.
    office.until(|| async { dispatcher.trouble().is_some() }).await;
    office.unsubscribe(leaves).await;
    let finished = || async {
        office.clock.advance(chrono::Duration::milliseconds(50));
        matches!(office.stage(id).await, Stage::Finished { .. })
    };
    office.until(finished).await;
    assert_eq!(office.relay.given(), ["stays"]);
}

async fn suppress(office: &Office, id: SubscriberId) {
    let read = office.store.subscriber(id).await.unwrap().unwrap();
    let suppression =
        Suppression { address: None, reason: SuppressionReason::Request, since: noon(), note: "asked".into() };
    let mut batch = Batch::new();
    suppressions::put(&mut batch, &office.key.hash_address(&read.value.address), None, &suppression);
    office.store.commit(batch).await.unwrap();
}
