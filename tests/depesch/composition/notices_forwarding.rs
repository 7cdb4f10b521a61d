//! Forwarded messages arrive unchanged and never loop (RFC 5321 §6.3, RFC 5322 §3.6.6).

use depesch::base::id::NoticeId;
use depesch::base::token::Purpose;
use depesch::composition::notices::Forwarded;
use depesch::mail::incoming::Incoming;
use depesch::model::list::{List, Privacy};
use depesch::store::engine::{Batch, Commit};

use crate::support::mailings::list;
use crate::support::notices::{World, field};

const ODD: &[u8] = b"Received: from a by b; Mon, 23 Nov 2026 08:00:00 +0000\r\nFrom: =?iso-8859-1?q?K=E5re?= <kare@reader.example>\r\n\
    subject:   odd\r\n\tfolding \r\nX-Empty:\r\n\r\n.\r\n..\r\nFrom here\r\n\xe5\xe4\xf6 \x01\r\n\r\n";

async fn pass(world: &World, sender: Option<&str>, bytes: &[u8], list: Option<&List>) -> Forwarded {
    let (inbound, message) = world.take_in(sender, bytes).await;
    let mut batch = Batch::new();
    // A message is forwarded to one person once a day.
    let owner = match list.map(|list| list.name.as_str()) {
        Some("media" | "strejk") => "kansli@office.example".parse().unwrap(),
        Some(other) => format!("{other}@office.example").parse().unwrap(),
        None => "postmaster@office.example".parse().unwrap(),
    };
    let done = world.notices.forward(&mut batch, &inbound, &message, &owner, list).await.unwrap();
    assert_eq!(batch.is_empty(), done == Forwarded::Loop);
    assert_eq!(world.store.commit(batch).await.unwrap(), Commit::Applied);
    world.notices.notify();
    done
}

fn notice(done: Forwarded) -> NoticeId {
    match done {
        Forwarded::As(id) => id,
        other => panic!("{other:?}"),
    }
}

/// The last message that the relay received: its envelope sender and its bytes.
fn carried(world: &World) -> (String, Vec<u8>) {
    let carried = world.relay.carried.lock().unwrap();
    let (envelope, bytes) = carried.last().unwrap();
    (envelope.reverse_path().to_owned(), bytes.clone())
}

#[tokio::test]
async fn the_original_arrives_unchanged_below_the_added_fields() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    let id = notice(pass(&world, Some("kare@reader.example"), ODD, Some(&list("media"))).await);
    world.until_settled(id).await;
    let (sender, bytes) = carried(&world);
    let token = sender.strip_prefix("media-bounces+").unwrap().strip_suffix("@lists.example.org").unwrap();
    assert_eq!(world.key.verify(Purpose::Notice, token), Some(vec![id.0]));
    let added = bytes.len() - ODD.len();
    assert_eq!(&bytes[added..], ODD);
    let added = String::from_utf8(bytes[..added].to_vec()).unwrap();
    assert!(added.ends_with("\r\n") && !added.contains("\r\n\r\n"), "{added}");
    for name in ["Resent-From", "Resent-To", "Resent-Date", "Resent-Message-ID"] {
        assert!(added.contains(&format!("{name}: ")), "{name} is not in {added}");
    }
    assert!(added.contains("Resent-To: kansli@office.example"), "{added}");
    notice_worker.drain().await;
}

#[tokio::test]
async fn what_was_forwarded_before_is_not_forwarded_again() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    let media = list("media");
    let id = notice(pass(&world, Some("kare@reader.example"), ODD, Some(&media)).await);
    world.until_settled(id).await;
    let (_, bytes) = carried(&world);
    // The owner's mailbox sends everything back to the list.
    assert_eq!(pass(&world, Some("kansli@office.example"), &bytes, Some(&media)).await, Forwarded::Loop);
    let more = [b"Received: from x by y; now\r\nX-Loop: somebody else\r\n".as_slice(), &bytes].concat();
    assert_eq!(pass(&world, Some("kansli@office.example"), &more, Some(&media)).await, Forwarded::Loop);
    // Another list's owner may be a list of ours: that is not a loop yet.
    let board = notice(pass(&world, Some("kansli@office.example"), &bytes, Some(&list("styrelse"))).await);
    world.until_settled(board).await;
    let (_, twice) = carried(&world);
    for list in [media, list("styrelse")] {
        assert_eq!(pass(&world, Some("x@office.example"), &twice, Some(&list)).await, Forwarded::Loop);
    }
    notice_worker.drain().await;
}

#[tokio::test]
async fn the_mark_cannot_be_forged() {
    let world = World::new();
    let media = list("media");
    for mark in ["media@lists.example.org", "media", "", "0123456789abcdef"] {
        let forged = format!("X-Loop: {mark}\r\nFrom: kare@reader.example\r\n\r\nhej {mark}\r\n");
        notice(pass(&world, Some("kare@reader.example"), forged.as_bytes(), Some(&media)).await);
    }
}

#[tokio::test]
async fn mail_with_the_null_sender_is_forwarded_with_it() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    for list in [Some(&list("media")), None] {
        let id = notice(pass(&world, None, ODD, list).await);
        world.until_settled(id).await;
        assert_eq!(carried(&world).0, "");
    }
    let other = [ODD, b"x\r\n"].concat();
    let id = notice(pass(&world, Some("kare@reader.example"), &other, None).await);
    world.until_settled(id).await;
    assert_eq!(carried(&world).0, "postmaster@press.example");
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_sensitive_list_is_not_named() {
    let world = World::new();
    let notice_worker = world.notice_worker();
    let mut strike = list("strejk");
    (strike.privacy, strike.title) = (Privacy::Sensitive, "Strejkfonden".into());
    let id = notice(pass(&world, Some("kare@reader.example"), ODD, Some(&strike)).await);
    world.until_settled(id).await;
    let (sender, bytes) = carried(&world);
    let added = String::from_utf8(bytes[..bytes.len() - ODD.len()].to_vec()).unwrap();
    assert!(!format!("{sender}{added}").to_lowercase().contains("strejk"), "{sender} {added}");
    notice_worker.drain().await;
}

#[tokio::test]
async fn a_notice_whose_message_was_dropped_fails_with_a_reason() {
    let world = World::new();
    let (mut inbound, message) = world.take_in(Some("kare@reader.example"), ODD).await;
    inbound.place.segment += 7;
    let mut batch = Batch::new();
    let owner = "kansli@office.example".parse().unwrap();
    let done = world.notices.forward(&mut batch, &inbound, &message, &owner, Some(&list("media"))).await.unwrap();
    world.store.commit(batch).await.unwrap();
    let notice_worker = world.notice_worker();
    world.until_settled(notice(done)).await;
    let failed = world.notice(notice(done)).await;
    assert_eq!(failed.state.word(), "failed");
    assert!(format!("{:?}", failed.cause()).contains("dropped by age"), "{:?}", failed.cause());
    assert!(world.relay.given().is_empty());
    notice_worker.drain().await;
}

#[test]
fn a_forwarded_message_is_not_a_command() {
    let marked = [b"X-Loop: x\r\n".as_slice(), ODD].concat();
    assert!(!Incoming::parse(&marked).unwrap().may_be_answered());
    assert_eq!(field(&marked, "X-Loop").as_deref(), Some("x"));
}
