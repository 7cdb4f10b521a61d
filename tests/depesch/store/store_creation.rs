//! A store whose creation is interrupted either does not exist and can be created, or exists and opens.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use depesch::store::embedded::{EmbeddedEngine, OpenError, Settings};
use depesch::store::engine::{Batch, Commit, Engine, Key};

use crate::support::disk::FaultyDisk;
use crate::support::site::{files, put_files};

fn settings(create: bool) -> Settings {
    Settings { create, reserve_bytes: 0, cache_bytes: 4 * 1024 * 1024, ..Settings::default() }
}

/// Removes all files of a new store except those in `keep`; then creates and uses it.
async fn check(named: &str, is_there: bool, prepare: impl Fn(&Path)) {
    for create in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        match EmbeddedEngine::open(directory.path(), settings(create)) {
            Ok(opened) => {
                assert!(create || is_there, "{named}: created without being told to");
                assert_eq!((opened.report.records, opened.report.created), (0, !is_there), "{named}");
                let mut batch = Batch::new();
                batch.put(Key(b"a".to_vec()), b"b".as_slice());
                assert_eq!(opened.engine.commit(batch).await.unwrap(), Commit::Applied);
                opened.engine.close().unwrap();
                drop(opened);
                let again = EmbeddedEngine::open(directory.path(), settings(false)).unwrap().report;
                assert!(again.clean && again.records == 1, "{named}: {again:?}");
            }
            Err(refused) => {
                assert!(!create && !is_there, "{named}: {refused}");
                assert!(matches!(refused, OpenError::Absent(_)), "{named}: {refused}");
            }
        }
    }
}

#[tokio::test]
async fn wherever_it_stops() {
    let made = tempfile::tempdir().unwrap();
    drop(EmbeddedEngine::open(made.path(), settings(true)).unwrap());
    let whole = files(made.path());
    let kept = |part: &str| -> std::collections::BTreeMap<_, _> {
        whole
            .iter()
            .filter(|(name, _)| name.starts_with(part))
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect()
    };
    let segment = kept("journal").into_values().next().unwrap();
    let name = "00000000000000000001.journal";

    check("before the lock", false, |_| {}).await;
    check("after the lock", false, |store| fs::write(store.join("lock"), b"1\n").unwrap()).await;
    check("an empty place for the journal", false, |store| fs::create_dir(store.join("journal.new")).unwrap()).await;
    for length in [0, 1, 59, segment.len()] {
        check("a journal that is not in its place", false, |store| {
            fs::create_dir(store.join("journal.new")).unwrap();
            fs::write(store.join("journal.new").join(name), &segment[..length]).unwrap();
        })
        .await;
    }
    check("an empty journal of an older program", false, |store| fs::create_dir(store.join("journal")).unwrap()).await;
    check("a journal alone", true, |store| put_files(store, &kept("journal"))).await;
    check("an index without a mark", true, |store| {
        put_files(store, &kept("journal"));
        fs::create_dir_all(store.join("index/1")).unwrap();
    })
    .await;
    check("no journal-head", true, |store| {
        put_files(store, &kept("journal"));
        put_files(store, &kept("index"));
    })
    .await;
    check("half of journal-head", true, |store| {
        put_files(store, &kept("journal"));
        fs::write(store.join("journal-head.new"), b"half").unwrap();
    })
    .await;
    check("all but an orderly end", true, |store| put_files(store, &whole)).await;
}

#[tokio::test]
async fn a_disk_that_fails_leaves_nothing_in_the_way() {
    for fault in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        {
            let mut faults = disk.0.lock().unwrap();
            match fault {
                0 => faults.sync = Some(ErrorKind::Other),
                1 => faults.write = Some(ErrorKind::Other),
                _ => faults.room = Some(20),
            }
        }
        let failed = EmbeddedEngine::open_on(Arc::new(disk.clone()), directory.path(), settings(true)).err();
        assert!(failed.is_some(), "fault {fault}");
        disk.0.lock().unwrap().room = None;
        let absent = EmbeddedEngine::open(directory.path(), settings(false)).err();
        assert!(matches!(absent, Some(OpenError::Absent(_))), "fault {fault}: {absent:?}");
        let opened = EmbeddedEngine::open_on(Arc::new(disk), directory.path(), settings(true)).unwrap();
        assert!(opened.report.created, "fault {fault}");
    }
}
