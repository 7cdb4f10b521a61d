//! A person's record is complete: fields, consent ledger, suppression, and every delivery.

use depesch::base::id::{MailingId, SubscriberId};
use depesch::model::ledger::DeliveryState;
use depesch::model::subscriber::{SubscriptionError, SubscriptionState};
use depesch::model::suppression::SuppressionReason;
use depesch::subscribers::profile::{PersonError, SubscriptionChange};

use crate::support::mailings::put_frozen;
use crate::support::people::{import_text, service, state, store, subscriber};

#[tokio::test]
async fn it_has_every_delivery_wherever_in_the_audience() {
    let store = store().await;
    let rows: String = (1..=900).map(|n| format!("reader{n}@example.org\n")).collect();
    import_text(&store, &format!("email\n{rows}")).await.summary.unwrap();
    for mailing in [1, 2] {
        put_frozen(&store, mailing, 700).await;
    }
    for id in [1, 256, 257, 512, 513, 700] {
        let record = service(&store, 80).record(&format!("s{id}"), None).await.unwrap();
        assert_eq!(record.subscriber.unwrap().id, SubscriberId(id));
        let places: Vec<_> = record.deliveries.iter().map(|d| (d.mailing.id, d.sequence.0)).collect();
        assert_eq!(places, [(MailingId(1), id as u32 - 1), (MailingId(2), id as u32 - 1)]);
        assert_eq!(record.deliveries[0].delivery.state, DeliveryState::Waiting);
    }
    assert!(service(&store, 80).record("s701", None).await.unwrap().deliveries.is_empty());
    assert!(matches!(service(&store, 80).record("s9999", None).await, Err(PersonError::NotFound(_))));
}

#[tokio::test]
async fn the_consent_ledger_shows_when_how_and_with_what_words() {
    let store = store().await;
    import_text(&store, "email\nkarin@example.org\n").await.summary.unwrap();
    let karin = subscriber(&store, "karin@example.org").await.unwrap().id;
    let media = "media".parse().unwrap();
    let steps = [
        (SubscriptionChange::Pause, "leave until August"),
        (SubscriptionChange::Resume, "back"),
        (SubscriptionChange::Unsubscribe, "by phone"),
    ];
    for (minute, (change, words)) in (20..).zip(steps) {
        service(&store, minute).change_subscription(karin, &media, change, words).await.unwrap();
    }
    service(&store, 30)
        .suppress(&"karin@example.org".parse().unwrap(), SuppressionReason::Request, "by phone")
        .await
        .unwrap();
    let record = service(&store, 80).record("Karin@example.org", None).await.unwrap();
    let view = depesch::api::person_view::RecordView::from(&record);
    let events = &view.subscriber.as_ref().unwrap().subscriptions[&media].events;
    let told: Vec<_> = events.iter().map(|e| (&*e.became, &*e.way, &*e.from, &*e.words)).collect();
    let expected = [
        ("active", "import", "people.csv, line 2", "asked for releases"),
        ("paused", "operator", "anna", "leave until August"),
        ("active", "operator", "anna", "back"),
        ("ended", "operator", "anna", "by phone"),
    ];
    assert_eq!(told, expected);
    assert!(events.is_sorted_by_key(|event| event.at));
    assert_eq!(view.suppression.unwrap().reason, "request");
}

#[tokio::test]
async fn an_operator_does_not_revive_what_the_subscriber_ended() {
    let store = store().await;
    import_text(&store, "email\nkarin@example.org\n").await.summary.unwrap();
    let karin = subscriber(&store, "karin@example.org").await.unwrap().id;
    let (service, media) = (service(&store, 20), "media".parse().unwrap());
    service.change_subscription(karin, &media, SubscriptionChange::Unsubscribe, "").await.unwrap();
    for change in [SubscriptionChange::Subscribe, SubscriptionChange::Resume, SubscriptionChange::Pause] {
        let refused = service.change_subscription(karin, &media, change, "please").await;
        assert!(matches!(refused, Err(PersonError::Subscription(SubscriptionError::Ended(_)))), "{change:?}");
    }
    assert_eq!(state(&store, "karin@example.org", "media").await, Some(SubscriptionState::Ended));
}
