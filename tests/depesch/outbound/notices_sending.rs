//! Sending notices: immediately, again after a temporary refusal, not after a permanent one, with the null sender in
//! MAIL FROM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Duration;
use depesch::model::ledger::{Cause, Stage};
use depesch::model::notice::NoticeState;
use depesch::model::reply::Reply;
use depesch::store::Read;
use depesch::store::engine::{Batch, Commit};
use depesch::store::for_tests::keys;
use depesch::store::notices::put_over;
use depesch::transport::{ConnectError, Envelope, Outcome, Transport};

use crate::support::notices::{World, field};
use crate::support::relay::{message, mock, relay};

fn refused(stage: Stage, code: u16) -> Outcome {
    Outcome::Refused { stage, reply: Reply::new(code, "as the test wants it") }
}

#[tokio::test]
async fn the_null_sender_is_written_as_it_must_be() {
    let mock = mock();
    let mut connection = relay(&mock).connect().await.unwrap();
    let envelope =
        Envelope { sender: None, recipient: "karin@reader.example".parse().unwrap(), envelope_id: "n1".into() };
    let outcome = connection.send(&envelope, &message("n1@press.example")).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    connection.close().await;
    assert_eq!(mock.record().messages()[0].sender, "");
}

#[tokio::test]
async fn a_notice_is_sent_only_after_its_batch_is_committed() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    let first = world.greet("karin").await;
    world.until_settled(first).await;
    assert_eq!(world.notice(first).await.state.word(), "accepted");
    let carried = world.relay.carried.lock().unwrap().clone();
    let (envelope, bytes) = &carried[0];
    assert_eq!((envelope.reverse_path(), envelope.recipient.as_str()), ("", "karin@reader.example"));
    assert!(field(bytes, "Message-ID").unwrap().ends_with("@press.example>"));
    assert_eq!(notice_worker.sent().accepted, 1);
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_and_a_final_one_is_not() {
    let world = World::new();
    world.relay.answer("later", [refused(Stage::Recipient, 450)]);
    world.relay.answer("never", [refused(Stage::Recipient, 550)]);
    let notice_worker = world.notice_worker();
    let (later, never) = (world.greet("later").await, world.greet("never").await);
    world.until_settled(never).await;
    world.until(|| async { world.notice(later).await.cause().is_some() }).await;
    let NoticeState::Failed { cause: Cause::Reply { stage: Stage::Recipient, reply }, .. } =
        world.notice(never).await.state
    else {
        panic!("it did not fail with the reply")
    };
    assert_eq!(reply.code, 550);
    let due = world.notice(later).await.due().unwrap();
    let wait = due - world.clock.now();
    assert!((Duration::minutes(5)..=Duration::minutes(15)).contains(&wait), "{wait}");
    world.clock.set(due);
    world.until_settled(later).await;
    let notice = world.notice(later).await;
    assert_eq!((notice.state.word(), notice.attempts, notice.resent), ("accepted", 2, 0));
    assert_eq!(world.relay.given().iter().filter(|to| *to == "never").count(), 1);
    assert!(world.store.notice_bytes(never).await.unwrap().is_some(), "a person could not have it tried again");
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_failed_notice_is_sent_when_a_person_retries_it() {
    let world = World::new();
    world.relay.answer("karin", [refused(Stage::Recipient, 550)]);
    let notice_worker = world.notice_worker();
    let id = world.greet("karin").await;
    world.until_settled(id).await;
    let read: Read<_> = world.store.notice(id).await.unwrap().unwrap();
    let open = read.value.reopen(world.clock.now()).unwrap();
    let mut batch = Batch::new();
    put_over(&mut batch, &read, &open);
    assert_eq!(world.store.commit(batch).await.unwrap(), Commit::Applied);
    world.notices.notify();
    world.until(|| async { world.notice(id).await.state.word() == "accepted" }).await;
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_lost_relay_holds_notices_back_and_loses_none() {
    let world = World::new();
    let lost = || ConnectError::Unreachable("as the test wants it".into());
    world.relay.connects.lock().unwrap().extend([lost(), lost(), lost()]);
    world.relay.answer("p0", [Outcome::NotSent("broken".into()), Outcome::Unknown("broken late".into())]);
    let notice_worker = world.notice_worker();
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(world.greet(&format!("p{number}")).await);
    }
    world.until(|| async { notice_worker.trouble().is_some() }).await;
    for id in &ids {
        world
            .until(|| {
                world.clock.advance(Duration::seconds(1));
                async { world.notice(*id).await.settled().is_some() }
            })
            .await;
        assert_eq!(world.notice(*id).await.state.word(), "accepted");
    }
    assert_eq!(world.notice(ids[0]).await.resent, 1, "an unknown outcome is counted as resent when it is sent again");
    assert_eq!(notice_worker.trouble(), None);
    notice_worker.drain().await;
}

#[tokio::test]
async fn the_intent_is_on_disk_before_anything_is_sent() {
    let world = World::new();
    let id = world.greet("karin").await;
    let (store, seen) = (world.store.clone(), Arc::new(AtomicBool::new(false)));
    let see = seen.clone();
    *world.relay.witness.lock().unwrap() = Some(Box::new(move |_| {
        let (store, see) = (store.clone(), see.clone());
        Box::pin(async move {
            let notice = store.notice(id).await.unwrap().unwrap().value;
            see.store(notice.state.word() == "in-doubt" && notice.attempts == 1, Ordering::SeqCst);
        })
    }));
    let notice_worker = world.notice_worker();
    world.until_settled(id).await;
    assert!(seen.load(Ordering::SeqCst));
    *world.relay.witness.lock().unwrap() = None;
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_drain_completes_deliveries_in_progress_and_begins_none() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    let first = world.greet("first").await;
    world.until_settled(first).await;
    notice_worker.drain().await;
    let second = world.greet("second").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.notice(second).await.state.word(), "waiting");
    let notice_worker = world.notice_worker();
    world.until_settled(second).await;
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_damaged_notice_holds_back_no_other() {
    let world = World::new();
    let (broken, whole) = (world.greet("broken").await, world.greet("whole").await);
    let mut batch = Batch::new();
    batch.put(keys::notice(broken), [1, 255, 255].as_slice());
    world.store.commit(batch).await.unwrap();
    let notice_worker = world.notice_worker();
    world.until_settled(whole).await;
    assert_eq!(world.relay.given(), ["whole"]);
    notice_worker.drain().await;
}

#[tokio::test]
async fn notices_are_listed_the_newest_first() {
    let world = World::new();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(world.greet(&format!("p{number}")).await);
    }
    ids.reverse();
    let page: Vec<_> = world.store.notices(None, 3).await.unwrap().iter().map(|read| read.value.id).collect();
    assert_eq!(page, ids[..3]);
    let rest: Vec<_> = world.store.notices(Some(page[2]), 10).await.unwrap().iter().map(|read| read.value.id).collect();
    assert_eq!(rest, ids[3..]);
}
