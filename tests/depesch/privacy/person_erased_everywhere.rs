//! After an erasure and the documented time, no file of the installation contains the person's address or name in any
//! encoding, and nothing of other people is missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use depesch::app::erasures::StorageEraser;
use depesch::base::clock::FakeClock;
use depesch::base::id::{InboundId, MailingId, NoticeId, PostId};
use depesch::model::inbound::{Arrival, Inbound};
use depesch::model::ledger::Sequence;
use depesch::model::mailing::{Mailing, Stage};
use depesch::model::post::{Post, PostState};
use depesch::privacy::erasure::StorageLayer;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Engine, Key, KeyRange};
use depesch::store::for_tests::engine as engine_of;
use depesch::store::inbound::{put_new, put_waiting};
use depesch::store::ledger::{Lease, put_lease};
use depesch::store::posts::put_post;
use depesch::store::{Store, StoreError, checkpoint};

use crate::support::failing::{FailingCommits, Failure};
use crate::support::mailings::minute;
use crate::support::planted::{ADDRESS, CAPTURED, OTHER, Planted, WORDS};

fn open(state: &Path) -> Arc<EmbeddedEngine> {
    let settings = Settings { create: true, reserve_bytes: 0, ..Settings::default() };
    Arc::new(EmbeddedEngine::open(&state.join("store"), settings).unwrap().engine)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every encoding of a word that may occur in mails and records, all in lower case except base64.
fn spellings(word: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![word.as_bytes().to_vec()];
    let capital = word[..1].to_uppercase() + &word[1..];
    for word in [word, &capital, &word.to_uppercase()] {
        for shift in 0..3 {
            // The middle characters do not depend on the bytes before and after.
            let encoded = STANDARD.encode([&vec![b' '; shift][..], word.as_bytes(), b"  "].concat());
            let inner = &encoded[if shift == 0 { 0 } else { 4 }..(shift + word.len()) / 3 * 4];
            spellings.push(inner.as_bytes().to_vec());
        }
        spellings.push(word.bytes().map(|byte| format!("={byte:02X}")).collect::<String>().into_bytes());
    }
    spellings
}

fn holds(bytes: &[u8]) -> Option<String> {
    let lower = bytes.to_ascii_lowercase();
    let found = |word: &&str| {
        let has = |text: &[u8], spelling: &[u8]| memchr::memmem::find(text, spelling).is_some();
        spellings(word).iter().enumerate().any(|(at, spelling)| has(if at == 0 { &lower } else { bytes }, spelling))
    };
    WORDS.iter().find(|word| found(word)).map(|word| (*word).to_owned())
}

/// The files that contain one of the words, and which word; compressed files are unpacked.
fn found_in(state: &Path) -> Vec<(PathBuf, String)> {
    let mut found = found_in_files(state);
    for checkpoint in checkpoint::list(&state.join("store/checkpoints")).unwrap() {
        let mut all = Vec::new();
        let mut keep = |key: &[u8], value: &[u8]| {
            all.extend([key, value].concat());
            Ok(())
        };
        checkpoint::read(&checkpoint.path, &mut keep).unwrap();
        found.extend(holds(&all).map(|word| (checkpoint.path.clone(), word)));
    }
    found
}

fn found_in_files(state: &Path) -> Vec<(PathBuf, String)> {
    let found = |path: PathBuf| holds(&std::fs::read(&path).unwrap()).map(|word| (path, word));
    files(state).into_iter().filter_map(found).collect()
}

/// The tables in which the person stands.
async fn tables(engine: &EmbeddedEngine) -> BTreeSet<char> {
    let everything = KeyRange::new(Key(Vec::new()), None);
    let found = engine.scan(everything, usize::MAX).await.unwrap();
    let named = found.iter().filter(|(key, value)| holds(&[&key.0, &value[..]].concat()).is_some());
    named.map(|(key, _)| char::from(key.0[0])).collect()
}

#[tokio::test]
async fn no_file_names_them_and_no_data_of_others_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path();
    let engine = open(state);
    let planted = Planted::in_store(Store::new(engine.clone()), state).await;
    // Every record family must have planted data, otherwise the search proves nothing.
    assert_eq!(tables(&engine).await.iter().collect::<String>(), "BJLTadmnpsvxy");
    everything_is_in_their_record(&planted).await;
    engine.checkpoint().await.unwrap();
    planted.service(minute(100)).erase(ADDRESS, Some(&planted.files)).await.unwrap();
    engine.checkpoint().await.unwrap();
    assert!(!found_in(state).is_empty());

    let clock = Arc::new(FakeClock::at(minute(100)));
    let (eraser, spool) = (planted.eraser(), planted.files.spool.clone());
    let storage_eraser = StorageEraser { eraser, spool, backups: None, clock };
    let said = storage_eraser.run().await.unwrap();
    assert!(said.starts_with("completed 1 erasures, 0 stay open"), "{said}");
    assert_eq!(tables(&engine).await, BTreeSet::new());
    // An hour later: only the index may still contain it, in its free space.
    let left = found_in(state);
    assert!(left.iter().all(|(path, _)| path.starts_with(state.join("store/index"))), "{left:?}");
    // The night after.
    assert_eq!(storage_eraser.forget(StorageLayer::Index).await.unwrap(), 1);
    assert_eq!(found_in(state), []);
    assert_eq!(storage_eraser.forget(StorageLayer::Index).await.unwrap(), 0, "once is enough");

    others_are_whole(&planted).await;
    engine.close().unwrap();
    drop((storage_eraser, planted, engine));
    let again = EmbeddedEngine::open(&state.join("store"), Settings::default()).unwrap();
    assert!(again.report.clean && again.report.rebuilt.is_none(), "{:?}", again.report);
    assert_eq!(found_in(state), []);
}

