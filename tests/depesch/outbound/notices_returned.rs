//! A returned notice is reported and never forwarded again: a dead mailbox would otherwise get reports about itself for
//! ever.

use std::sync::Arc;

use depesch::base::id::NoticeId;
use depesch::composition::notices::Forwarded;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::{Effects, Handler, Item};
use depesch::model::inbound::InboundKind;
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Batch, Commit};

use crate::support::commands::triage;
use crate::support::mailings::list;
use crate::support::notices::World;

const QUESTION: &[u8] = b"From: kare@reader.example\r\nSubject: fraga\r\n\r\nHej, hur gor jag?\r\n";

/// Forwards a question to the list's owner; returns the notice and its envelope sender.
async fn forwarded(world: &World) -> (NoticeId, String) {
    assert!(world.store.create_list(&list("media")).await.unwrap());
    let (inbound, message) = world.take_in(Some("kare@reader.example"), QUESTION).await;
    let mut batch = Batch::new();
    let owner = "kansli@office.example".parse().unwrap();
    let done = world.notices.forward(&mut batch, &inbound, &message, &owner, Some(&list("media"))).await.unwrap();
    let Forwarded::As(id) = done else { panic!("no notice") };
    assert_eq!(world.store.commit(batch).await.unwrap(), Commit::Applied);
    let notice_worker = world.notice_worker();
    world.until_settled(id).await;
    notice_worker.drain().await;
    let sender = world.relay.carried.lock().unwrap()[0].0.reverse_path().to_owned();
    (id, sender)
}

/// Handles a message to `recipient` through triage and commits the effects.
async fn comes_in(world: &World, recipient: &str, bytes: &[u8]) -> Effects {
    let (inbound, message) = world.take_in(None, bytes).await;
    let directory = Directory::new(world.store.clone(), world.key.clone());
    let Resolved::Ours(destination) = directory.resolve(recipient).await.unwrap() else {
        panic!("{recipient} is not ours")
    };
    let blobs = Blobs::in_state_directory(&world.directory());
    let (store, clock) = (&world.store, &world.clock);
    let triage = triage(store, &blobs, clock, &world.key, &world.notices, Default::default());
    let item = Item { inbound, bytes: Arc::new(bytes.to_vec()), message, destination: Some(destination) };
    let effects = triage.handle(&item).await.unwrap();
    assert_eq!(world.store.commit(effects.batch.clone()).await.unwrap(), Commit::Applied);
    effects
}

fn report(action: &str, status: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.office.example\nSubject: Delivery status\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nYour message.\n\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.office.example\n\nFinal-Recipient: rfc822; kansli@office.example\nAction: {action}\n\
         Status: {status}\nDiagnostic-Code: smtp; 550 {status} <kansli@office.example>: no such user\n\n--b--\n"
    )
    .replace('\n', "\r\n")
    .into_bytes()
}

#[tokio::test]
async fn a_notice_that_comes_back_failed_and_is_not_forwarded() {
    let world = World::new();
    let (id, sender) = forwarded(&world).await;
    let effects = comes_in(&world, &sender, &report("failed", "5.1.1")).await;
    assert_eq!(effects.kind, InboundKind::Bounce);
    assert!(effects.note.contains(&id.to_string()) && !effects.note.contains('@'), "{}", effects.note);
    let notice = world.notice(id).await;
    assert_eq!(notice.state.word(), "failed");
    assert!(format!("{:?}", notice.cause()).contains("it came back"), "{:?}", notice.cause());
    assert_eq!(world.store.notices(None, 10).await.unwrap().len(), 1, "it was passed on to the dead mailbox");
    // A second report changes nothing; a person may have it retried, because the message is still in the spool.
    assert!(comes_in(&world, &sender, &report("failed", "5.1.1")).await.batch.is_empty());
    assert!(notice.reopen(world.clock.now()).is_some());
}

#[tokio::test]
async fn a_delay_is_not_a_failure() {
    let world = World::new();
    let (id, sender) = forwarded(&world).await;
    let effects = comes_in(&world, &sender, &report("delayed", "4.2.2")).await;
    assert!(effects.batch.is_empty());
    assert_eq!(world.notice(id).await.state.word(), "accepted");
}

#[tokio::test]
async fn what_a_person_writes_there_reaches_a_person() {
    let world = World::new();
    let (_, sender) = forwarded(&world).await;
    let effects = comes_in(&world, &sender, QUESTION).await;
    assert_eq!(effects.kind, InboundKind::Forwarded);
}

#[tokio::test]
async fn a_forged_sender_is_not_ours() {
    let world = World::new();
    let (_, sender) = forwarded(&world).await;
    let directory = Directory::new(world.store.clone(), world.key.clone());
    for forged in [sender.replacen("media-bounces+", "media-bounces+a", 1), sender.replace("+", "+z")] {
        assert!(matches!(directory.resolve(&forged).await.unwrap(), Resolved::No(_)), "{forged}");
    }
}
