//! Upgrades a store written by an earlier version: builds missing index tables once, at the first start of a newer
//! version.
//!
//! Each upgrade has a name, and under it in the settings a note of its progress: it can be interrupted at any time and
//! continues from there. While one runs, nothing else may write what it reads.

use super::engine::{Batch, Key, KeyRange};
use super::pages::Query;
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys, mailings, member_rows, subscribers};

const FAMILY: &str = "note of an upgrade";

/// Rows written per commit at most.
const TOGETHER: usize = 2000;
/// Number of records between two progress messages in the log.
const LOGGED_EVERY: u64 = 100_000;

/// The index of open mailings, of the mailings of each release and of those that ended. Without the ends it had the
/// name `index of mailings`.
pub(super) const MAILINGS: &str = "index of mailings and their ends";
/// The index of the subscribers of each list.
pub(super) const PEOPLE: &str = "index of people";
/// The index of the words by which people were found, which is not used any more, is removed.
const WORDS: &str = "index of words removed";

impl Store {
    /// Builds the missing index tables. Run it before anything else reads or writes records.
    ///
    /// # Errors
    /// [`StoreError`]: run it again; it continues from its last commit.
    pub async fn upgrade(&self) -> Result<(), StoreError> {
        self.build((MAILINGS, b'M'), mailings::after, mailings::put_rows, |mailing| mailing.id.0).await?;
        self.build((PEOPLE, b'S'), subscribers::after, member_rows::put_new, |subscriber| subscriber.id.0).await?;
        if !self.is_upgraded(WORDS).await? {
            self.clear(keys::words_of_people()).await?;
            self.note_upgraded(WORDS).await?;
        }
        Ok(())
    }

    /// Writes the rows of all records after the last one noted; each commit notes the progress.
    async fn build<T>(
        &self,
        (name, table): (&'static str, u8),
        after: fn(u64) -> Query<Read<T>>,
        put: fn(&mut Batch, &T),
        id: fn(&T) -> u64,
    ) -> Result<(), StoreError> {
        let note = keys::setting(name);
        let last = match self.engine.get(&note).await?.as_deref() {
            Some([1]) => return Ok(()),
            Some([0, last @ ..]) => record::decode_counter(last)?,
            Some(_) => return Err(RecordError::Damaged { family: FAMILY, reason: name.to_owned() }.into()),
            None => {
                self.clear(keys::table(table)).await?;
                0
            }
        };
        let (mut records, mut batch, mut progress) = (self.pages(after(last)), Batch::new(), Progress::of(name));
        loop {
            let next = match records.next().await {
                // An unreadable record can be neither mailed nor shown; once readable, a check reports its missing
                // rows.
                Err(StoreError::Record(error)) => {
                    tracing::error!(table = name, %error, "a record cannot be read and gets no rows in an index table");
                    continue;
                }
                next => next?,
            };
            let Some(read) = next else {
                batch.put(note, vec![1]);
                self.commit(batch).await?;
                progress.end();
                return Ok(());
            };
            put(&mut batch, &read.value);
            progress.one();
            if batch.writes.len() >= TOGETHER {
                batch.put(note.clone(), [&[0][..], &id(&read.value).to_be_bytes()].concat());
                self.commit(std::mem::take(&mut batch)).await?;
            }
        }
    }

    /// Removes all rows of a table, before it is rebuilt or for good.
    async fn clear(&self, table: KeyRange) -> Result<(), StoreError> {
        loop {
            let rows = self.engine.scan(table.clone(), TOGETHER).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new();
            rows.into_iter().for_each(|(key, _)| batch.delete(key));
            self.commit(batch).await?;
        }
    }

    /// Makes the next start rebuild all index tables: after records were lost, rows may be wrong.
    ///
    /// # Errors
    /// [`StoreError`]: the tables may stay wrong; retry.
    pub async fn forget_tables(&self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        notes().into_iter().for_each(|note| batch.delete(note));
        self.commit(batch).await?;
        Ok(())
    }

    /// Whether the upgrade of this name is done.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "no".
    pub(crate) async fn is_upgraded(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.engine.get(&keys::setting(name)).await?.as_deref() == Some(&[1]))
    }

    /// Stores that the upgrade of this name is done.
    ///
    /// # Errors
    /// [`StoreError`]: the upgrade is repeated at the next start.
    pub(crate) async fn note_upgraded(&self, name: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(keys::setting(name), vec![1]);
        self.commit(batch).await?;
        Ok(())
    }
}

/// The setting keys that record which tables are built.
pub(super) fn notes() -> [Key; 2] {
    [keys::setting(MAILINGS), keys::setting(PEOPLE)]
}

/// Logs the progress of an index build.
struct Progress {
    what: &'static str,
    records: u64,
}

impl Progress {
    fn of(what: &'static str) -> Self {
        Self { what, records: 0 }
    }

    fn one(&mut self) {
        self.records += 1;
        if self.records.is_multiple_of(LOGGED_EVERY) {
            tracing::info!(table = self.what, records = self.records, "an index table is being built");
        }
    }

    fn end(self) {
        if self.records > 0 {
            tracing::info!(table = self.what, records = self.records, "an index table was built");
        }
    }
}
