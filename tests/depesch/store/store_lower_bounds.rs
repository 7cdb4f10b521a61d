//! The loss of acknowledged data is never denied: whatever is lost or damaged of index, journal, checkpoints and notes,
//! in any combination, a store opens with everything acknowledged, or is refused, or reports that something is
//! unproven. As long as one note knows how far the journal reached, every check names the loss.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use depesch::store::embedded::recover::{plans, recover};
use depesch::store::embedded::survey::survey;
use depesch::store::embedded::{EmbeddedEngine, OpenError, Settings};
use depesch::store::engine::{Batch, Commit, Engine, Key, KeyRange};
use depesch::store::journal::head::{self, Head};
use depesch::store::maintenance::Maintenance;

use crate::support::site::{files, put_files};

const GROUPS: u64 = 24;

fn settings() -> Settings {
    Settings { segment_bytes: 600, reserve_bytes: 0, cache_bytes: 4 * 1024 * 1024, ..Settings::default() }
}

async fn commit(engine: &EmbeddedEngine, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let mut batch = Batch::new();
        batch.put(Key(format!("n{number:03}").into_bytes()), vec![b'x'; 40]);
        assert_eq!(engine.commit(batch).await.unwrap(), Commit::Applied);
    }
}

async fn content(engine: &EmbeddedEngine) -> BTreeSet<u64> {
    let everything = KeyRange::new(Key(Vec::new()), None);
    let number = |key: &Key| std::str::from_utf8(&key.0[1..]).unwrap().parse().unwrap();
    engine.scan(everything, usize::MAX).await.unwrap().iter().map(|(key, _)| number(key)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Orderly,
    Kill,
    /// As a kill, and the machine was restarted: unsynced writes to `journal-head` are lost.
    PowerFailure,
}

/// A store with two checkpoints and a note of a backup. The journal's end is in its first segment, or in a later one.
async fn store(stop: Stop) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { create: true, hold_bytes: u64::MAX, ..settings() };
    let engine = EmbeddedEngine::open(directory.path(), settings).unwrap().engine;
    commit(&engine, 1..=8).await;
    engine.checkpoint().await.unwrap();
    commit(&engine, 9..=16).await;
    engine.checkpoint().await.unwrap();
    let sealed = engine.seal().unwrap();
    engine.note_backed_up(sealed).unwrap();
    commit(&engine, 17..=GROUPS).await;
    if stop == Stop::Orderly {
        engine.close().unwrap();
    }
    drop(engine);
    if stop == Stop::PowerFailure {
        let newest = segments(directory.path()).pop().unwrap();
        let first = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        head::begin(directory.path(), Head { segment: first, group: first - 1 }, false).unwrap();
    }
    directory
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(directory.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Journal {
    Whole,
    /// The newest segment ends after its first group.
    Cut,
    /// The newest segment is empty, without even its header.
    Emptied,
    NewestGone,
    TwoNewestGone,
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    stop: Stop,
    journal: Journal,
    index: bool,
    checkpoints: bool,
    clean: bool,
    head: bool,
}

fn mangle(directory: &Path, case: Case) {
    let path = directory.join("journal");
    let mut all = segments(directory);
    match case.journal {
        Journal::Whole => {}
        Journal::Cut => {
            let newest = all.pop().unwrap();
            let bytes = fs::read(&newest).unwrap();
            let second = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"\xd7Grp").nth(1).unwrap().0;
            fs::write(&newest, &bytes[..second]).unwrap();
        }
        Journal::Emptied => fs::write(all.pop().unwrap(), b"").unwrap(),
        Journal::NewestGone => fs::remove_file(all.pop().unwrap()).unwrap(),
        Journal::TwoNewestGone => (0..2).for_each(|_| fs::remove_file(all.pop().unwrap()).unwrap()),
        Journal::Gone => fs::remove_dir_all(path).unwrap(),
    }
    let remove = |name: &str| {
        let path = directory.join(name);
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    };
    for (stays, name) in
        [(case.index, "index"), (case.checkpoints, "checkpoints"), (case.clean, "clean"), (case.head, "journal-head")]
    {
        if !stays {
            remove(name);
        }
    }
}

async fn check(whole: &Path, case: Case) {
    let work = tempfile::tempdir().unwrap();
    let directory = work.path();
    put_files(directory, &files(whole));
    mangle(directory, case);
    let mangled = files(directory);
    let all: BTreeSet<u64> = (1..=GROUPS).collect();
    // A remaining note knows the last group.
    let is_known = case.clean || (case.head && case.stop == Stop::Kill);
    // If the whole newest segment is missing, a note of it is enough to detect that.
    let is_seen =
        is_known || (case.head && matches!(case.journal, Journal::NewestGone | Journal::TwoNewestGone | Journal::Gone));

    let found = survey(directory, &settings());
    let sound = found.as_ref().is_ok_and(|found| found.is_sound());
    let plan = found.as_ref().ok().map(|found| plans(found).remove(0));
    for attempt in 0..2 {
        match EmbeddedEngine::open(directory, settings()) {
            Ok(opened) => {
                let held = content(&opened.engine).await;
                let said = opened.report.completeness();
                let is_proven = said.contains("nothing that was acknowledged is missing");
                assert!(held == all || (!is_seen && !is_proven), "{case:?}: {held:?}: {said}");
                assert!(sound || !is_seen || case.journal != Journal::Whole || !case.checkpoints, "{case:?}: {said}");
                break;
            }
            Err(refused) => {
                let is_intact = case.journal == Journal::Whole && (case.checkpoints || case.index);
                assert!(!is_intact, "{case:?}: {refused}");
                assert!(attempt > 0 || !sound, "{case:?}: {refused}");
                if let OpenError::JournalShort { seen, .. } = &refused
                    && is_known
                {
                    let said = refused.to_string();
                    assert_eq!(*seen, GROUPS, "{case:?}: {said}");
                    assert!(said.contains(&format!("{GROUPS} that w")) && said.contains("missing"), "{case:?}: {said}");
                }
            }
        }
    }

    // Recovery reports its losses beforehand, and loses no more.
    fs::remove_dir_all(directory).unwrap();
    put_files(directory, &mangled);
    let Some(plan) = plan else { return };
    let recovery = recover(directory, &settings()).unwrap_or_else(|e| panic!("{case:?}: {e}"));
    let engine = EmbeddedEngine::open(directory, settings()).unwrap_or_else(|e| panic!("{case:?}: {e}")).engine;
    let held = content(&engine).await;
    for plan in [&plan, &recovery.plan] {
        assert!(
            held == all || !plan.loses_nothing() || (!is_seen && !plan.end_is_proven),
            "{case:?}: {} groups are there, and the plan says {plan:?}",
            held.len()
        );
    }
    assert!(held == all || !recovery.exact || (!is_seen && !plan.end_is_proven), "{case:?}: {recovery:?}");
    // Later commits are neither reported as missing nor lost.
    commit(&engine, 900..=905).await;
    engine.close().unwrap();
    drop(engine);
    let engine = EmbeddedEngine::open(directory, settings()).unwrap_or_else(|e| panic!("{case:?}: {e}")).engine;
    assert_eq!(content(&engine).await.len(), held.len() + 6, "{case:?}");
}

async fn check_all(stop: Stop) {
    let whole = store(stop).await;
    let journals =
        [Journal::Whole, Journal::Cut, Journal::Emptied, Journal::NewestGone, Journal::TwoNewestGone, Journal::Gone];
    let both = [true, false];
    for journal in journals {
        for (index, checkpoints) in both.into_iter().flat_map(|index| both.map(|checkpoints| (index, checkpoints))) {
            for (clean, head) in both.into_iter().flat_map(|clean| both.map(|head| (clean, head))) {
                if clean && stop != Stop::Orderly {
                    continue;
                }
                check(whole.path(), Case { stop, journal, index, checkpoints, clean, head }).await;
            }
        }
    }
}

#[tokio::test]
async fn after_an_orderly_stop() {
    check_all(Stop::Orderly).await;
}

#[tokio::test]
async fn after_a_kill() {
    check_all(Stop::Kill).await;
}

#[tokio::test]
async fn after_a_power_failure() {
    check_all(Stop::PowerFailure).await;
}

#[tokio::test]
async fn a_refused_start_forgets_nothing() {
    let directory = store(Stop::Orderly).await;
    let newest = segments(directory.path()).pop().unwrap();
    fs::remove_file(&newest).unwrap();
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    for _ in 0..3 {
        let refused = EmbeddedEngine::open(directory.path(), settings()).err().expect("it is short").to_string();
        assert!(refused.contains("that were acknowledged are missing"), "{refused}");
    }
    let found = survey(directory.path(), &settings()).unwrap();
    assert!(found.is_short() && found.shortfall(found.last_group).missing.is_some_and(|(_, last)| last == GROUPS));
}

#[tokio::test]
async fn nothing_is_created_where_a_note_says_that_a_store_was() {
    for name in ["clean", "backed-up", "journal-head"] {
        let whole = store(Stop::Orderly).await;
        for entry in fs::read_dir(whole.path()).unwrap() {
            let path = entry.unwrap().path();
            match path.file_name().is_some_and(|file| file == name) {
                false if path.is_dir() => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
                true => {}
            }
        }
        let refused = EmbeddedEngine::open(whole.path(), Settings { create: true, ..settings() }).err();
        assert!(matches!(refused, Some(OpenError::JournalShort { .. })), "{name}: {refused:?}");
    }
}

/// Where the last group begins in the newest segment.
fn last_group(directory: &Path) -> (PathBuf, usize) {
    let newest = segments(directory).pop().unwrap();
    let bytes = fs::read(&newest).unwrap();
    let at = bytes.windows(4).rposition(|four| four == b"\xd7Grp").unwrap();
    (newest, at)
}

fn change(path: &Path, places: &[usize]) {
    let mut bytes = fs::read(path).unwrap();
    places.iter().for_each(|at| bytes[*at] ^= 0x21);
    fs::write(path, bytes).unwrap();
}

fn lose_index_and_notes(directory: &Path, notes: &[&str]) {
    fs::remove_dir_all(directory.join("index")).unwrap();
    notes.iter().for_each(|note| drop(fs::remove_file(directory.join(note))));
}

#[tokio::test]
async fn a_damaged_last_group_known_to_be_acknowledged_is_not_taken_for_a_torn_write() {
    for (stop, lost) in [(Stop::Orderly, "journal-head"), (Stop::Kill, "clean")] {
        let directory = store(stop).await;
        let (path, at) = last_group(directory.path());
        change(&path, &[at + 30, at + 70]);
        lose_index_and_notes(directory.path(), &[lost]);
        let found = survey(directory.path(), &settings()).unwrap();
        assert!(!found.is_sound() && !plans(&found)[0].loses_nothing(), "{stop:?}: {found:?}");
        let refused = EmbeddedEngine::open(directory.path(), settings()).err().expect("it is damaged").to_string();
        assert!(
            refused.contains(&format!("group {GROUPS}")) && refused.contains("acknowledged"),
            "{stop:?}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_last_group_that_may_be_damaged_is_reported_and_kept() {
    let directory = store(Stop::PowerFailure).await;
    let (path, at) = last_group(directory.path());
    change(&path, &[at + 30, at + 70]);
    let bytes = fs::read(&path).unwrap();
    lose_index_and_notes(directory.path(), &[]);
    let found = survey(directory.path(), &settings()).unwrap();
    assert!(!found.is_sound() && found.is_doubtful && !plans(&found)[0].loses_nothing(), "{found:?}");
    let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
    let said = opened.engine.doubt().expect("status tells");
    assert!(said.contains(&format!("the last group, {GROUPS}, may be damaged")), "{said}");
    assert_eq!(content(&opened.engine).await, (1..GROUPS).collect());
    assert_eq!(fs::read(opened.report.doubtful.unwrap()).unwrap(), bytes[at..]);
}

#[tokio::test]
async fn one_wrong_bit_in_the_last_group_is_corrected() {
    for stop in [Stop::Orderly, Stop::Kill, Stop::PowerFailure] {
        let directory = store(stop).await;
        let (path, at) = last_group(directory.path());
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[at + 40] ^= 4;
        fs::write(&path, bytes).unwrap();
        lose_index_and_notes(directory.path(), &[]);
        assert!(survey(directory.path(), &settings()).unwrap().repair.is_some());
        let opened = EmbeddedEngine::open(directory.path(), settings()).unwrap();
        assert_eq!(opened.report.repaired, Some(GROUPS), "{stop:?}");
        assert_eq!(content(&opened.engine).await, (1..=GROUPS).collect(), "{stop:?}");
        drop(opened);
        assert_eq!(fs::read(&path).unwrap(), whole, "{stop:?}");
    }
}
