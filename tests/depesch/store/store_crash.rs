//! Whatever a crash leaves on disk, a store that opens has everything that was acknowledged; one that cannot open
//! reports it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use depesch::store::embedded::{EmbeddedEngine, OpenError, OpenReport, Settings};
use depesch::store::engine::{Batch, Commit, Engine, Key, KeyRange};
use tempfile::TempDir;

type Content = BTreeMap<String, String>;

fn settings() -> Settings {
    Settings { create: true, reserve_bytes: 0, cache_bytes: 8 * 1024 * 1024, ..Settings::default() }
}

fn key(text: &str) -> Key {
    Key(text.as_bytes().to_vec())
}

async fn content(engine: &EmbeddedEngine) -> Content {
    let everything = KeyRange::new(Key(Vec::new()), None);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    engine.scan(everything, usize::MAX).await.unwrap().iter().map(|(k, v)| (text(&k.0), text(v))).collect()
}

/// Commits `count` groups that put, change and delete; returns the store's content after each of them.
async fn history(engine: &EmbeddedEngine, from: u32, count: u32) -> Vec<Content> {
    let mut states = vec![content(engine).await];
    for number in from..from + count {
        let mut batch = Batch::new();
        batch.put(key(&format!("n{number}")), format!("value {number}").into_bytes());
        batch.put(key("last"), number.to_string().into_bytes());
        if number % 3 == 0 {
            batch.delete(key(&format!("n{}", number / 2)));
        }
        assert_eq!(engine.commit(batch).await.unwrap(), Commit::Applied);
        states.push(content(engine).await);
    }
    states
}

/// A store with a history, closed in order.
async fn store(count: u32) -> (TempDir, Vec<Content>) {
    let directory = tempfile::tempdir().unwrap();
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    let states = history(&engine, 1, count).await;
    engine.close().unwrap();
    (directory, states)
}

fn copy(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            // Files come and go while the store is open; one that was just removed is not part of the copy.
            false => drop(fs::copy(entry.path(), target)),
        }
    }
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory.join("journal")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

/// Also removes every note of how far the journal reached, so that only its own bytes remain.
fn lose_index(directory: &Path) {
    fs::remove_dir_all(directory.join("index")).unwrap();
    for note in ["clean", "journal-head"] {
        let _ = fs::remove_file(directory.join(note));
    }
}

async fn reopen(directory: &Path) -> Result<(Content, OpenReport), OpenError> {
    let opened = EmbeddedEngine::open(directory, settings())?;
    Ok((content(&opened.engine).await, opened.report))
}

#[tokio::test]
async fn a_journal_cut_anywhere_in_its_last_record_loses_just_that_record() {
    let (directory, states) = store(6).await;
    let segment = segments(directory.path()).pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    let before_last = {
        let magic = b"\xd7Grp";
        whole.windows(4).rposition(|window| window == magic).unwrap()
    };
    for length in before_last..=whole.len() {
        fs::write(&segment, &whole[..length]).unwrap();
        lose_index(directory.path());
        let (found, report) = reopen(directory.path()).await.unwrap();
        let expected = if length == whole.len() { &states[6] } else { &states[5] };
        assert_eq!(found, *expected, "cut at {length}");
        assert!(report.rebuilt.is_some() && report.verified);
        let torn = if length == whole.len() { 0 } else { length - before_last };
        assert_eq!(report.torn, torn as u64);
    }
}

#[tokio::test]
async fn commits_after_a_torn_end_are_found_again() {
    let (directory, states) = store(4).await;
    let segment = segments(directory.path()).pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..whole.len() - 5]).unwrap();
    lose_index(directory.path());
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    assert_eq!(content(&engine).await, states[3]);
    let more = history(&engine, 100, 3).await;
    drop(engine);
    lose_index(directory.path());
    assert_eq!(reopen(directory.path()).await.unwrap().0, more[3]);
}

