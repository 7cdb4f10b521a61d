//! Sample mailings, lists and subscribers.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use depesch::base::clock::Timestamp;
use depesch::base::id::{ListName, MailingId, ReleaseId, SubscriberId};
use depesch::base::language::Language;
use depesch::model::consent::ConsentSource;
use depesch::model::ledger::{self, Cause, Delivery, DeliveryState, Tally};
use depesch::model::list::{Joining, List, ListKind, Privacy};
use depesch::model::mailing::{
    AudienceQuery, Frozen, Mailing, MailingContent, MissedPolicy, Schedule, Stage, UncertainPolicy,
};
use depesch::model::reply::Reply;
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};
use depesch::store::ledger::{CHUNK_SIZE, put_chunk, put_delivery, put_tally};
use depesch::store::mailings::put_mailing;
use depesch::store::memory::MemoryEngine;
use depesch::store::subscribers;

/// An empty store in memory.
pub fn store() -> Store {
    Store::new(Arc::new(MemoryEngine::new()))
}

/// `minutes` minutes after 2026-11-21 09:00 UTC.
pub fn minute(minutes: i64) -> Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap() + chrono::Duration::minutes(minutes)
}

/// A mailing to the list `media`, due at `minute(60)` with ten minutes of grace.
pub fn mailing(id: u64, missed: MissedPolicy) -> Mailing {
    Mailing {
        id: MailingId(id),
        content: MailingContent::Release(ReleaseId(1)),
        audience: AudienceQuery { lists: ["media".parse().unwrap()].into(), ..AudienceQuery::default() },
        schedule: Schedule { at: minute(60), zone: "Europe/Stockholm".into(), missed, grace_seconds: 600 },
        uncertain: UncertainPolicy::Resend,
        stage: Stage::Scheduled,
        pause: None,
        approval_required: false,
        approval: None,
        content_hash: "0123456789abcdef".into(),
        reopened: 0,
        created: minute(0),
        created_by: "anna".into(),
        created_uid: None,
        undo_seconds: 0,
        edits: Vec::new(),
        approvals_needed: 1,
        first_approval: None,
    }
}

/// Stores a new mailing.
pub async fn put(store: &Store, mailing: &Mailing) {
    let mut batch = Batch::new();
    put_mailing(&mut batch, mailing, None);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
}

/// Stores a mailing that is being sent to the subscribers 1 to `audience`, all still waiting.
pub async fn put_frozen(store: &Store, id: u64, audience: u32) -> Mailing {
    let mut m = mailing(id, MissedPolicy::Send);
    let chunks = audience.div_ceil(CHUNK_SIZE);
    m.stage = Stage::Sending(Frozen { at: minute(60), chunks, audience });
    let mut batch = Batch::new();
    for chunk in 0..chunks {
        let (from, to) = (chunk * CHUNK_SIZE + 1, ((chunk + 1) * CHUNK_SIZE).min(audience));
        let ids: Vec<SubscriberId> = (from..=to).map(|id| SubscriberId(u64::from(id))).collect();
        put_chunk(&mut batch, m.id, chunk, &ids);
    }
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    put(store, &m).await;
    m
}

/// Stores a mailing of a release to the subscribers from 1 on, accepted or failed for each of them.
pub async fn put_sent(store: &Store, id: u64, release: ReleaseId, reached: &[bool]) {
    let mut sent = mailing(id, MissedPolicy::Send);
    sent.content = MailingContent::Release(release);
    sent.stage = Stage::Sending(Frozen { at: minute(60), chunks: 1, audience: reached.len() as u32 });
    let mut batch = Batch::new();
    let ids: Vec<SubscriberId> = (1..=reached.len() as u64).map(SubscriberId).collect();
    put_chunk(&mut batch, sent.id, 0, &ids);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    put(store, &sent).await;
    let state = |reached: &bool| if *reached { accepted() } else { failed(550, "5.1.1 no such user") };
    settle(store, &sent, reached.iter().map(state).collect()).await;
}

/// A list.
pub fn list(name: &str) -> List {
    List {
        name: name.parse().unwrap(),
        title: name.to_owned(),
        address: format!("{name}@lists.example.org").parse().unwrap(),
        kind: ListKind::Announce,
        joining: Joining::Confirmed,
        owner: "press@example.org".parse().unwrap(),
        language: Language::swedish(),
        privacy: Privacy::Ordinary,
        approval: false,
        approvals: 1,
        test_mail: Default::default(),
        posting: Default::default(),
        created: minute(0),
    }
}

/// Stores a subscriber `s{id}` with the address `reader{id}@example.com`, active on `lists`.
pub async fn put_subscriber(store: &Store, id: u64, lists: &[&str], edit: impl FnOnce(&mut Subscriber)) -> Subscriber {
    let mut subscriber = Subscriber {
        id: SubscriberId(id),
        address: format!("reader{id}@example.com").parse().unwrap(),
        name: Some(format!("Reader {id}")),
        language: Language::swedish(),
        organisation: None,
        beats: Default::default(),
        regions: Default::default(),
        attributes: Default::default(),
        subscriptions: Default::default(),
        created: minute(0),
        updated: minute(0),
    };
    for list in lists {
        let list: ListName = list.parse().unwrap();
        let source = ConsentSource::Operator { who: "anna".into() };
        subscriber.change(&list, SubscriptionState::Active, minute(0), source, String::new()).unwrap();
    }
    edit(&mut subscriber);
    let mut batch = Batch::new();
    subscribers::put_new(&mut batch, &subscriber);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    subscriber
}

/// Settles the first deliveries of a mailing; writes the tally of each complete chunk.
pub async fn settle(store: &Store, mailing: &Mailing, states: Vec<DeliveryState>) {
    let mut states = states.into_iter();
    for chunk in 0..mailing.frozen().unwrap().chunks {
        let (mut batch, mut tally, mut settled) = (Batch::new(), Tally::default(), true);
        for row in store.chunk_rows(mailing.id, chunk).await.unwrap() {
            let delivery = match states.next() {
                Some(state) => Delivery { state, attempts: 1, resent: 0 },
                None => Delivery::WAITING,
            };
            settled &= delivery.is_settled();
            tally.add(&delivery);
            if delivery != Delivery::WAITING {
                put_delivery(&mut batch, mailing.id, &row, &delivery);
            }
        }
        if settled {
            put_tally(&mut batch, mailing.id, chunk, &tally);
        }
        assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    }
}

/// The state accepted.
pub fn accepted() -> DeliveryState {
    DeliveryState::Accepted { at: minute(61), reply: Reply::new(250, "2.0.0 queued as 4A") }
}

/// The state failed, with this reply to RCPT.
pub fn failed(code: u16, text: &str) -> DeliveryState {
    let cause = Cause::Reply { stage: ledger::Stage::Recipient, reply: Reply::new(code, text) };
    DeliveryState::Failed { at: minute(61), cause }
}

/// The state uncertain.
pub fn uncertain() -> DeliveryState {
    DeliveryState::Uncertain { at: minute(61), cause: Cause::Stopped }
}

/// An operator in the form used in old records.
pub fn operator(name: &str) -> depesch::model::operator::Operator {
    depesch::model::operator::Operator { name: name.to_owned(), uid: None }
}
