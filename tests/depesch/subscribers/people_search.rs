//! People are found by prefixes of words in name, organisation and address, ignoring case and accents; a change updates
//! the search, and an erased person is no longer found.

use depesch::base::id::SubscriberId;
use depesch::base::language::Language;
use depesch::model::subscriber::Subscriber;
use depesch::store::engine::Batch;
use depesch::store::search::{Search, SearchCursor};
use depesch::store::{Store, StoreError, subscribers};

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
async fn any_beginning_of_any_word_finds_them() {
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
        ("arin", &[]),
        ("", &[]),
        (" .@ ", &[]),
    ] {
        assert_eq!(found(&store, text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn a_change_moves_them_and_who_is_gone_is_not_found() {
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
    assert_eq!(found(&store, "anna 117").await, [117, 1170, 1171, 1172, 1173, 1174, 1175, 1176, 1177, 1178, 1179]);
    assert_eq!(found(&store, "press anna berg 1200").await, [1200]);
}