async fn everything_is_in_their_record(planted: &Planted) {
    let record = planted.service(minute(99)).record(ADDRESS, Some(&planted.files)).await.unwrap();
    assert_eq!(record.subscriber.unwrap().id.0, 1);
    assert!(record.suppression.is_some());
    assert_eq!((record.deliveries.len(), record.bounces.len()), (1, 1));
    assert_eq!((record.rsvps.len(), record.pending_requests.len()), (1, 1));
    let own = |owns: Vec<bool>| (owns.iter().filter(|own| **own).count(), owns.len());
    assert_eq!(own(record.notices.iter().map(|entry| entry.own).collect()), (2, 3));
    assert_eq!(own(record.inbound.iter().map(|entry| entry.own).collect()), (1, 3));
    assert_eq!(own(record.posts.iter().map(|entry| entry.own).collect()), (1, 3));
}

async fn others_are_whole(planted: &Planted) {
    let store = &planted.store;
    let other = OTHER.parse().unwrap();
    assert_eq!(store.subscriber_by_address(&other).await.unwrap().unwrap().value.id.0, 2);
    assert!(store.inbound(InboundId(4)).await.unwrap().is_some());
    let bytes = planted.files.spool.read(planted.others).await.unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains("Jag heter Bo"));
    assert!(store.notice(NoticeId(4)).await.unwrap().is_some());
    assert!(store.notice_bytes(NoticeId(4)).await.unwrap().is_some());
    assert_eq!(store.scan_requests(None, 10).await.unwrap().0.len(), 1);
    let (answers, _) = store.scan_rsvps(None, 10).await.unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].1.value.changes[0].comment, "Jag kommer med (erased)");
    let posts = store.posts(PostId(0), 10).await.unwrap();
    assert_eq!(posts.iter().map(|read| read.value.id.0).collect::<Vec<_>>(), [3]);
    assert!(planted.files.blobs.size(&posts[0].value.blob.sha256).await.unwrap().is_some());
    assert!(planted.state.join("capture").join(CAPTURED).exists());
    // Their deliveries are still counted, with their causes.
    let mailing = store.mailing(MailingId(1)).await.unwrap().unwrap().value;
    let tally = store.tally(&mailing).await.unwrap();
    assert_eq!((tally.failed, tally.waiting), (1, 299));
    let (delivery, _) = store.delivery(MailingId(1), Sequence(0)).await.unwrap();
    assert!(format!("{delivery:?}").contains("5.1.1 (erased)"), "{delivery:?}");
}

