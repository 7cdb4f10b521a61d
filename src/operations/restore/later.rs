//! What people did after the restored time, according to a later backup.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::model::subscriber::{Subscription, SubscriptionState};
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::privacy::erasure::{Eraser, ErasureMark, erase_marked, erasure_marks};
use crate::store::backup::BackupError;
use crate::store::backup::people::read_people;
use crate::store::backup::point::Point;
use crate::store::backup::repository::Repository;
use crate::store::engine::Batch;
use crate::store::suppressions::{self, AddressHash};
use crate::store::{Attempt, Store, StoreError};
use crate::subscribers::profile::PersonError;

/// Number of records processed together.
const PAGE: usize = 500;

/// People's actions up to a later backup that a restore must not undo.
pub(crate) struct Later {
    /// Its suppressions and counters.
    kept: Store,
    left: BTreeMap<SubscriberId, Left>,
}

/// Subscriptions that were ended or paused.
struct Left {
    created: Timestamp,
    subscriptions: BTreeMap<ListName, Subscription>,
}

/// What was applied again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoneAgain {
    /// Number of addresses suppressed after the backup.
    pub suppressed: u64,
    /// Number of subscriptions ended or paused.
    pub left: u64,
    /// Number of people erased.
    pub erased: u64,
}

impl Later {
    /// Reads the actions from a backup. Blocks.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn read(repository: &Repository, newest: &Point) -> Result<Self, BackupError> {
        let mut left = BTreeMap::new();
        let kept = read_people(newest, repository, &mut |subscriber| {
            let (id, created) = (subscriber.id, subscriber.created);
            let is_left = |s: &Subscription| matches!(s.state, SubscriptionState::Ended | SubscriptionState::Paused);
            let subscriptions: BTreeMap<_, _> =
                subscriber.subscriptions.into_iter().filter(|(_, s)| is_left(s)).collect();
            if !subscriptions.is_empty() {
                left.insert(id, Left { created, subscriptions });
            }
        })?;
        Ok(Self { kept, left })
    }

    /// Its suppressions and counters.
    pub(crate) fn kept(&self) -> &Store {
        &self.kept
    }

    /// Applies the actions in a restored store.
    ///
    /// # Errors
    /// [`PersonError`]: the store must not be used.
    pub(crate) async fn apply(&self, store: &Store) -> Result<DoneAgain, PersonError> {
        let mut done = DoneAgain::default();
        let mut after = None;
        loop {
            let page = self.kept.scan_suppressions(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (hash, suppression) in &page {
                done.suppressed += u64::from(self.suppress(store, hash, suppression).await?);
            }
        }
        let mut after = SubscriberId(0);
        loop {
            let page = store.scan_subscribers(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = last.value.id;
            for read in &page {
                done.left += self.leave(store, read.value.id).await?;
            }
        }
    }

    /// Erases people again, from records, mail and files. Pending work in the restored store must be held by then.
    /// Returns how many.
    ///
    /// # Errors
    /// [`PersonError`]: the store must not be used.
    pub(crate) async fn erase(&self, eraser: &Eraser, now: Timestamp) -> Result<u64, PersonError> {
        let mut marks = erasure_marks(&self.kept).await?;
        // From a version without stored erasure marks.
        let mut after = None;
        loop {
            let page = self.kept.scan_suppressions(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            let erased = page.iter().filter(|(_, suppression)| suppression.reason == SuppressionReason::Erased);
            marks.extend(erased.map(|(hash, suppression)| ErasureMark { hash: *hash, at: suppression.since }));
        }
        Ok(erase_marked(eraser, &marks, now).await?.begun)
    }

    async fn suppress(&self, store: &Store, hash: &AddressHash, suppression: &Suppression) -> Result<bool, StoreError> {
        store
            .attempt(|| async move {
                if store.suppression(hash).await?.is_some() {
                    return Ok(Attempt::Leave(false));
                }
                let mut batch = Batch::new();
                suppressions::put(&mut batch, hash, None, suppression);
                Ok(Attempt::Commit(batch, true))
            })
            .await
    }

    async fn leave(&self, store: &Store, id: SubscriberId) -> Result<u64, StoreError> {
        let Some(left) = self.left.get(&id) else { return Ok(0) };
        let mut count = 0;
        store
            .change_subscriber(id, |subscriber| {
                count = 0;
                // The same number may be another person's if a store was restored before.
                if subscriber.created != left.created {
                    return Ok::<_, StoreError>(());
                }
                for (list, subscription) in &left.subscriptions {
                    let now = subscriber.subscriptions.get(list).map(|own| own.state);
                    if now.is_some_and(|now| now != subscription.state && now != SubscriptionState::Ended) {
                        subscriber.subscriptions.insert(list.clone(), subscription.clone());
                        count += 1;
                    }
                }
                Ok(())
            })
            .await?;
        Ok(count)
    }
}
