//! Deliveries and bounces stay in the ledgers as anonymous numbers, because the counts must add up; of server
//! replies, the codes are kept and the texts are removed.

use crate::base::clock::Timestamp;
use crate::base::id::SubscriberId;
use crate::model::bounce::Bounce;
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::model::mailing::Mailing;
use crate::model::reply::Reply;
use crate::store::bounces::{delete_way, put_bounce};
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, StoreError, ledger, mailings};

use super::{Case, Cases};

/// Replaces a removed text.
pub(crate) const ERASED: &str = "(erased)";

/// Removes the texts from their deliveries and bounces.
pub(super) async fn sweep(store: &Store, cases: &mut Cases, now: Timestamp) -> Result<(), StoreError> {
    if cases.list.iter().all(|case| case.work.subscriber.is_none()) {
        return Ok(());
    }
    let mut mailings = store.pages(mailings::all());
    while let Some(mailing) = mailings.next().await? {
        for case in &mut cases.list {
            deliveries(store, &mailing.value, case, now).await?;
        }
    }
    for case in &mut cases.list {
        if let Some(subscriber) = case.work.subscriber
            && !bounces(store, subscriber).await?
        {
            case.holds.insert("what came back from them was changed meanwhile".to_owned());
        }
    }
    Ok(())
}

async fn deliveries(store: &Store, mailing: &Mailing, case: &mut Case, now: Timestamp) -> Result<(), StoreError> {
    let Some(subscriber) = case.work.subscriber else { return Ok(()) };
    let Some(row) = store.row_of(mailing, subscriber).await? else { return Ok(()) };
    let chunk = ledger::chunk_of(row.sequence);
    let lease = store.lease(mailing.id, chunk).await?;
    let busy = format!("mailing {} is being sent to a chunk that contains them", mailing.id);
    if lease.as_ref().is_some_and(|lease| lease.value.until > now) {
        // The holder of the lease may still write a server's reply. Afterwards the person is found to be gone, and
        // nothing is sent.
        case.holds.insert(busy);
        return Ok(());
    }
    let scrubbed = without_words(&row.delivery);
    if scrubbed == row.delivery {
        return Ok(());
    }
    let mut batch = Batch::new();
    ledger::expect_lease(&mut batch, mailing.id, chunk, lease.map(|lease| lease.stamp));
    ledger::put_delivery(&mut batch, mailing.id, &row, &scrubbed);
    if store.commit(batch).await? != Commit::Applied {
        case.holds.insert(busy);
    }
    Ok(())
}

async fn bounces(store: &Store, subscriber: SubscriberId) -> Result<bool, StoreError> {
    let mut batch = Batch::new();
    for bounce in store.bounces_of(subscriber).await? {
        let mailing = bounce.value.mailing;
        put_bounce(&mut batch, Some(bounce.stamp), &Bounce { evidence: String::new(), ..bounce.value });
        delete_way(&mut batch, subscriber, mailing);
    }
    Ok(batch.is_empty() || store.commit(batch).await? == Commit::Applied)
}

/// The delivery without texts by servers or programs: a reply keeps its code and enhanced status code (RFC 3463),
/// which identify no one.
pub(crate) fn without_words(delivery: &Delivery) -> Delivery {
    let mut delivery = delivery.clone();
    match &mut delivery.state {
        DeliveryState::Accepted { reply, .. } => *reply = code_only(reply),
        DeliveryState::Deferred { cause, .. }
        | DeliveryState::Failed { cause, .. }
        | DeliveryState::Uncertain { cause, .. } => match cause {
            Cause::Reply { reply, .. } => *reply = code_only(reply),
            Cause::Connection(text) | Cause::Message(text) => *text = ERASED.to_owned(),
            Cause::Stopped => {}
        },
        DeliveryState::Waiting
        | DeliveryState::InDoubt { .. }
        | DeliveryState::Suppressed { .. }
        | DeliveryState::Cancelled { .. } => {}
    }
    delivery
}

fn code_only(reply: &Reply) -> Reply {
    let first = reply.text.split_whitespace().next().unwrap_or_default();
    let is_status = first.split('.').count() == 3 && first.split('.').all(|part| part.parse::<u16>().is_ok());
    let text = if is_status { format!("{first} {ERASED}") } else { ERASED.to_owned() };
    Reply { code: reply.code, text }
}
