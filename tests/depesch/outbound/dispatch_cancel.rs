//! A cancel or a pause takes effect with its commit: no further delivery begins.

use depesch::base::id::MailingId;
use depesch::model::mailing::{Mailing, PauseReason, UncertainPolicy};
use depesch::store::StoreError;

use crate::support::office::{Office, noon};

async fn change(office: &Office, id: MailingId, change: impl Fn(&mut Mailing) + Sync) {
    let changed = office.store.update_mailing::<StoreError>(id, |mailing, _| {
        change(mailing);
        Ok(())
    });
    changed.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_cancelled_mailing_sends_nothing_more_and_adds_up() {
    let office = Office::new();
    office.subscribers(600).await;
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.relay.given().len() >= 20 }).await;
    change(&office, id, |mailing| mailing.cancel("anna", noon()).unwrap()).await;
    let given = office.relay.given().len();
    // The dispatcher was not notified: deliveries in progress end, none begins.
    office.until(|| async { office.tally(id).await.in_doubt == 0 }).await;
    let tally = office.tally(id).await;
    assert!(office.relay.given().len() <= given + office.connections);
    assert_eq!(tally.accepted, office.relay.given().len() as u64);
    assert_eq!((tally.accepted + tally.cancelled, tally.audience()), (600, 600));
    office.notifier.notify();
    office.until(|| async { office.store.settled_chunks(id).await.unwrap().len() == 3 }).await;
    assert_eq!(office.tally(id).await, tally);
    dispatcher.drain().await;
}

#[tokio::test]
async fn a_paused_mailing_continues_where_it_stopped() {
    let office = Office::new();
    office.subscribers(300).await;
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.relay.given().len() >= 20 }).await;
    change(&office, id, |m| m.hold(PauseReason::Person { by: "anna".into() }, noon()).unwrap()).await;
    let given = office.relay.given().len();
    office.until(|| async { office.tally(id).await.in_doubt == 0 }).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(office.relay.given().len() <= given + office.connections);
    change(&office, id, |m| m.resume(noon()).unwrap()).await;
    office.notifier.notify();
    office.until_finished(id).await;
    dispatcher.drain().await;
    let mut given = office.relay.given();
    given.sort();
    given.dedup();
    assert_eq!((given.len(), office.relay.given().len()), (300, 300));
}

#[tokio::test]
async fn a_lost_relay_pauses_the_transport_and_no_delivery() {
    use depesch::transport::ConnectError;
    let office = Office::new();
    office.subscribers(40).await;
    let down = ConnectError::Unreachable("connection refused".into());
    office.relay.connects.lock().unwrap().extend(std::iter::repeat_n(down, 5));
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { dispatcher.trouble().is_some() }).await;
    assert_eq!(office.tally(id).await.waiting, 40);
    office
        .until(|| async {
            office.clock.advance(chrono::Duration::milliseconds(50));
            dispatcher.trouble().is_none()
        })
        .await;
    // Workers held by the relay backoff check again within a second.
    office
        .until(|| async {
            office.clock.advance(chrono::Duration::milliseconds(50));
            office.tally(id).await.accepted == 40
        })
        .await;
    let outcomes = office.outcomes(id).await;
    assert!(outcomes.values().all(|d| d.attempts == 1), "no delivery paid for the relay");
}

#[tokio::test]
async fn a_relay_that_answers_every_mail_with_421_is_tried_less_and_less() {
    use depesch::model::ledger::Stage;
    use depesch::model::reply::Reply;
    use depesch::transport::Outcome;
    let office = Office::new();
    office.subscribers(100).await;
    for number in 0..100 {
        let closing = Outcome::Refused { stage: Stage::Mail, reply: Reply::new(421, "4.3.2 closing") };
        office.relay.answer(&format!("p{number}"), [closing]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    for _ in 0..600 {
        office.clock.advance(chrono::Duration::milliseconds(100));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let tried = office.relay.given().len();
    assert!((4..=16).contains(&tried), "{tried} deliveries paid for it in a minute");
    assert!(dispatcher.trouble().is_some());
    assert_eq!(office.tally(id).await.waiting, 100 - tried as u64);
    office
        .until(|| async {
            office.clock.advance(chrono::Duration::seconds(5));
            office.tally(id).await.accepted == 100
        })
        .await;
    dispatcher.drain().await;
}
