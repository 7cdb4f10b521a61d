//! A damaged store is surveyed, reported and recovered: with an intact index nothing is lost, otherwise only what was
//! damaged; the old files are kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use depesch::store::embedded::recover::{Source, plans, recover};
use depesch::store::embedded::survey::{IndexState, survey};
use depesch::store::embedded::{EmbeddedEngine, OpenError, Settings};
use depesch::store::engine::{Batch, Engine, Key, KeyRange};
use tempfile::TempDir;

type Content = BTreeMap<String, String>;

fn settings() -> Settings {
    Settings { create: true, reserve_bytes: 0, segment_bytes: 300, ..Settings::default() }
}

async fn write(engine: &EmbeddedEngine, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        let mut batch = Batch::new();
        batch.put(Key(format!("n{number:03}").into_bytes()), format!("value {number}").into_bytes());
        engine.commit(batch).await.unwrap();
    }
}

async fn content(engine: &EmbeddedEngine) -> Content {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let everything = KeyRange::new(Key(Vec::new()), None);
    engine.scan(everything, usize::MAX).await.unwrap().iter().map(|(k, v)| (text(&k.0), text(v))).collect()
}

fn numbers(wanted: impl IntoIterator<Item = u32>) -> Content {
    wanted.into_iter().map(|number| (format!("n{number:03}"), format!("value {number}"))).collect()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory.join("journal")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

/// Thirty groups over several segments, checkpoints after groups 10 and 20.
async fn store() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    write(&engine, 1..=10).await;
    assert_eq!(engine.checkpoint().await.unwrap().records, 10);
    write(&engine, 11..=20).await;
    let report = engine.checkpoint().await.unwrap();
    assert!(report.records == 20 && report.dropped_segments > 0, "{report:?}");
    write(&engine, 21..=30).await;
    engine.close().unwrap();
    directory
}

/// Damages the record that holds this text.
fn damage(directory: &Path, text: &str) -> PathBuf {
    let held = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).position(|window| window == text.as_bytes()).map(|position| (position, bytes))
    };
    let (path, (position, mut bytes)) =
        segments(directory).into_iter().find_map(|p| Some((p.clone(), held(&p)?))).unwrap();
    bytes[position] ^= 1;
    fs::write(&path, bytes).unwrap();
    path
}

fn lose_index(directory: &Path) {
    fs::remove_dir_all(directory.join("index")).unwrap();
    let _ = fs::remove_file(directory.join("clean"));
}

#[tokio::test]
async fn a_checkpoint_and_the_journal_after_it_restore_the_whole_store() {
    let directory = store().await;
    assert!(survey(directory.path(), &settings()).unwrap().is_sound());
    lose_index(directory.path());
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    assert_eq!(content(&opened.engine).await, numbers(1..=30));
    assert_eq!(opened.report.replayed, 10);
    opened.engine.close().unwrap();
    drop(opened);

    // The newest checkpoint is damaged: the one before it and more of the journal replace it.
    let mut checkpoints: Vec<_> =
        fs::read_dir(directory.path().join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    checkpoints.sort();
    assert_eq!(checkpoints.len(), 2);
    let mut bytes = fs::read(&checkpoints[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&checkpoints[1], bytes).unwrap();
    assert!(!survey(directory.path(), &settings()).unwrap().is_sound());
    lose_index(directory.path());
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    assert_eq!(content(&opened.engine).await, numbers(1..=30));
    assert_eq!(opened.report.unusable_checkpoints.len(), 1);
}

#[tokio::test]
async fn with_a_whole_index_a_damaged_journal_loses_nothing() {
    let directory = store().await;
    let path = damage(directory.path(), "value 25");
    let found = survey(directory.path(), &settings()).unwrap();
    assert!(!found.is_sound());
    assert_eq!(found.damages.len(), 1);
    assert_eq!((&found.damages[0].path, found.damages[0].after, found.damages[0].before), (&path, 24, Some(26)));
    assert!(matches!(found.index, IndexState::Readable { adds_up: true, .. }), "{:?}", found.index);
    assert!(plans(&found)[0].loses_nothing());

    let recovery = recover(directory.path(), &settings()).unwrap();
    assert!(recovery.exact && recovery.records == 30, "{recovery:?}");
    assert!(recovery.aside.join("journal").join(path.file_name().unwrap()).exists());
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    assert_eq!(content(&engine).await, numbers(1..=30));
    write(&engine, 31..=33).await;
    drop(engine);
    lose_index(directory.path());
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    assert_eq!(content(&engine).await, numbers(1..=33));
}

#[tokio::test]
async fn without_an_index_only_the_damaged_groups_are_lost_and_only_when_told_to() {
    let directory = store().await;
    let path = damage(directory.path(), "value 25");
    lose_index(directory.path());
    let Err(OpenError::Damaged(named)) = EmbeddedEngine::open(directory.path(), settings()) else { panic!("opened") };
    assert_eq!((named.path, named.after, named.before), (path, 24, Some(26)));
    lose_index(directory.path());
    let found = survey(directory.path(), &settings()).unwrap();
    let plan = plans(&found).remove(0);
    assert!(matches!(plan.source, Source::Checkpoint(..)) && plan.lost.len() == 1, "{plan:?}");
    assert!(EmbeddedEngine::open(directory.path(), settings()).is_err(), "a survey changes nothing");

    let recovery = recover(directory.path(), &settings()).unwrap();
    assert!(!recovery.exact && recovery.records == 29, "{recovery:?}");
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    assert_eq!(content(&engine).await, numbers((1..=24).chain(26..=30)));
    drop(engine);
    assert!(survey(directory.path(), &settings()).unwrap().is_sound());
}

#[tokio::test]
async fn a_missing_segment_is_named_and_the_rest_recovered() {
    let directory = store().await;
    let all = segments(directory.path());
    let missing = &all[all.len() - 2];
    fs::remove_file(missing).unwrap();
    lose_index(directory.path());
    assert!(matches!(EmbeddedEngine::open(directory.path(), settings()), Err(OpenError::Damaged(_))));
    let recovery = recover(directory.path(), &settings()).unwrap();
    assert!(!recovery.exact && !recovery.plan.lost.is_empty(), "{recovery:?}");
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    let found = content(&engine).await;
    assert!(found.len() > 20 && found.len() < 30 && found.contains_key("n030"), "{found:?}");
}

#[tokio::test]
async fn a_lost_journal_end_is_taken_from_the_index() {
    let directory = store().await;
    let last = segments(directory.path()).pop().unwrap();
    fs::remove_file(&last).unwrap();
    assert!(matches!(
        EmbeddedEngine::open(directory.path(), settings()),
        Err(OpenError::JournalShort { seen: 30, .. })
    ));
    let recovery = recover(directory.path(), &settings()).unwrap();
    assert!(recovery.exact && recovery.records == 30, "{recovery:?}");
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    assert_eq!(content(&engine).await, numbers(1..=30));
}

#[tokio::test]
async fn recovering_an_intact_store_changes_nothing() {
    let directory = store().await;
    let recovery = recover(directory.path(), &settings()).unwrap();
    assert!(recovery.exact && recovery.records == 30, "{recovery:?}");
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    assert!(opened.report.clean, "{:?}", opened.report);
    assert_eq!(content(&opened.engine).await, numbers(1..=30));
    assert!(matches!(survey(directory.path(), &settings()), Err(OpenError::Locked { .. })));
}
