//! `outbound flush` makes all waiting mail due, notices as well as deliveries, and immediately retries a relay that
//! could not be reached.

use std::sync::Arc;

use chrono::Duration;
use depesch::api::notice::NoticesOut;
use depesch::api::outbound::{FlushAnswer, FlushRequest};
use depesch::api::{ApiState, Services};
use depesch::base::clock::Clock;
use depesch::model::ledger::{Stage, Tally};
use depesch::model::mailing::UncertainPolicy;
use depesch::model::notice::NoticeState;
use depesch::model::reply::Reply;
use depesch::outbound::notices::worker::NoticeWorker;
use depesch::transport::{ConnectError, Outcome};

use crate::support::api::{TestApi, start_changed};
use crate::support::notices::World;
use crate::support::office::Office;

async fn control(world: &World) -> (TestApi, Arc<NoticeWorker>) {
    let notice_worker = Arc::new(world.notice_worker());
    let out = NoticesOut { notices: world.notices.clone(), notice_worker: notice_worker.clone() };
    let clock = Arc::new(world.clock.clone());
    let test = start_changed(world.store.clone(), |control| ApiState {
        services: Services { notices: out, ..control.services },
        clock,
        ..control
    })
    .await;
    (test, notice_worker)
}

async fn flush(test: &TestApi, mailing: Option<&str>, domain: Option<&str>) -> FlushAnswer {
    let request = FlushRequest { mailing: mailing.map(str::to_owned), domain: domain.map(str::to_owned) };
    test.client.post("/v1/outbound/flush", &request).await.unwrap()
}

fn deferred() -> Outcome {
    Outcome::Refused { stage: Stage::Recipient, reply: Reply::new(451, "4.3.0 Temporary lookup failure") }
}

#[tokio::test]
async fn deferred_notices_are_sent() {
    let world = World::new();
    for name in ["karin", "nils"] {
        world.relay.answer(name, [deferred()]);
    }
    let (test, notice_worker) = control(&world).await;
    let ids = [world.greet("karin").await, world.greet("nils").await];
    for id in ids {
        world.until(|| async { world.notice(id).await.cause().is_some() }).await;
        assert!(world.notice(id).await.due().unwrap() > world.clock.now());
    }
    assert_eq!(flush(&test, None, Some("other.example")).await, FlushAnswer { changed: 0, notices: 0 });
    assert_eq!(flush(&test, None, Some("READER.example")).await, FlushAnswer { changed: 0, notices: 2 });
    for id in ids {
        world.until_settled(id).await;
        let notice = world.notice(id).await;
        assert_eq!((notice.state.word(), notice.attempts), ("accepted", 2));
    }
    assert_eq!(flush(&test, None, None).await, FlushAnswer { changed: 0, notices: 0 }, "nothing waits any more");
    notice_worker.drain().await;
}

#[tokio::test]
async fn failed_or_accepted_deliveries_are_left_alone() {
    let world = World::new();
    let never = Outcome::Refused { stage: Stage::Recipient, reply: Reply::new(550, "5.1.1 unknown") };
    world.relay.answer("never", [never]);
    let (test, notice_worker) = control(&world).await;
    let ids = [world.greet("never").await, world.greet("taken").await];
    for id in ids {
        world.until_settled(id).await;
    }
    assert_eq!(flush(&test, None, None).await.notices, 0);
    assert!(matches!(world.notice(ids[0]).await.state, NoticeState::Failed { .. }));
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_relay_that_was_gone_is_tried_at_once() {
    let world = World::new();
    let lost = || ConnectError::Unreachable("as the test wants it".into());
    world.relay.connects.lock().unwrap().extend((0..12).map(|_| lost()));
    let (test, notice_worker) = control(&world).await;
    let id = world.greet("karin").await;
    while !world.relay.connects.lock().unwrap().is_empty() {
        world.until(|| async { notice_worker.trouble().is_some() }).await;
        world.clock.advance(Duration::seconds(301));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    world
        .until(|| async { notice_worker.trouble().is_some_and(|trouble| trouble.next_try > Some(world.clock.now())) })
        .await;
    let wait = notice_worker.trouble().unwrap().next_try.unwrap() - world.clock.now();
    assert!(wait > Duration::minutes(4), "{wait}");
    world.clock.advance(Duration::seconds(2));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.notice(id).await.state.word(), "waiting", "the next try is minutes away");

    flush(&test, None, None).await;
    world.clock.advance(Duration::seconds(2));
    world.until_settled(id).await;
    assert_eq!(world.notice(id).await.state.word(), "accepted");
    assert_eq!(notice_worker.trouble(), None);
    notice_worker.drain().await;
}

#[tokio::test]
async fn so_are_deliveries_that_waited_for_it() {
    let office = Office::new();
    office.subscribers(3).await;
    let lost = || ConnectError::Unreachable("as the test wants it".into());
    office.relay.connects.lock().unwrap().extend((0..12).map(|_| lost()));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = Arc::new(office.dispatcher().await.unwrap());
    let (clock, notifier) = (Arc::new(office.clock.clone()), office.notifier.clone());
    let sends = dispatcher.clone();
    let change = |control: ApiState| ApiState {
        services: Services { dispatcher: sends, ..control.services },
        clock,
        notifier,
        ..control
    };
    let test = start_changed(office.store.clone(), change).await;
    let rest = async || {
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
    };
    while !office.relay.connects.lock().unwrap().is_empty() {
        office.until(|| async { dispatcher.trouble().is_some() }).await;
        office.clock.advance(Duration::seconds(301));
        rest().await;
    }
    let is_long = |next: Option<chrono::DateTime<chrono::Utc>>| {
        next.is_some_and(|at| at - office.clock.now() > Duration::minutes(4))
    };
    office.until(|| async { dispatcher.trouble().is_some_and(|trouble| is_long(trouble.next_try)) }).await;
    office.clock.advance(Duration::seconds(2));
    rest().await;
    assert_eq!(office.tally(id).await.accepted, 0, "the next try is minutes away");

    flush(&test, Some(&id.to_string()), None).await;
    for _ in 0..5 {
        office.clock.advance(Duration::seconds(1));
        rest().await;
    }
    office.until_finished(id).await;
    assert_eq!(office.tally(id).await, Tally { accepted: 3, ..Tally::default() });
    dispatcher.drain().await;
}
