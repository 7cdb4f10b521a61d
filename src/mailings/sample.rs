//! Previews from the store: a release, or a mailing, as one reader gets it, composed by the code that composes what is
//! sent.

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, ReleaseId};
use crate::composition::message::{MessageSource, PrepareError, Sample};
use crate::composition::release_messages::UNSENT;
use crate::composition::sample::{SampleReader, ShownTo};
use crate::model::mailing::{AudienceQuery, Mailing, MailingContent, MissedPolicy, Schedule};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::{Store, StoreError};

/// The reader whom a release is shown to.
#[derive(Clone, Debug)]
pub enum Reader {
    /// An invented one.
    Invented(SampleReader),
    /// A subscriber.
    Subscriber(Box<Subscriber>),
}

impl Reader {
    /// As what composes samples takes it.
    pub(crate) fn shown(&self) -> ShownTo<'_> {
        match self {
            Self::Invented(reader) => ShownTo::Invented(reader),
            Self::Subscriber(reader) => ShownTo::Subscriber(reader),
        }
    }
}

/// Why there is no preview or test mail.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The release does not exist.
    #[error("there is no release {0}")]
    NoRelease(ReleaseId),
    /// The list does not exist.
    #[error("there is no list {0}")]
    NoList(ListName),
    /// There are no lists, so that no mail has a sender.
    #[error("there are no lists yet, and each mail is sent by a list")]
    NoLists,
    /// There are several lists, and none was named.
    #[error("there are several lists ({})", names(.0))]
    WhichList(Vec<ListName>),
    /// The reader does not get mail from the list.
    #[error("{who} would not get it: the person is not active on {}", wanted(.list.as_ref()))]
    NotReader {
        /// The subscriber's number.
        who: String,
        /// The list, if one was named.
        list: Option<ListName>,
    },
    /// It cannot be composed.
    #[error("{0}")]
    Broken(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn names(lists: &[ListName]) -> String {
    lists.iter().map(ListName::as_str).collect::<Vec<_>>().join(", ")
}

fn wanted(list: Option<&ListName>) -> String {
    list.map_or("any list".to_owned(), |list| format!("list {list}"))
}

impl From<PrepareError> for SampleError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Broken(what) => Self::Broken(what),
            PrepareError::Store(error) => Self::Store(error),
        }
    }
}

/// Shows a release to a reader of `list`; without one, of the reader's first list, or of the first of all lists.
///
/// # Errors
/// [`SampleError`].
pub async fn show_release(
    store: &Store,
    messages: &dyn MessageSource,
    now: Timestamp,
    release: ReleaseId,
    (list, reader): (Option<&ListName>, &Reader),
) -> Result<Sample, SampleError> {
    if store.release(release).await?.is_none() {
        return Err(SampleError::NoRelease(release));
    }
    let list = match list_for(store, list, reader).await {
        Err(SampleError::WhichList(lists)) => lists.first().cloned().ok_or(SampleError::NoLists)?,
        list => list?,
    };
    show_mailing(messages, &unsent(release, list, now), reader).await
}

/// Shows a mailing to a reader.
///
/// # Errors
/// [`SampleError`].
pub async fn show_mailing(
    messages: &dyn MessageSource,
    mailing: &Mailing,
    reader: &Reader,
) -> Result<Sample, SampleError> {
    messages.prepare(mailing).await?.sample(reader.shown(), None).map_err(SampleError::Broken)
}

/// The list by which a reader gets a release: the one named, the first on which they are active, or the only one.
///
/// # Errors
/// [`SampleError`].
pub(crate) async fn list_for(
    store: &Store,
    named: Option<&ListName>,
    reader: &Reader,
) -> Result<ListName, SampleError> {
    if let Some(name) = named
        && store.list(name).await?.is_none()
    {
        return Err(SampleError::NoList(name.clone()));
    }
    match (named, reader) {
        (named, Reader::Subscriber(one)) => {
            let mut active = one.subscriptions.iter().filter(|(_, s)| s.state == SubscriptionState::Active);
            let found = active.find(|(name, _)| named.is_none_or(|named| *name == named));
            let none = || SampleError::NotReader { who: one.id.to_string(), list: named.cloned() };
            found.map(|(name, _)| name.clone()).ok_or_else(none)
        }
        (Some(named), Reader::Invented(_)) => Ok(named.clone()),
        (None, Reader::Invented(_)) => {
            let mut lists: Vec<ListName> = store.lists().await?.into_iter().map(|read| read.value.name).collect();
            match lists.len() {
                0 => Err(SampleError::NoLists),
                1 => Ok(lists.remove(0)),
                _ => Err(SampleError::WhichList(lists)),
            }
        }
    }
}

/// A mailing that is only shown or tested.
pub(crate) fn unsent(release: ReleaseId, list: ListName, now: Timestamp) -> Mailing {
    let audience = AudienceQuery { lists: [list].into(), ..AudienceQuery::default() };
    let schedule = Schedule { at: now, zone: "UTC".to_owned(), missed: MissedPolicy::Ask, grace_seconds: 0 };
    Mailing { id: UNSENT, ..Mailing::new(MailingContent::Release(release), audience, schedule, now) }
}
