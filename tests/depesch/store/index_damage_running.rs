//! Damage to the index of a running store: reads are correct, writes are kept, and nothing stops.

use std::path::Path;

use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Commit, Engine, Key, KeyRange, Value};

use crate::support::damage::{Dice, KINDS, Kind, damage};

/// A cache so small that most reads come from the disk.
fn settings() -> Settings {
    Settings { create: true, reserve_bytes: 0, cache_bytes: 64 * 1024, ..Settings::default() }
}

fn key(number: u64) -> Key {
    Key(format!("n{number:05}").into_bytes())
}

fn value(number: u64, round: u64) -> Value {
    Value::from(format!("{number} in round {round} {}", "x".repeat((number % 300) as usize)).into_bytes())
}

async fn written(directory: &Path) -> EmbeddedEngine {
    let engine = EmbeddedEngine::open(directory, settings()).unwrap().engine;
    for part in 0..8_u64 {
        let mut batch = Batch::new();
        (part * 1000..(part + 1) * 1000).for_each(|number| batch.put(key(number), value(number, 0)));
        engine.commit(batch).await.unwrap();
    }
    engine.close().unwrap();
    drop(engine);
    EmbeddedEngine::open(directory, settings()).unwrap().engine
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_is_right_and_every_write_is_kept() {
    let mut dice = Dice(0x0ff5e7);
    let mut rebuilds = 0;
    let mut round = 0;
    // Where sled puts its pages differs from run to run, and so does whether a read meets the damage.
    while round < 10 || rebuilds < 3 {
        assert!(round < 60, "a read met the damage in only {rebuilds} of {round} rounds");
        let directory = tempfile::tempdir().unwrap();
        let engine = written(directory.path()).await;
        let kind = KINDS[(round % 5) as usize];
        // Much of sled's files is free space, so the damage is repeated until it hits data.
        let times = if kind == Kind::Removed { 1 } else { 12 };
        let done: Vec<String> = (0..times).map(|_| damage(directory.path(), kind, &mut dice)).collect();
        let done = done.join(", ");
        // In a scattered order, so that the cache does not have the next record.
        for number in (0..8000).map(|number| number * 2657 % 8000).take(3000) {
            let found = engine.get(&key(number)).await.unwrap_or_else(|e| panic!("{done}: {e}"));
            assert_eq!(found, Some(value(number, 0)), "{done}");
            if number % 10 == 0 {
                let mut batch = Batch::new();
                batch.expect(key(number), value(number, 0));
                batch.put(key(number), value(number, 1));
                assert_eq!(engine.commit(batch).await.unwrap(), Commit::Applied, "{done}");
                assert_eq!(engine.get(&key(number)).await.unwrap(), Some(value(number, 1)), "{done}");
            }
        }
        let range = KeyRange::new(Key(Vec::new()), None);
        let all = engine.scan(range.clone(), usize::MAX).await.unwrap();
        assert_eq!(all.len(), 8000, "{done}");
        rebuilds += engine.index_health().rebuilds;
        let closed = engine.close();
        drop(engine);
        let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
        assert_eq!(opened.engine.scan(range, usize::MAX).await.unwrap(), all, "{done}: {closed:?}");
        round += 1;
    }
}
