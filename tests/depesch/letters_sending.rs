//! How letters go out: at once, again after a temporary refusal, never after a final one, with the null sender on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Duration;
use depesch::model::ledger::{Cause, Stage};
use depesch::model::letter::LetterState;
use depesch::model::reply::Reply;
use depesch::store::Read;
use depesch::store::engine::{Batch, Commit};
use depesch::store::for_tests::keys;
use depesch::store::letters::put_over;
use depesch::transport::{ConnectError, Envelope, Outcome, Transport};

use crate::support::letters::{Desk, field};
use crate::support::relay::{message, relay, sink};

fn refused(stage: Stage, code: u16) -> Outcome {
    Outcome::Refused { stage, reply: Reply::new(code, "as the test wants it") }
}

#[tokio::test]
async fn the_null_sender_is_written_as_it_must_be() {
    let sink = sink();
    let mut connection = relay(&sink).connect().await.unwrap();
    let envelope =
        Envelope { sender: None, recipient: "karin@reader.example".parse().unwrap(), envelope_id: "n1".into() };
    let outcome = connection.send(&envelope, &message("n1@press.example")).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    connection.close().await;
    assert_eq!(sink.record().messages()[0].sender, "");
}

#[tokio::test]
async fn a_letter_goes_out_when_its_batch_is_committed_and_not_before() {
    let desk = Desk::new();
    let postman = desk.postman();
    let first = desk.greet("karin").await;
    desk.until_settled(first).await;
    assert_eq!(desk.letter(first).await.state.word(), "accepted");
    let carried = desk.relay.carried.lock().unwrap().clone();
    let (envelope, octets) = &carried[0];
    assert_eq!((envelope.reverse_path(), envelope.recipient.as_str()), ("", "karin@reader.example"));
    assert!(field(octets, "Message-ID").unwrap().ends_with("@press.example>"));
    assert_eq!(postman.sent().accepted, 1);
    postman.drain().await;
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_and_a_final_one_is_not() {
    let desk = Desk::new();
    desk.relay.answer("later", [refused(Stage::Recipient, 450)]);
    desk.relay.answer("never", [refused(Stage::Recipient, 550)]);
    let postman = desk.postman();
    let (later, never) = (desk.greet("later").await, desk.greet("never").await);
    desk.until_settled(never).await;
    desk.until(|| async { desk.letter(later).await.cause().is_some() }).await;
    let LetterState::Failed { cause: Cause::Reply { stage: Stage::Recipient, reply }, .. } =
        desk.letter(never).await.state
    else {
        panic!("it did not fail with the reply")
    };
    assert_eq!(reply.code, 550);
    let due = desk.letter(later).await.due().unwrap();
    let wait = due - desk.clock.now();
    assert!((Duration::minutes(5)..=Duration::minutes(15)).contains(&wait), "{wait}");
    desk.clock.set(due);
    desk.until_settled(later).await;
    let letter = desk.letter(later).await;
    assert_eq!((letter.state.word(), letter.attempts, letter.resent), ("accepted", 2, 0));
    assert_eq!(desk.relay.given().iter().filter(|to| *to == "never").count(), 1);
    assert!(desk.store.letter_octets(never).await.unwrap().is_some(), "a person could not have it tried again");
    postman.drain().await;
}

#[tokio::test]
async fn a_failed_letter_is_sent_when_a_person_opens_it_again() {
    let desk = Desk::new();
    desk.relay.answer("karin", [refused(Stage::Recipient, 550)]);
    let postman = desk.postman();
    let id = desk.greet("karin").await;
    desk.until_settled(id).await;
    let read: Read<_> = desk.store.letter(id).await.unwrap().unwrap();
    let open = read.value.reopen(desk.clock.now()).unwrap();
    let mut batch = Batch::new();
    put_over(&mut batch, &read, &open);
    assert_eq!(desk.store.commit(batch).await.unwrap(), Commit::Applied);
    desk.letters.notify();
    desk.until(|| async { desk.letter(id).await.state.word() == "accepted" }).await;
    postman.drain().await;
}

#[tokio::test]
async fn a_lost_relay_holds_letters_back_and_loses_none() {
    let desk = Desk::new();
    let lost = || ConnectError::Unreachable("as the test wants it".into());
    desk.relay.connects.lock().unwrap().extend([lost(), lost(), lost()]);
    desk.relay.answer("p0", [Outcome::NotSent("broken".into()), Outcome::Unknown("broken late".into())]);
    let postman = desk.postman();
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(desk.greet(&format!("p{number}")).await);
    }
    desk.until(|| async { postman.trouble().is_some() }).await;
    for id in &ids {
        desk.until(|| {
            desk.clock.advance(Duration::seconds(1));
            async { desk.letter(*id).await.settled().is_some() }
        })
        .await;
        assert_eq!(desk.letter(*id).await.state.word(), "accepted");
    }
    assert_eq!(desk.letter(ids[0]).await.resent, 1, "what nobody knows of is shown when it is sent again");
    assert_eq!(postman.trouble(), None);
    postman.drain().await;
}

#[tokio::test]
async fn the_intent_is_on_disk_before_anything_is_sent() {
    let desk = Desk::new();
    let id = desk.greet("karin").await;
    let (store, seen) = (desk.store.clone(), Arc::new(AtomicBool::new(false)));
    let see = seen.clone();
    *desk.relay.witness.lock().unwrap() = Some(Box::new(move |_| {
        let (store, see) = (store.clone(), see.clone());
        Box::pin(async move {
            let letter = store.letter(id).await.unwrap().unwrap().value;
            see.store(letter.state.word() == "in-doubt" && letter.attempts == 1, Ordering::SeqCst);
        })
    }));
    let postman = desk.postman();
    desk.until_settled(id).await;
    assert!(seen.load(Ordering::SeqCst));
    *desk.relay.witness.lock().unwrap() = None;
    postman.drain().await;
}

#[tokio::test]
async fn a_drain_ends_what_is_under_way_and_begins_nothing_more() {
    let desk = Desk::new();
    let postman = desk.postman();
    let first = desk.greet("first").await;
    desk.until_settled(first).await;
    postman.drain().await;
    let second = desk.greet("second").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.letter(second).await.state.word(), "waiting");
    let postman = desk.postman();
    desk.until_settled(second).await;
    postman.drain().await;
}

#[tokio::test]
async fn a_damaged_letter_holds_back_no_other() {
    let desk = Desk::new();
    let (broken, whole) = (desk.greet("broken").await, desk.greet("whole").await);
    let mut batch = Batch::new();
    batch.put(keys::letter(broken), [1, 255, 255].as_slice());
    desk.store.commit(batch).await.unwrap();
    let postman = desk.postman();
    desk.until_settled(whole).await;
    assert_eq!(desk.relay.given(), ["whole"]);
    postman.drain().await;
}

#[tokio::test]
async fn letters_are_listed_the_newest_first() {
    let desk = Desk::new();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(desk.greet(&format!("p{number}")).await);
    }
    ids.reverse();
    let page: Vec<_> = desk.store.letters(None, 3).await.unwrap().iter().map(|read| read.value.id).collect();
    assert_eq!(page, ids[..3]);
    let rest: Vec<_> = desk.store.letters(Some(page[2]), 10).await.unwrap().iter().map(|read| read.value.id).collect();
    assert_eq!(rest, ids[3..]);
}
