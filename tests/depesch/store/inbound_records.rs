//! Records of incoming messages: they are read as they were written, and a changed one is never overwritten unnoticed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use depesch::base::id::InboundId;
use depesch::model::inbound::{Arrival, Inbound, InboundKind, InboundState, SpoolPlace, Via};
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};
use depesch::store::inbound::{InboundIds, delete, put_handled, put_new, put_stuck, put_waiting};
use depesch::store::memory::MemoryEngine;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_610_000 + 60 * minute, 0).unwrap()
}

fn store() -> Store {
    Store::new(Arc::new(MemoryEngine::new()))
}

fn inbound(id: InboundId) -> Inbound {
    let arrival = Arrival {
        at: at(0),
        via: Via::Lmtp,
        peer: Some("2001:db8::17".parse().unwrap()),
        helo: "mx.example.net".to_owned(),
        encrypted: true,
        sender: Some("Åsa.Öberg@example.net".to_owned()),
    };
    let place = SpoolPlace { segment: 1_793_610_000, offset: 4711, length: 815 };
    let recipient = "Press-Subscribe@lists.example.org".to_owned();
    Inbound { id, arrival, recipient, place, state: InboundState::Waiting }
}

async fn commit(store: &Store, write: impl FnOnce(&mut Batch)) -> Commit {
    let mut batch = Batch::new();
    write(&mut batch);
    store.commit(batch).await.unwrap()
}

/// This many records, with consecutive ids.
async fn with(store: &Store, count: u64) -> Vec<InboundId> {
    let ids: Vec<InboundId> = InboundIds::new(store.clone()).take(count).await.unwrap().collect();
    for id in &ids {
        assert_eq!(commit(store, |batch| put_new(batch, &inbound(*id))).await, Commit::Applied);
    }
    ids
}

#[tokio::test]
async fn a_record_goes_from_waiting_to_handled_or_stuck_and_back() {
    let store = store();
    let ids = with(&store, 3).await;
    assert_eq!(store.waiting_inbound(None, 10).await.unwrap(), ids);
    assert_eq!(store.waiting_inbound(Some(ids[0]), 1).await.unwrap(), [ids[1]]);
    let read = store.inbound(ids[0]).await.unwrap().unwrap();
    assert_eq!(read.value, inbound(ids[0]));
    let anonymous = Arrival { peer: None, sender: None, via: Via::File, ..inbound(ids[0]).arrival };
    let bounce = Inbound { arrival: anonymous, ..inbound(InboundId(900)) };
    commit(&store, |batch| put_new(batch, &bounce)).await;
    assert_eq!(store.inbound(bounce.id).await.unwrap().unwrap().value, bounce);

    let note = "soft bounce, 1 of 3";
    let handled = |batch: &mut Batch| put_handled(batch, &read, at(1), InboundKind::Bounce, note);
    assert_eq!(commit(&store, handled).await, Commit::Applied);
    assert!(matches!(commit(&store, handled).await, Commit::Conflict(_)), "once only");
    let state = store.inbound(ids[0]).await.unwrap().unwrap().value.state;
    assert_eq!(state, InboundState::Handled { at: at(1), kind: InboundKind::Bounce, note: note.to_owned() });

    let read = store.inbound(ids[1]).await.unwrap().unwrap();
    let what = "å".repeat(5000);
    assert_eq!(commit(&store, |batch| put_stuck(batch, &read, at(2), &what)).await, Commit::Applied);
    assert_eq!(store.waiting_inbound(None, 10).await.unwrap(), [ids[2], bounce.id]);
    let read = store.inbound(ids[1]).await.unwrap().unwrap();
    let InboundState::Stuck { what: kept, .. } = &read.value.state else { panic!("{:?}", read.value) };
    assert!(what.starts_with(kept.as_str()) && kept.len() == 4000);

    assert_eq!(commit(&store, |batch| put_waiting(batch, &read)).await, Commit::Applied);
    assert_eq!(store.waiting_inbound(None, 10).await.unwrap(), [ids[1], ids[2], bounce.id]);
    let read = store.inbound(ids[1]).await.unwrap().unwrap();
    assert_eq!(commit(&store, |batch| delete(batch, &read)).await, Commit::Applied);
    assert!(store.inbound(ids[1]).await.unwrap().is_none());
    assert_eq!(store.waiting_inbound(None, 10).await.unwrap(), [ids[2], bounce.id]);
    assert!(matches!(commit(&store, |batch| put_new(batch, &inbound(ids[2]))).await, Commit::Conflict(_)));
}

#[tokio::test]
async fn every_kind_and_state_is_read_back() {
    use InboundKind::*;
    let store = store();
    let kinds = [Command, Bounce, Complaint, AutoReply, Notice, Post, Decision, Rsvp, Forwarded, Loop];
    let ids = with(&store, kinds.len() as u64).await;
    for (id, kind) in ids.iter().zip(kinds) {
        let read = store.inbound(*id).await.unwrap().unwrap();
        commit(&store, |batch| put_handled(batch, &read, at(1), kind, "")).await;
        let read = store.inbound(*id).await.unwrap().unwrap();
        assert_eq!(read.value.state, InboundState::Handled { at: at(1), kind, note: String::new() });
    }
}

#[tokio::test]
async fn they_are_listed_from_both_ends_also_across_gaps() {
    let store = store();
    assert!(store.newest_inbound(None, 5).await.unwrap().is_empty());
    let ids = with(&store, 1000).await;
    for id in &ids[100..900] {
        let read = store.inbound(*id).await.unwrap().unwrap();
        commit(&store, |batch| delete(batch, &read)).await;
    }
    let kept: Vec<InboundId> = ids[..100].iter().chain(&ids[900..]).copied().collect();
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    loop {
        let page = store.scan_inbound(forward.last().copied(), 7).await.unwrap();
        forward.extend(page.iter().map(|read| read.value.id));
        if page.len() < 7 {
            break;
        }
    }
    loop {
        let page = store.newest_inbound(backward.last().copied(), 7).await.unwrap();
        backward.extend(page.iter().map(|read| read.value.id));
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(forward, kept);
    backward.reverse();
    assert_eq!(backward, kept);
}

#[tokio::test]
async fn ids_are_allocated_once_by_concurrent_callers() {
    let store = store();
    let givers = [InboundIds::new(store.clone()), InboundIds::new(store.clone())];
    let mut given = Vec::new();
    for count in [1, 255, 1, 300, 2, 256] {
        for giver in &givers {
            given.extend(giver.take(count).await.unwrap());
        }
    }
    let count = given.len();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), count);
    let kept: Vec<u64> = givers[0].take(3).await.unwrap().map(|id| id.0).collect();
    assert_eq!(kept, [kept[0], kept[0] + 1, kept[0] + 2]);
}