#[tokio::test]
async fn a_journal_that_lost_what_the_index_has_seen_is_refused() {
    let (directory, _) = store(6).await;
    let segment = segments(directory.path()).pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..whole.len() - 1]).unwrap();
    let refused = reopen(directory.path()).await;
    assert!(matches!(refused, Err(OpenError::JournalShort { journal: 5, seen: 6, .. })), "{refused:?}");
    fs::remove_file(&segment).unwrap();
    assert!(matches!(reopen(directory.path()).await, Err(OpenError::JournalShort { .. })));
    fs::write(&segment, &whole).unwrap();
    assert!(reopen(directory.path()).await.is_ok());
}

#[tokio::test]
async fn a_flipped_byte_anywhere_in_the_journal_is_refused_or_harmless() {
    let (directory, states) = store(5).await;
    let segment = segments(directory.path()).pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut refusals = 0;
    for position in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x40;
        fs::write(&segment, &damaged).unwrap();
        // With the index: the store is complete, or it is refused and the error names the place.
        match reopen(directory.path()).await {
            Ok((found, _)) => assert_eq!(found, states[5], "byte {position}"),
            Err(e) => {
                assert!(matches!(e, OpenError::Damaged(_) | OpenError::JournalShort { .. }), "{e}");
                assert!(e.to_string().contains("journal"), "{e}");
                refusals += 1;
            }
        }
        // Without it, and without any note: a wrong bit in the last group is corrected, earlier damage is refused.
        if position % 5 == 0 {
            let copied = tempfile::tempdir().unwrap();
            copy(directory.path(), copied.path());
            lose_index(copied.path());
            match reopen(copied.path()).await {
                Ok((found, report)) => assert!(found == states[5], "byte {position}: {report:?}"),
                Err(e) => assert!(matches!(e, OpenError::Damaged(_)), "{e}"),
            }
        }
    }
    assert!(refusals > 0);
    fs::write(&segment, &whole).unwrap();
    assert_eq!(reopen(directory.path()).await.unwrap().0, states[5]);
}

