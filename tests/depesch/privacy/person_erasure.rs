//! Erasure removes everything that identifies a person, except the hash that prevents further mail to them.

use depesch::base::id::MailingId;
use depesch::model::ledger::{Cause, Delivery, DeliveryState, Sequence, Stage};
use depesch::model::reply::Reply;
use depesch::model::suppression::SuppressionReason;
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};
use depesch::store::ledger::put_delivery;
use depesch::subscribers::profile::PersonError;

use crate::support::mailings::{minute, put_frozen};
use crate::support::people::{erase, everything, import_text, key, service, store, subscriber};

/// Karin is subscriber 1, and her delivery failed with a reply that repeats her address.
async fn karin_was_mailed() -> Store {
    let store = store().await;
    import_text(&store, "email,name,phone\nkarin.ek@example.org,Karin Ek,070-174 06 05\n").await.summary.unwrap();
    assert_eq!(subscriber(&store, "karin.ek@example.org").await.unwrap().id.0, 1);
    put_frozen(&store, 1, 300).await;
    let row = store.chunk_rows(MailingId(1), 0).await.unwrap().remove(0);
    let reply = Reply::new(550, "5.1.1 <Karin.Ek@example.org>: no such user");
    let cause = Cause::Reply { stage: Stage::Recipient, reply };
    let failed = Delivery { state: DeliveryState::Failed { at: minute(61), cause }, attempts: 1, resent: 0 };
    let mut batch = Batch::new();
    put_delivery(&mut batch, MailingId(1), &row, &failed);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    store
}

#[tokio::test]
async fn nothing_that_names_the_person_is_left_but_the_hash() {
    let store = karin_was_mailed().await;
    assert!(erase(&service(&store, 70), "karin.ek@example.org").await.unwrap().is_empty());
    for (key, value) in everything(&store).await {
        for text in [&key, &value] {
            let text = String::from_utf8_lossy(text).to_lowercase();
            for part in ["karin", "070-174"] {
                assert!(!text.contains(part), "{text:?}");
            }
        }
    }
    let hash = key().hash_address(&"KARIN.EK@example.org".parse().unwrap());
    let kept = store.suppression(&hash).await.unwrap().unwrap().value;
    assert_eq!((kept.address, kept.reason), (None, SuppressionReason::Erased));
    // The delivery is still counted, with its cause.
    let (delivery, _) = store.delivery(MailingId(1), Sequence(0)).await.unwrap();
    let DeliveryState::Failed { cause: Cause::Reply { reply, .. }, .. } = delivery.state else { panic!() };
    assert_eq!(reply.text, "5.1.1 (erased)");
}

#[tokio::test]
async fn a_suppression_loses_its_address_and_a_second_erasure_finds_no_data() {
    let store = karin_was_mailed().await;
    let address = "karin.ek@example.org".parse().unwrap();
    service(&store, 65).suppress(&address, SuppressionReason::Complaint, "spam button").await.unwrap();
    erase(&service(&store, 70), "s1").await.unwrap();
    let kept = store.suppression(&key().hash_address(&address)).await.unwrap().unwrap().value;
    assert_eq!((kept.address, kept.reason, kept.note.as_str()), (None, SuppressionReason::Erased, ""));
    let again = erase(&service(&store, 71), "karin.ek@example.org").await;
    assert!(matches!(again, Err(PersonError::NotFound(_))));
}

#[tokio::test]
async fn an_erased_person_is_not_added_by_hand_either() {
    let store = karin_was_mailed().await;
    erase(&service(&store, 70), "s1").await.unwrap();
    let fields = depesch::subscribers::profile::PersonFields {
        address: Some("karin.ek@example.org".to_owned()),
        ..Default::default()
    };
    let added = service(&store, 71).add(&fields).await;
    assert!(matches!(added, Err(PersonError::Suppressed(SuppressionReason::Erased))));
    // Until they ask for mail again and the operator lifts the suppression.
    service(&store, 72).unsuppress(&"karin.ek@example.org".parse().unwrap()).await.unwrap().unwrap();
    assert_ne!(service(&store, 73).add(&fields).await.unwrap().id.0, 1);
}
