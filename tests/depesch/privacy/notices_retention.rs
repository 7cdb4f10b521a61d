//! Settled notices are removed by age; those still to be sent, and the mail they forward, are kept.

use chrono::Duration;
use depesch::composition::notices::Forwarded;
use depesch::model::inbound::InboundKind;
use depesch::privacy::retention::drop_mail;
use depesch::privacy::retention::notices::drop_notices;
use depesch::store::engine::{Batch, Commit};
use depesch::store::inbound::{put_handled, put_new};

use crate::support::mailings::list;
use crate::support::notices::World;

#[tokio::test]
async fn only_old_notices_that_are_settled_are_dropped() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    let old = world.greet("old").await;
    world.until_settled(old).await;
    world.clock.advance(Duration::days(91));
    let young = world.greet("young").await;
    world.until_settled(young).await;
    notice_worker.drain().await;
    let waiting = world.greet("waiting").await;
    world.clock.advance(Duration::days(1));
    let now = world.clock.now();
    assert_eq!(drop_notices(&world.store, now, now - Duration::days(90)).await.unwrap(), 1);
    assert!(world.store.notice(old).await.unwrap().is_none());
    assert!(world.store.notice(young).await.unwrap().is_some());
    world.clock.advance(Duration::days(365));
    let now = world.clock.now();
    assert_eq!(drop_notices(&world.store, now, now).await.unwrap(), 1);
    assert_eq!(world.notice(waiting).await.state.word(), "waiting");
    assert!(world.store.notice_bytes(waiting).await.unwrap().is_some());
}

#[tokio::test]
async fn mail_that_a_notice_still_needs_outlives_its_age() {
    let world = World::new();
    let bytes = b"From: kare@reader.example\r\nSubject: hej\r\n\r\nhej\r\n";
    let (inbound, message) = world.take_in(Some("kare@reader.example"), bytes).await;
    let mut batch = Batch::new();
    put_new(&mut batch, &inbound);
    world.store.commit(batch).await.unwrap();
    let read = world.store.inbound(inbound.id).await.unwrap().unwrap();
    let mut batch = Batch::new();
    let owner = "kansli@office.example".parse().unwrap();
    let done = world.notices.forward(&mut batch, &inbound, &message, &owner, Some(&list("media"))).await.unwrap();
    let Forwarded::As(notice) = done else { panic!("no notice") };
    put_handled(&mut batch, &read, world.clock.now(), InboundKind::Forwarded, "passed on");
    assert_eq!(world.store.commit(batch).await.unwrap(), Commit::Applied);

    // The spool's files have the machine's time, which is before this.
    let later: depesch::base::clock::Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(drop_mail(&world.store, &world.spool, later).await.unwrap().segments, 0);
    let notice_worker = world.notice_worker();
    world.until_settled(notice).await;
    notice_worker.drain().await;
    assert!(world.relay.carried.lock().unwrap()[0].1.ends_with(bytes));
    assert_eq!(drop_mail(&world.store, &world.spool, later).await.unwrap().segments, 1);
}
