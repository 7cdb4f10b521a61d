//! Whatever is damaged in the index of a stopped store, the next start opens it with all its records, and the start
//! after that has nothing left to repair.

use std::path::Path;

use depesch::store::check::check;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Engine, Key, KeyRange, Value};

use crate::support::damage::{Dice, KINDS, damage};

fn settings() -> Settings {
    Settings { create: true, reserve_bytes: 0, ..Settings::default() }
}

async fn content(engine: &EmbeddedEngine) -> Vec<(Key, Value)> {
    engine.scan(KeyRange::new(Key(Vec::new()), None), usize::MAX).await.unwrap()
}

/// Records of several sizes, written, changed and removed before and after a checkpoint; stopped in an orderly way.
async fn stopped(directory: &Path) -> Vec<(Key, Value)> {
    let engine = EmbeddedEngine::open(directory, settings()).unwrap().engine;
    for round in 0..6_u32 {
        let mut batch = Batch::new();
        for number in 0..400_u32 {
            let key = Key(format!("n{:04}", number * (round + 1) % 1500).into_bytes());
            match number % 7 {
                0 if round > 2 => batch.delete(key),
                _ => batch.put(key, vec![(number % 251) as u8; (number * 13 % 700) as usize]),
            }
        }
        engine.commit(batch).await.unwrap();
        if round == 3 {
            engine.checkpoint().await.unwrap();
        }
    }
    let found = content(&engine).await;
    engine.close().unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_start_has_every_record() {
    let mut dice = Dice(0x5eed);
    let mut rebuilt = 0;
    for round in 0..30 {
        let directory = tempfile::tempdir().unwrap();
        let before = stopped(directory.path()).await;
        let done = damage(directory.path(), KINDS[round % KINDS.len()], &mut dice);
        let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap_or_else(|e| panic!("{done}: {e}"));
        assert_eq!(content(&opened.engine).await, before, "{done}: {:?}", opened.report);
        rebuilt += u32::from(opened.report.rebuilt.is_some());
        assert_eq!(opened.engine.index_health().rebuilds, u64::from(opened.report.rebuilt.is_some()), "{done}");
        opened.engine.close().unwrap_or_else(|e| panic!("{done}: {e}"));
        drop(opened);
        let again = EmbeddedEngine::open(directory.path(), settings()).unwrap();
        assert!(again.report.clean && again.report.rebuilt.is_none(), "{done}: {:?}", again.report);
        assert_eq!(content(&again.engine).await, before, "{done}");
    }
    assert!(rebuilt >= 10, "the damage hit something in {rebuilt} rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_predicts_what_the_next_start_does() {
    let mut dice = Dice(0xc0ffee);
    for round in 0..15 {
        let directory = tempfile::tempdir().unwrap();
        stopped(directory.path()).await;
        let done = damage(directory.path(), KINDS[round % KINDS.len()], &mut dice);
        let checked = check(directory.path(), &settings()).await.unwrap_or_else(|e| panic!("{done}: {e}"));
        let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
        let is_told = checked.findings.iter().any(|finding| finding.path.starts_with(directory.path().join("index")));
        let comes = opened.report.rebuilt.is_some() || opened.report.replayed > 0;
        assert_eq!(is_told, comes, "{done}: {:?} and {:?}", checked.findings, opened.report);
        assert!(checked.survey.is_sound(), "{done}: nothing is lost");
    }
}
