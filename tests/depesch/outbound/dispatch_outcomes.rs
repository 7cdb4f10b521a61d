//! Every reply of the relay leads to the right state, and the counts add up.

use depesch::model::ledger::{Stage as At, Tally};
use depesch::model::mailing::UncertainPolicy;
use depesch::model::reply::Reply;
use depesch::transport::Outcome;

use crate::support::office::Office;

fn refused(stage: At, code: u16, text: &str) -> Outcome {
    Outcome::Refused { stage, reply: Reply::new(code, text) }
}

#[tokio::test]
async fn every_answer_has_its_state() {
    let office = Office::new();
    for who in ["fine", "gone", "full", "odd", "lost", "cut", "broken"] {
        office.subscriber(who).await;
    }
    office.relay.answer("gone", [refused(At::Recipient, 550, "5.1.1 no such user")]);
    office.relay.answer("full", [refused(At::Recipient, 452, "4.2.2 mailbox full")]);
    office.relay.answer("odd", [refused(At::Recipient, 552, "too many recipients")]);
    office.relay.answer("lost", [Outcome::NotSent("connection reset".into())]);
    office.relay.answer("cut", [Outcome::Unknown("no answer to the final dot".into())]);
    let id = office.mailing(UncertainPolicy::Hold).await;
    let dispatcher = office.dispatcher().await.unwrap();
    let wanted = Tally { accepted: 2, failed: 2, deferred: 2, uncertain: 1, ..Tally::default() };
    office
        .until(|| async {
            // The relay backoff waits a second after trouble.
            office.clock.advance(chrono::Duration::milliseconds(10));
            office.tally(id).await == wanted
        })
        .await;
    let outcomes = office.outcomes(id).await;
    let words: Vec<_> = outcomes.iter().map(|(who, d)| format!("{who} {}", d.state.word())).collect();
    assert_eq!(
        words,
        [
            "broken failed",
            "cut uncertain",
            "fine accepted",
            "full deferred",
            "gone failed",
            "lost accepted",
            "odd deferred"
        ]
    );
    assert_eq!(outcomes["lost"].attempts, 2);
    dispatcher.drain().await;
    assert_eq!(office.tally(id).await, wanted);
}

#[tokio::test]
async fn a_deferred_delivery_is_tried_again_when_it_is_due() {
    let office = Office::new();
    office.subscriber("grey").await;
    office
        .relay
        .answer("grey", [refused(At::Recipient, 450, "4.7.1 greylisted"), refused(At::Data, 451, "4.3.0 later")]);
    let id = office.mailing(UncertainPolicy::Resend).await;
    let _dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.tally(id).await.deferred == 1 }).await;
    assert_eq!(office.relay.given().len(), 1);
    // By the table the second attempt comes after 5 to 15 minutes, the third 10 to 30 minutes later.
    for (minutes, attempts) in [(4, 1), (12, 2), (9, 2), (22, 3)] {
        office.clock.advance(chrono::Duration::minutes(minutes));
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(office.relay.given().len(), attempts);
    }
    office.until_finished(id).await;
    assert_eq!(office.outcomes(id).await["grey"].attempts, 3);
}

#[tokio::test]
async fn a_delivery_is_given_up_after_days() {
    let office = Office::new();
    office.subscriber("full").await;
    office.relay.answer("full", std::iter::repeat_n(refused(At::Recipient, 452, "4.2.2 full"), 500));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let _dispatcher = office.dispatcher().await.unwrap();
    let mut hours = 0;
    while office.tally(id).await.failed == 0 && hours < 24 * 7 {
        hours += 1;
        office.clock.advance(chrono::Duration::hours(1));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    // RFC 5321 §4.5.4.1: at least 4 to 5 days.
    assert!((24 * 3..=24 * 5).contains(&hours), "given up after {hours} h");
    office.until_finished(id).await;
}
