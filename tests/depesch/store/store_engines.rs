//! Every engine keeps the same promises: one suite for all of them.

use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Commit, Engine, EngineError, Key, KeyRange, MAX_VALUE, Value};
use depesch::store::memory::MemoryEngine;

use crate::support::failing::FailingEngine;

fn key(text: &str) -> Key {
    Key(text.as_bytes().to_vec())
}

fn value(text: &str) -> Value {
    Value::from(text.as_bytes())
}

async fn all(engine: &dyn Engine, range: KeyRange, limit: usize) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    engine.scan(range, limit).await.unwrap().iter().map(|(k, v)| (text(&k.0), text(v))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

async fn conforms(engine: &dyn Engine) {
    puts_and_deletes(engine).await;
    checks(engine).await;
    scans(engine).await;
    refusals(engine).await;
}

async fn puts_and_deletes(engine: &dyn Engine) {
    assert_eq!(engine.get(&key("a1")).await.unwrap(), None);
    let mut batch = Batch::new();
    batch.put(key("a1"), value("one"));
    batch.put(key("a2"), value(""));
    batch.put(key("a3"), value("three"));
    batch.delete(key("a3"));
    batch.put(key("a4"), value("first"));
    batch.put(key("a4"), value("second"));
    batch.delete(key("never was"));
    assert_eq!(engine.commit(batch).await.unwrap(), Commit::Applied);
    assert_eq!(engine.get(&key("a1")).await.unwrap(), Some(value("one")));
    assert_eq!(engine.get(&key("a2")).await.unwrap(), Some(value("")));
    assert_eq!(engine.get(&key("a3")).await.unwrap(), None);
    assert_eq!(engine.get(&key("a4")).await.unwrap(), Some(value("second")));
    assert_eq!(engine.commit(Batch::new()).await.unwrap(), Commit::Applied);
}

async fn checks(engine: &dyn Engine) {
    let mut batch = Batch::new();
    batch.expect(key("a1"), value("one"));
    batch.expect_absent(key("b1"));
    batch.put(key("b1"), value("new"));
    batch.put(key("a1"), value("changed"));
    assert_eq!(engine.commit(batch.clone()).await.unwrap(), Commit::Applied);
    assert_eq!(engine.commit(batch).await.unwrap(), Commit::Conflict(key("a1")));

    let mut half = Batch::new();
    half.expect(key("a1"), value("changed"));
    half.expect_absent(key("b1"));
    half.put(key("a1"), value("must not be"));
    assert_eq!(engine.commit(half).await.unwrap(), Commit::Conflict(key("b1")));
    assert_eq!(engine.get(&key("a1")).await.unwrap(), Some(value("changed")));

    let mut only_checks = Batch::new();
    only_checks.expect_read(key("a1"), Some(value("changed")));
    only_checks.expect_read(key("none"), None);
    assert_eq!(engine.commit(only_checks).await.unwrap(), Commit::Applied);
    let mut missing = Batch::new();
    missing.expect(key("none"), value(""));
    missing.put(key("none"), value("x"));
    assert_eq!(engine.commit(missing).await.unwrap(), Commit::Conflict(key("none")));
    assert_eq!(engine.get(&key("none")).await.unwrap(), None);
}

async fn scans(engine: &dyn Engine) {
    let mut batch = Batch::new();
    for name in ["s\u{1}", "s", "sa", "sb", "sbx", "t", "r\u{7f}"] {
        batch.put(key(name), value(name));
    }
    engine.commit(batch).await.unwrap();
    let table = KeyRange::prefix(b"s".to_vec());
    let expected = pairs(&[("s", "s"), ("s\u{1}", "s\u{1}"), ("sa", "sa"), ("sb", "sb"), ("sbx", "sbx")]);
    assert_eq!(all(engine, table.clone(), 100).await, expected);
    assert_eq!(all(engine, table.clone(), 2).await, expected[..2]);
    assert_eq!(all(engine, table.clone(), 0).await, []);
    assert_eq!(all(engine, table.clone().after(&key("sa")), 100).await, expected[3..]);
    let back = pairs(&[("sbx", "sbx"), ("sb", "sb"), ("sa", "sa"), ("s\u{1}", "s\u{1}"), ("s", "s")]);
    let backward = table.clone().backward();
    assert_eq!(all(engine, backward.clone(), 100).await, back);
    assert_eq!(all(engine, backward.clone(), 2).await, back[..2]);
    assert_eq!(all(engine, backward.clone(), 0).await, []);
    assert_eq!(all(engine, backward.clone().after(&key("sb")), 100).await, back[2..]);
    assert_eq!(all(engine, backward.after(&key("s")), 100).await, []);
    let empty = KeyRange::new(key("sb"), Some(key("sa"))).backward();
    assert_eq!(all(engine, empty, 100).await, []);
    let empty = KeyRange::new(key("sb"), Some(key("sa")));
    assert_eq!(all(engine, empty, 100).await, []);
    let open = KeyRange::new(key("sbx"), None);
    assert_eq!(all(engine, open, 100).await, pairs(&[("sbx", "sbx"), ("t", "t")]));
    let last = KeyRange::new(Key(Vec::new()), None).backward();
    assert_eq!(all(engine, last, 2).await, pairs(&[("t", "t"), ("sbx", "sbx")]));
    let everything = KeyRange::new(Key(Vec::new()), None);
    let whole = all(engine, everything, 1000).await;
    assert!(whole.is_sorted() && whole.len() == 11, "{whole:?}");
}

async fn refusals(engine: &dyn Engine) {
    let refused = async |batch: Batch| matches!(engine.commit(batch).await, Err(EngineError::Refused(_)));
    let mut large = Batch::new();
    large.put(key("large"), vec![7; MAX_VALUE]);
    assert_eq!(engine.commit(large).await.unwrap(), Commit::Applied);
    assert_eq!(engine.get(&key("large")).await.unwrap().map(|value| value.len()), Some(MAX_VALUE));
    for (name, size) in [("larger", MAX_VALUE + 1), ("", 1), ("\0own", 1), (&*"k".repeat(2000), 1)] {
        let mut batch = Batch::new();
        batch.put(key("companion"), value("x"));
        batch.put(key(name), vec![7; size]);
        assert!(refused(batch).await, "{} {size}", name.len());
    }
    assert_eq!(engine.get(&key("companion")).await.unwrap(), None);
}

#[tokio::test]
async fn memory_conforms() {
    conforms(&MemoryEngine::new()).await;
}

#[tokio::test]
async fn the_embedded_engine_conforms_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { create: true, reserve_bytes: 0, ..Settings::default() };
    let engine = EmbeddedEngine::open(directory.path(), settings.clone()).unwrap().engine;
    conforms(&engine).await;
    let everything = KeyRange::new(Key(Vec::new()), None);
    let before = engine.scan(everything.clone(), 1000).await.unwrap();
    engine.close().unwrap();
    assert!(matches!(engine.get(&key("a1")).await, Err(EngineError::Stopped(_))));
    drop(engine);
    let opened = EmbeddedEngine::open(directory.path(), settings).unwrap();
    assert!(opened.report.clean && opened.report.rebuilt.is_none(), "{:?}", opened.report);
    assert_eq!(opened.report.records, before.len() as u64);
    assert_eq!(opened.engine.scan(everything, 1000).await.unwrap(), before);
}

#[tokio::test]
async fn the_failing_engine_conforms_until_it_fails() {
    conforms(&FailingEngine::over(std::sync::Arc::new(MemoryEngine::new()))).await;
}

#[tokio::test]
async fn commits_of_many_at_once_are_all_applied_and_one_wins_each_race() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { create: true, reserve_bytes: 0, ..Settings::default() };
    let engine = std::sync::Arc::new(EmbeddedEngine::open(directory.path(), settings).unwrap().engine);
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..20 {
        let engine = engine.clone();
        tasks.spawn(async move {
            let mut won = 0;
            for round in 0..20 {
                let mut batch = Batch::new();
                batch.expect_absent(key(&format!("race {round}")));
                batch.put(key(&format!("race {round}")), value(&writer.to_string()));
                won += u32::from(engine.commit(batch).await.unwrap() == Commit::Applied);
            }
            won
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u32>(), 20);
    let stats = engine.stats();
    assert_eq!((stats.batches, stats.conflicts, stats.writes), (20, 380, 20));
    assert!(stats.groups <= 20 && stats.syncs >= stats.groups, "{stats:?}");
}
