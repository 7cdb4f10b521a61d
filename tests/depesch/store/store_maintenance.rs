//! The upkeep of a store, asked for without knowing its engine: the embedded one does it, one that needs none says so.

use std::path::Path;
use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::operations::health::Observer;
use depesch::store::backup::BackupError;
use depesch::store::backup::create::{Source, create};
use depesch::store::backup::repository::Repository;
use depesch::store::backup::unwatched;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, EngineError, Key};
use depesch::store::maintenance::{CheckStep, History, SnapshotFile};
use depesch::store::memory::MemoryEngine;
use depesch::store::{Store, StoreError};

use crate::support::mailings::minute;

fn one_record() -> Batch {
    let mut batch = Batch::new();
    batch.put(Key(b"Z1".to_vec()), b"one".as_slice());
    batch
}

fn embedded(directory: &Path) -> Store {
    let settings = Settings { create: true, reserve_bytes: 0, ..Settings::default() };
    Store::new(Arc::new(EmbeddedEngine::open(directory, settings).unwrap().engine))
}

#[tokio::test]
async fn a_store_in_memory_needs_nothing_and_says_so() {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    store.commit(one_record()).await.unwrap();
    let upkeep = store.maintenance();
    assert!(!upkeep.checkpoint_due());
    assert_eq!(upkeep.checkpoint().await.unwrap(), None);
    assert_eq!(upkeep.check_some().await.unwrap(), CheckStep::Nothing);
    assert_eq!(upkeep.erase_history(History::All).await.unwrap(), 0);
    upkeep.erase_free_space().await.unwrap();
    assert_eq!((upkeep.records(), upkeep.index_health(), upkeep.stats(), upkeep.doubt()), (None, None, None, None));
    assert_eq!((upkeep.disk_use().await.unwrap(), upkeep.disk_free().unwrap()), (None, None));
    assert_eq!(upkeep.snapshot_file(SnapshotFile::Segment(1)), None);
    upkeep.close().await.unwrap();

    let health =
        Observer::new(store, Arc::new(FakeClock::at(minute(0)))).health(std::time::Duration::ZERO).await.unwrap();
    assert_eq!((health.disk, health.records, health.index.clone()), (None, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_backed_up_is_never_taken_for_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(MemoryEngine::new()));
    let repository = Repository::open_to_write(&directory.path().join("backups"), &unwatched).unwrap();
    let source = Source {
        engine: store.maintenance(),
        blobs: directory.path().join("blobs"),
        spool: directory.path().join("spool"),
        seal_spool: &|| Ok(u64::MAX),
    };
    let refused = tokio::task::block_in_place(|| create(&source, &repository, minute(0), &unwatched));
    assert!(matches!(refused, Err(BackupError::Engine(EngineError::Unsupported(_)))), "{refused:?}");
    assert!(repository.manifests().unwrap().is_empty());
}

#[tokio::test]
async fn the_embedded_store_does_it_and_ends_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let store = embedded(directory.path());
    store.commit(one_record()).await.unwrap();
    let upkeep = store.maintenance();
    assert_eq!(upkeep.checkpoint().await.unwrap().map(|done| done.records), Some(1));
    assert_eq!(upkeep.check_some().await.unwrap(), CheckStep::Whole(1));
    assert_eq!((upkeep.records(), upkeep.stats().unwrap().batches), (Some(1), 1));
    let disk = upkeep.disk_use().await.unwrap().unwrap();
    assert!(disk.journal > 0 && disk.checkpoint > 0 && disk.checkpoint_at.is_some(), "{disk:?}");
    let snapshot = upkeep.snapshot().unwrap();
    let first = snapshot.segments.first().unwrap();
    assert_eq!(upkeep.snapshot_file(SnapshotFile::Segment(first.number)).as_ref(), Some(&first.path));
    let checkpoint = snapshot.checkpoint.as_ref().unwrap();
    assert_eq!(upkeep.snapshot_file(SnapshotFile::Checkpoint(checkpoint.number)).as_ref(), Some(&checkpoint.path));

    upkeep.close().await.unwrap();
    upkeep.close().await.unwrap();
    let after = store.commit(one_record()).await;
    assert!(matches!(after, Err(StoreError::Engine(EngineError::Stopped(_)))), "{after:?}");
    drop(store);
    let opened = EmbeddedEngine::open(directory.path(), Settings { reserve_bytes: 0, ..Settings::default() }).unwrap();
    assert!(opened.report.clean, "{:?}", opened.report);
}
