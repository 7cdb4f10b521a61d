//! Invariant 6: mail with a null sender or sent by a program never gets a reply, and a person does not get the same
//! automatic reply twice a day (RFC 3834 §2, RFC 5321 §4.5.5).

use chrono::Duration;
use depesch::base::language::Language;
use depesch::composition::notices::{Draft, NoticeError, may_answer};
use depesch::mail::incoming::Incoming;
use depesch::store::engine::{Batch, Commit};

use crate::support::notices::{World, greeting};

const PERSON: &str = "karin@reader.example";

fn message(fields: &str) -> Incoming {
    Incoming::parse(format!("From: Karin <{PERSON}>\r\nSubject: subscribe\r\n{fields}\r\nsubscribe\r\n").as_bytes())
        .unwrap()
}

#[test]
fn a_person_is_answered() {
    assert!(may_answer(Some(PERSON), &message("")));
    assert!(may_answer(Some("karin.bouncer@reader.example"), &message("Auto-Submitted: no\r\n")));
    assert!(may_answer(Some("ownerson@reader.example"), &message("Precedence: first-class\r\n")));
    // It asks others to send nothing; it does not say who wrote the mail.
    assert!(may_answer(Some(PERSON), &message("X-Auto-Response-Suppress: All\r\n")));
}

#[test]
fn the_null_sender_and_what_is_no_address_is_not() {
    for sender in [None, Some(""), Some("<>"), Some("MAILER-DAEMON"), Some("a@b"), Some("a b@reader.example")] {
        assert!(!may_answer(sender, &message("")), "{sender:?}");
    }
}

#[test]
fn an_address_without_a_reader_gets_no_answer() {
    for local in [
        "MAILER-DAEMON",
        "mailer-daemon",
        "owner-media",
        "media-owner",
        "media-request",
        "media-bounces",
        "media-bounces+abc",
        "bounce-17-karin=reader.example",
        "bounces+17",
        "no-reply",
        "noreply+17",
        "newsletter-noreply",
        "listserv",
    ] {
        assert!(!may_answer(Some(&format!("{local}@reader.example")), &message("")), "{local}");
        let from = format!("From: {local}@reader.example\r\nSubject: x\r\n\r\nx\r\n");
        let from = Incoming::parse(from.as_bytes()).unwrap();
        assert!(!may_answer(Some(PERSON), &from), "From: {local}");
    }
}

#[test]
fn mail_marked_as_sent_by_a_program_is_not() {
    for field in [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; type=x",
        "auto-submitted: AUTO-NOTIFIED",
        "Precedence: bulk",
        "Precedence: junk",
        "Precedence: list",
        "List-Id: <a.lists.example.org>",
        "List-Unsubscribe: <mailto:a@lists.example.org>",
        "X-Loop: somebody",
        "X-Autoresponder: 1",
        "X-Mail-Autoreply: yes",
        "X-Autoreply: yes",
        "Return-Path: <>",
        "Content-Type: message/delivery-status",
        "Content-Type: message/disposition-notification",
        "Content-Type: message/feedback-report",
    ] {
        assert!(!may_answer(Some(PERSON), &message(&format!("{field}\r\n"))), "{field}");
    }
}

#[tokio::test]
async fn a_draft_is_refused_even_without_a_request() {
    let world = World::new();
    let (person, owner) = (PERSON.parse().unwrap(), "media-owner@lists.example.org".parse().unwrap());
    let language = Language::swedish();
    let (vacation, human) = (message("Auto-Submitted: auto-replied\r\n"), message(""));
    for (to, answers) in [(&person, &vacation), (&owner, &human)] {
        let mut batch = Batch::new();
        let draft = Draft { answers: Some(answers), ..greeting(to, &language) };
        let refused = world.notices.write(&mut batch, draft).await;
        assert!(matches!(refused, Err(NoticeError::NotToBeAnswered)), "{refused:?}");
        assert!(batch.is_empty());
    }
}

#[tokio::test]
async fn our_own_notices_would_not_be_answered() {
    let world = World::new();
    let (to, language) = (PERSON.parse().unwrap(), Language::swedish());
    let human = message("");
    for answers in [None, Some(&human)] {
        let mut batch = Batch::new();
        let draft = Draft { answers, ..greeting(&to, &language) };
        let id = world.notices.write(&mut batch, draft).await.unwrap();
        world.store.commit(batch).await.unwrap();
        let bytes = world.store.notice_bytes(id).await.unwrap().unwrap();
        assert!(!may_answer(Some(PERSON), &Incoming::parse(&bytes).unwrap()));
        assert_eq!(world.notice(id).await.sender, None, "an answer to it would have somewhere to go");
    }
}

#[tokio::test]
async fn the_same_reply_goes_to_an_address_once_a_day() {
    let world = World::new();
    let (karin, shouting) = (PERSON.parse().unwrap(), PERSON.to_uppercase().parse().unwrap());
    let other = "nils@reader.example".parse().unwrap();
    let ask = async |address, what| {
        let mut batch = Batch::new();
        let may = world.notices.once_a_day(&mut batch, address, what).await.unwrap();
        assert_eq!(world.store.commit(batch).await.unwrap(), Commit::Applied);
        may
    };
    assert!(ask(&karin, "help").await);
    assert!(!ask(&karin, "help").await);
    assert!(!ask(&shouting, "help").await, "the case of letters makes no other person");
    assert!(ask(&karin, "confirm media").await, "another kind is another reply");
    assert!(ask(&other, "help").await);
    world.clock.advance(Duration::days(1));
    assert!(ask(&karin, "help").await);
    assert!(!ask(&karin, "help").await);
}

#[tokio::test]
async fn two_at_the_same_moment_are_one() {
    let world = World::new();
    let karin = PERSON.parse().unwrap();
    let (mut one, mut two) = (Batch::new(), Batch::new());
    assert!(world.notices.once_a_day(&mut one, &karin, "help").await.unwrap());
    assert!(world.notices.once_a_day(&mut two, &karin, "help").await.unwrap());
    assert_eq!(world.store.commit(one).await.unwrap(), Commit::Applied);
    assert!(matches!(world.store.commit(two).await.unwrap(), Commit::Conflict(_)));
}

#[tokio::test]
async fn a_daily_limit_holds_and_old_counts_are_deleted() {
    let world = World::new();
    let karin = PERSON.parse().unwrap();
    let mut allowed = 0;
    for _ in 0..10 {
        let mut batch = Batch::new();
        allowed += u32::from(world.notices.at_most(&mut batch, &karin, "command", 4).await.unwrap());
        world.store.commit(batch).await.unwrap();
    }
    assert_eq!(allowed, 4);
    let today = depesch::composition::notices::day(world.clock.now());
    assert_eq!(world.store.forget_replies(today).await.unwrap(), 0, "today still counts");
    assert_eq!(world.store.forget_replies(today + 1).await.unwrap(), 1);
}
