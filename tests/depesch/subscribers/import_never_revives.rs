//! Invariant 4: an import revives no ended subscription and no suppression, not even one that ends while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use depesch::model::subscriber::SubscriptionState;
use depesch::model::suppression::SuppressionReason;
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit, Engine, EngineFuture, Key, KeyRange, Value};
use depesch::store::maintenance::Maintenance;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::profile::SubscriptionChange;

use crate::support::people::{import_text, put_lists, service, state, store, subscriber};

async fn leave(store: &Store, address: &str) {
    let id = subscriber(store, address).await.unwrap().id;
    let media = "media".parse().unwrap();
    service(store, 5).change_subscription(id, &media, SubscriptionChange::Unsubscribe, "").await.unwrap();
}

#[tokio::test]
async fn who_left_stays_away_and_is_named_in_the_rejects() {
    let store = store().await;
    import_text(&store, "email\nkarin@example.org\n").await.summary.unwrap();
    leave(&store, "karin@example.org").await;
    let done = import_text(&store, "email,name\nkarin@example.org,Karin Ek\n").await;
    assert_eq!(state(&store, "karin@example.org", "media").await, Some(SubscriptionState::Ended));
    assert!(done.rejects[0].reason.contains("once left media"), "{:?}", done.rejects);
    // The row's other fields are imported.
    let karin = subscriber(&store, "karin@example.org").await.unwrap();
    assert_eq!(karin.name.as_deref(), Some("Karin Ek"));
    assert_eq!(karin.subscriptions.values().next().unwrap().events.len(), 2);
}

#[tokio::test]
async fn a_pause_is_not_lifted() {
    let store = store().await;
    import_text(&store, "email\nkarin@example.org\n").await.summary.unwrap();
    let id = subscriber(&store, "karin@example.org").await.unwrap().id;
    let media = "media".parse().unwrap();
    service(&store, 5).change_subscription(id, &media, SubscriptionChange::Pause, "").await.unwrap();
    assert_eq!(import_text(&store, "email\nkarin@example.org\n").await.summary.unwrap().unchanged, 1);
    assert_eq!(state(&store, "karin@example.org", "media").await, Some(SubscriptionState::Paused));
}

#[tokio::test]
async fn the_suppressed_and_the_erased_do_not_come_back() {
    let store = store().await;
    import_text(&store, "email\nkarin@example.org\n").await.summary.unwrap();
    service(&store, 5).erase("karin@example.org", None).await.unwrap();
    service(&store, 5).suppress(&"bo@example.org".parse().unwrap(), SuppressionReason::Complaint, "").await.unwrap();
    let done = import_text(&store, "email\nKarin@Example.org\nbo@example.org\n").await;
    assert_eq!(done.summary.as_ref().unwrap().suppressed, 2);
    let words = ["suppressed: erased", "suppressed: complaint"];
    assert!(done.rejects.iter().zip(words).all(|(reject, word)| reject.reason.contains(word)), "{:?}", done.rejects);
    assert!(store.has_no_subscribers().await.unwrap());
}

/// Runs another change on the store just before the import's first commit of subscribers.
struct Meanwhile {
    inner: Arc<MemoryEngine>,
    armed: AtomicBool,
    act: tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<()>>,
}

impl Maintenance for Meanwhile {}

impl Engine for Meanwhile {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.inner.scan(range, limit)
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        Box::pin(async move {
            let subscribers = batch.writes.iter().any(|(key, _)| key.0.starts_with(b"s"));
            if subscribers && self.armed.swap(false, Ordering::SeqCst) {
                let (done, acted) = tokio::sync::oneshot::channel();
                self.act.send(done).await.unwrap();
                acted.await.unwrap();
            }
            self.inner.commit(batch).await
        })
    }
}

/// Imports while `act` runs on the same store between the import's reads and its commit.
async fn import_while<F: Future<Output = ()>>(before: &str, file: &str, act: impl FnOnce(Store) -> F) -> Store {
    let inner = Arc::new(MemoryEngine::new());
    let other_door = Store::new(inner.clone());
    put_lists(&other_door).await;
    if !before.is_empty() {
        import_text(&other_door, before).await.summary.unwrap();
    }
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let store = Store::new(Arc::new(Meanwhile { inner, armed: AtomicBool::new(true), act: sender }));
    let work = async {
        let done = import_text(&store, file).await;
        done.summary.unwrap();
    };
    let meanwhile = async {
        let done = receiver.recv().await.unwrap();
        act(other_door.clone()).await;
        done.send(()).unwrap();
    };
    tokio::join!(work, meanwhile);
    other_door
}

#[tokio::test]
async fn an_unsubscribe_during_the_import_counts() {
    let act = async |store: Store| leave(&store, "karin@example.org").await;
    let store = import_while("email\nkarin@example.org\n", "email,name\nkarin@example.org,Karin Ek\n", act).await;
    assert_eq!(state(&store, "karin@example.org", "media").await, Some(SubscriptionState::Ended));
    assert_eq!(subscriber(&store, "karin@example.org").await.unwrap().name.as_deref(), Some("Karin Ek"));
}

#[tokio::test]
async fn a_suppression_during_the_import_counts_also_for_the_unknown() {
    let act = async |store: Store| {
        let address = "karin@example.org".parse().unwrap();
        service(&store, 5).suppress(&address, SuppressionReason::Request, "").await.unwrap();
    };
    let store = import_while("", "email\nkarin@example.org\nbo@example.org\n", act).await;
    assert_eq!(subscriber(&store, "karin@example.org").await, None);
    assert!(subscriber(&store, "bo@example.org").await.is_some());
}

#[tokio::test]
async fn an_erasure_during_the_import_counts() {
    let act = async |store: Store| {
        service(&store, 5).erase("karin@example.org", None).await.unwrap();
    };
    let store = import_while("email\nkarin@example.org\n", "email,name\nkarin@example.org,Karin Ek\n", act).await;
    assert_eq!(subscriber(&store, "karin@example.org").await, None);
    assert!(store.scan_subscribers(depesch::base::id::SubscriberId(0), 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_person_added_during_the_import_is_not_duplicated() {
    let act = async |store: Store| {
        let fields = depesch::subscribers::profile::PersonFields {
            address: Some("karin@example.org".to_owned()),
            language: Some("en".to_owned()),
            ..Default::default()
        };
        service(&store, 5).add(&fields).await.unwrap();
    };
    let store = import_while("", "email,name\nkarin@example.org,Karin Ek\n", act).await;
    let all = store.scan_subscribers(depesch::base::id::SubscriberId(0), 10).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].value.language.as_str(), "en");
    assert_eq!(all[0].value.name.as_deref(), Some("Karin Ek"));
}
