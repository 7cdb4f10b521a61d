//! A store and a backup written before index tables existed (by the version at commit 399a825: six people, three lists,
//! a mailing that was sent, one that is scheduled and one that was cancelled) are opened, get their tables, and keep
//! all their data.

use std::path::Path;
use std::sync::Arc;

use depesch::base::id::{MailingId, ReleaseId, SubscriberId};
use depesch::store::Store;
use depesch::store::backup::point::{Wanted, find};
use depesch::store::backup::repository::Repository;
use depesch::store::backup::restore::{Extent, lay_out};
use depesch::store::backup::unwatched;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Engine, Key};
use depesch::store::for_tests::keys;
use depesch::store::mailings;
use depesch::store::members;
use depesch::store::pages::Query;
use depesch::store::search::Search;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::house::root;
use crate::support::people::{all_mailings, everything};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_name())
        };
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(std::fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// A copy of what was written then.
fn old() -> tempfile::TempDir {
    let copied = tempfile::tempdir().unwrap();
    copy(&root().join("tests/data/old-store"), copied.path());
    copied
}

fn open(directory: &Path) -> Arc<EmbeddedEngine> {
    let settings = Settings { reserve_bytes: 0, ..Settings::default() };
    Arc::new(EmbeddedEngine::open(directory, settings).unwrap().engine)
}

async fn ids<T>(store: &Store, query: Query<T>, id: impl Fn(T) -> u64) -> Vec<u64> {
    let (mut pages, mut ids) = (store.pages(query), Vec::new());
    while let Some(one) = pages.next().await.unwrap() {
        ids.push(id(one));
    }
    ids
}

/// Checks that everything is there and found through the tables.
async fn is_whole(store: &Store) {
    assert_eq!(store.lists().await.unwrap().len(), 3);
    assert_eq!(store.scan_subscribers(SubscriberId(0), 100).await.unwrap().len(), 6);
    let karin = store.subscriber_by_address(&"karin.ek@kvarnvik.example".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(karin.value.name.as_deref(), Some("Karin Ek"));
    let stages: Vec<_> = all_mailings(store).await.iter().map(|mailing| mailing.stage.word()).collect();
    assert_eq!(stages, ["finished", "scheduled", "cancelled"]);
    let sent = store.mailing(MailingId(1)).await.unwrap().unwrap().value;
    assert_eq!(store.tally(&sent).await.unwrap().accepted, 6);
    assert_eq!(ids(store, mailings::open(), |read| read.value.id.0).await, [2]);
    assert_eq!(ids(store, mailings::of_release(ReleaseId(1)), |read| read.value.id.0).await, [1, 2, 3]);
    assert_eq!(ids(store, members::of_list(&"media".parse().unwrap()), |(id, _)| id.0).await, [1, 2, 3, 4, 5, 6]);
    let found = store.search_people(&Search::new("ek kvarn").unwrap(), None, 10).await.unwrap();
    assert_eq!(found.people.iter().map(|read| read.value.id).collect::<Vec<_>>(), [karin.value.id]);
    assert_eq!(store.wrong_rows().await.unwrap(), []);
}

#[tokio::test]
async fn an_old_store_gets_its_tables_once() {
    let directory = old();
    let store = Store::new(open(&directory.path().join("store")));
    assert!(ids(&store, mailings::open(), |read| read.value.id.0).await.is_empty(), "there are no tables yet");
    store.upgrade().await.unwrap();
    is_whole(&store).await;
    let before = everything(&store).await;
    store.upgrade().await.unwrap();
    assert_eq!(everything(&store).await, before);
}

#[tokio::test]
async fn an_interrupted_upgrade_is_repeated() {
    let directory = old();
    let whole = Store::new(open(&directory.path().join("store")));
    whole.upgrade().await.unwrap();
    let (expected, mut at, mut is_through) = (everything(&whole).await, 0, false);
    while !is_through {
        for failure in [Failure::Before, Failure::After] {
            let directory = old();
            let engine = open(&directory.path().join("store"));
            let dying = FailingCommits::new(engine.clone() as Arc<dyn Engine>, at, failure);
            is_through = Store::new(dying).upgrade().await.is_ok();
            let store = Store::new(engine);
            store.upgrade().await.unwrap();
            assert_eq!(everything(&store).await, expected, "commit {at}, {failure:?}");
        }
        at += 1;
    }
    assert!(at > 2, "it was broken off {at} times");
}

#[tokio::test]
async fn an_old_backup_is_restored_and_gets_its_tables() {
    let directory = old();
    let repository = Repository::open_to_read(&directory.path().join("backup")).unwrap();
    let point = find(&repository, &Wanted::Backup(None)).unwrap();
    let target = tempfile::tempdir().unwrap();
    let laid_out = lay_out(&repository, &point, target.path(), Extent::Whole, &unwatched).unwrap();
    assert!(laid_out.exact && laid_out.faults.is_empty());
    let store = Store::new(open(&laid_out.store()));
    store.upgrade().await.unwrap();
    is_whole(&store).await;
}

/// For two days of development, people had an index row for each word of their name.
#[tokio::test]
async fn rows_that_no_search_uses_any_more_are_removed() {
    let directory = old();
    let store = Store::new(open(&directory.path().join("store")));
    store.upgrade().await.unwrap();
    let whole = everything(&store).await;
    let mut batch = Batch::new();
    batch.put(Key(b"Swkarin\0\0\0\0\0\0\0\0\x01".to_vec()), Vec::new());
    batch.delete(keys::setting("index of words removed"));
    store.commit(batch).await.unwrap();
    assert_ne!(everything(&store).await, whole);
    store.upgrade().await.unwrap();
    assert_eq!(everything(&store).await, whole);
}
