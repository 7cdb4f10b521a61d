//! A new address starts without bounces: those of the former one have no effect, and what they suspended is resumed.

use depesch::base::id::SubscriberId;
use depesch::model::bounce::BounceEffect;
use depesch::model::subscriber::SubscriptionState::{self, Active, Ended, Suspended};
use depesch::store::Store;
use depesch::subscribers::profile::{PersonFields, SubscriptionChange};

use crate::support::bounces::{full, gone, noted};
use crate::support::mailings::{accepted, list, put_frozen, put_subscriber, settle, store};
use crate::support::people::{erase, everything, service};

async fn state(store: &Store, id: u64) -> SubscriptionState {
    let read = store.subscriber(SubscriberId(id)).await.unwrap().unwrap();
    read.value.state_on(&"media".parse().unwrap()).unwrap()
}

/// Two mailings accepted at minute 61 by readers 1 and 2.
async fn office() -> Store {
    let store = store();
    assert!(store.create_list(&list("media")).await.unwrap());
    for id in [1, 2] {
        put_subscriber(&store, id, &["media"], |_| {}).await;
        let mailing = put_frozen(&store, id, 2).await;
        settle(&store, &mailing, vec![accepted(), accepted()]).await;
    }
    store
}

async fn moves(store: &Store, at: i64) {
    let fields = PersonFields { address: Some("new@example.net".into()), ..PersonFields::default() };
    service(store, at).edit(SubscriberId(1), &fields).await.unwrap();
}

#[tokio::test]
async fn a_bounce_of_the_former_address_is_noted_and_changes_nothing() {
    let store = office().await;
    moves(&store, 90).await;
    assert_eq!(noted(&store, &gone(1, 1, 1)).await.unwrap().effect, BounceEffect::FormerAddress);
    assert_eq!(state(&store, 1).await, Active);
    assert!(store.score(SubscriberId(1)).await.unwrap().unwrap().value.hits.is_empty());
    assert_eq!(noted(&store, &gone(1, 2, 1)).await.unwrap().effect, BounceEffect::Suspended, "the other did not move");
}

#[tokio::test]
async fn a_bounce_of_the_new_address_counts() {
    let store = office().await;
    // Long before the mailings.
    moves(&store, -90).await;
    assert_eq!(noted(&store, &gone(1, 1, 1)).await.unwrap().effect, BounceEffect::Suspended);
}

#[tokio::test]
async fn a_new_address_forgets_the_score_and_ends_the_suspension() {
    let store = office().await;
    noted(&store, &full(1, 1, 1)).await;
    noted(&store, &gone(2, 1, 1)).await;
    assert_eq!(state(&store, 1).await, Suspended);
    moves(&store, 60 * 24 * 3).await;
    assert_eq!(state(&store, 1).await, Active);
    let score = store.score(SubscriberId(1)).await.unwrap().unwrap().value;
    assert!(score.hits.is_empty() && score.suspension.is_none() && score.address_since.is_some());
}

#[tokio::test]
async fn another_spelling_of_the_address_is_not_a_new_address() {
    let store = office().await;
    noted(&store, &gone(1, 1, 1)).await;
    let fields = PersonFields { address: Some("Reader1@Example.com".into()), ..PersonFields::default() };
    service(&store, 60 * 24 * 3).edit(SubscriberId(1), &fields).await.unwrap();
    assert_eq!(state(&store, 1).await, Suspended);
}

#[tokio::test]
async fn a_subscription_ended_by_its_reader_is_not_started_again() {
    let store = office().await;
    noted(&store, &gone(1, 1, 1)).await;
    let media = "media".parse().unwrap();
    let service = service(&store, 60 * 24 * 2);
    service.change_subscription(SubscriberId(1), &media, SubscriptionChange::Unsubscribe, "by phone").await.unwrap();
    moves(&store, 60 * 24 * 3).await;
    assert!(service.reset_bounces("s1").await.unwrap().is_empty());
    assert_eq!(state(&store, 1).await, Ended);
}

#[tokio::test]
async fn after_an_erasure_no_bounce_names_the_person() {
    let store = office().await;
    noted(&store, &gone(1, 1, 1)).await;
    erase(&service(&store, 60 * 24 * 3), "s1").await.unwrap();
    assert!(noted(&store, &gone(2, 1, 4)).await.is_none(), "a bounce that comes too late leaves nothing");
    for (key, value) in everything(&store).await {
        for text in [&key, &value] {
            let text = String::from_utf8_lossy(text).to_lowercase();
            assert!(!text.contains("reader1@"), "{text:?}");
        }
    }
    let bounce =
        &store.bounces_between(depesch::base::id::MailingId(1), SubscriberId(1), SubscriberId(1)).await.unwrap();
    assert_eq!((bounce[0].evidence.as_str(), bounce[0].reports), ("", 1));
    assert!(store.bounces_of(SubscriberId(1)).await.unwrap().is_empty());
    assert!(store.score(SubscriberId(1)).await.unwrap().is_none());
}