#[tokio::test]
async fn a_damaged_rolled_back_or_lost_index_is_rebuilt() {
    let (directory, states) = store(40).await;
    let old = tempfile::tempdir().unwrap();
    copy(directory.path(), old.path());
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    let more = history(&engine, 200, 40).await;
    engine.close().unwrap();
    drop(engine);
    let last = more.last().unwrap();
    assert_ne!(last, states.last().unwrap());

    let check = async |mangle: &dyn Fn(&Path)| {
        let copied = tempfile::tempdir().unwrap();
        copy(directory.path(), copied.path());
        mangle(copied.path());
        let (found, report) = reopen(copied.path()).await.unwrap();
        assert_eq!(found, *last, "{report:?}");
        report
    };
    assert!(check(&|_| {}).await.clean);
    assert!(check(&|path| lose_index(path)).await.rebuilt.is_some());
    let roll_back = |path: &Path| {
        lose_index(path);
        copy(&old.path().join("index"), &path.join("index"));
    };
    let rolled_back = check(&roll_back).await;
    assert!(rolled_back.verified && rolled_back.rebuilt.is_none() && rolled_back.replayed == 40, "{rolled_back:?}");
    let database = |path: &Path| path.join("index/1/db");
    for part in 0..20 {
        let damage = |path: &Path| {
            let mut bytes = fs::read(database(path)).unwrap();
            let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[written * part / 20] ^= 0x55;
            fs::write(database(path), bytes).unwrap();
            fs::remove_file(path.join("clean")).unwrap();
        };
        check(&damage).await;
    }
    let cut = |path: &Path| {
        let bytes = fs::read(database(path)).unwrap();
        fs::write(database(path), &bytes[..bytes.len() / 2]).unwrap();
        fs::remove_file(path.join("clean")).unwrap();
    };
    check(&cut).await;
    check(&|path| fs::write(path.join("clean"), b"nonsense").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_while_commits_run_holds_all_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let small = Settings { segment_bytes: 20_000, ..settings() };
    let engine = Arc::new(EmbeddedEngine::open(directory.path(), small.clone()).unwrap().engine);
    let acknowledged: Arc<Vec<AtomicU64>> = Arc::new((0..8).map(|_| AtomicU64::new(0)).collect());
    let writers: Vec<_> = (0..8_usize)
        .map(|writer| {
            let (engine, acknowledged) = (engine.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for number in 1..=600_u64 {
                    let mut batch = Batch::new();
                    batch.put(key(&format!("w{writer}")), number.to_be_bytes().as_slice());
                    batch.put(key(&format!("w{writer}/{:03}", number % 50)), vec![b'x'; 100]);
                    engine.commit(batch).await.unwrap();
                    acknowledged[writer].store(number, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut round = 0_u32;
    while round < 4 || writers.iter().any(|writer| !writer.is_finished()) {
        round += 1;
        if round.is_multiple_of(3) {
            engine.checkpoint().await.unwrap();
        }
        let before: Vec<u64> = acknowledged.iter().map(|number| number.load(Ordering::SeqCst)).collect();
        let copied = tempfile::tempdir().unwrap();
        // A power cut may leave any part of the index, but of the journal at least what was acknowledged.
        copy(&directory.path().join("index"), &copied.path().join("index"));
        copy(&directory.path().join("checkpoints"), &copied.path().join("checkpoints"));
        copy(&directory.path().join("journal"), &copied.path().join("journal"));
        if round.is_multiple_of(2) {
            lose_index(copied.path());
        }
        let opened = EmbeddedEngine::open(copied.path(), small.clone()).unwrap();
        assert!(opened.report.verified && !opened.report.clean);
        for (writer, least) in before.iter().enumerate() {
            let found = opened.engine.get(&key(&format!("w{writer}"))).await.unwrap();
            let found = found.map_or(0, |bytes| u64::from_be_bytes((*bytes).try_into().unwrap()));
            assert!(found >= *least, "writer {writer} has {found}, not {least}: {:?}", opened.report);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Changes one value behind the engine's back.
fn tamper(directory: &Path) {
    let database = sled::open(directory.join("index/1")).unwrap();
    assert!(database.insert("last", "wrong").unwrap().is_some());
    database.flush().unwrap();
}

#[tokio::test]
async fn an_index_that_silently_differs_is_detected_at_the_next_start() {
    for is_clean in [true, false] {
        let (directory, states) = store(10).await;
        tamper(directory.path());
        if !is_clean {
            fs::remove_file(directory.path().join("clean")).unwrap();
        }
        let (found, report) = reopen(directory.path()).await.unwrap();
        assert_eq!(found, states[10]);
        assert!(report.rebuilt.is_some() && !report.clean, "{report:?}");
        assert!(reopen(directory.path()).await.unwrap().1.rebuilt.is_none());
    }
}

#[tokio::test]
async fn a_checkpoint_is_due_after_a_size_of_journal() {
    let directory = tempfile::tempdir().unwrap();
    let eager = Settings { checkpoint_bytes: 2000, ..settings() };
    let engine = EmbeddedEngine::open(directory.path(), eager.clone()).unwrap().engine;
    assert!(!engine.checkpoint_due());
    history(&engine, 1, 30).await;
    assert!(engine.checkpoint_due());
    engine.checkpoint().await.unwrap();
    assert!(!engine.checkpoint_due());
    history(&engine, 31, 30).await;
    engine.close().unwrap();
    drop(engine);
    let engine = EmbeddedEngine::open(directory.path(), eager).unwrap().engine;
    assert!(engine.checkpoint_due(), "a restart does not forget it");
}

#[test]
fn a_second_opener_is_refused_and_told_by_whom() {
    let directory = tempfile::tempdir().unwrap();
    let engine = EmbeddedEngine::open(directory.path(), settings()).unwrap().engine;
    let Err(refused) = EmbeddedEngine::open(directory.path(), settings()) else { panic!("opened twice") };
    assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    drop(engine);
    assert!(EmbeddedEngine::open(directory.path(), settings()).is_ok());
}

#[test]
fn an_empty_store_is_created_only_when_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let careful = Settings { create: false, ..settings() };
    assert!(matches!(EmbeddedEngine::open(directory.path(), careful.clone()), Err(OpenError::Absent(_))));
    assert!(matches!(EmbeddedEngine::open(&directory.path().join("no"), careful.clone()), Err(OpenError::Absent(_))));
    assert!(EmbeddedEngine::open(directory.path(), settings()).unwrap().report.created);
    assert!(!EmbeddedEngine::open(directory.path(), careful).unwrap().report.created);
}
