//! Queues mailings: every possible error is found now, not when the mailing is due.
//!
//! The release is prepared and a whole message is composed and read back; the audience is walked, and for each kind
//! of recipient in it (who has which fields) the texts are rendered. The same key twice queues once: the key is
//! written in the same commit as the mailing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::base::token::{self, to_hex};
use crate::composition::approved::{audience_hash, post_hash};
use crate::composition::event;
use crate::composition::message::{MessageSource, PrepareError, PreparedMailing};
use crate::model::list::{List, Privacy};
use crate::model::mailing::{AudienceQuery, Mailing, MailingContent, Schedule, Stage, UncertainPolicy};
use crate::model::operator::Operator;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::engine::{Batch, Commit};
use crate::store::idempotency::{self, Answered};
use crate::store::mailings::{self, put_mailing};
use crate::store::{Read, Store, StoreError, lists};

use super::audience;

/// Seconds by which a requested time may be in the past: typing takes time.
const PAST_SECONDS: i64 = 120;
/// Number of attempts when lists change meanwhile.
const TRIES: u32 = 5;
/// Maximum number of problems reported.
const MOST_PROBLEMS: usize = 20;

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

/// Recipients for whom no message can be composed, all for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One of them.
    pub subscriber: SubscriberId,
    /// Number of recipients with exactly the same fields.
    pub readers: u64,
    /// The reason.
    pub why: String,
}

/// Why a mailing is not queued. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No list was named.
    #[error("a mailing needs at least one list, or the earlier mailing whose recipients get it")]
    NoLists,
    /// The list does not exist.
    #[error("there is no list {0}")]
    NoList(ListName),
    /// The release does not exist.
    #[error("there is no release {0}")]
    NoRelease(ReleaseId),
    /// The post does not exist.
    #[error("there is no post {0}")]
    NoPost(PostId),
    /// The earlier mailing whose recipients are selected does not exist or has not been sent yet.
    #[error("mailing {id} has reached no one: {why}")]
    NotReached {
        /// Its id.
        id: MailingId,
        /// The reason.
        why: &'static str,
    },
    /// The time is in the past.
    #[error("{0} is past")]
    Past(Timestamp),
    /// It would go out at once, without recipients.
    #[error("this audience is empty, and the mailing would be sent at once")]
    EmptyAudience,
    /// The release cannot be sent.
    #[error("{0}")]
    Broken(String),
    /// For some recipients no message can be composed.
    #[error("no message can be composed for {} of the audience: {}", readers(.0), reasons(.0))]
    Unmakeable(Vec<Problem>),
    /// The key was used for another order.
    #[error("the idempotency key was already used for another order, mailing {0}")]
    OtherOrder(MailingId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PrepareError> for QueueError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Broken(what) => Self::Broken(what),
            PrepareError::Store(error) => Self::Store(error),
        }
    }
}

fn readers(problems: &[Problem]) -> u64 {
    problems.iter().map(|problem| problem.readers).sum()
}

