//! Many records are read page by page, forward and backward: each once, also across pages; an unreadable one is
//! reported once and hides no other; and deleted ones are skipped.

use depesch::base::id::SubscriberId;
use depesch::model::subscriber::Subscriber;
use depesch::store::engine::Batch;
use depesch::store::for_tests::keys;
use depesch::store::pages::{PAGE, Pages};
use depesch::store::{Read, Store, StoreError, members, subscribers};

use crate::support::mailings::{put_subscriber, store};

async fn ids(mut pages: Pages<Read<Subscriber>>) -> (Vec<u64>, usize) {
    let (mut ids, mut unreadable) = (Vec::new(), 0);
    loop {
        match pages.next().await {
            Ok(Some(read)) => ids.push(read.value.id.0),
            Ok(None) => return (ids, unreadable),
            Err(StoreError::Record(_)) => unreadable += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn filled(count: usize) -> Store {
    let store = store();
    for id in 1..=count as u64 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    store
}

#[tokio::test]
async fn each_record_comes_once_in_both_orders() {
    for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 7] {
        let store = filled(count).await;
        let expected: Vec<u64> = (1..=count as u64).collect();
        assert_eq!(ids(store.pages(subscribers::all())).await, (expected.clone(), 0), "{count}");
        let backward: Vec<u64> = expected.into_iter().rev().collect();
        assert_eq!(ids(store.pages(subscribers::all().backward())).await, (backward, 0), "{count}");
        assert_eq!(store.count(subscribers::all()).await.unwrap(), count as u64);
        assert_eq!(store.count(members::of_list(&"media".parse().unwrap())).await.unwrap(), count as u64);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hides_no_other() {
    let store = filled(PAGE + 5).await;
    let mut batch = Batch::new();
    for id in [1, PAGE as u64, PAGE as u64 + 1] {
        batch.put(keys::subscriber(SubscriberId(id)), [1, 0xff, 0xff].as_slice());
    }
    store.commit(batch).await.unwrap();
    for query in [subscribers::all(), subscribers::all().backward()] {
        let (found, unreadable) = ids(store.pages(query)).await;
        assert_eq!((found.len(), unreadable), (PAGE + 2, 3));
    }
}

/// Records added and removed while pages are read do not break the walk, and no record comes twice.
#[tokio::test]
async fn changes_meanwhile_do_not_break_a_walk() {
    let store = filled(PAGE + 10).await;
    let mut pages = store.pages(subscribers::all());
    assert_eq!(pages.next().await.unwrap().unwrap().value.id, SubscriberId(1));
    for id in [2, PAGE as u64 + 3] {
        let read = store.subscriber(SubscriberId(id)).await.unwrap().unwrap();
        let mut batch = Batch::new();
        subscribers::delete(&mut batch, &read);
        store.commit(batch).await.unwrap();
    }
    put_subscriber(&store, PAGE as u64 + 11, &[], |_| {}).await;
    let (rest, _) = ids(pages).await;
    // The first page was read before the change; the following pages show the current state.
    assert_eq!(rest.len(), PAGE - 1 + 9 + 1);
    assert!(rest.is_sorted() && rest.contains(&2) && !rest.contains(&(PAGE as u64 + 3)));
    assert_eq!(rest.last(), Some(&(PAGE as u64 + 11)));
}
