//! Incoming messages over the control socket: masked, in order, and in their original bytes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use depesch::api::client::{Client, ClientError};
use depesch::api::inbound::{InboundPage, InboundView, MailIn};
use depesch::api::inject::{Injected, LARGEST};
use depesch::api::{ApiState, Services};
use depesch::base::clock::FakeClock;
use depesch::base::id::InboundId;
use depesch::base::token::Key;
use depesch::inbound::destination::Directory;
use depesch::inbound::ingest::SpoolIngest;
use depesch::model::inbound::InboundKind;
use depesch::model::list::{Joining, List, ListKind, Privacy};
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};
use depesch::store::inbound::{put_handled, put_stuck};
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolSettings};
use hyper::Method;

use crate::support::api::{TestApi, start_changed};
use crate::support::disk::FaultyDisk;

fn now() -> DateTime<Utc> {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

struct Office {
    test: TestApi,
    store: Store,
    disk: FaultyDisk,
    notifier: Notifier,
    ingest: Arc<SpoolIngest>,
    _directory: tempfile::TempDir,
}

async fn office() -> Office {
    let (directory, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let store = Store::new(Arc::new(MemoryEngine::new()));
    let list = List {
        name: "media".parse().unwrap(),
        title: "Media".into(),
        address: "media@lists.example.org".parse().unwrap(),
        kind: ListKind::Announce,
        joining: Joining::Confirmed,
        owner: "anna@example.org".parse().unwrap(),
        language: depesch::base::language::Language::swedish(),
        privacy: Privacy::Ordinary,
        approval: false,
        approvals: 1,
        test_mail: Default::default(),
        posting: Default::default(),
        created: now(),
    };
    assert!(store.create_list(&list).await.unwrap());
    let (clock, folder) = (Arc::new(FakeClock::at(now())), directory.path().join("spool"));
    let spool = Spool::open_on(Arc::new(disk.clone()), &folder, SpoolSettings::default(), clock).unwrap();
    let (notifier, book) = (Notifier::new(), Arc::new(Directory::new(store.clone(), Key::new([7; 32]))));
    let ingest = Arc::new(SpoolIngest::new(store.clone(), spool.clone(), notifier.clone(), book));
    let mail_in = MailIn { ingest: ingest.clone(), spool, notifier: notifier.clone(), listeners: None };
    let test = start_changed(store.clone(), |control| ApiState {
        services: Services { mail_in, ..control.services },
        ..control
    })
    .await;
    Office { test, store, disk, notifier, ingest, _directory: directory }
}

impl Office {
    async fn inject(&self, query: &str, bytes: &[u8]) -> Result<Injected, ClientError> {
        inject(&self.test.client, query, bytes.to_vec()).await
    }

    async fn page(&self, query: &str) -> InboundPage {
        self.test.client.get(format!("/v1/inbound{query}").as_str()).await.unwrap()
    }

    async fn end(&self, id: &str, kind: Option<InboundKind>, words: &str) {
        let read = self.store.inbound(id.parse().unwrap()).await.unwrap().unwrap();
        let mut batch = Batch::new();
        match kind {
            Some(kind) => put_handled(&mut batch, &read, now(), kind, words),
            None => put_stuck(&mut batch, &read, now(), words),
        }
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
    }
}

async fn inject(client: &Client, query: &str, bytes: Vec<u8>) -> Result<Injected, ClientError> {
    let path = format!("/v1/inbound{query}");
    let answer = client.upload(Method::POST, path.as_str(), "message/rfc822", std::io::Cursor::new(bytes)).await?;
    answer.json().await
}

fn refusal(outcome: Result<Injected, ClientError>) -> (u16, String) {
    match outcome {
        Err(ClientError::Refused(refusal)) => (refusal.status, refusal.code),
        other => panic!("{other:?}"),
    }
}

const MESSAGE: &[u8] = b"From: Karin Ek <karin@example.net>\nTo: media@lists.example.org, x@example.net\n\
    Cc: Media-Owner@lists.example.org\nSubject: hej\n\nHej.\n";

#[tokio::test]
async fn incoming_mail_is_listed_newest_first_and_masked() {
    let office = office().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.extend(office.inject("?recipients=media@lists.example.org", MESSAGE).await.unwrap().ids);
    }
    office.end(&ids[1], Some(InboundKind::Command), "subscribed").await;
    office.end(&ids[2], None, "karin@example.net makes the parser stop").await;
    let page = office.page("?limit=2").await;
    let listed = |page: &InboundPage| page.messages.iter().map(|message| message.id.clone()).collect::<Vec<_>>();
    assert_eq!(listed(&page), [ids[4].clone(), ids[3].clone()]);
    let rest = office.page(&format!("?limit=5&before={}", page.next.unwrap())).await;
    assert_eq!(listed(&rest), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    assert_eq!(rest.next, None);
    let stuck = &rest.messages[0];
    assert_eq!((stuck.state.as_str(), stuck.note.as_str()), ("stuck", "k***@example.net makes the parser stop"));
    assert_eq!((stuck.sender.as_str(), stuck.recipient.as_str()), ("k***@example.net", "m***@lists.example.org"));
    let handled = &rest.messages[1];
    assert_eq!(
        (handled.state.as_str(), handled.kind.as_deref(), handled.since),
        ("handled", Some("command"), Some(now()))
    );
    assert_eq!(listed(&office.page("?state=stuck").await), [ids[2].clone()]);
    assert_eq!(listed(&office.page("?state=waiting").await), [ids[4].clone(), ids[3].clone(), ids[0].clone()]);
    let path = format!("/v1/inbound/{}?addresses=true", ids[2]);
    let shown: InboundView = office.test.client.get(path.as_str()).await.unwrap();
    assert_eq!((shown.sender.as_str(), shown.recipient.as_str()), ("karin@example.net", "media@lists.example.org"));
    assert_eq!((shown.via.as_str(), shown.at), ("file", now()));
}

#[tokio::test]
async fn a_message_is_returned_unchanged_and_damage_is_reported() {
    let office = office().await;
    let injected = office.inject("?recipients=media@lists.example.org", b"Subject: hej\n\nHej\xff\0.\n").await.unwrap();
    let path = format!("/v1/inbound/{}/raw", injected.ids[0]);
    let raw = office.test.client.download(path.as_str()).await.unwrap().bytes().await.unwrap();
    assert_eq!(raw, b"Subject: hej\r\n\r\nHej\xff\0.\r\n");
    let segments = office.test.control.services.mail_in.spool.segments().await.unwrap();
    let mut bytes = std::fs::read(&segments[0].path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&segments[0].path, bytes).unwrap();
    match office.test.client.download(path.as_str()).await.err().unwrap() {
        ClientError::Refused(refusal) => {
            assert!(refusal.status == 500 && refusal.message.contains("damaged"), "{refusal}")
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn only_stuck_messages_are_retried() {
    let office = office().await;
    let id = office.inject("?recipients=media@lists.example.org", MESSAGE).await.unwrap().ids.remove(0);
    let path = format!("/v1/inbound/{id}/retry");
    let retry = || office.test.client.post::<_, InboundView>(path.as_str(), &());
    assert!(matches!(retry().await, Err(ClientError::Refused(refusal)) if refusal.status == 409), "it waits already");
    office.end(&id, None, "a fault").await;
    assert!(office.store.waiting_inbound(None, 10).await.unwrap().is_empty());
    let woken = office.notifier.notified();
    assert_eq!(retry().await.unwrap().state, "waiting");
    woken.await;
    assert_eq!(office.store.waiting_inbound(None, 10).await.unwrap(), [id.parse::<InboundId>().unwrap()]);
    office.end(&id, Some(InboundKind::Notice), "").await;
    assert!(matches!(retry().await, Err(ClientError::Refused(refusal)) if refusal.status == 409), "it was handled");
    assert!(matches!(
        office.test.client.post::<_, InboundView>("/v1/inbound/i777/retry", &()).await,
        Err(ClientError::Refused(refusal)) if refusal.status == 404
    ));
}

#[tokio::test]
async fn the_envelope_is_as_given_or_from_the_message() {
    let office = office().await;
    let sender = async |injected: &Injected| {
        let read = office.store.inbound(injected.ids[0].parse().unwrap()).await.unwrap().unwrap();
        read.value.arrival.sender
    };
    let injected = office.inject("", MESSAGE).await.unwrap();
    assert_eq!(injected.recipients, ["media@lists.example.org", "Media-Owner@lists.example.org"], "ours only");
    assert_eq!(injected.ids.len(), 2);
    assert_eq!(sender(&injected).await.as_deref(), Some("karin@example.net"));
    let piped = [b"Return-Path: <>\nX-Original-To: media-bounces@lists.example.org\n", MESSAGE].concat();
    let injected = office.inject("", &piped).await.unwrap();
    assert_eq!(injected.recipients, ["media-bounces@lists.example.org"], "not once more to all whom it names");
    assert_eq!(sender(&injected).await, None);
    let injected = office.inject("?sender=%3Cy@example.net%3E", &piped).await.unwrap();
    assert_eq!(sender(&injected).await.as_deref(), Some("y@example.net"));
    let injected = office.inject("?sender=&recipients=media@lists.example.org", MESSAGE).await.unwrap();
    assert_eq!((sender(&injected).await, injected.recipients.len()), (None, 1));

    let before = office.store.scan_inbound(None, 100).await.unwrap().len();
    let mixed = office.inject("?recipients=media@lists.example.org,nobody@lists.example.org", MESSAGE).await;
    assert_eq!(refusal(mixed), (422, "no-such-recipient".to_owned()), "all of them or none");
    let foreign = office.inject("", b"To: x@example.net\n\nHej\n").await;
    assert_eq!(refusal(foreign), (422, "no-such-recipient".to_owned()));
    assert_eq!(refusal(office.inject("", b"").await), (422, "unusable-message".to_owned()));
    let circle = [&b"Received: a\n".repeat(101)[..], MESSAGE].concat();
    assert_eq!(refusal(office.inject("", &circle).await), (422, "unusable-message".to_owned()));
    assert_eq!(office.store.scan_inbound(None, 100).await.unwrap().len(), before, "nothing of it is kept");
}

#[tokio::test]
async fn mail_that_cannot_be_stored_now_is_refused_temporarily() {
    let office = office().await;
    let (query, message) = ("?recipients=media@lists.example.org", MESSAGE);
    office.disk.0.lock().unwrap().room = Some(10);
    assert_eq!(refusal(office.inject(query, message).await), (507, "full".to_owned()));
    office.disk.0.lock().unwrap().room = None;
    let whole = [MESSAGE, &vec![b'x'; LARGEST - MESSAGE.len()]].concat();
    assert_eq!(office.inject(query, &whole).await.unwrap().ids.len(), 1);
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(refusal(office.inject(query, &longer).await), (413, "too-large".to_owned()));
    office.ingest.close();
    assert_eq!(refusal(office.inject(query, message).await), (503, "later".to_owned()));
}
