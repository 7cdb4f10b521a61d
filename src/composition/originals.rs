//! The earlier mails that a release refers to: a correction, withdrawal, update or follow-up is an answer to the mail
//! that each reader got, so that mail programs show both in one thread (RFC 5322 §3.6.4).

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::id::{ReleaseId, SubscriberId};
use crate::base::token::Key;
use crate::model::mailing::Mailing;
use crate::model::release::{Moment, Release};
use crate::store::{Store, StoreError, mailings};

use super::message_id::MessageIds;
use super::release::{LoadError, load};

/// Maximum number of earlier mailings; of more, the newest count.
const MOST: usize = 10;

/// The earlier mailings of the releases that a release refers to, and whom each of them reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Originals {
    /// Oldest first.
    mailings: Vec<Original>,
}

#[derive(Clone, Debug)]
struct Original {
    ids: MessageIds,
    /// Sorted.
    reached: Vec<SubscriberId>,
}

impl Originals {
    /// Those of `release`, which `mailing` sends; `domain` is the configured domain of Message-IDs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn of(
        store: &Store,
        key: &Key,
        domain: Option<&str>,
        release: &Release,
        mailing: &Mailing,
    ) -> Result<Self, StoreError> {
        let mut earlier = Vec::new();
        for release in referred_to(store, release).await? {
            let mut pages = store.pages(mailings::of_release(release));
            while let Some(read) = pages.next().await? {
                earlier.extend(Some(read.value).filter(|one| one.frozen().is_some() && one.id < mailing.id));
            }
        }
        earlier.sort_by_key(|one| one.id);
        earlier.drain(..earlier.len().saturating_sub(MOST));
        let mut mailings = Vec::new();
        for one in &earlier {
            let ids = MessageIds::of(store, key, domain.map(str::to_owned), one).await?;
            mailings.push(Original { ids, reached: store.reached_by(one).await? });
        }
        Ok(Self { mailings })
    }

    /// The Message-IDs of the mails that reached a subscriber, oldest first, without angle brackets.
    pub(crate) fn sent_to(&self, subscriber: SubscriberId) -> Vec<String> {
        let reached = self.mailings.iter().filter(|one| one.reached.binary_search(&subscriber).is_ok());
        reached.map(|one| one.ids.to(subscriber)).collect()
    }
}

/// Names the releases that a release refers to by number for readers, who know headline and date and no number. What
/// the author wrote stays.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn name_related(store: &Store, release: &mut Release) -> Result<(), StoreError> {
    for relation in &mut release.relations {
        let Ok(id) = relation.to.parse::<ReleaseId>() else { continue };
        let related = match load(store, id).await {
            Ok(Some(related)) => related,
            Ok(None) | Err(LoadError::Unreadable { .. }) => continue,
            Err(LoadError::Store(error)) => return Err(error),
        };
        if relation.date.is_none() {
            relation.date = match related.release.published {
                Some(published) => Some(Moment { time: None, ..published }),
                None => first_sent(store, id).await?.map(|at| Moment::day_of(at, related.record.value.zone)),
            };
        }
        relation.title.get_or_insert(related.release.headline);
    }
    Ok(())
}

/// When a release was first sent.
async fn first_sent(store: &Store, release: ReleaseId) -> Result<Option<Timestamp>, StoreError> {
    let (mut pages, mut first) = (store.pages(mailings::of_release(release)), None);
    while let Some(read) = pages.next().await? {
        let sent = read.value.frozen().map(|frozen| frozen.at);
        first = [first, sent].into_iter().flatten().min();
    }
    Ok(first)
}

/// The releases that a release refers to, those that these refer to, and so on.
async fn referred_to(store: &Store, release: &Release) -> Result<BTreeSet<ReleaseId>, StoreError> {
    let mut found = BTreeSet::new();
    let mut open: Vec<ReleaseId> = release.continues().collect();
    while let Some(id) = open.pop() {
        if found.len() == MOST || !found.insert(id) {
            continue;
        }
        match load(store, id).await {
            Ok(Some(loaded)) => open.extend(loaded.release.continues()),
            Ok(None) | Err(LoadError::Unreadable { .. }) => {}
            Err(LoadError::Store(error)) => return Err(error),
        }
    }
    Ok(found)
}
