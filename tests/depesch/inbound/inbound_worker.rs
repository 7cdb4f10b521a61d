//! Incoming messages are handled once, in order per sender; a message that cannot be handled does not block others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use depesch::inbound::{Effects, HandleError};
use depesch::model::inbound::{InboundKind, InboundState};
use depesch::store::StoreError;
use depesch::store::engine::{Batch, Commit, EngineError, Key};
use depesch::store::for_tests::engine as engine_of;
use depesch::store::inbound::put_tries;
use depesch::store::memory::MemoryEngine;
use depesch::store::record::RecordError;

use crate::support::failing::{Count, FailingCommits, FailingEngine, Failure};
use crate::support::inbound::{MailIn, counts, noted};

fn effect() -> Key {
    Key(b"zeffect".to_vec())
}

/// Counts how often its effect was committed.
fn counting(store: &depesch::store::Store) -> Result<Effects, HandleError> {
    // A real handler awaits its reads; here one poll of a ready future stands for that.
    let before = futures_util::FutureExt::now_or_never(engine_of(store).get(&effect())).unwrap().unwrap();
    let count = before.as_ref().map_or(0, |bytes| bytes[0]);
    let mut effects = Effects::none(InboundKind::Command, "counted");
    effects.batch.expect_read(effect(), before);
    effects.batch.put(effect(), vec![count + 1]);
    Ok(effects)
}

async fn effects_of(mail: &MailIn) -> u8 {
    engine_of(&mail.store).get(&effect()).await.unwrap().map_or(0, |bytes| bytes[0])
}

#[tokio::test]
async fn effects_and_mark_are_one_commit_wherever_it_dies() {
    for failure in [Failure::Before, Failure::After] {
        for at in 0..6 {
            let disk = Arc::new(MemoryEngine::new());
            let first = MailIn::over(disk.clone()).await;
            let (one, two) = (first.note("eva@press.example", "a").await, first.note("bo@press.example", "b").await);
            let dying = first.reborn(FailingCommits::new(disk.clone(), at, failure));
            let (worker, _) = dying.worker(|_, store| counting(store));
            // It dies here: nothing that it would commit arrives.
            let steps = async {
                for _ in 0..200 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! { () = worker.run(std::future::pending()) => {}, () = steps => {} }
            let again = first.reborn(disk);
            let (worker, _) = again.worker(|_, store| counting(store));
            again.handle_all(&worker).await;
            assert_eq!(effects_of(&again).await, 2, "{failure:?} at commit {at}");
            let states = [again.state(one).await, again.state(two).await];
            assert_eq!(counts(states), [("handled", 2)].into(), "{failure:?} at commit {at}");
        }
    }
}

#[tokio::test]
async fn a_message_that_makes_its_handler_panic_stays_and_blocks_nothing() {
    let mail = MailIn::new().await;
    let poison = mail.note("eva@press.example", "poison").await;
    let after = mail.note("eva@press.example", "after").await;
    let (worker, _) = mail.worker(|subject, _| {
        assert_ne!(subject, "poison", "as the test wants it");
        noted()
    });
    mail.handle_all(&worker).await;
    let InboundState::Stuck { what, .. } = mail.state(poison).await else { panic!("it is gone") };
    assert!(what.contains("as the test wants it"), "{what}");
    assert!(matches!(mail.state(after).await, InboundState::Handled { .. }));
    let place = mail.store.inbound(poison).await.unwrap().unwrap().value.place;
    assert!(mail.spool.read(place).await.is_ok(), "the message itself is lost");
}

#[tokio::test]
async fn messages_of_one_sender_keep_their_order() {
    let mail = MailIn::new().await;
    for number in 0..40 {
        mail.note("eva@press.example", &format!("eva{number:02}")).await;
        mail.note(&format!("p{number}@press.example"), "other").await;
    }
    let (worker, handler) = mail.worker(|_, _| noted());
    mail.handle_all(&worker).await;
    let seen = handler.seen.lock().unwrap();
    let of_eva: Vec<&String> = seen.iter().filter(|subject| subject.starts_with("eva")).collect();
    assert_eq!(of_eva.len(), 40);
    assert!(of_eva.is_sorted(), "{of_eva:?}");
}

#[tokio::test]
async fn an_error_of_the_store_is_tried_again_and_drops_nothing() {
    let engine = Arc::new(FailingEngine::over(Arc::new(MemoryEngine::new())));
    let mail = MailIn::over(engine.clone()).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(mail.note(&format!("p{number}@press.example"), "x").await);
    }
    for nth in [1, 4, 9, 15, 16, 17, 30] {
        engine.fail_at(Count::All, nth, Failure::Before);
    }
    let (worker, _) = mail.worker(|_, store| counting_or_later(store));
    mail.handle_all(&worker).await;
    for id in ids {
        assert!(matches!(mail.state(id).await, InboundState::Handled { .. }));
    }
    assert_eq!(effects_of(&mail).await, 10);
}

