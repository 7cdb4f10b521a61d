//! A relay that asks for fewer mails gets them more slowly, without a person's decision; one bad connection does not
//! block others; a relay that defers nearly everything is reported as a problem, and a flush sends what waits.

use chrono::Duration;
use depesch::base::clock::Clock;
use depesch::model::ledger::{Stage as At, Tally};
use depesch::model::mailing::{Stage, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::outbound::flush::{Flush, Flushed, flush};
use depesch::transport::Outcome;

use crate::support::office::{Office, noon};

fn put_off(words: &str) -> Outcome {
    Outcome::Refused { stage: At::Recipient, reply: Reply::new(451, words) }
}

#[tokio::test]
async fn a_relay_that_asks_for_fewer_mails_stops_nothing() {
    for words in ["4.7.0 Too many messages, slow down", "4.7.28 rate limited", "4.7.1 sending limit reached"] {
        let office = Office::new();
        office.subscribers(300).await;
        for number in 0..120 {
            office.relay.answer(&format!("p{number}"), [put_off(words)]);
        }
        let id = office.mailing(UncertainPolicy::Resend).await;
        let dispatcher = office.dispatcher().await.unwrap();
        let mut slowed = false;
        let (mut rounds, mut finished) = (0, false);
        while !finished {
            office.clock.advance(Duration::seconds(2));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            slowed |= dispatcher.slowed().is_some();
            let mailing = office.store.mailing(id).await.unwrap().unwrap().value;
            assert_eq!(mailing.pause, None, "{words}");
            finished = matches!(mailing.stage, Stage::Finished { .. });
            rounds += 1;
            assert!(rounds < 40_000, "this never came");
        }
        assert!(slowed, "{words}");
        assert_eq!(dispatcher.put_off(), None);
        assert_eq!(office.tally(id).await, Tally { accepted: 300, ..Tally::default() });
        dispatcher.drain().await;
    }
}

#[tokio::test]
async fn connections_that_break_now_and_then_hold_no_other() {
    let office = Office::new();
    office.subscribers(600).await;
    for number in (20..600).step_by(20) {
        office.relay.answer(&format!("p{number}"), [Outcome::NotSent("the connection broke".into())]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    // The clock stands still: nothing waits for it.
    office.until_finished(id).await;
    assert_eq!(office.tally(id).await, Tally { accepted: 600, ..Tally::default() });
    assert_eq!(office.relay.given().len(), 629);
    assert_eq!(dispatcher.trouble(), None);
    dispatcher.drain().await;
}

#[tokio::test]
async fn a_relay_that_defers_everything_is_reported_until_it_accepts_mail_after_a_flush() {
    let office = Office::new();
    office.subscribers(30).await;
    for number in 0..30 {
        office.relay.answer(&format!("p{number}"), [put_off("4.3.0 <p@press.example>: Temporary lookup failure")]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.tally(id).await.deferred == 30 }).await;
    office.until(|| async { dispatcher.put_off().is_some() }).await;
    let trouble = dispatcher.put_off().unwrap();
    assert_eq!((trouble.since, trouble.refusals, trouble.answers), (noon(), 30, 30));
    assert!(trouble.example.contains("4.3.0 (address)"), "{}", trouble.example);

    let elsewhere = Flush { mailing: None, domain: Some("other.example".into()) };
    assert_eq!(
        flush(&office.store, office.clock.now(), &elsewhere).await.unwrap(),
        Flushed { deliveries: 0, notices: 0 }
    );
    let here = Flush { mailing: Some(id), domain: Some("PRESS.example".into()) };
    assert_eq!(flush(&office.store, office.clock.now(), &here).await.unwrap(), Flushed { deliveries: 30, notices: 0 });
    assert_eq!(
        flush(&office.store, office.clock.now(), &here).await.unwrap(),
        Flushed { deliveries: 0, notices: 0 },
        "done twice"
    );
    office.notifier.notify();
    office.until_finished(id).await;
    assert_eq!(office.tally(id).await, Tally { accepted: 30, ..Tally::default() });
    assert_eq!(dispatcher.put_off(), None);
    dispatcher.drain().await;
}
