//! An index damaged while the store is open is rebuilt: how the damage is found, and what waiting callers see.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::store::engine::{Batch, Commit, Engine, EngineError, Key, KeyRange, Value};

use super::{EmbeddedEngine, Settings};
use crate::store::maintenance::CheckStep;

fn settings() -> Settings {
    Settings { create: true, reserve_bytes: 0, ..Settings::default() }
}

fn open(directory: &Path) -> EmbeddedEngine {
    EmbeddedEngine::open(directory, settings()).unwrap().engine
}

fn key(number: u32) -> Key {
    Key(format!("n{number:04}").into_bytes())
}

async fn write(engine: &EmbeddedEngine, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let mut batch = Batch::new();
        batch.put(key(number), format!("value {number}").into_bytes());
        assert_eq!(engine.commit(batch).await.unwrap(), Commit::Applied);
    }
}

async fn content(engine: &EmbeddedEngine) -> Vec<(Key, Value)> {
    engine.scan(KeyRange::new(Key(Vec::new()), None), usize::MAX).await.unwrap()
}

/// A store of 700 records, more than one piece of a comparison, with a checkpoint in the middle of its journal.
async fn store() -> (TempDir, EmbeddedEngine) {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path());
    let mut batch = Batch::new();
    (0..600).for_each(|number| batch.put(key(number), format!("value {number}").into_bytes()));
    engine.commit(batch).await.unwrap();
    engine.checkpoint().await.unwrap();
    write(&engine, 600..700).await;
    (directory, engine)
}

/// Changes the index directly, bypassing the engine.
fn tamper(engine: &EmbeddedEngine, number: u32, value: Option<&[u8]>) {
    let index = engine.shared.index.read().unwrap();
    index.as_ref().unwrap().index.apply([(key(number).0.as_slice(), value)].into_iter()).unwrap();
}

/// Makes a read fail, as sled's do on damage.
fn stumble(engine: &EmbeddedEngine) {
    let generation = engine.shared.health.generation();
    engine.shared.suspect(generation, "a read failed");
}

async fn walk(engine: &EmbeddedEngine) -> Result<u64, EngineError> {
    loop {
        if let CheckStep::Whole(records) = engine.check_some().await? {
            return Ok(records);
        }
    }
}

fn is_marked(directory: &TempDir) -> bool {
    directory.path().join("rebuild").exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_commits_wait_and_then_find_everything() {
    let (directory, engine) = store().await;
    let before = content(&engine).await;
    stumble(&engine);
    assert_eq!(content(&engine).await, before);
    assert_eq!(engine.get(&key(650)).await.unwrap().as_deref(), Some(&b"value 650"[..]));
    write(&engine, 700..710).await;
    let health = engine.index_health();
    assert!(health.damaged.is_none() && health.rebuilds == 1, "{health:?}");
    assert!(!is_marked(&directory), "the note goes when the index is whole");
    assert_eq!(fs::read_dir(directory.path().join("index")).unwrap().count(), 1, "the old index goes too");
    let after = content(&engine).await;
    engine.close().unwrap();
    drop(engine);
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    assert!(opened.report.clean && opened.report.rebuilt.is_none(), "{:?}", opened.report);
    assert_eq!(content(&opened.engine).await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_from_all_sides_lose_nothing_over_many_healings() {
    let (directory, engine) = store().await;
    let engine = Arc::new(engine);
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let engine = engine.clone();
            tokio::spawn(async move { write(&engine, 1000 * (writer + 1)..1000 * (writer + 1) + 60).await })
        })
        .collect();
    for _ in 0..8 {
        stumble(&engine);
        engine.get(&key(0)).await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let found = content(&engine).await;
    assert_eq!(found.len(), 700 + 4 * 60);
    drop(engine);
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    assert_eq!(content(&opened.engine).await, found);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_finds_a_silent_difference_and_has_it_healed() {
    for (number, value) in [(3, Some(&b"wrong"[..])), (699, None), (9000, Some(b"nobody's"))] {
        let (_directory, engine) = store().await;
        let before = content(&engine).await;
        assert_eq!(walk(&engine).await.unwrap(), 700);
        tamper(&engine, number, value);
        let found = walk(&engine).await;
        assert!(matches!(found, Err(EngineError::Damaged(_))), "{number}: {found:?}");
        assert_eq!(content(&engine).await, before);
        assert_eq!(walk(&engine).await.unwrap(), 700);
        assert_eq!(engine.index_health().rebuilds, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_beside_commits_finds_nothing_wrong() {
    let (_directory, engine) = store().await;
    for round in 0..20_u32 {
        assert_eq!(engine.check_some().await.unwrap(), CheckStep::More, "{round}");
        let mut batch = Batch::new();
        // Before and after the position of the walk: changed, added, deleted.
        batch.put(key(round), format!("round {round}").into_bytes());
        batch.put(key(699 - round), vec![1; 50]);
        batch.put(Key(format!("a{round}").into_bytes()), vec![2; 10]);
        batch.put(Key(format!("z{round}").into_bytes()), vec![3; 10]);
        batch.delete(key(200 + round));
        batch.delete(key(400 + round));
        batch.put(key(400 + round), vec![round as u8; 9]);
        engine.commit(batch).await.unwrap();
        let CheckStep::Whole(_) = engine.check_some().await.unwrap() else { panic!("{round}: it goes on") };
    }
    assert_eq!(engine.index_health().rebuilds, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_an_index_that_differs_never_counts_and_has_it_healed() {
    let (directory, engine) = store().await;
    let before = content(&engine).await;
    let checkpoints = || fs::read_dir(directory.path().join("checkpoints")).unwrap().count();
    let kept = checkpoints();
    tamper(&engine, 5, Some(b"wrong"));
    let refused = engine.checkpoint().await;
    assert!(matches!(refused, Err(EngineError::Damaged(_))), "{refused:?}");
    assert_eq!(checkpoints(), kept);
    assert_eq!(content(&engine).await, before);
    engine.checkpoint().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_heal_stops_says_why_and_never_counts_as_clean() {
    let (directory, engine) = store().await;
    let before = content(&engine).await;
    let journal = directory.path().join("journal");
    let aside = directory.path().join("elsewhere");
    fs::rename(&journal, &aside).unwrap();
    stumble(&engine);
    let read = engine.get(&key(1)).await;
    assert!(matches!(&read, Err(EngineError::Stopped(why)) if why.contains("cannot be rebuilt")), "{read:?}");
    assert!(engine.broken().await.contains("cannot be rebuilt"));
    let mut batch = Batch::new();
    batch.put(key(1), vec![1]);
    assert!(matches!(engine.commit(batch).await, Err(EngineError::Stopped(_))));
    assert!(engine.close().is_err() || !directory.path().join("clean").exists());
    drop(engine);
    assert!(is_marked(&directory) && !directory.path().join("clean").exists());
    fs::rename(&aside, &journal).unwrap();
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    assert_eq!(opened.report.rebuilt.as_deref(), Some("a read failed"));
    assert_eq!(content(&opened.engine).await, before);
    assert!(!is_marked(&directory));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_closed_while_it_heals_heals_at_the_next_start() {
    for _ in 0..10 {
        let (directory, engine) = store().await;
        let before = content(&engine).await;
        stumble(&engine);
        let closed = engine.close();
        drop(engine);
        let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
        assert_eq!(opened.report.rebuilt.is_some(), closed.is_err(), "{closed:?} {:?}", opened.report);
        assert_eq!(content(&opened.engine).await, before);
        assert!(!is_marked(&directory));
    }
}