fn reasons(problems: &[Problem]) -> String {
    let reason = |p: &Problem| format!("{} (such as {})", p.why, p.subscriber);
    problems.iter().map(reason).collect::<Vec<_>>().join("; ")
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
    // Number 0 is never a mailing's; links in the trial messages lead nowhere.
    try_order(store, messages, now, order, MailingId(0)).await.map(|(checked, _)| checked)
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
        let id = MailingId(store.allocate(mailings::COUNTER, 1).await?);
        let (checked, lists) = try_order(store, messages, now, order, id).await?;
        let mut batch = Batch::new();
        if let Some(once) = once {
            let answered = Answered { request: once.request, mailing: id, at: now };
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
    id: MailingId,
) -> Result<(Checked, Vec<Read<List>>), QueueError> {
    if order.schedule.at < now - chrono::Duration::seconds(PAST_SECONDS) {
        return Err(QueueError::Past(order.schedule.at));
    }
    let audience = whole_audience(store, &order.audience).await?;
    let lists = named_lists(store, &audience).await?;
    must_be_there(store, order.content).await?;
    let mut mailing = Mailing {
        id,
        content: order.content,
        audience,
        schedule: order.schedule.clone(),
        uncertain: order.uncertain,
        stage: Stage::Scheduled,
        pause: None,
        approval_required: lists.iter().any(|list| list.value.approval),
        approval: None,
        content_hash: String::new(),
        reopened: 0,
        created: now,
        created_by: order.by.name.clone(),
        created_uid: order.by.uid,
    };
    let prepared = messages.prepare(&mailing).await?;
    mailing.content_hash = hash_of(store, prepared.as_ref(), &mailing).await?;
    let audience = try_audience(store, prepared.as_ref(), &mailing).await?;
    let mut warnings = Vec::new();
    if audience == 0 {
        if order.schedule.at <= now {
            return Err(QueueError::EmptyAudience);
        }
        warnings.push("this audience is empty now; it is determined again when the mailing is sent".to_owned());
    }
    if let MailingContent::Release(release) = order.content {
        warnings.extend(event::warnings(store, release).await?);
    }
    let sensitive = lists.iter().any(|list| list.value.privacy == Privacy::Sensitive);
    Ok((Checked { mailing, audience, sensitive, warnings }, lists))
}

async fn named_lists(store: &Store, query: &AudienceQuery) -> Result<Vec<Read<List>>, QueueError> {
    if query.lists.is_empty() {
        return Err(QueueError::NoLists);
    }
    let mut lists = Vec::new();
    for name in &query.lists {
        lists.push(store.list(name).await?.ok_or_else(|| QueueError::NoList(name.clone()))?);
    }
    Ok(lists)
}

async fn must_be_there(store: &Store, content: MailingContent) -> Result<(), QueueError> {
    match content {
        MailingContent::Release(id) if store.release(id).await?.is_none() => Err(QueueError::NoRelease(id)),
        MailingContent::Post(id) if store.post(id).await?.is_none() => Err(QueueError::NoPost(id)),
        MailingContent::Release(_) | MailingContent::Post(_) => Ok(()),
    }
}

/// The audience with the lists that it is sent through: those of the earlier mailing, if only that is named.
async fn whole_audience(store: &Store, query: &AudienceQuery) -> Result<AudienceQuery, QueueError> {
    let mut query = query.clone();
    let Some(id) = query.reached_by else { return Ok(query) };
    let why = match store.mailing(id).await? {
        None => "there is no such mailing",
        Some(read) if read.value.frozen().is_none() => "it has not been sent",
        Some(read) => {
            if query.lists.is_empty() {
                query.lists = read.value.audience.lists;
            }
            return Ok(query);
        }
    };
    Err(QueueError::NotReached { id, why })
}

/// The hash that an approval is bound to: of the release, of the shared part of its messages, and of the audience.
///
/// # Errors
/// [`PrepareError`]: it cannot be computed.
pub(crate) async fn content_hash(
    store: &Store,
    messages: &dyn MessageSource,
    mailing: &Mailing,
) -> Result<String, PrepareError> {
    let prepared = messages.prepare(mailing).await?;
    hash_of(store, prepared.as_ref(), mailing).await
}

async fn hash_of(store: &Store, prepared: &dyn PreparedMailing, mailing: &Mailing) -> Result<String, PrepareError> {
    let id = match mailing.content {
        MailingContent::Release(id) => id,
        MailingContent::Post(id) => {
            let post = store.post(id).await?;
            let post = post.ok_or_else(|| PrepareError::Broken(format!("post {id} no longer exists")))?;
            return Ok(post_hash(&post.value.blob, &mailing.audience));
        }
    };
    let release = store.release_bytes(id).await?;
    let shared = prepared.content_hash().map_err(PrepareError::Broken)?;
    let mut bytes = token::content_hash(release.as_deref().unwrap_or_default()).to_vec();
    bytes.extend(token::content_hash(shared.as_bytes()));
    bytes.extend(audience_hash(&mailing.audience));
    Ok(to_hex(&token::content_hash(&bytes)))
}

/// Walks the audience and renders the texts once for each kind of recipient; returns the number of recipients.
async fn try_audience(store: &Store, prepared: &dyn PreparedMailing, mailing: &Mailing) -> Result<u64, QueueError> {
    // Maps the hash of a recipient's set of fields to the number of such recipients and the first one's problem.
    let mut kinds: HashMap<u64, (u64, Option<(SubscriberId, String)>)> = HashMap::new();
    let readers = audience::visit(store, &mailing.audience, |subscriber| {
        let kind = kinds
            .entry(kind_of(subscriber, &mailing.audience))
            .or_insert_with(|| (0, prepared.try_for(subscriber).err().map(|why| (subscriber.id, why))));
        kind.0 += 1;
    });
    let readers = readers.await?;
    let mut problems: Vec<Problem> = kinds
        .into_values()
        .filter_map(|(readers, problem)| problem.map(|(subscriber, why)| Problem { subscriber, readers, why }))
        .collect();
    problems.sort_by_key(|problem| (std::cmp::Reverse(problem.readers), problem.subscriber));
    problems.truncate(MOST_PROBLEMS);
    if problems.is_empty() { Ok(readers) } else { Err(QueueError::Unmakeable(problems)) }
}

/// A hash of the fields that a template can find present or missing for a recipient, and of the list that they are
/// addressed by.
fn kind_of(subscriber: &Subscriber, query: &AudienceQuery) -> u64 {
    let mut hasher = DefaultHasher::new();
    let active = |list: &&ListName| subscriber.state_on(list) == Some(SubscriptionState::Active);
    query.lists.iter().find(active).hash(&mut hasher);
    (subscriber.name.is_some(), subscriber.organisation.is_some()).hash(&mut hasher);
    subscriber.language.primary().hash(&mut hasher);
    subscriber.attributes.iter().for_each(|(name, value)| (name, value.is_empty()).hash(&mut hasher));
    hasher.finish()
}
