//! `store check` finds a flipped bit in every kind of file and reports what it affects.
//!
//! Bits are flipped at positions spread over each file. In the index's own files many bytes belong to no record (freed
//! space, bookkeeping that sled can do without): there a flip is either found, or the records are compared and equal
//! those of the journal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use depesch::base::id::{InboundId, MailingId};
use depesch::model::inbound::InboundState;
use depesch::model::ledger::{Delivery, DeliveryState};
use depesch::store::check::{Check, check};
use depesch::store::embedded::Settings;
use depesch::store::embedded::survey::IndexState;
use depesch::store::engine::Batch;
use depesch::store::inbound;
use depesch::store::ledger::put_delivery;

use crate::support::mailings::{put_frozen, put_subscriber};
use crate::support::notices::inbound as message;
use crate::support::site::{Site, files};

/// A store after an orderly stop: journal before and after a checkpoint, two messages, an attachment.
async fn stopped() -> (tempfile::TempDir, BTreeMap<PathBuf, Vec<u8>>) {
    let site = Site::new();
    let store = site.store();
    for id in 1..=40 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    site.engine.checkpoint().await.unwrap();
    site.back_up().await;
    put_frozen(&store, 7, 30).await;
    for row in store.chunk_rows(MailingId(7), 0).await.unwrap().iter().take(5) {
        let mut batch = Batch::new();
        let state = DeliveryState::InDoubt { since: crate::support::mailings::minute(1) };
        put_delivery(&mut batch, MailingId(7), row, &Delivery { state, attempts: 1, resent: 0 });
        store.commit(batch).await.unwrap();
    }
    for (id, text) in [(12, "Subject: one\r\n\r\nOne.\r\n"), (13, "Subject: two\r\n\r\nTwo.\r\n")] {
        let place = site.mail(text).await;
        let mut batch = Batch::new();
        let came = depesch::model::inbound::Inbound { id: InboundId(id), ..message(None, place) };
        assert_eq!(came.state, InboundState::Waiting);
        inbound::put_new(&mut batch, &came);
        store.commit(batch).await.unwrap();
    }
    site.attach("a picture").await;
    let Site { directory, engine, spool, .. } = site;
    engine.close().unwrap();
    spool.close();
    let whole = files(&directory.path().join("state"));
    (directory, whole)
}

fn put_back(state: &Path, whole: &BTreeMap<PathBuf, Vec<u8>>) {
    std::fs::remove_dir_all(state).unwrap();
    for (name, bytes) in whole {
        std::fs::create_dir_all(state.join(name).parent().unwrap()).unwrap();
        std::fs::write(state.join(name), bytes).unwrap();
    }
}

async fn checked(state: &Path) -> Check {
    check(&state.join("store"), &Settings::default()).await.unwrap()
}

/// What is said of one flipped bit.
async fn flipped(state: &Path, whole: &BTreeMap<PathBuf, Vec<u8>>, name: &Path, at: usize) -> Check {
    put_back(state, whole);
    let mut bytes = whole[name].clone();
    bytes[at] ^= 1 << (at % 8);
    std::fs::write(state.join(name), bytes).unwrap();
    checked(state).await
}

fn kind(name: &Path) -> String {
    let parts: Vec<_> = name.iter().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    match parts[0].as_str() {
        "store" => parts[1].clone(),
        other => other.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_in_every_kind_of_file() {
    let (directory, whole) = stopped().await;
    let state = directory.path().join("state");
    let sound = checked(&state).await;
    assert!(sound.is_sound() && sound.findings.is_empty(), "{:?}", sound.findings);
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, bytes) in &whole {
        let kind = kind(name);
        if bytes.is_empty() || kind == "lock" {
            // The lock contains only a process number, for display.
            continue;
        }
        let count = if kind == "index" { 8 } else { 12 };
        for at in (0..bytes.len()).step_by((bytes.len() / count).max(1)).chain([bytes.len() - 1]) {
            let found = flipped(&state, &whole, name, at).await;
            let told = kinds.entry(kind.clone()).or_default();
            told.0 += 1;
            if kind == "index" && found.findings.is_empty() {
                let IndexState::Readable { mark, adds_up } = found.survey.index else { panic!("{name:?} at {at}") };
                assert!(adds_up && mark.sequence == sound.survey.last_group, "{name:?} at {at}");
                continue;
            }
            told.1 += 1;
            let index = Path::new("store/index");
            let is_told = found.findings.iter().any(|finding| {
                finding.path == state.join(name)
                    || (name.starts_with(index) && finding.path.starts_with(state.join(index)))
            });
            assert!(is_told, "{name:?} at {at}: {:?}", found.findings);
            let only_after_a_crash = found.findings.iter().all(|finding| finding.harmless);
            assert!(!found.is_sound() || only_after_a_crash, "{name:?} at {at}: {:?}", found.findings);
            // Only damage to an empty segment's header may be called harmless.
            assert!(!only_after_a_crash || bytes.len() == 60, "{name:?} at {at}: {:?}", found.findings);
        }
    }
    let names: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(names, ["backed-up", "blobs", "checkpoints", "clean", "index", "journal", "journal-head", "spool"]);
    for (kind, (tried, found)) in kinds {
        assert!(kind == "index" || tried == found, "{kind}: {found} of {tried}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_affected_records_are_named() {
    let (directory, whole) = stopped().await;
    let state = directory.path().join("state");
    let place = |folder: &str, bytes: &[u8]| {
        let mut all = whole.iter().filter(|(name, _)| name.starts_with(folder));
        all.find_map(|(name, all)| Some((name.clone(), all.windows(bytes.len()).position(|part| part == bytes)?)))
            .unwrap_or_else(|| panic!("{folder}"))
    };
    let hits = |found: &Check| found.findings.iter().flat_map(|finding| finding.hits.clone()).collect::<Vec<_>>();

    let delivery = [&b"d"[..], &7_u64.to_be_bytes(), &2_u32.to_be_bytes()].concat();
    let (name, at) = place("store/journal", &delivery);
    let found = flipped(&state, &whole, &name, at + delivery.len() + 1).await;
    assert!(hits(&found).contains(&"delivery of m7 to s3".to_owned()), "{:?}", found.findings);

    let (name, at) = place("spool", b"Two.");
    assert_eq!(hits(&flipped(&state, &whole, &name, at).await), ["message i13"]);
    let (name, at) = place("spool", b"One.");
    let found = flipped(&state, &whole, &name, at).await;
    assert_eq!(hits(&found), ["message i12"]);
    assert!(found.findings[0].part.is_some_and(|(from, to)| (from..to).contains(&(at as u64))));

    put_back(&state, &whole);
    std::fs::remove_file(state.join(&name)).unwrap();
    assert_eq!(hits(&checked(&state).await), ["message i12", "message i13"]);

    let (name, _) = place("store/checkpoints", b"depeschC");
    let found = flipped(&state, &whole, &name, 200).await;
    assert!(hits(&found)[0].starts_with("the copies of the records from the first to"), "{:?}", found.findings);
}