fn counting_or_later(store: &depesch::store::Store) -> Result<Effects, HandleError> {
    let read = futures_util::FutureExt::now_or_never(engine_of(store).get(&effect())).unwrap();
    read.map_err(StoreError::from)?;
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| counting(store))) {
        Ok(effects) => effects,
        Err(_) => Err(StoreError::Engine(EngineError::Stopped("the second read failed".into())).into()),
    }
}

#[tokio::test]
async fn a_conflicting_change_is_read_and_decided_again() {
    let mail = MailIn::new().await;
    let id = mail.note("eva@press.example", "x").await;
    let rival = AtomicUsize::new(0);
    let (worker, handler) = mail.worker(move |_, store| {
        let effects = counting(store)?;
        if rival.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut batch = Batch::new();
            batch.put(effect(), vec![7]);
            let done = futures_util::FutureExt::now_or_never(engine_of(store).commit(batch)).unwrap().unwrap();
            assert_eq!(done, Commit::Applied);
        }
        Ok(effects)
    });
    mail.handle_all(&worker).await;
    assert_eq!(handler.seen.lock().unwrap().len(), 2);
    assert_eq!(effects_of(&mail).await, 8);
    assert!(matches!(mail.state(id).await, InboundState::Handled { .. }));
}

#[tokio::test]
async fn a_message_under_which_the_daemon_ended_twice_is_set_aside() {
    let mail = MailIn::new().await;
    let (deadly, other) = (mail.note("eva@press.example", "x").await, mail.note("bo@press.example", "y").await);
    let mut batch = Batch::new();
    put_tries(&mut batch, &mail.store.inbound(deadly).await.unwrap().unwrap(), 3);
    mail.store.commit(batch).await.unwrap();
    let (worker, handler) = mail.worker(|_, _| noted());
    mail.handle_all(&worker).await;
    assert!(matches!(mail.state(deadly).await, InboundState::Stuck { what, .. } if what.contains("ended twice")));
    assert!(matches!(mail.state(other).await, InboundState::Handled { .. }));
    assert_eq!(*handler.seen.lock().unwrap(), ["y"]);
}

#[tokio::test]
async fn each_start_counts_what_waits_from_before() {
    let mail = MailIn::new().await;
    let id = mail.note("eva@press.example", "x").await;
    let deadly = |_: &str, _: &depesch::store::Store| Err(StoreError::Contended(1).into());
    for tries in [1, 2, 3] {
        let (worker, _) = mail.worker(deadly);
        let steps = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { () = worker.run(std::future::pending()) => {}, () = steps => {} }
        assert_eq!(mail.store.inbound_tries(id).await.unwrap(), tries);
    }
}

#[tokio::test]
async fn a_flood_from_one_sender_delays_no_other() {
    let mail = MailIn::new().await;
    for number in 0..600 {
        mail.note("flood@press.example", &format!("flood{number}")).await;
    }
    let other = mail.note("bo@press.example", "other").await;
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let (seen, store) = (left.clone(), mail.store.clone());
    let (worker, _) = mail.worker(move |subject, _| {
        if subject == "other" {
            let waiting = futures_util::FutureExt::now_or_never(store.waiting_inbound(None, 1000)).unwrap().unwrap();
            seen.store(waiting.len(), Ordering::SeqCst);
        }
        noted()
    });
    mail.handle_all(&worker).await;
    assert!(matches!(mail.state(other).await, InboundState::Handled { .. }));
    assert!(left.load(Ordering::SeqCst) > 300, "it waited for the flood: {left:?} were left");
}

#[tokio::test]
async fn a_message_whose_effects_are_refused_is_set_aside() {
    let mail = MailIn::new().await;
    let (bad, after) = (mail.note("eva@press.example", "bad").await, mail.note("eva@press.example", "after").await);
    let damaged = || RecordError::Damaged { family: "list", reason: "as the test wants it".into() };
    let (worker, _) = mail.worker(move |subject, _| match subject {
        "bad" => Err(StoreError::Record(damaged()).into()),
        _ => noted(),
    });
    mail.handle_all(&worker).await;
    assert!(matches!(mail.state(bad).await, InboundState::Stuck { what, .. } if what.contains("as the test wants it")));
    assert!(matches!(mail.state(after).await, InboundState::Handled { .. }));
}
