//! Settled letters are dropped by age; what is still to be sent, and the mail it passes on, stays.

use chrono::Duration;
use depesch::composition::notices::PassedOn;
use depesch::model::inbound::InboundKind;
use depesch::privacy::retention::drop_mail;
use depesch::privacy::retention::notices::drop_letters;
use depesch::store::engine::{Batch, Commit};
use depesch::store::inbound::{put_handled, put_new};

use crate::support::letters::Desk;
use crate::support::mailings::list;

#[tokio::test]
async fn only_old_letters_that_are_settled_are_dropped() {
    let desk = Desk::new();
    let postman = desk.postman();
    let old = desk.greet("old").await;
    desk.until_settled(old).await;
    desk.clock.advance(Duration::days(91));
    let young = desk.greet("young").await;
    desk.until_settled(young).await;
    postman.drain().await;
    let waiting = desk.greet("waiting").await;
    desk.clock.advance(Duration::days(1));
    let now = desk.clock.now();
    assert_eq!(drop_letters(&desk.store, now, now - Duration::days(90)).await.unwrap(), 1);
    assert!(desk.store.letter(old).await.unwrap().is_none());
    assert!(desk.store.letter(young).await.unwrap().is_some());
    desk.clock.advance(Duration::days(365));
    let now = desk.clock.now();
    assert_eq!(drop_letters(&desk.store, now, now).await.unwrap(), 1);
    assert_eq!(desk.letter(waiting).await.state.word(), "waiting");
    assert!(desk.store.letter_octets(waiting).await.unwrap().is_some());
}

#[tokio::test]
async fn mail_that_a_letter_still_needs_outlives_its_age() {
    let desk = Desk::new();
    let octets = b"From: kare@reader.example\r\nSubject: hej\r\n\r\nhej\r\n";
    let (inbound, message) = desk.take_in(Some("kare@reader.example"), octets).await;
    let mut batch = Batch::new();
    put_new(&mut batch, &inbound);
    desk.store.commit(batch).await.unwrap();
    let read = desk.store.inbound(inbound.id).await.unwrap().unwrap();
    let mut batch = Batch::new();
    let owner = "kansli@office.example".parse().unwrap();
    let done = desk.letters.pass_on(&mut batch, &inbound, &message, &owner, Some(&list("media"))).await.unwrap();
    let PassedOn::As(letter) = done else { panic!("no letter") };
    put_handled(&mut batch, &read, desk.clock.now(), InboundKind::Forwarded, "passed on");
    assert_eq!(desk.store.commit(batch).await.unwrap(), Commit::Applied);

    // The spool's files carry the time of the machine, which is before this.
    let later: depesch::base::clock::Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(drop_mail(&desk.store, &desk.spool, later).await.unwrap().segments, 0);
    let postman = desk.postman();
    desk.until_settled(letter).await;
    postman.drain().await;
    assert!(desk.relay.carried.lock().unwrap()[0].1.ends_with(octets));
    assert_eq!(drop_mail(&desk.store, &desk.spool, later).await.unwrap().segments, 1);
}