#[tokio::test]
async fn an_erasure_that_dies_at_any_commit_is_ended_by_the_next_run() {
    for at in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let memory: Arc<dyn Engine> = Arc::new(depesch::store::memory::MemoryEngine::new());
        let mut planted = Planted::in_store(Store::new(memory.clone()), directory.path()).await;
        let failure = if at % 2 == 0 { Failure::Before } else { Failure::After };
        let dying = FailingCommits::new(memory.clone(), at / 2, failure);
        planted.store = Store::new(dying.clone());
        let begun = planted.service(minute(100)).erase(ADDRESS, Some(&planted.files)).await.is_ok();
        let through = begun && planted.eraser().work(minute(100)).await.is_ok();
        planted.store = Store::new(memory.clone());
        if planted.store.scan_erasures(None, 1).await.unwrap().is_empty() {
            // The erasure was not accepted, and everything is unchanged.
            assert!(!begun);
            planted.service(minute(101)).erase(ADDRESS, Some(&planted.files)).await.unwrap();
        }
        assert_eq!(planted.eraser().work(minute(102)).await.unwrap().open, [], "commit {at}");
        let everything = KeyRange::new(Key(vec![1]), None);
        let left = memory.scan(everything, usize::MAX).await.unwrap();
        assert!(left.iter().all(|(key, value)| holds(&[&key.0, &value[..]].concat()).is_none()), "commit {at}");
        assert_eq!(found_in_files(directory.path()), [], "commit {at}");
        if through {
            assert!(at > 10);
            return;
        }
    }
}

#[tokio::test]
async fn what_is_in_use_holds_it_open_and_goes_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(depesch::store::memory::MemoryEngine::new()));
    let planted = Planted::in_store(store.clone(), directory.path()).await;
    // The chunk of their delivery is being sent, and one of their mails waits to be handled.
    let lease = Lease { node: "here".to_owned(), until: minute(110), fence: 1 };
    let waiting = store.inbound(InboundId(1)).await.unwrap().unwrap();
    let mut batch = Batch::new();
    put_lease(&mut batch, MailingId(1), 0, None, Some(&lease));
    put_waiting(&mut batch, &waiting);
    store.commit(batch).await.unwrap();
    planted.service(minute(100)).erase(ADDRESS, Some(&planted.files)).await.unwrap();
    let worked = planted.eraser().work(minute(100)).await.unwrap();
    let holds: Vec<&str> = worked.open[0].1.iter().map(String::as_str).collect();
    assert_eq!(holds, ["mailing m1 is being sent to a chunk that contains them", "message i1 waits to be handled"]);
    assert!(planted.files.spool.read(planted.theirs[0]).await.is_ok(), "data in use is not removed");
    assert!(planted.files.spool.read(planted.theirs[1]).await.is_err());
    planted.handle(InboundId(1)).await;
    assert_eq!(planted.eraser().work(minute(111)).await.unwrap().done, 1);
    assert!(planted.files.spool.read(planted.theirs[0]).await.is_err());
    let (delivery, _) = store.delivery(MailingId(1), Sequence(0)).await.unwrap();
    assert!(!format!("{delivery:?}").to_lowercase().contains("zebulon"));
}

