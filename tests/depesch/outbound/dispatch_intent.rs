//! The intent is on disk before anything is sent; deliveries left in doubt by a crash follow the mailing's policy.

use std::sync::Arc;

use depesch::base::id::MailingId;
use depesch::model::ledger::{Cause, DeliveryState, Sequence};
use depesch::model::mailing::UncertainPolicy;
use depesch::store::Store;
use depesch::store::engine::Batch;
use depesch::store::ledger::{Row, put_delivery};

use crate::support::office::{Office, noon};

#[tokio::test]
async fn while_a_message_is_sent_its_intent_is_in_the_store() {
    let office = Office::new();
    office.subscribers(50).await;
    let id = office.mailing(UncertainPolicy::Resend).await;
    let store = office.store.clone();
    *office.relay.witness.lock().unwrap() = Some(Box::new(move |who| {
        let (store, sequence) = (store.clone(), Sequence(who[1..].parse().unwrap()));
        Box::pin(async move {
            let (delivery, _) = store.delivery(id, sequence).await.unwrap();
            assert!(matches!(delivery.state, DeliveryState::InDoubt { .. }), "{:?}", delivery.state);
        })
    }));
    let dispatcher = office.dispatcher().await.unwrap();
    office.until_finished(id).await;
    dispatcher.drain().await;
    assert_eq!(office.tally(id).await.accepted, 50);
}

async fn leave_in_doubt(store: &Store, id: MailingId, sequence: Sequence) {
    let rows = store.chunk_rows(id, 0).await.unwrap();
    let row: &Row = &rows[sequence.0 as usize];
    let mut delivery = row.delivery.clone();
    delivery.state = DeliveryState::InDoubt { since: noon() };
    delivery.attempts = 1;
    let mut batch = Batch::new();
    put_delivery(&mut batch, id, row, &delivery);
    store.commit(batch).await.unwrap();
}

async fn after_a_crash(policy: UncertainPolicy) -> (Arc<Office>, MailingId) {
    let office = Arc::new(Office::new());
    office.subscribers(3).await;
    let id = office.mailing(policy).await;
    depesch::mailings::audience::freeze(&office.store, &office.clock, id).await.unwrap();
    leave_in_doubt(&office.store, id, Sequence(1)).await;
    assert_eq!(office.tally(id).await.in_doubt, 1);
    let dispatcher = office.dispatcher().await.unwrap();
    office.until_finished(id).await;
    dispatcher.drain().await;
    (office, id)
}

#[tokio::test]
async fn deliveries_in_doubt_are_sent_again_and_counted_as_resent() {
    let (office, id) = after_a_crash(UncertainPolicy::Resend).await;
    let tally = office.tally(id).await;
    assert_eq!((tally.accepted, tally.resent, tally.audience()), (3, 1, 3));
    let delivery = &office.outcomes(id).await["p1"];
    assert_eq!((delivery.attempts, delivery.resent), (2, 1));
}

#[tokio::test]
async fn deliveries_in_doubt_are_held_if_the_mailing_says_so() {
    let (office, id) = after_a_crash(UncertainPolicy::Hold).await;
    let tally = office.tally(id).await;
    assert_eq!((tally.accepted, tally.uncertain, tally.resent), (2, 1, 0));
    assert!(!office.relay.given().contains(&"p1".to_owned()));
}

#[tokio::test]
async fn what_was_in_doubt_when_its_reader_left_is_uncertain() {
    let office = Office::new();
    let leaves = office.subscriber("leaves").await;
    let id = office.mailing(UncertainPolicy::Resend).await;
    depesch::mailings::audience::freeze(&office.store, &office.clock, id).await.unwrap();
    leave_in_doubt(&office.store, id, Sequence(0)).await;
    office.unsubscribe(leaves).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until_finished(id).await;
    dispatcher.drain().await;
    assert!(office.relay.given().is_empty());
    let delivery = &office.outcomes(id).await["leaves"];
    let DeliveryState::Uncertain { cause: Cause::Message(why), .. } = &delivery.state else { panic!("{delivery:?}") };
    assert!(why.contains("not sent again: unsubscribed"), "{why}");
}
