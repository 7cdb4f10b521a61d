//! A relay that permanently refuses every message is not believed: the mailing stops, none of it counts as failed, no
//! subscriber is suspended, and all is sent once the relay has been repaired. A small list may fail.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::id::{MailingId, SubscriberId};
use depesch::model::ledger::{Stage as At, Tally};
use depesch::model::mailing::{PauseReason, Stage, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::model::subscriber::SubscriptionState::Active;
use depesch::store::StoreError;
use depesch::store::memory::MemoryEngine;
use depesch::transport::Outcome;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::office::{Office, accepted, media};

const UNKNOWN: &str = "5.1.1 no such user";

fn refused(stage: At, code: u16, words: &str) -> Outcome {
    Outcome::Refused { stage, reply: Reply::new(code, words) }
}

fn all_answer(office: &Office, readers: usize, outcome: &Outcome) {
    for number in 0..readers {
        office.relay.answer(&format!("p{number}"), std::iter::repeat_n(outcome.clone(), 50));
    }
}

async fn until_paused(office: &Office, id: MailingId) -> String {
    office.until(|| async { office.store.mailing(id).await.unwrap().unwrap().value.pause.is_some() }).await;
    office.until(|| async { office.store.taking_back().await.unwrap().is_empty() }).await;
    office.until(|| async { office.tally(id).await.in_doubt == 0 }).await;
    match office.store.mailing(id).await.unwrap().unwrap().value.pause.unwrap().reason {
        PauseReason::Breaker { evidence } => evidence,
        other => panic!("{other:?}"),
    }
}

async fn resume(office: &Office, id: MailingId) {
    let now = depesch::base::clock::Clock::now(&office.clock);
    let resumed = office.store.update_mailing::<StoreError>(id, |mailing, _| {
        mailing.resume(now).unwrap();
        Ok(())
    });
    resumed.await.unwrap();
    office.notifier.notify();
}

async fn must_be_untouched(office: &Office, readers: usize) {
    for id in 1..=readers as u64 {
        let subscriber = office.store.subscriber(SubscriberId(id)).await.unwrap().unwrap().value;
        assert_eq!(subscriber.state_on(&media()), Some(Active), "{id}");
        let score = office.store.score(SubscriberId(id)).await.unwrap();
        assert!(score.is_none_or(|score| score.value.hits.is_empty()), "{id}");
    }
}

async fn until_finished(office: &Office, id: MailingId) {
    let finished = || async {
        office.clock.advance(Duration::seconds(20));
        matches!(office.stage(id).await, Stage::Finished { .. })
    };
    office.until(finished).await;
}

#[tokio::test]
async fn refusals_of_every_message_fail_none_and_all_is_sent_after_the_repair() {
    let cases = [
        refused(At::Recipient, 550, UNKNOWN),
        refused(At::Recipient, 550, "no"),
        refused(At::Recipient, 550, "5.2.1 mailbox disabled"),
        refused(At::Recipient, 550, "5.7.1 rejected by policy"),
        refused(At::Mail, 550, "5.1.8 sender unknown"),
        refused(At::Mail, 554, "no"),
        refused(At::Data, 554, "no"),
        refused(At::Message, 554, "no"),
        refused(At::Message, 552, "5.3.4 message too big"),
        refused(At::Message, 550, "5.6.0 malformed"),
        Outcome::Impossible("the message has 900 bytes and the relay takes at most 1".to_owned()),
    ];
    for outcome in cases {
        let office = Office::new();
        office.subscribers(60).await;
        all_answer(&office, 60, &outcome);
        let id = office.mailing(UncertainPolicy::Resend).await;
        let dispatcher = office.dispatcher().await.unwrap();
        let evidence = until_paused(&office, id).await;
        let tally = office.tally(id).await;
        assert_eq!((tally.failed, tally.open(), tally.audience()), (0, 60, 60), "{outcome:?}: {tally:?}");
        assert!(office.relay.given().len() <= 24, "{outcome:?}: it stopped late, {evidence}");
        must_be_untouched(&office, 60).await;

        all_answer(&office, 60, &accepted());
        resume(&office, id).await;
        until_finished(&office, id).await;
        assert_eq!(office.tally(id).await, Tally { accepted: 60, ..Tally::default() }, "{outcome:?}");
        dispatcher.drain().await;
    }
}

#[tokio::test]
async fn a_small_list_may_fail_as_a_whole() {
    for readers in [1, 3, 6] {
        let office = Office::new();
        office.subscribers(readers).await;
        all_answer(&office, readers, &refused(At::Recipient, 550, UNKNOWN));
        let id = office.mailing(UncertainPolicy::Resend).await;
        let dispatcher = office.dispatcher().await.unwrap();
        if readers > 3 {
            until_finished(&office, id).await;
        } else {
            office.until_finished(id).await;
        }
        assert_eq!(office.tally(id).await, Tally { failed: readers as u64, ..Tally::default() });
        dispatcher.drain().await;
    }
}

#[tokio::test]
async fn a_list_whose_readers_always_got_their_mail_is_stopped_sooner() {
    let mut office = Office::new();
    office.connections = 1;
    office.subscribers(60).await;
    let dispatcher = office.dispatcher().await.unwrap();
    let first = office.mailing(UncertainPolicy::Resend).await;
    office.until_finished(first).await;
    all_answer(&office, 60, &refused(At::Recipient, 550, UNKNOWN));
    let second = office.mailing(UncertainPolicy::Resend).await;
    until_paused(&office, second).await;
    assert_eq!(office.relay.given().len(), 60 + 5);
    must_be_untouched(&office, 60).await;
    dispatcher.drain().await;
}

#[tokio::test]
async fn after_a_resume_twice_as_many_refusals_stop_it() {
    let office = Office::new();
    office.subscribers(50).await;
    all_answer(&office, 50, &refused(At::Recipient, 550, UNKNOWN));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    // 13 and 26 refusals are too many; 52 cannot be reached with 50 recipients.
    for _ in 0..2 {
        until_paused(&office, id).await;
        resume(&office, id).await;
    }
    until_finished(&office, id).await;
    assert_eq!(office.tally(id).await, Tally { failed: 50, ..Tally::default() });
    dispatcher.drain().await;
}

#[tokio::test]
async fn a_relay_that_breaks_midway_is_detected_as_fast() {
    let office = Office::new();
    office.subscribers(500).await;
    for number in 300..500 {
        office.relay.answer(&format!("p{number}"), [refused(At::Data, 554, "no")]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    until_paused(&office, id).await;
    let tally = office.tally(id).await;
    assert_eq!((tally.failed, tally.audience()), (0, 500));
    assert!(tally.accepted >= 290 && office.relay.given().len() < 330, "{tally:?}");
    dispatcher.drain().await;
}

#[tokio::test]
async fn a_crash_at_any_commit_leaves_nothing_behind() {
    let mut passed = false;
    for at in (5..90).step_by(7) {
        for failure in [Failure::Before, Failure::After] {
            let engine = Arc::new(MemoryEngine::new());
            let office = Office::over(engine.clone());
            office.subscribers(50).await;
            all_answer(&office, 50, &refused(At::Recipient, 550, UNKNOWN));
            let id = office.mailing(UncertainPolicy::Resend).await;
            let failing = FailingCommits::new(engine.clone(), at, failure);
            let dying = office.reborn(failing.clone());
            let started = dying.dispatcher().await;
            let paused = || async {
                let done = dying.store.mailing(id).await.unwrap().unwrap().value.pause.is_some();
                failing.is_dead() || done && dying.store.taking_back().await.unwrap().is_empty()
            };
            dying.until(paused).await;
            if let Ok(dispatcher) = started {
                dispatcher.drain().await;
            }
            passed |= !failing.is_dead();

            let office = office.reborn(engine);
            let dispatcher = office.dispatcher().await.unwrap();
            let paused = || async {
                office.clock.advance(Duration::seconds(5));
                office.store.mailing(id).await.unwrap().unwrap().value.pause.is_some()
            };
            office.until(paused).await;
            // What the crash left in doubt stays in doubt until the mailing resumes.
            let taken_back =
                || async { office.tally(id).await.failed == 0 && office.store.taking_back().await.unwrap().is_empty() };
            office.until(taken_back).await;
            let tally = office.tally(id).await;
            assert_eq!((tally.failed, tally.audience()), (0, 50), "commit {at} {failure:?}: {tally:?}");
            must_be_untouched(&office, 50).await;
            all_answer(&office, 50, &accepted());
            resume(&office, id).await;
            until_finished(&office, id).await;
            assert_eq!(office.tally(id).await.accepted, 50, "commit {at} {failure:?}");
            dispatcher.drain().await;
        }
    }
    assert!(passed, "the last one did not reach the end");
}
