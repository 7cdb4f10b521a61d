//! A delivery is found by its Message-ID, by the relay's queue id and by address.

use depesch::api::client::{Client, ClientError};
use depesch::api::delivery::FoundView;
use depesch::api::mailing::view::DeliveryView;
use depesch::api::path::ApiPath;
use depesch::model::ledger::DeliveryState;
use depesch::model::reply::Reply;
use depesch::store::Store;

use crate::support::api::{TestApi, start_with};
use crate::support::mailings::{failed, list, minute, put_frozen, put_subscriber, settle, store};
use crate::support::wanting::Wanting;

fn queued(id: &str) -> DeliveryState {
    DeliveryState::Accepted { at: minute(61), reply: Reply::new(250, &format!("2.0.0 Ok: queued as {id}")) }
}

async fn daemon() -> (TestApi, Store) {
    let store = store();
    store.create_list(&list("media")).await.unwrap();
    for id in 1..=3 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    for mailing in [1, 2] {
        let m = put_frozen(&store, mailing, 300).await;
        settle(&store, &m, vec![queued(&format!("4A{mailing}1")), failed(550, "5.1.1 no such user"), queued("4B")])
            .await;
    }
    (start_with(store.clone(), std::sync::Arc::new(Wanting::default())).await, store)
}

async fn find(client: &Client, name: &str, value: &str) -> Vec<(String, String)> {
    let found: FoundView = client.get(ApiPath::new("/v1/deliveries").query(name, value)).await.unwrap();
    assert!(!found.more);
    found.deliveries.into_iter().map(|one| (one.mailing, one.delivery.subscriber)).collect()
}

fn pair(mailing: &str, subscriber: &str) -> (String, String) {
    (mailing.to_owned(), subscriber.to_owned())
}

#[tokio::test]
async fn a_delivery_is_found_by_message_id_queue_id_or_address() {
    let (control, _) = daemon().await;
    let client = &control.client;
    let shown: DeliveryView = client.get(ApiPath::new("/v1/mailings/m2/deliveries/s3")).await.unwrap();
    assert!(shown.message_id.starts_with("m2.") && shown.message_id.ends_with("@lists.example.org"), "{shown:?}");
    for id in [shown.message_id.clone(), format!("<{}>", shown.message_id)] {
        assert_eq!(find(client, "message_id", &id).await, [pair("m2", "s3")]);
    }
    assert_eq!(find(client, "queue_id", "4A11").await, [pair("m1", "s1")]);
    assert_eq!(find(client, "queue_id", "4B").await, [pair("m2", "s3"), pair("m1", "s3")], "the newest first");
    assert_eq!(find(client, "queue_id", "4A").await, [], "a part of an id does not match");
    assert_eq!(find(client, "address", "Reader2@example.com").await, [pair("m2", "s2"), pair("m1", "s2")]);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_in_words() {
    let (control, _) = daemon().await;
    for (name, value, status) in [
        ("message_id", "<m2.forged@lists.example.org>", 404),
        ("address", "nobody@example.com", 404),
        ("addresses", "true", 400),
    ] {
        match control.client.get::<FoundView>(ApiPath::new("/v1/deliveries").query(name, value)).await {
            Err(ClientError::Refused(refusal)) => assert_eq!(refusal.status, status, "{name}"),
            other => panic!("{other:?}"),
        }
    }
}
