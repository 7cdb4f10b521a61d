//! A relay or a domain that reports all recipients as unknown suspends none of them: earlier effects are reverted, and
//! a person is told.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::id::{MailingId, SubscriberId};
use depesch::model::bounce::BounceEffect;
use depesch::model::ledger::Stage as At;
use depesch::model::mailing::{PauseReason, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::model::subscriber::SubscriptionState::{Active, Suspended};
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::bounces::Doubts;
use depesch::transport::Outcome;

use crate::support::bounces::{comes, gone, mailed_to, no_such_user, noted, sender_of, standing};
use crate::support::inbound::MailIn;
use crate::support::mailings::{accepted, put_frozen, put_subscriber, settle};
use crate::support::office::{Office, media};

fn no_such_address(who: &str) -> Outcome {
    let words = format!("5.1.1 <{who}@press.example>: Recipient address rejected: User unknown");
    Outcome::Refused { stage: At::Recipient, reply: Reply::new(550, &words) }
}

async fn suspended(store: &Store, all: u64) -> usize {
    let mut suspended = 0;
    for id in 1..=all {
        let read = store.subscriber(SubscriberId(id)).await.unwrap().unwrap();
        suspended += usize::from(read.value.state_on(&media()) == Some(Suspended));
    }
    suspended
}

#[tokio::test]
async fn a_relay_that_refuses_every_recipient_suspends_none_and_pauses_the_mailing() {
    let office = Office::new();
    office.subscribers(100).await;
    for number in 0..100 {
        office.relay.answer(&format!("p{number}"), [no_such_address(&format!("p{number}"))]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.store.mailing(id).await.unwrap().unwrap().value.pause.is_some() }).await;
    office.until(|| async { office.tally(id).await.in_doubt == 0 }).await;
    dispatcher.drain().await;
    let mailing = office.store.mailing(id).await.unwrap().unwrap().value;
    let Some(PauseReason::Breaker { evidence }) = mailing.pause.map(|pause| pause.reason) else { panic!() };
    assert!(evidence.contains("are said not to exist, which cannot be true"), "{evidence}");
    assert_eq!(suspended(&office.store, 100).await, 0);
    for id in 1..=100 {
        let score = office.store.score(SubscriberId(id)).await.unwrap();
        assert!(score.is_none_or(|score| score.value.hits.is_empty()), "{id}");
    }
    let bounces = office.store.bounces_of_mailing(id, SubscriberId(0), 200).await.unwrap();
    assert!(bounces.iter().all(|bounce| bounce.effect == BounceEffect::Nothing), "{bounces:?}");
    assert_eq!(office.tally(id).await.open(), 100, "none of them has failed");
}

#[tokio::test]
async fn dead_addresses_among_many_that_live_are_suspended() {
    let office = Office::new();
    office.subscribers(100).await;
    for number in (0..100).filter(|number| number % 4 == 0) {
        office.relay.answer(&format!("p{number}"), [no_such_address(&format!("p{number}"))]);
    }
    let dispatcher = office.dispatcher().await.unwrap();
    let id = office.mailing(UncertainPolicy::Resend).await;
    office.until_finished(id).await;
    dispatcher.drain().await;
    assert_eq!(suspended(&office.store, 100).await, 25);
}

/// A mailing that the relay accepted for readers at `domains` in turn.
async fn accepted_by_the_relay(audience: u64, domain: impl Fn(u64) -> String) -> Store {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    for id in 1..=audience {
        let address = format!("reader{id}@{}", domain(id)).parse().unwrap();
        put_subscriber(&store, id, &["media"], |subscriber| subscriber.address = address).await;
    }
    let mailing = put_frozen(&store, 1, u32::try_from(audience).unwrap()).await;
    settle(&store, &mailing, (0..audience).map(|_| accepted()).collect()).await;
    store
}

/// Receives address faults by mail about these readers, in turn; returns how many were believed.
async fn come(store: &Store, doubts: &Doubts, ids: impl Iterator<Item = u64>) -> usize {
    let mut believed = 0;
    for id in ids {
        let mut report = gone(1, id, 1);
        let read = store.subscriber(SubscriberId(id)).await.unwrap().unwrap();
        report.counts = doubts.believes(store, &report, read.value.address.domain()).await.unwrap();
        believed += usize::from(report.counts);
        noted(store, &report).await;
    }
    believed
}

#[tokio::test]
async fn bounces_of_half_an_audience_are_taken_back_also_after_a_restart() {
    let store = accepted_by_the_relay(60, |_| "example.com".to_owned()).await;
    let doubts = Doubts::default();
    assert_eq!(come(&store, &doubts, 1..=25).await, 25, "25 of 60 may be true");
    assert_eq!(suspended(&store, 60).await, 25);
    // A restarted daemon learns from the store.
    let doubts = Doubts::default();
    come(&store, &doubts, 26..=60).await;
    assert_eq!(suspended(&store, 60).await, 0);
    let now = gone(1, 1, 2).at;
    let problems = doubts.problems(now);
    assert!(problems[0].starts_with("bounces of mailing m1 are not believed: "), "{problems:?}");
    assert!(doubts.problems(now + Duration::days(8)).is_empty());
    for id in 1..=60 {
        assert_eq!(
            store.bounce(MailingId(1), SubscriberId(id)).await.unwrap().unwrap().value.effect,
            BounceEffect::Nothing
        );
        assert!(store.score(SubscriberId(id)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_domain_that_bounces_all_it_took_is_not_believed_and_others_are() {
    // Every fifth of 300 readers is at the domain that refuses everything.
    let domain = |id: u64| if id.is_multiple_of(5) { "closed.example" } else { "well.example" };
    let store = accepted_by_the_relay(300, |id| domain(id).to_owned()).await;
    let doubts = Doubts::default();
    come(&store, &doubts, (1..=300).filter(|id| id % 5 == 0)).await;
    assert_eq!(suspended(&store, 300).await, 0);
    assert_eq!(come(&store, &doubts, [1, 2, 3].into_iter()).await, 3);
    assert_eq!(suspended(&store, 300).await, 3);
}

#[tokio::test]
async fn a_tenth_of_a_large_audience_is_believed() {
    let store = accepted_by_the_relay(400, |id| format!("d{}.example", id % 50)).await;
    let doubts = Doubts::default();
    assert_eq!(come(&store, &doubts, (1..=400).filter(|id| id % 10 == 0)).await, 40);
    assert_eq!(suspended(&store, 400).await, 40);
    assert!(doubts.problems(gone(1, 1, 1).at).is_empty());
}

#[tokio::test]
async fn what_comes_by_mail_goes_through_it() {
    let mail_in = MailIn::new().await;
    mailed_to(&mail_in, 24).await;
    for id in 1..=24 {
        comes(&mail_in, &sender_of(1, id), &no_such_user(1, id)).await;
    }
    for id in 1..=24 {
        assert_eq!(standing(&mail_in.store, id).await, Active, "{id}");
    }
}
