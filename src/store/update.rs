//! Changing records without locks: read, change, commit with what was read as precondition, and repeat if another
//! writer was faster.

use std::future::Future;

use super::engine::{Batch, Commit};
use super::{CONFLICT_TRIES, Read, Store, StoreError};

/// What to do with a record that was read for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Write it in its current state, with the contents of the batch.
    Save,
    /// Write nothing.
    Leave,
}

/// The result of one attempt at a change of more than one record.
#[derive(Debug)]
pub(crate) enum Attempt<T> {
    /// Commit this batch; once it is applied, return this result.
    Commit(Batch, T),
    /// Write nothing; return this result.
    Leave(T),
}

/// A record that [`Store::update`] can change.
pub(crate) trait Changeable: Clone + PartialEq + Send + Sync {
    /// The record's id.
    type Id: Sync + ?Sized;

    /// Reads the record.
    fn read(store: &Store, id: &Self::Id) -> impl Future<Output = Result<Option<Read<Self>>, StoreError>> + Send;

    /// Writes `after` over what was read; returns the new stamp.
    fn put(batch: &mut Batch, before: &Read<Self>, after: &Self) -> super::engine::Value;
}

impl Store {
    /// Reads a record, changes it by `change`, and commits it together with what `change` puts into the batch, if the
    /// record is unchanged; otherwise calls `change` again. `None` if there is no such record.
    ///
    /// # Errors
    /// The error of `change`; [`StoreError::Contended`] after [`CONFLICT_TRIES`] conflicts.
    pub(crate) async fn update<R: Changeable, E: From<StoreError>>(
        &self,
        id: &R::Id,
        mut change: impl FnMut(&mut R, &mut Batch) -> Result<Change, E> + Send,
    ) -> Result<Option<Read<R>>, E> {
        for _ in 0..CONFLICT_TRIES {
            let Some(before) = R::read(self, id).await? else { return Ok(None) };
            let (mut after, mut batch) = (before.value.clone(), Batch::new());
            if change(&mut after, &mut batch)? == Change::Leave {
                return Ok(Some(before));
            }
            let stamp = R::put(&mut batch, &before, &after);
            if self.commit(batch).await? == Commit::Applied {
                return Ok(Some(Read { value: after, stamp }));
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Commits the batch that `attempt` returns; calls it again on a conflict. `attempt` must add everything it read as
    /// preconditions.
    ///
    /// # Errors
    /// The error of `attempt`; [`StoreError::Contended`] after [`CONFLICT_TRIES`] conflicts.
    pub(crate) async fn attempt<T, E: From<StoreError>, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<Attempt<T>, E>>,
    {
        for _ in 0..CONFLICT_TRIES {
            match attempt().await? {
                Attempt::Leave(done) => return Ok(done),
                Attempt::Commit(batch, done) => {
                    if self.commit(batch).await? == Commit::Applied {
                        return Ok(done);
                    }
                }
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::id::ListName;
    use crate::base::language::Language;
    use crate::model::list::{Joining, List, ListKind, Posting, Privacy};
    use crate::store::memory::MemoryEngine;

    fn store() -> (Store, ListName) {
        (Store::new(Arc::new(MemoryEngine::new())), "press".parse().unwrap())
    }

    fn list(name: &ListName) -> List {
        List {
            name: name.clone(),
            title: "Press".to_owned(),
            address: "press@example.org".parse().unwrap(),
            kind: ListKind::Announce,
            joining: Joining::Confirmed,
            owner: "anna@example.org".parse().unwrap(),
            language: Language::swedish(),
            privacy: Privacy::Ordinary,
            approval: false,
            approvals: 1,
            test_mail: Default::default(),
            posting: Posting::default(),
            created: Timestamp::from_timestamp_millis(1_795_000_000_000).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_change_meets_another_and_is_made_anew_on_what_that_left() {
        let (store, name) = store();
        assert!(store.create_list(&list(&name)).await.unwrap());
        let mut asked = 0;
        let other = store.clone();
        let changed = store
            .update::<List, StoreError>(&name, |list, batch| {
                asked += 1;
                if asked == 1 {
                    // The preconditions of this batch no longer hold.
                    crate::store::lists::put_new(batch, list);
                }
                list.title.push_str(" and more");
                Ok(Change::Save)
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!((asked, changed.value.title.ends_with("and more")), (2, true));
        let kept = other.list(&name).await.unwrap().unwrap();
        assert_eq!((&kept.value, &kept.stamp), (&changed.value, &changed.stamp));
    }

    #[tokio::test]
    async fn what_is_left_is_not_written_and_what_never_applies_ends() {
        let (store, name) = store();
        assert!(store.update::<List, StoreError>(&name, |_, _| Ok(Change::Save)).await.unwrap().is_none());
        store.create_list(&list(&name)).await.unwrap();
        let left = store.update::<List, StoreError>(&name, |list, _| {
            list.title.clear();
            Ok(Change::Leave)
        });
        assert_eq!(left.await.unwrap().unwrap().value, list(&name));
        let mut tries = 0;
        let never = store.attempt(|| {
            tries += 1;
            let mut batch = Batch::new();
            crate::store::lists::put_new(&mut batch, &list(&name));
            std::future::ready(Ok::<_, StoreError>(Attempt::Commit(batch, ())))
        });
        assert!(matches!(never.await, Err(StoreError::Contended(CONFLICT_TRIES))));
        assert_eq!(tries, CONFLICT_TRIES);
    }
}
