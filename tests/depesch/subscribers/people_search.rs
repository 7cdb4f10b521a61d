//! People are found by any part of name, organisation and address, ignoring case and accents; a change updates the
//! search, also if its commit was abandoned or its outcome is unknown, and an erased person is no longer found.

use std::sync::{Arc, Mutex};

use depesch::base::id::SubscriberId;
use depesch::base::language::Language;
use depesch::model::subscriber::Subscriber;
use depesch::store::engine::{Batch, Commit, Engine, EngineFuture, Key, KeyRange, Value};
use depesch::store::maintenance::Maintenance;
use depesch::store::memory::MemoryEngine;
use depesch::store::search::{Search, SearchCursor};
use depesch::store::{Store, StoreError, subscribers};

use crate::support::failing::{FailingCommits, Failure};
use crate::support::mailings::{minute, store};

fn person(id: u64, address: &str, name: &str, organisation: &str) -> Subscriber {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Subscriber {
        id: SubscriberId(id),
        address: address.parse().unwrap(),
        name: text(name),
        language: Language::swedish(),
        organisation: text(organisation),
        beats: Default::default(),
        regions: Default::default(),
        attributes: Default::default(),
        subscriptions: Default::default(),
        created: minute(0),
        updated: minute(0),
    }
}

async fn put(store: &Store, id: u64, address: &str, name: &str, organisation: &str) {
    let mut batch = Batch::new();
    subscribers::put_new(&mut batch, &person(id, address, name, organisation));
    store.commit(batch).await.unwrap();
}

async fn newsroom() -> Store {
    let store = store();
    put(&store, 1, "karin.ek@kvarnvik.example", "Karin Ek", "Kvarnvik Dagblad").await;
    put(&store, 2, "bo.alander@norralv.example", "Bo Ålander", "Norrälvs Tidning").await;
    put(&store, 3, "redaktion@kvarnvik.example", "", "Kvarnvik Dagblad").await;
    put(&store, 4, "karin.ekman@fagersjo.example", "Karin Ekman-Søby", "Fagersjö Allehanda").await;
    store
}

/// Who is found, page by page, three at a time.
async fn found(store: &Store, text: &str) -> Vec<u64> {
    let Some(search) = Search::new(text) else { return Vec::new() };
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.search_people(&search, after.as_ref(), 3).await.unwrap();
        assert!(page.people.len() <= 3);
        ids.extend(page.people.iter().map(|read| read.value.id.0));
        let Some(next) = page.next else { break };
        let text = next.to_text();
        after = Some(SearchCursor::from_text(&text).unwrap());
        assert_eq!(after, Some(next));
    }
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "each is found once: {ids:?}");
    once
}

