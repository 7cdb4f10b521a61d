//! `outbound flush` makes all mail out due that waits: letters as well as deliveries, and a relay that could not be reached is
//! tried again at once.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::clock::Clock;
use depesch::control::Control;
use depesch::control::letter::LettersOut;
use depesch::control::outbound::{FlushAnswer, FlushRequest};
use depesch::model::ledger::{Stage, Tally};
use depesch::model::letter::LetterState;
use depesch::model::mailing::UncertainPolicy;
use depesch::model::reply::Reply;
use depesch::outbound::notices::worker::Postman;
use depesch::transport::{ConnectError, Outcome};

use crate::support::control::{TestControl, start_changed};
use crate::support::letters::Desk;
use crate::support::office::Office;

async fn control(desk: &Desk) -> (TestControl, Arc<Postman>) {
    let postman = Arc::new(desk.postman());
    let out = LettersOut { letters: desk.letters.clone(), postman: postman.clone() };
    let clock = Arc::new(desk.clock.clone());
    let test = start_changed(desk.store.clone(), |control| Control { letters: Some(out), clock, ..control }).await;
    (test, postman)
}

async fn flush(test: &TestControl, mailing: Option<&str>, domain: Option<&str>) -> FlushAnswer {
    let request = FlushRequest { mailing: mailing.map(str::to_owned), domain: domain.map(str::to_owned) };
    test.client.post("/v1/outbound/flush", &request).await.unwrap()
}

fn deferred() -> Outcome {
    Outcome::Refused { stage: Stage::Recipient, reply: Reply::new(451, "4.3.0 Temporary lookup failure") }
}

#[tokio::test]
async fn letters_that_were_put_off_go_out() {
    let desk = Desk::new();
    for name in ["karin", "nils"] {
        desk.relay.answer(name, [deferred()]);
    }
    let (test, postman) = control(&desk).await;
    let ids = [desk.greet("karin").await, desk.greet("nils").await];
    for id in ids {
        desk.until(|| async { desk.letter(id).await.cause().is_some() }).await;
        assert!(desk.letter(id).await.due().unwrap() > desk.clock.now());
    }
    assert_eq!(flush(&test, None, Some("other.example")).await, FlushAnswer { changed: 0, letters: 0 });
    assert_eq!(flush(&test, None, Some("READER.example")).await, FlushAnswer { changed: 0, letters: 2 });
    for id in ids {
        desk.until_settled(id).await;
        let letter = desk.letter(id).await;
        assert_eq!((letter.state.word(), letter.attempts), ("accepted", 2));
    }
    assert_eq!(flush(&test, None, None).await, FlushAnswer { changed: 0, letters: 0 }, "nothing waits any more");
    postman.drain().await;
}

#[tokio::test]
async fn what_failed_or_was_taken_is_left_alone() {
    let desk = Desk::new();
    let never = Outcome::Refused { stage: Stage::Recipient, reply: Reply::new(550, "5.1.1 unknown") };
    desk.relay.answer("never", [never]);
    let (test, postman) = control(&desk).await;
    let ids = [desk.greet("never").await, desk.greet("taken").await];
    for id in ids {
        desk.until_settled(id).await;
    }
    assert_eq!(flush(&test, None, None).await.letters, 0);
    assert!(matches!(desk.letter(ids[0]).await.state, LetterState::Failed { .. }));
    postman.drain().await;
}

#[tokio::test]
async fn a_relay_that_was_gone_is_tried_at_once() {
    let desk = Desk::new();
    let lost = || ConnectError::Unreachable("as the test wants it".into());
    desk.relay.connects.lock().unwrap().extend((0..12).map(|_| lost()));
    let (test, postman) = control(&desk).await;
    let id = desk.greet("karin").await;
    while !desk.relay.connects.lock().unwrap().is_empty() {
        desk.until(|| async { postman.trouble().is_some() }).await;
        desk.clock.advance(Duration::seconds(301));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    desk.until(|| async { postman.trouble().is_some_and(|trouble| trouble.next_try > Some(desk.clock.now())) }).await;
    let wait = postman.trouble().unwrap().next_try.unwrap() - desk.clock.now();
    assert!(wait > Duration::minutes(4), "{wait}");
    desk.clock.advance(Duration::seconds(2));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.letter(id).await.state.word(), "waiting", "the next try is minutes away");

    flush(&test, None, None).await;
    desk.clock.advance(Duration::seconds(2));
    desk.until_settled(id).await;
    assert_eq!(desk.letter(id).await.state.word(), "accepted");
    assert_eq!(postman.trouble(), None);
    postman.drain().await;
}

#[tokio::test]
async fn so_are_deliveries_that_waited_for_it() {
    let office = Office::new();
    office.subscribers(3).await;
    let lost = || ConnectError::Unreachable("as the test wants it".into());
    office.relay.connects.lock().unwrap().extend((0..12).map(|_| lost()));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = Arc::new(office.dispatcher().await.unwrap());
    let (clock, wake) = (Arc::new(office.clock.clone()), office.wake.clone());
    let sends = Some(dispatcher.clone());
    let change = |control| Control { dispatcher: sends, clock, wake, ..control };
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
