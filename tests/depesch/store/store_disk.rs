//! A disk that fails or is full: nothing is acknowledged that is not durable.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Commit, Engine, EngineError, Key};

use crate::support::disk::FaultyDisk;

fn settings() -> Settings {
    Settings { create: true, reserve_bytes: 1000, ..Settings::default() }
}

fn open(directory: &Path) -> (EmbeddedEngine, FaultyDisk) {
    let disk = FaultyDisk::default();
    let engine = EmbeddedEngine::open_on(Arc::new(disk.clone()), directory, settings()).unwrap().engine;
    (engine, disk)
}

async fn put(engine: &EmbeddedEngine, number: u32) -> Result<Commit, EngineError> {
    let mut batch = Batch::new();
    batch.put(key(number), vec![b'x'; 200]);
    engine.commit(batch).await
}

fn key(number: u32) -> Key {
    Key(format!("n{number}").into_bytes())
}

async fn holds(engine: &EmbeddedEngine, numbers: std::ops::Range<u32>) -> Vec<u32> {
    let mut found = Vec::new();
    for number in numbers {
        if engine.get(&key(number)).await.unwrap().is_some() {
            found.push(number);
        }
    }
    found
}

#[tokio::test]
async fn every_commit_is_synced_before_it_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, disk) = open(directory.path());
    for number in 0..5 {
        let before = disk.0.lock().unwrap().synced;
        assert_eq!(put(&engine, number).await.unwrap(), Commit::Applied);
        assert_eq!(disk.0.lock().unwrap().synced, before + 1);
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_until_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, disk) = open(directory.path());
    put(&engine, 1).await.unwrap();
    disk.0.lock().unwrap().sync = Some(ErrorKind::Other);
    assert!(matches!(put(&engine, 2).await, Err(EngineError::Ambiguous { .. })));
    assert!(matches!(put(&engine, 3).await, Err(EngineError::Stopped(_))));
    assert!(engine.broken().await.contains("could not be synced"), "the operator is told, even without a commit");
    assert_eq!(holds(&engine, 0..5).await, [1], "what was not acknowledged is not shown");
    engine.close().unwrap();
    drop(engine);
    let (engine, _) = open(directory.path());
    // The second was written nevertheless; it may or may not survive, as with any lost response.
    let found = holds(&engine, 0..5).await;
    assert!(found.starts_with(&[1]) && !found.contains(&3), "{found:?}");
    assert_eq!(put(&engine, 4).await.unwrap(), Commit::Applied);
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_acknowledged_until_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, disk) = open(directory.path());
    put(&engine, 1).await.unwrap();
    disk.0.lock().unwrap().write = Some(ErrorKind::Other);
    assert!(matches!(put(&engine, 2).await, Err(EngineError::Ambiguous { .. })));
    assert!(matches!(put(&engine, 3).await, Err(EngineError::Stopped(_))));
    drop(engine);
    let (engine, _) = open(directory.path());
    assert_eq!(holds(&engine, 0..5).await, [1]);
}

#[tokio::test]
async fn a_full_disk_is_reported_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, disk) = open(directory.path());
    put(&engine, 1).await.unwrap();
    for room in [0, 1, 20, 150] {
        disk.0.lock().unwrap().room = Some(room);
        assert!(matches!(put(&engine, 2).await, Err(EngineError::Full(_))), "room {room}");
    }
    assert_eq!(holds(&engine, 0..9).await, [1]);
    disk.0.lock().unwrap().room = None;
    assert_eq!(put(&engine, 3).await.unwrap(), Commit::Applied);
    disk.0.lock().unwrap().free = Some(1100);
    assert!(matches!(put(&engine, 4).await, Err(EngineError::Full(_))), "the reserve is left alone");
    disk.0.lock().unwrap().free = None;
    assert_eq!(put(&engine, 5).await.unwrap(), Commit::Applied);
    engine.checkpoint().await.unwrap();
    engine.close().unwrap();
    drop(engine);
    std::fs::remove_dir_all(directory.path().join("index")).unwrap();
    let (engine, _) = open(directory.path());
    assert_eq!(holds(&engine, 0..9).await, [1, 3, 5]);
}

#[tokio::test]
async fn a_disk_that_is_full_where_a_segment_ends_loses_and_hides_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    // Each group begins a new segment: the disk fills up in its header, between header and group, and in the group.
    let settings = || Settings { segment_bytes: 100, ..settings() };
    let engine = EmbeddedEngine::open_on(Arc::new(disk.clone()), directory.path(), settings()).unwrap().engine;
    put(&engine, 1).await.unwrap();
    put(&engine, 2).await.unwrap();
    for (number, room) in (10..).zip([0, 1, 59, 60, 61, 100, 200]) {
        disk.0.lock().unwrap().room = Some(room);
        assert!(matches!(put(&engine, number).await, Err(EngineError::Full(_))), "room {room}");
    }
    disk.0.lock().unwrap().room = None;
    assert_eq!(put(&engine, 3).await.unwrap(), Commit::Applied);
    drop(engine);
    std::fs::remove_dir_all(directory.path().join("index")).unwrap();
    let engine = EmbeddedEngine::open_on(Arc::new(disk), directory.path(), settings()).unwrap().engine;
    assert_eq!(holds(&engine, 0..20).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_failed_checkpoint_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path());
    put(&engine, 1).await.unwrap();
    let checkpoints = directory.path().join("checkpoints");
    // It is written completely, but cannot be renamed.
    let place = checkpoints.join(format!("{:020}.checkpoint", 1));
    std::fs::create_dir_all(&place).unwrap();
    engine.checkpoint().await.unwrap_err();
    let left: Vec<_> = std::fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&place));
    std::fs::remove_dir(&place).unwrap();
    assert_eq!(engine.checkpoint().await.unwrap().records, 1);
}
