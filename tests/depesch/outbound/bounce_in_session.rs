//! A refusal in the SMTP session counts like a bounce received later by mail, in the commit of the delivery's outcome.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::id::{MailingId, SubscriberId};
use depesch::model::bounce::{BounceEffect, BounceSource, RULE};
use depesch::model::classify::Class;
use depesch::model::consent::ConsentSource;
use depesch::model::ledger::Stage as At;
use depesch::model::mailing::UncertainPolicy;
use depesch::model::reply::Reply;
use depesch::model::subscriber::SubscriptionState::{self, Active, Suspended};
use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;
use depesch::transport::Outcome;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::office::{Office, media};

const GONE: &str = "5.1.1 <gone@press.example>: no such user";

fn refused(code: u16, text: &str) -> Outcome {
    Outcome::Refused { stage: At::Recipient, reply: Reply::new(code, text) }
}

async fn state(office: &Office, id: SubscriberId) -> SubscriptionState {
    office.store.subscriber(id).await.unwrap().unwrap().value.state_on(&media()).unwrap()
}

/// Sends one mailing completely; the relay gives this answer for `who`.
async fn send(office: &Office, who: &str, answer: Outcome) -> MailingId {
    office.relay.answer(who, [answer]);
    let dispatcher = office.dispatcher().await.unwrap();
    let id = office.mailing(UncertainPolicy::Resend).await;
    office.until_finished(id).await;
    dispatcher.drain().await;
    id
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_suspended_at_once() {
    let office = Office::new();
    let (gone, stays) = (office.subscriber("gone").await, office.subscriber("stays").await);
    let first = send(&office, "gone", refused(550, GONE)).await;
    assert_eq!((state(&office, gone).await, state(&office, stays).await), (Suspended, Active));

    let subscriber = office.store.subscriber(gone).await.unwrap().unwrap().value;
    let event = subscriber.subscriptions[&media()].events.last().unwrap();
    assert_eq!(event.source, ConsentSource::System { rule: RULE.into() });
    assert_eq!(event.words, format!("address: 550 {GONE} (mailing {first})"));
    let bounces = office.store.bounces_of(gone).await.unwrap();
    let bounce = &bounces[0].value;
    assert_eq!((bounces.len(), bounce.effect, bounce.source), (1, BounceEffect::Suspended, BounceSource::Session));
    assert_eq!((bounce.class, bounce.status.as_deref()), (Class::Address, Some("5.1.1")));
    assert!(office.store.bounces_of(stays).await.unwrap().is_empty());

    send(&office, "nosuch", refused(550, GONE)).await;
    let to_gone = office.relay.given().into_iter().filter(|who| who == "gone").count();
    assert_eq!(to_gone, 1, "who is suspended is in no later audience");
}

#[tokio::test]
async fn a_refusal_that_blames_us_never_counts_against_the_reader() {
    let office = Office::new();
    let reader = office.subscriber("reader").await;
    let blames = [
        refused(550, "5.7.1 blocked using zen.example, see the blocklist"),
        refused(554, "5.7.26 DMARC did not pass"),
        refused(554, "5.3.4 message too big"),
        refused(554, "5.6.0 malformed message"),
        refused(554, "5.4.6 too many hops"),
        Outcome::Impossible("it needs SMTPUTF8".to_owned()),
    ];
    for blame in blames {
        send(&office, "reader", blame).await;
        office.clock.advance(Duration::days(8));
    }
    assert_eq!(state(&office, reader).await, Active);
    assert!(office.store.score(reader).await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_mailbox_is_suspended_after_three_mailings_over_a_week() {
    let office = Office::new();
    let reader = office.subscriber("reader").await;
    for days in [0, 3, 3] {
        office.clock.advance(Duration::days(days));
        send(&office, "reader", refused(550, "5.2.2 mailbox full")).await;
        assert_eq!(state(&office, reader).await, Active);
    }
    office.clock.advance(Duration::days(1));
    send(&office, "reader", refused(550, "5.2.2 mailbox full")).await;
    assert_eq!(state(&office, reader).await, Suspended);
}

#[tokio::test]
async fn successes_cancel_out_failures() {
    let office = Office::new();
    let reader = office.subscriber("reader").await;
    let full = || refused(550, "5.2.2 mailbox full");
    for answer in [full(), full(), Outcome::Accepted(Reply::new(250, "2.0.0 taken")), full()] {
        send(&office, "reader", answer).await;
        office.clock.advance(Duration::days(5));
    }
    assert_eq!(state(&office, reader).await, Active, "three failed, and one came through between them");
    send(&office, "reader", full()).await;
    assert_eq!(state(&office, reader).await, Suspended);
}

#[tokio::test]
async fn a_temporary_refusal_counts_when_it_was_given_up_and_not_before() {
    let office = Office::new();
    let reader = office.subscriber("reader").await;
    office.relay.answer("reader", std::iter::repeat_n(refused(452, "4.2.2 mailbox full"), 500));
    let dispatcher = office.dispatcher().await.unwrap();
    let id = office.mailing(UncertainPolicy::Resend).await;
    office.until(|| async { office.tally(id).await.deferred == 1 }).await;
    assert!(office.store.score(reader).await.unwrap().is_none());
    let finished = || async {
        office.clock.advance(Duration::minutes(10));
        office.tally(id).await.failed == 1
    };
    office.until(finished).await;
    dispatcher.drain().await;
    assert_eq!(office.store.score(reader).await.unwrap().unwrap().value.hits.len(), 1);
    assert_eq!(state(&office, reader).await, Active);
}

/// Dies at one commit; `false` when the mailing was finished before that.
async fn die_at(commit: usize, failure: Failure) -> bool {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let office = Office::over(disk.clone());
    let (gone, full) = (office.subscriber("gone").await, office.subscriber("full").await);
    office.relay.answer("gone", std::iter::repeat_n(refused(550, GONE), 9));
    office.relay.answer("full", std::iter::repeat_n(refused(550, "5.2.2 mailbox full"), 9));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let doomed = office.reborn(FailingCommits::new(disk.clone(), commit, failure));
    let died = match doomed.dispatcher().await {
        Err(_) => true,
        Ok(dispatcher) => {
            let mut died = false;
            tokio::select! {
                _ = dispatcher.broken() => died = true,
                () = doomed.until_finished(id) => {}
            }
            dispatcher.drain().await;
            died
        }
    };
    // Commits are complete: an outcome is never stored without its effects.
    let outcomes = office.outcomes(id).await;
    for (who, id) in [("gone", gone), ("full", full)] {
        let failed = outcomes.get(who).is_some_and(|delivery| delivery.state.word() == "failed");
        assert_eq!(office.store.score(id).await.unwrap().is_some(), failed, "{who}, died at {commit}");
        assert_eq!(office.store.bounces_of(id).await.unwrap().len(), usize::from(failed));
    }
    assert_eq!(state(&office, gone).await == Suspended, outcomes.get("gone").is_some_and(|d| d.is_settled()));

    let reborn = office.reborn(disk);
    let dispatcher = reborn.dispatcher().await.unwrap();
    reborn.until_finished(id).await;
    dispatcher.drain().await;
    assert_eq!((state(&reborn, gone).await, state(&reborn, full).await), (Suspended, Active));
    for id in [gone, full] {
        assert_eq!(reborn.store.score(id).await.unwrap().unwrap().value.hits.len(), 1, "died at {commit}");
        assert_eq!(reborn.store.bounces_of(id).await.unwrap()[0].value.reports, 1);
    }
    died
}

#[tokio::test]
async fn wherever_the_daemon_dies_a_refusal_counts_once() {
    for failure in [Failure::Before, Failure::After] {
        let mut commit = 0;
        while die_at(commit, failure).await {
            commit += 1;
        }
        assert!(commit > 5, "only {commit} places to die");
    }
}
