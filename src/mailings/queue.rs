//! Queues mailings: every possible error is found now, not when the mailing is due.
//!
//! The release is prepared and a whole message is composed and read back; the audience is walked, and for each kind
//! of recipient in it the texts are rendered (`trial`). The same key twice queues once: the key is
//! written in the same commit as the mailing.

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::composition::message::MessageSource;
use crate::model::list::List;
use crate::model::mailing::{AudienceQuery, Mailing, MailingContent, Schedule, UncertainPolicy};
use crate::model::operator::Operator;
use crate::store::engine::{Batch, Commit};
use crate::store::idempotency::{self, Answered};
use crate::store::mailings::{self, put_mailing};
use crate::store::{Read, Store, StoreError, lists};

use super::repeated::{must_have_no_other_version, must_not_repeat};
use super::trial::{Tried, try_mailing};

pub use super::queue_error::{Problem, QueueError};
pub(crate) use super::trial::whole_audience;

/// Seconds by which a requested time may be in the past: typing takes time.
const PAST_SECONDS: i64 = 120;
/// Number of attempts when lists change meanwhile.
const TRIES: u32 = 5;

/// A request to queue a mailing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is sent.
    pub content: MailingContent,
    /// The recipients.
    pub audience: AudienceQuery,
    /// When it is sent.
    pub schedule: Schedule,
    /// How deliveries left in doubt by a crash are handled.
    pub uncertain: UncertainPolicy,
    /// Who queues it.
    pub by: Operator,
    /// Seconds between "send now" and the first message, in which it can be cancelled or edited.
    pub undo_seconds: u32,
    /// Whether it may repeat what was queued before.
    pub again: bool,
}

/// Identifies a repeated order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The idempotency key from the client.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
}

/// The result of checking an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The mailing as it would be queued.
    pub mailing: Mailing,
    /// Number of subscribers it would go to now.
    pub audience: u64,
    /// Whether one of its lists is sensitive.
    pub sensitive: bool,
    /// Warnings for people.
    pub warnings: Vec<String>,
}

/// A queued mailing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The mailing.
    pub mailing: Mailing,
    /// The result of the check; `None` for a repeated order, which is not checked again.
    pub checked: Option<Checked>,
}

/// Checks an order without queueing it. `now` is the reading of the clock with which the order's time was
/// interpreted.
///
/// # Errors
/// [`QueueError`]: what would prevent it.
pub async fn check(
    store: &Store,
    messages: &dyn MessageSource,
    now: Timestamp,
    order: &Order,
) -> Result<Checked, QueueError> {
    try_order(store, messages, now, order).await.map(|(checked, _)| checked)
}

/// Queues a mailing, once for each key. `now` is the reading of the clock with which the order's time was
/// interpreted: a clock jump between two readings would turn "at once" into a time years ahead. Notify the scheduler
/// afterwards.
///
/// # Errors
/// [`QueueError`]: nothing is queued; after a store error, repeat with the same key to find out.
pub async fn queue(
    store: &Store,
    messages: &dyn MessageSource,
    now: Timestamp,
    order: &Order,
    once: Option<&Once>,
) -> Result<Queued, QueueError> {
    for _ in 0..TRIES {
        if let Some(mailing) = repeated(store, once).await? {
            return Ok(Queued { mailing, checked: None });
        }
        let (mut checked, lists) = try_order(store, messages, now, order).await?;
        // Only what can be queued takes a number.
        checked.mailing.id = MailingId(store.allocate(mailings::COUNTER, 1).await?);
        let mut batch = Batch::new();
        if let Some(once) = once {
            let answered = Answered { request: once.request, mailing: checked.mailing.id, at: now };
            idempotency::put(&mut batch, &once.key, &answered);
        }
        // The lists must not have changed: they decide whether approval is required.
        lists.iter().for_each(|list| lists::expect(&mut batch, list));
        put_mailing(&mut batch, &checked.mailing, None);
        if store.commit(batch).await? == Commit::Applied {
            return Ok(Queued { mailing: checked.mailing.clone(), checked: Some(checked) });
        }
    }
    Err(StoreError::Contended(TRIES).into())
}

async fn repeated(store: &Store, once: Option<&Once>) -> Result<Option<Mailing>, QueueError> {
    let Some(once) = once else { return Ok(None) };
    let Some(answered) = store.answered(&once.key).await? else { return Ok(None) };
    let answered = answered.value;
    if answered.request != once.request {
        return Err(QueueError::OtherOrder(answered.mailing));
    }
    Ok(store.mailing(answered.mailing).await?.map(|read| read.value))
}

async fn try_order(
    store: &Store,
    messages: &dyn MessageSource,
    now: Timestamp,
    order: &Order,
) -> Result<(Checked, Vec<Read<List>>), QueueError> {
    if order.schedule.at < now - chrono::Duration::seconds(PAST_SECONDS) {
        return Err(QueueError::Past(order.schedule.at));
    }
    let at_once = order.schedule.at <= now;
    let mut mailing = Mailing {
        uncertain: order.uncertain,
        created_by: order.by.name.clone(),
        created_uid: order.by.uid,
        ..Mailing::new(order.content, order.audience.clone(), order.schedule.clone(), now)
    };
    if at_once && order.undo_seconds > 0 {
        mailing.send_now(now, order.undo_seconds);
    }
    let Tried { lists, audience, sensitive, mut warnings } = try_mailing(store, messages, &mut mailing).await?;
    if !order.again {
        must_not_repeat(store, &mailing).await?;
        must_have_no_other_version(store, &mailing).await?;
    }
    if audience == 0 {
        if at_once {
            return Err(QueueError::EmptyAudience);
        }
        warnings.insert(0, "this audience is empty now; it is determined again when the mailing is sent".to_owned());
    }
    Ok((Checked { mailing, audience, sensitive, warnings }, lists))
}
