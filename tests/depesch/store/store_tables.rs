//! Index tables are checked against their records: a missing, an extra and a differing row are found, reported without
//! names or addresses, and rewritten.

use std::sync::Arc;

use depesch::base::id::{MailingId, SubscriberId};
use depesch::store::Store;
use depesch::store::check::check;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Engine};
use depesch::store::for_tests::keys;
use depesch::store::subscribers;

use crate::support::mailings::{minute, put_frozen, put_subscriber};
use crate::support::people::everything;

async fn filled(store: &Store) {
    store.upgrade().await.unwrap();
    for id in 1..=5 {
        put_subscriber(store, id, &["media"], |_| {}).await;
    }
    put_frozen(store, 7, 3).await;
}

fn open(directory: &std::path::Path) -> Arc<EmbeddedEngine> {
    let settings = Settings { create: true, reserve_bytes: 0, ..Settings::default() };
    Arc::new(EmbeddedEngine::open(directory, settings).unwrap().engine)
}

/// Breaks a store's tables, one row each time.
async fn broken(store: &Store, how: usize) {
    let mut batch = Batch::new();
    let list = "media".parse().unwrap();
    match how {
        0 => batch.delete(keys::member(&list, SubscriberId(3))),
        1 => batch.put(keys::member(&list, SubscriberId(3)), vec![4]),
        2 => batch.put(keys::member(&"nowhere".parse().unwrap(), SubscriberId(2)), vec![1]),
        3 => batch.put(keys::member(&list, SubscriberId(99)), vec![1]),
        4 => batch.put(keys::member(&list, SubscriberId(3)), Vec::new()),
        5 => batch.delete(keys::open_mailing(MailingId(7))),
        6 => batch.put(keys::open_mailing(MailingId(8)), Vec::new()),
        // A mailing that has not ended.
        7 => batch.put(keys::ended_mailing(Default::default(), MailingId(7)), Vec::new()),
        _ => {
            // A record deleted without its rows.
            batch.delete(keys::subscriber(SubscriberId(4)));
        }
    }
    store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn a_wrong_row_is_found_and_rewritten() {
    for how in 0..=8 {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path());
        let store = Store::new(engine.clone() as Arc<dyn Engine>);
        filled(&store).await;
        assert_eq!(store.wrong_rows().await.unwrap(), [], "{how}");
        let whole = everything(&store).await;
        broken(&store, how).await;
        assert!(!store.wrong_rows().await.unwrap().is_empty(), "{how}");
        engine.close().unwrap();
        drop((store, engine));

        let found = check(directory.path(), &Settings::default()).await.unwrap();
        assert!(found.has_wrong_rows() && !found.is_sound(), "{how}");
        let finding = &found.findings[0];
        assert!(finding.what.contains("store check --repair"), "{}", finding.what);
        assert!(finding.hits.iter().all(|hit| hit.starts_with("the index of ")), "{:?}", finding.hits);

        let engine = open(directory.path());
        let store = Store::new(engine.clone() as Arc<dyn Engine>);
        assert!(store.repair_rows().await.unwrap() > 0);
        assert_eq!(store.wrong_rows().await.unwrap(), [], "{how}");
        if how < 8 {
            assert_eq!(everything(&store).await, whole, "{how}");
        }
        engine.close().unwrap();
        drop((store, engine));
        let found = check(directory.path(), &Settings::default()).await.unwrap();
        assert!(found.is_sound(), "{how}: {:?}", found.findings);
    }
}

/// A mailing that finishes, goes on and finishes again has one row for its end.
#[tokio::test]
async fn the_row_of_an_end_follows_it() {
    use depesch::model::mailing::{Frozen, Stage};
    let store = crate::support::mailings::store();
    filled(&store).await;
    let frozen = Frozen { at: minute(60), chunks: 1, audience: 3 };
    let stages = [
        Stage::Finished { frozen, at: minute(70) },
        Stage::Sending(frozen),
        Stage::Finished { frozen, at: minute(90) },
        Stage::Cancelled { frozen: Some(frozen), at: minute(95), by: "anna".to_owned() },
    ];
    for stage in stages {
        let changed = store.update_mailing::<depesch::store::StoreError>(MailingId(7), |mailing, _| {
            mailing.stage = stage.clone();
            Ok(())
        });
        changed.await.unwrap();
        assert_eq!(store.wrong_rows().await.unwrap(), [], "{stage:?}");
    }
}

/// The tables follow every change of a subscriber or a mailing.
#[tokio::test]
async fn the_tables_follow_every_change() {
    use depesch::model::consent::ConsentSource;
    use depesch::model::subscriber::SubscriptionState;
    let store = crate::support::mailings::store();
    filled(&store).await;
    let changed = store.change_subscriber::<depesch::store::StoreError>(SubscriberId(2), |person| {
        person.name = Some("Bo \u{c5}lander".to_owned());
        person.address = "bo@elsewhere.example".parse().unwrap();
        let source = ConsentSource::Operator { who: "anna.lind".to_owned() };
        let media = "media".parse().unwrap();
        person.change(&media, SubscriptionState::Ended, person.updated, source, "by phone".to_owned()).unwrap();
        Ok(())
    });
    changed.await.unwrap();
    assert_eq!(store.wrong_rows().await.unwrap(), []);
    let (readers, next) = store.readers_of([&"media".parse().unwrap()], SubscriberId(0), 2).await.unwrap();
    let ids = |readers: &[depesch::store::Read<_>]| {
        readers
            .iter()
            .map(|read: &depesch::store::Read<depesch::model::subscriber::Subscriber>| read.value.id.0)
            .collect::<Vec<_>>()
    };
    assert_eq!((ids(&readers), next), (vec![1, 3], Some(SubscriberId(3))));
    let (readers, next) = store.readers_of([&"media".parse().unwrap()], SubscriberId(3), 5).await.unwrap();
    assert_eq!((ids(&readers), next), (vec![4, 5], None));
    let read = store.subscriber(SubscriberId(4)).await.unwrap().unwrap();
    let mut batch = Batch::new();
    subscribers::delete(&mut batch, &read);
    store.commit(batch).await.unwrap();
    assert_eq!(store.wrong_rows().await.unwrap(), []);
    let mut gone = store.pages(depesch::store::members::of_list(&"media".parse().unwrap()));
    let mut states = Vec::new();
    while let Some((id, state)) = gone.next().await.unwrap() {
        states.push((id.0, state.word()));
    }
    assert_eq!(states, [(1, "active"), (2, "ended"), (3, "active"), (5, "active")]);
}

#[tokio::test]
async fn tables_of_a_store_that_lost_records_are_rebuilt() {
    let store = crate::support::mailings::store();
    filled(&store).await;
    broken(&store, 7).await;
    broken(&store, 2).await;
    broken(&store, 0).await;
    store.forget_tables().await.unwrap();
    store.upgrade().await.unwrap();
    assert_eq!(store.wrong_rows().await.unwrap(), []);
}
