//! Checks and repairs the index tables: rows are compared with the records that they come from, in both directions.

use crate::base::id::{MailingId, SubscriberId};
use crate::model::mailing::{Mailing, Stage};

use super::engine::{Batch, Key};
use super::mailings::{self, ended_row, is_open};
use super::pages::{PAGE, Query};
use super::{Read, Store, StoreError, keys, member_rows, subscribers, upgrades};

/// Wrong rows collected at once, to be shown or repaired.
const MOST: usize = 10_000;

/// A row that does not match its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongRow {
    pub(in crate::store) key: Key,
    /// The correct value; `None` if the row must be absent.
    right: Option<Vec<u8>>,
}

impl Store {
    /// The first 10,000 index rows that do not match their records. Nothing may write meanwhile. Tables not built yet
    /// are skipped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wrong_rows(&self) -> Result<Vec<WrongRow>, StoreError> {
        let mut wrong = Vec::new();
        if self.is_upgraded(upgrades::PEOPLE).await? {
            let expected = self.missing_rows_of_people(&mut wrong).await?;
            if self.count_rows(keys::table(b'S')).await? + wrong.len() as u64 != expected {
                self.stray_rows_of_people(&mut wrong).await?;
            }
        }
        if self.is_upgraded(upgrades::MAILINGS).await? {
            self.wrong_rows_of_mailings(&mut wrong).await?;
        }
        wrong.truncate(MOST);
        Ok(wrong)
    }

    /// Rewrites all index rows that do not match their records; returns how many. Nothing else may write meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]: rows already rewritten stay so.
    pub async fn repair_rows(&self) -> Result<u64, StoreError> {
        let mut repaired = 0;
        loop {
            let wrong = self.wrong_rows().await?;
            for some in wrong.chunks(PAGE) {
                let mut batch = Batch::new();
                for WrongRow { key, right } in some.iter().cloned() {
                    match right {
                        Some(value) => batch.put(key, value),
                        None => batch.delete(key),
                    }
                }
                self.commit(batch).await?;
                repaired += some.len() as u64;
            }
            if wrong.len() < MOST {
                return Ok(repaired);
            }
        }
    }

    /// Collects rows that are missing or have another value; returns the number of rows expected.
    async fn missing_rows_of_people(&self, wrong: &mut Vec<WrongRow>) -> Result<u64, StoreError> {
        let (mut people, mut expected) = (self.pages(subscribers::all()), 0);
        while let Some(read) = readable(people.next().await)? {
            let Some(Read { value: person, .. }) = read else { continue };
            for (key, right) in member_rows::rows(&person) {
                expected += 1;
                if self.engine.get(&key).await?.as_deref() != Some(&right) && wrong.len() < MOST {
                    wrong.push(WrongRow { key, right: Some(right) });
                }
            }
        }
        Ok(expected)
    }

    async fn stray_rows_of_people(&self, wrong: &mut Vec<WrongRow>) -> Result<(), StoreError> {
        let mut rows = self.pages(Query::new(keys::table(b'S'), |key, _| Ok(key.clone())));
        while let Some(key) = rows.next().await? {
            let Some(id) = keys::last_number(&key).map(SubscriberId) else { continue };
            let person = match self.subscriber(id).await {
                // The record is unreadable, so the row cannot be checked.
                Err(StoreError::Record(_)) => continue,
                found => found?,
            };
            if person.is_none_or(|read| !member_rows::rows(&read.value).contains_key(&key)) && wrong.len() < MOST {
                wrong.push(WrongRow { key, right: None });
            }
        }
        Ok(())
    }

    async fn wrong_rows_of_mailings(&self, wrong: &mut Vec<WrongRow>) -> Result<(), StoreError> {
        let mut all = self.pages(mailings::all());
        while let Some(read) = readable(all.next().await)? {
            let Some(Read { value: mailing, .. }) = read else { continue };
            // For a cancelled mailing both are right: its ledger may be closed.
            let open = (is_open(&mailing) && !matches!(mailing.stage, Stage::Cancelled { .. }))
                .then(|| keys::open_mailing(mailing.id));
            let of = mailing.content.release().map(|release| keys::mailing_of(release, mailing.id));
            for key in open.into_iter().chain(of).chain(ended_row(&mailing)) {
                if self.engine.get(&key).await?.is_none() && wrong.len() < MOST {
                    wrong.push(WrongRow { key, right: Some(Vec::new()) });
                }
            }
        }
        let mut rows = self.pages(Query::new(keys::table(b'M'), |key, _| Ok(key.clone())));
        while let Some(key) = rows.next().await? {
            let Some(id) = keys::last_number(&key).map(MailingId) else { continue };
            let mailing = match self.mailing(id).await {
                Err(StoreError::Record(_)) => continue,
                found => found?,
            };
            let is_right = |read: Read<Mailing>| {
                let of = read.value.content.release().map(|release| keys::mailing_of(release, id));
                let is_open = key == keys::open_mailing(id) && is_open(&read.value);
                is_open || of.as_ref() == Some(&key) || ended_row(&read.value).as_ref() == Some(&key)
            };
            if !mailing.is_some_and(is_right) && wrong.len() < MOST {
                wrong.push(WrongRow { key: key.clone(), right: None });
            }
        }
        Ok(())
    }
}

/// Skips an unreadable record, which is reported as a finding of its own.
fn readable<T>(next: Result<Option<T>, StoreError>) -> Result<Option<Option<T>>, StoreError> {
    match next {
        Ok(found) => Ok(found.map(Some)),
        Err(StoreError::Record(_)) => Ok(Some(None)),
        Err(error) => Err(error),
    }
}
