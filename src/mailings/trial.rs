//! What is tried before a mailing is queued or edited: its lists, its content, whether it was tested, and the texts for each
//! kind of recipient in its audience (who has which fields).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::base::id::{ListName, ReleaseId, SubscriberId};
use crate::base::token::{self, to_hex};
use crate::composition::approved::{audience_hash, post_hash, tested_hash};
use crate::composition::event;
use crate::composition::message::{MessageSource, PrepareError, PreparedMailing};
use crate::model::list::{List, Privacy, TestMailRule};
use crate::model::mailing::{AudienceQuery, Mailing, MailingContent};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::{Read, Store};

use super::audience;
use super::queue_error::{Problem, QueueError};

/// Maximum number of problems reported.
const MOST_PROBLEMS: usize = 20;

/// What a trial found.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// The lists of its audience, as they were read: they decide whether approval is required.
    pub lists: Vec<Read<List>>,
    /// Number of subscribers it would go to now.
    pub audience: u64,
    /// Whether one of its lists is sensitive.
    pub sensitive: bool,
    /// Warnings for people.
    pub warnings: Vec<String>,
}

/// Tries everything that could fail later, and sets the mailing's content hash and whether it requires approval.
///
/// # Errors
/// [`QueueError`]: what would prevent it.
pub(crate) async fn try_mailing(
    store: &Store,
    messages: &dyn MessageSource,
    mailing: &mut Mailing,
) -> Result<Tried, QueueError> {
    mailing.audience = whole_audience(store, &mailing.audience).await?;
    let lists = named_lists(store, &mailing.audience).await?;
    must_be_there(store, mailing.content).await?;
    let approvals = lists.iter().filter(|list| list.value.approval).map(|list| list.value.approvals).max();
    mailing.approval_required = approvals.is_some();
    mailing.approvals_needed = approvals.unwrap_or(1);
    let prepared = messages.prepare(mailing).await?;
    mailing.content_hash = hash_of(store, prepared.as_ref(), mailing).await?;
    let mut warnings = Vec::new();
    if let MailingContent::Release(release) = mailing.content {
        must_be_tested(store, release, prepared.as_ref(), &lists).await?;
        warnings.extend(event::warnings(store, release).await?);
    }
    let audience = try_audience(store, prepared.as_ref(), mailing).await?;
    let sensitive = lists.iter().any(|list| list.value.privacy == Privacy::Sensitive);
    Ok(Tried { lists, audience, sensitive, warnings })
}

/// If a list requires it, a test mail of exactly this release and these templates must have been sent.
async fn must_be_tested(
    store: &Store,
    release: ReleaseId,
    prepared: &dyn PreparedMailing,
    lists: &[Read<List>],
) -> Result<(), QueueError> {
    let Some(list) = lists.iter().find(|list| list.value.test_mail == TestMailRule::Required) else { return Ok(()) };
    let bytes = store.release_bytes(release).await?.unwrap_or_default();
    match store.tested(&tested_hash(&bytes, &prepared.layout_hash())).await? {
        Some(_) => Ok(()),
        None => Err(QueueError::Untested { list: list.value.name.clone(), release }),
    }
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
///
/// # Errors
/// [`QueueError::NotReached`], or an error of the store.
pub(crate) async fn whole_audience(store: &Store, query: &AudienceQuery) -> Result<AudienceQuery, QueueError> {
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
