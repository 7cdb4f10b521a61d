//! An erasure between two backups removes the person from the journal, and every instant before and after it can still
//! be restored.

use std::sync::Arc;
use std::time::Duration;

use depesch::app::erasures::StorageEraser;
use depesch::operations::backups::Backups;
use depesch::privacy::erasure::Eraser;
use depesch::privacy::erasure::StorageLayer;
use depesch::store::backup::point::Wanted;
use depesch::store::backup::prune::Keep;
use depesch::store::engine::Batch;
use depesch::subscribers::profile::SubscriberService;

use crate::support::mailings::{list, minute, put_subscriber};
use crate::support::site::{Records, Site, open, records};

fn storage_eraser(site: &Site, eraser: Eraser) -> StorageEraser {
    let month = Duration::from_secs(30 * 86_400);
    let backups = Backups::new(
        site.store(),
        (site.spool.clone(), site.state().join("spool")),
        site.state().join("blobs"),
        site.repository(),
        Keep { all: month, daily: month },
        Arc::new(site.clock.clone()),
    );
    let (spool, clock) = (site.spool.clone(), Arc::new(site.clock.clone()));
    StorageEraser { eraser, spool, backups: Some(Arc::new(backups)), clock }
}

/// Whether the journal holds the person.
fn journal_knows(site: &Site) -> bool {
    let files = std::fs::read_dir(site.state().join("store/journal")).unwrap();
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).any(|bytes| {
        let bytes = bytes.to_ascii_lowercase();
        memchr::memmem::find(&bytes, b"reader3@example.com").is_some()
    })
}

fn only_numbered(mut records: Records) -> Records {
    records.retain(|key, _| key.first() == Some(&b'Z'));
    records
}

/// Erases reader 3 at minute 30.
async fn erase(site: &Site) -> Eraser {
    let store = site.store();
    let key = store.installation_key().await.unwrap();
    let service = SubscriberService { store: store.clone(), key: key.clone(), at: minute(30), who: "anna".into() };
    service.erase("s3", None).await.unwrap();
    Eraser { store, key, files: None }
}

async fn with_reader() -> Site {
    let site = Site::new();
    let mut batch = Batch::new();
    depesch::store::lists::put_new(&mut batch, &list("media"));
    site.store().commit(batch).await.unwrap();
    put_subscriber(&site.store(), 3, &["media"], |_| {}).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instant_around_an_erasure_can_be_restored() {
    let site = with_reader().await;
    site.back_up().await;
    let mut history = Vec::new();
    for at in 0..=60_i64 {
        site.clock.set(minute(at));
        for number in 0..5 {
            site.put(number * 7 + (at % 7) as u32, &format!("{at} {}", "x".repeat(100))).await;
        }
        history.push(only_numbered(site.records().await));
        site.clock.set(minute(at) + chrono::Duration::seconds(30));
        match at {
            9 | 50 => drop(site.engine.checkpoint().await.unwrap()),
            30 => {
                let eraser = erase(&site).await;
                assert!(journal_knows(&site));
                let said = storage_eraser(&site, eraser).run().await.unwrap();
                assert!(said.ends_with("the journal no longer holds data of 1"), "{said}");
                assert!(!journal_knows(&site));
            }
            _ => {}
        }
    }
    site.clock.set(minute(61));
    site.back_up().await;
    assert_eq!(site.faults(), []);
    for at in [1, 5, 10, 29, 30, 31, 45, 59] {
        let (target, _) = site.restore(Wanted::Until(minute(at))).await.unwrap();
        let found = only_numbered(records(&*open(&target, &site.clock)).await);
        assert!(found == history[at as usize], "minute {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_backup_can_be_made_the_journal_does_not_forget() {
    let site = with_reader().await;
    let eraser = erase(&site).await;
    // A file lies where the repository should.
    std::fs::write(site.repository(), b"").unwrap();
    let storage_eraser = storage_eraser(&site, eraser);
    let said = storage_eraser.run().await.unwrap();
    assert!(said.starts_with("completed 1") && said.ends_with("the journal no longer holds data of 0"), "{said}");
    assert!(journal_knows(&site));
    std::fs::remove_file(site.repository()).unwrap();
    assert_eq!(storage_eraser.forget(StorageLayer::Journal).await.unwrap(), 1);
    assert!(!journal_knows(&site));
}
