//! The ingest: 250 is replied only for what is durable, and a message is stored completely or not at all.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use depesch::base::clock::{FakeClock, Timestamp};
use depesch::base::id::InboundId;
use depesch::inbound::ingest::{AddressBook, SpoolIngest};
use depesch::inbound::recipients::{Ingest, IngestFuture, Recipient, Refusal};
use depesch::model::inbound::{Arrival, InboundState, Via};
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolSettings};

use crate::support::disk::FaultyDisk;
use crate::support::failing::{Count, FailingEngine, Failure};

struct OneList;

impl AddressBook for OneList {
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient> {
        let known = recipient.eq_ignore_ascii_case("press@lists.example.org");
        Box::pin(std::future::ready(if known { Recipient::Welcome } else { Recipient::Unknown }))
    }
}

fn now() -> Timestamp {
    "2026-11-02T09:00:00Z".parse().unwrap()
}

fn spool(disk: &FaultyDisk, directory: &Path) -> Spool {
    let clock = Arc::new(FakeClock::at(now()));
    Spool::open_on(Arc::new(disk.clone()), &directory.join("spool"), SpoolSettings::default(), clock).unwrap()
}

fn arrival() -> Arrival {
    let helo = "mx.example.net".to_owned();
    Arrival { at: now(), via: Via::Smtp, peer: None, helo, encrypted: false, sender: None }
}

fn recipients(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{name}@lists.example.org")).collect()
}

const MESSAGE: &[u8] = b"Received: from mx.example.net by lists.example.org\r\nSubject: hej\r\n\r\nHej.\r\n";

struct Hall {
    store: Store,
    engine: Arc<FailingEngine>,
    spool: Spool,
    disk: FaultyDisk,
    notifier: Notifier,
    ingest: SpoolIngest,
    _directory: tempfile::TempDir,
}

fn hall() -> Hall {
    let (directory, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let engine = Arc::new(FailingEngine::over(Arc::new(MemoryEngine::new())));
    let (store, spool, notifier) = (Store::new(engine.clone()), spool(&disk, directory.path()), Notifier::new());
    let ingest = SpoolIngest::new(store.clone(), spool.clone(), notifier.clone(), Arc::new(OneList));
    Hall { store, engine, spool, disk, notifier, ingest, _directory: directory }
}

impl Hall {
    async fn take(&self, names: &[&str]) -> Result<Vec<InboundId>, Refusal> {
        self.ingest.take(arrival(), recipients(names), MESSAGE.to_vec()).await
    }

    async fn kept(&self) -> usize {
        self.store.scan_inbound(None, 1000).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_message_is_kept_once_and_recorded_for_each_recipient() {
    let hall = hall();
    let woken = hall.notifier.notified();
    let ids = hall.take(&["press", "Press-Request"]).await.unwrap();
    woken.await;
    assert_eq!(hall.store.waiting_inbound(None, 10).await.unwrap(), ids);
    let mut places = Vec::new();
    for (id, name) in ids.iter().zip(["press", "Press-Request"]) {
        let record = hall.store.inbound(*id).await.unwrap().unwrap().value;
        assert_eq!((record.arrival, record.state), (arrival(), InboundState::Waiting));
        assert_eq!(record.recipient, format!("{name}@lists.example.org"));
        assert_eq!(hall.spool.read(record.place).await.unwrap(), MESSAGE);
        places.push(record.place);
    }
    assert_eq!(places[0], places[1]);
    assert!(hall.take(&[]).await.is_err(), "mail without recipients is not acknowledged");
    assert_eq!(hall.ingest.recipient("PRESS@lists.example.org").await, Recipient::Welcome);
    assert_eq!(hall.ingest.recipient("nobody@lists.example.org").await, Recipient::Unknown);
}

#[tokio::test]
async fn nothing_is_acknowledged_when_the_spool_fails() {
    let hall = hall();
    hall.disk.0.lock().unwrap().sync = Some(ErrorKind::Other);
    assert!(matches!(hall.take(&["press"]).await, Err(Refusal::Later(_))));
    hall.disk.0.lock().unwrap().write = Some(ErrorKind::Other);
    assert!(matches!(hall.take(&["press"]).await, Err(Refusal::Later(_))));
    hall.disk.0.lock().unwrap().room = Some(20);
    assert_eq!(hall.take(&["press"]).await, Err(Refusal::Full));
    hall.disk.0.lock().unwrap().room = None;
    assert_eq!(hall.kept().await, 0);
    hall.take(&["press"]).await.unwrap();
    assert_eq!(hall.kept().await, 1);
}

#[tokio::test]
async fn a_crash_between_spool_and_commit_leaves_only_an_orphan() {
    let hall = hall();
    // The first commit allocates ids, the second writes the records.
    for nth in [1, 2] {
        hall.engine.fail_at(Count::Commits, nth, Failure::Before);
        assert!(matches!(hall.take(&["press", "press-owner"]).await, Err(Refusal::Later(_))));
        assert_eq!(hall.kept().await, 0, "none of the recipients without the other");
    }
    let orphans = hall.spool.segments().await.unwrap()[0].bytes;
    assert!(orphans > 0);
    let ids = hall.take(&["press", "press-owner"]).await.unwrap();
    assert_eq!(hall.store.waiting_inbound(None, 10).await.unwrap(), ids);
    let place = hall.store.inbound(ids[0]).await.unwrap().unwrap().value.place;
    assert_eq!((place.offset, hall.spool.read(place).await.unwrap().as_slice()), (orphans, MESSAGE));
}

#[tokio::test]
async fn a_lost_answer_is_not_taken_for_an_acknowledgement() {
    let hall = hall();
    hall.take(&["press"]).await.unwrap();
    hall.engine.fail_at(Count::Commits, 1, Failure::After);
    assert!(matches!(hall.take(&["press"]).await, Err(Refusal::Later(_))));
    // The sender retries and the message is stored twice, as usual in mail (RFC 5321 §4.5.4.1), but never lost.
    hall.take(&["press"]).await.unwrap();
    assert_eq!(hall.kept().await, 3);
}

#[tokio::test]
async fn a_message_in_a_loop_is_refused() {
    let hall = hall();
    let with = |count: usize| [b"Received: from a by b\r\n".repeat(count).as_slice(), b"Subject: x\r\n\r\n"].concat();
    let take = |bytes| hall.ingest.take(arrival(), recipients(&["press"]), bytes);
    assert!(take(with(100)).await.is_ok());
    assert_eq!(take(with(101)).await, Err(Refusal::Loop));
    assert_eq!(hall.kept().await, 1);
}

#[tokio::test]
async fn a_closed_ingest_refuses_for_later() {
    let hall = hall();
    hall.ingest.close();
    assert!(matches!(hall.take(&["press"]).await, Err(Refusal::Later(_))));
    assert!(matches!(hall.ingest.recipient("press@lists.example.org").await, Recipient::Later(_)));
    assert_eq!(hall.kept().await, 0);
    let hall = self::hall();
    hall.spool.close();
    assert!(matches!(hall.take(&["press"]).await, Err(Refusal::Later(_))));
}
