//! Changing records without locks: read, change, commit on what was read, and again when another writer was faster.

use std::future::Future;

use super::engine::{Batch, Commit};
use super::{CONFLICT_TRIES, Read, Store, StoreError};

/// What is to become of a record that was read for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write it as it is now, with what was put into the batch.
    Save,
    /// Nothing is to be written.
    Leave,
}

/// One attempt at a change that needs more than one record.
#[derive(Debug)]
pub enum Attempt<T> {
    /// Commit this; once it is applied, the result is this.
    Commit(Batch, T),
    /// Nothing is to be written; the result is this.
    Leave(T),
}

/// A record that [`Store::update`] can change.
pub trait Changeable: Clone + PartialEq + Send + Sync {
    /// What it is found by.
    type Id: Sync + ?Sized;

    /// Reads it.
    fn read(store: &Store, id: &Self::Id) -> impl Future<Output = Result<Option<Read<Self>>, StoreError>> + Send;

    /// Writes `after` over what was read; gives the new stamp.
    fn put(batch: &mut Batch, before: &Read<Self>, after: &Self) -> super::engine::Value;
}

impl Store {
    /// Reads a record, changes it by `change`, and commits it on what was read together with what `change` puts into the
    /// batch; asks `change` again when another writer changed it meanwhile. `None` when there is no such record.
    ///
    /// # Errors
    /// What `change` says; [`StoreError::Contended`] after [`CONFLICT_TRIES`] conflicts.
    pub async fn update<R: Changeable, E: From<StoreError>>(
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

    /// Asks `attempt` for a batch and commits it; again when something that the batch demands was changed meanwhile.
    /// `attempt` must demand in its batch all that it read.
    ///
    /// # Errors
    /// What `attempt` says; [`StoreError::Contended`] after [`CONFLICT_TRIES`] conflicts.
    pub async fn attempt<T, E: From<StoreError>, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, E>
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
                    // What this batch demands is no longer so.
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