#[tokio::test]
async fn mail_by_others_after_the_request_is_kept_while_the_erasure_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(depesch::store::memory::MemoryEngine::new()));
    let planted = Planted::in_store(store.clone(), directory.path()).await;
    // An address that is a list's owner keeps the erasure open until the list is changed.
    let owner = |list: &mut depesch::model::list::List| list.owner = ADDRESS.parse().unwrap();
    store.change_list(&"members".parse().unwrap(), owner).await.unwrap();
    planted.service(minute(100)).erase(ADDRESS, Some(&planted.files)).await.unwrap();
    let before = store.inbound(InboundId(4)).await.unwrap().unwrap().value;
    let bytes = format!("From: {OTHER}\r\n\r\n> {ADDRESS} skrev\r\n").into_bytes();
    for (id, at) in [(5, minute(99)), (6, minute(101))] {
        let place = planted.files.spool.append(bytes.clone()).await.unwrap();
        let arrival = Arrival { at, ..before.arrival.clone() };
        let quoting = Inbound { id: InboundId(id), arrival, place, ..before.clone() };
        let mut batch = Batch::new();
        put_new(&mut batch, &quoting);
        store.commit(batch).await.unwrap();
        planted.handle(InboundId(id)).await;
    }
    let worked = planted.eraser().work(minute(102)).await.unwrap();
    assert_eq!((worked.done, worked.open[0].1.len()), (0, 1), "{:?}", worked.open);
    assert!(store.inbound(InboundId(5)).await.unwrap().is_none());
    let after = store.inbound(InboundId(6)).await.unwrap().unwrap().value;
    assert_eq!(planted.files.spool.read(after.place).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_holds_it_open_and_stops_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(depesch::store::memory::MemoryEngine::new()));
    let planted = Planted::in_store(store.clone(), directory.path()).await;
    let keys = [Key([&b"n"[..], &(u64::MAX - 4).to_be_bytes()].concat()), key_of(b'p', 3), key_of(b'y', 4)];
    let mut whole = Vec::new();
    let mut batch = Batch::new();
    for key in keys {
        whole.push((key.clone(), engine_of(&store).get(&key).await.unwrap().unwrap()));
        batch.put(key, vec![255, 1]);
    }
    store.commit(batch).await.unwrap();
    planted.service(minute(100)).erase(ADDRESS, Some(&planted.files)).await.unwrap();
    for _ in 0..2 {
        let worked = planted.eraser().work(minute(101)).await.unwrap();
        let holds: Vec<&str> = worked.open[0].1.iter().map(String::as_str).collect();
        for which in ["notice n4", "message i4", "post p3"] {
            assert!(holds.iter().any(|hold| hold.starts_with(&format!("{which} cannot be read: "))), "{holds:?}");
        }
        assert!(store.notice(NoticeId(1)).await.unwrap().is_none());
        assert!(store.post(PostId(1)).await.unwrap().is_none());
    }
    let mut batch = Batch::new();
    whole.into_iter().for_each(|(key, value)| batch.put(key, value));
    store.commit(batch).await.unwrap();
    assert_eq!(planted.eraser().work(minute(102)).await.unwrap().open, []);
    assert_eq!(found_in_files(directory.path()), []);
}

fn key_of(table: u8, number: u64) -> Key {
    Key([&[table][..], &number.to_be_bytes()].concat())
}

#[tokio::test]
async fn a_file_goes_with_the_last_post_that_it_is_the_text_of() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(depesch::store::memory::MemoryEngine::new()));
    let planted = Planted::in_store(store.clone(), directory.path()).await;
    // The same mail is also being sent to another list.
    let settled = store.post(PostId(2)).await.unwrap().unwrap().value;
    let state = PostState::Approved { at: minute(9), by: None, mailing: MailingId(2) };
    let sending = Post { id: PostId(4), list: "media".parse().unwrap(), state, ..settled.clone() };
    let mut batch = Batch::new();
    put_post(&mut batch, &sending, None);
    store.commit(batch).await.unwrap();
    planted.service(minute(100)).erase(ADDRESS, Some(&planted.files)).await.unwrap();
    let worked = planted.eraser().work(minute(100)).await.unwrap();
    let holds: Vec<&str> = worked.open[0].1.iter().map(String::as_str).collect();
    assert_eq!(holds.len(), 2, "{holds:?}");
    assert_eq!(holds[0], "post p4 is held or being sent");
    assert!(holds[1].ends_with("is still named by a post, a release or a consent"), "{holds:?}");
    assert!(store.post(PostId(2)).await.unwrap().is_none());
    assert!(planted.files.blobs.read(&settled.blob.sha256).await.is_ok());

    let cancel = |mailing: &mut Mailing, _: &mut Batch| {
        mailing.stage = Stage::Cancelled { frozen: None, at: minute(101), by: "anna".to_owned() };
        Ok::<(), StoreError>(())
    };
    store.update_mailing(MailingId(2), cancel).await.unwrap();
    assert_eq!(planted.eraser().work(minute(102)).await.unwrap().done, 1);
    assert_eq!(planted.files.blobs.size(&settled.blob.sha256).await.unwrap(), None);
}
