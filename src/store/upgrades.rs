//! What a store written by an earlier version lacks: index tables, built once at the first start of a newer one.
//!
//! Each upgrade has a name, and under it in the settings a note of how far it came: it can be broken off at any moment and
//! goes on from there. While one runs nothing else may write what it reads.

use super::engine::{Batch, Key};
use super::pages::Query;
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys, mailings, person_rows, subscribers};

const FAMILY: &str = "note of an upgrade";

/// Rows written in one commit at most.
const TOGETHER: usize = 2000;
/// Records after which progress is logged.
const LOGGED_EVERY: u64 = 100_000;

/// The index of open mailings, and of the mailings of a release.
pub(super) const MAILINGS: &str = "index of mailings";
/// The index of the subscribers of a list, and of the words by which people are found.
pub(super) const PEOPLE: &str = "index of people";

impl Store {
    /// Builds the index tables that this store lacks. Run it before anything reads or writes records.
    ///
    /// # Errors
    /// [`StoreError`]: run it again, and it goes on where it was.
    pub async fn upgrade(&self) -> Result<(), StoreError> {
        self.build((MAILINGS, b'M'), mailings::after, mailings::put_rows, |mailing| mailing.id.0).await?;
        self.build((PEOPLE, b'S'), subscribers::after, person_rows::put_new, |subscriber| subscriber.id.0).await
    }

    /// Writes the rows of all records after the one that was noted last; each commit notes how far it came.
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
                self.clear(table).await?;
                0
            }
        };
        let (mut records, mut batch, mut progress) = (self.pages(after(last)), Batch::new(), Progress::of(name));
        loop {
            let next = match records.next().await {
                // What cannot be read can neither be mailed nor shown; once it can, a check finds that its rows are missing.
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

    /// Removes all rows of a table that is built again.
    async fn clear(&self, table: u8) -> Result<(), StoreError> {
        loop {
            let rows = self.engine.scan(keys::table(table), TOGETHER).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new();
            rows.into_iter().for_each(|(key, _)| batch.delete(key));
            self.commit(batch).await?;
        }
    }

    /// Lets the next start build all index tables again: after records were lost their rows may not fit any more.
    ///
    /// # Errors
    /// [`StoreError`]: the tables may stay wrong; do it again.
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
    pub async fn is_upgraded(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.engine.get(&keys::setting(name)).await?.as_deref() == Some(&[1]))
    }

    /// Notes that the upgrade of this name is done.
    ///
    /// # Errors
    /// [`StoreError`]: do it again at the next start.
    pub async fn note_upgraded(&self, name: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(keys::setting(name), vec![1]);
        self.commit(batch).await?;
        Ok(())
    }
}

/// The keys under which it is noted that the tables are built.
pub(super) fn notes() -> [Key; 2] {
    [keys::setting(MAILINGS), keys::setting(PEOPLE)]
}

/// Says in the log how far an index is.
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
