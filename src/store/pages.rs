//! Reading many records in pages, in order of key, ascending or descending. At most one page is in memory.

use std::collections::VecDeque;

use super::engine::{Key, KeyRange, Value};
use super::{Store, StoreError};

/// Rows in a page.
pub const PAGE: usize = 500;

/// Which records to read, in which order: made by the record families, e.g. [`super::mailings::all`].
pub struct Query<T> {
    range: KeyRange,
    /// For index rows: returns the key of the record that a row names.
    names: Option<fn(&Key) -> Option<Key>>,
    read: fn(&Key, Value) -> Result<T, StoreError>,
}

impl<T> Query<T> {
    pub(in crate::store) fn new(range: KeyRange, read: fn(&Key, Value) -> Result<T, StoreError>) -> Self {
        Self { range, names: None, read }
    }

    /// The records that rows of an index table name. A row whose record no longer exists is skipped.
    pub(in crate::store) fn indexed(
        range: KeyRange,
        names: fn(&Key) -> Option<Key>,
        read: fn(&Key, Value) -> Result<T, StoreError>,
    ) -> Self {
        Self { range, names: Some(names), read }
    }

    /// The same records in reverse order.
    pub fn backward(mut self) -> Self {
        self.range = self.range.backward();
        self
    }
}

/// Reads the records of a query one by one.
pub struct Pages<T> {
    store: Store,
    /// The range still to be read; `None` at the end.
    rest: Option<KeyRange>,
    page: VecDeque<(Key, Value)>,
    query: Query<T>,
}

impl<T> Pages<T> {
    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// [`StoreError::Record`]: this record cannot be read; the next call returns the one after it.
    /// [`StoreError::Engine`]: the same call may be retried.
    pub async fn next(&mut self) -> Result<Option<T>, StoreError> {
        loop {
            if let Some((key, value)) = self.page.pop_front() {
                return (self.query.read)(&key, value).map(Some);
            }
            let Some(range) = self.rest.clone() else { return Ok(None) };
            let rows = self.store.engine.scan(range.clone(), PAGE).await?;
            let rest = rows.last().filter(|_| rows.len() == PAGE).map(|(last, _)| range.after(last));
            self.page = match self.query.names {
                None => rows.into(),
                Some(names) => {
                    let keys: Vec<Key> = rows.iter().filter_map(|(key, _)| names(key)).collect();
                    let values = self.store.get_many(&keys).await?;
                    keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect()
                }
            };
            self.rest = rest;
            // The index answers without waiting, so a million rows would block other tasks on this thread.
            tokio::task::yield_now().await;
        }
    }
}

impl Store {
    /// The records of `query`.
    pub fn pages<T>(&self, query: Query<T>) -> Pages<T> {
        Pages { store: self.clone(), rest: Some(query.range.clone()), page: VecDeque::new(), query }
    }

    /// Number of records or rows of `query`, read in pages.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count<T>(&self, query: Query<T>) -> Result<u64, StoreError> {
        self.count_rows(query.range).await
    }

    pub(in crate::store) async fn count_rows(&self, mut range: KeyRange) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let rows = self.engine.scan(range.clone(), PAGE).await?;
            count += rows.len() as u64;
            match rows.last().filter(|_| rows.len() == PAGE) {
                Some((last, _)) => range = range.after(last),
                None => return Ok(count),
            }
            tokio::task::yield_now().await;
        }
    }

    /// The values of these keys, in their order.
    pub(in crate::store) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StoreError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.engine.get(key).await?);
        }
        Ok(values)
    }
}