#[tokio::test]
async fn any_part_of_any_word_finds_them() {
    let store = newsroom().await;
    for (text, expected) in [
        ("karin", &[1, 4][..]),
        ("KAR", &[1, 4]),
        ("karin ek", &[1, 4]),
        ("ek karin", &[1, 4]),
        ("karin ekm", &[4]),
        ("dagbl kvarn", &[1, 3]),
        ("ålander", &[2]),
        ("alander", &[2]),
        ("A\u{30a}lander", &[2]),
        ("norralvs", &[2]),
        ("søby", &[4]),
        ("soby", &[4]),
        ("kvarnvik.example", &[1, 3]),
        ("@kvarnvik.example", &[1, 3]),
        ("karin.ek@kvarnvik.example", &[1]),
        ("redaktion@kvarnvik", &[3]),
        ("kvarnvik.exa dagblad", &[1, 3]),
        ("kvarnvik.com", &[]),
        ("karin karin", &[1, 4]),
        ("karin nowhere", &[]),
        ("arin", &[1, 4]),
        ("vik dag", &[1, 3]),
        ("ander", &[2]),
        ("ekman-søby", &[4]),
        ("søby-ekman", &[4]),
        ("k@kvarn", &[1]),
        ("ek kvarnvik dagblad karin", &[1]),
        ("dagbladkarin", &[]),
        ("example redaktion", &[3]),
        ("<karin.ek@kvarnvik.example>,", &[1]),
        ("dagblad karin.ek", &[1]),
        ("", &[]),
        (" .@ ", &[]),
    ] {
        assert_eq!(found(&store, text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn a_change_updates_the_search_and_erased_people_are_not_found() {
    let store = newsroom().await;
    let changed = store.change_subscriber::<StoreError>(SubscriberId(1), |karin| {
        karin.name = Some("Karin Lind".to_owned());
        karin.address = "lind@tallmo.example".parse().unwrap();
        Ok(())
    });
    changed.await.unwrap();
    assert_eq!(found(&store, "ek").await, [4]);
    assert_eq!(found(&store, "lind").await, [1]);
    assert_eq!(found(&store, "tallmo").await, [1]);
    assert_eq!(found(&store, "kvarnvik").await, [1, 3], "by the newsroom still");
    let read = store.subscriber(SubscriberId(1)).await.unwrap().unwrap();
    let mut batch = Batch::new();
    subscribers::delete(&mut batch, &read);
    store.commit(batch).await.unwrap();
    assert_eq!(found(&store, "lind").await, Vec::<u64>::new());
    assert_eq!(found(&store, "kvarnvik").await, [3]);
}

#[tokio::test]
async fn many_of_one_name_are_found_page_by_page() {
    let store = store();
    for id in 1..=1200 {
        put(&store, id, &format!("p{id}@press.example"), &format!("Anna Berg {id}"), "Press").await;
    }
    assert_eq!(found(&store, "anna").await.len(), 1200);
    assert_eq!(
        found(&store, "anna 117").await,
        [117, 1117, 1170, 1171, 1172, 1173, 1174, 1175, 1176, 1177, 1178, 1179]
    );
    assert_eq!(found(&store, "press anna berg 1200").await, [1200]);
}

/// Commits after which the caller does not know what happened: the search finds what was written nevertheless.
#[tokio::test]
async fn a_change_whose_answer_is_lost_is_found() {
    for failure in [Failure::Before, Failure::After] {
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
        let dying = FailingCommits::new(engine.clone(), 2, failure);
        let store = Store::new(dying);
        put(&store, 1, "karin.ek@kvarnvik.example", "Karin Ek", "").await;
        put(&store, 2, "bo@norralv.example", "Bo Lind", "").await;
        assert_eq!(found(&store, "karin").await, [1]);
        let read = store.subscriber(SubscriberId(1)).await.unwrap().unwrap();
        let mut batch = Batch::new();
        let after = Subscriber { name: Some("Karin Alm".to_owned()), ..read.value.clone() };
        subscribers::put_changed(&mut batch, &read, &after);
        store.commit(batch).await.unwrap_err();
        let is_written = failure == Failure::After;
        assert_eq!(found(&store, "alm").await, if is_written { vec![1] } else { vec![] }, "{failure:?}");
        assert_eq!(found(&store, "karin ek").await.len(), 1, "by the address");
    }
}

/// A commit that takes effect only after its caller has gone, and after a search.
#[tokio::test]
async fn an_abandoned_change_is_found_once_it_takes_effect() {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let slow = Arc::new(Slow { engine: engine.clone(), held: Mutex::default() });
    let store = Store::new(slow.clone());
    assert_eq!(found(&store, "karin").await, Vec::<u64>::new());
    let mut batch = Batch::new();
    subscribers::put_new(&mut batch, &person(1, "karin.ek@kvarnvik.example", "Karin Ek", ""));
    assert!(futures_util::FutureExt::now_or_never(store.commit(batch)).is_none(), "it is under way");
    assert_eq!(found(&store, "karin").await, Vec::<u64>::new());
    let held = slow.held.lock().unwrap().take().unwrap();
    engine.commit(held).await.unwrap();
    assert_eq!(found(&store, "karin").await, [1]);
}

/// An engine whose commits are held back until the test applies them.
struct Slow {
    engine: Arc<dyn Engine>,
    held: Mutex<Option<Batch>>,
}

impl Maintenance for Slow {}

impl Engine for Slow {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.engine.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.engine.scan(range, limit)
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        *self.held.lock().unwrap() = Some(batch);
        Box::pin(std::future::pending())
    }
}
