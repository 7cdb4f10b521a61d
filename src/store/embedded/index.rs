//! The index: sled, which serves reads. Durability never depends on it: its content can always be rebuilt from
//! checkpoint and journal. sled may panic on damaged files, so every call into it is guarded.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use crate::store::engine::{EngineError, Key, KeyRange, Value};
use crate::store::fingerprint::{Fingerprint, Mark};

/// Holds the mark up to which the index has been written. Keys that begin with NUL are reserved for the engine.
const MARK: &[u8] = b"\0mark";

/// The first key that is not reserved for the engine.
const FIRST: &[u8] = &[1];

/// Why the index cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct IndexFault(pub String);

impl From<IndexFault> for EngineError {
    fn from(fault: IndexFault) -> Self {
        Self::Damaged(fault.0)
    }
}

/// An open index.
pub(crate) struct Index {
    database: sled::Db,
    directory: PathBuf,
}

/// Time limit for closing: it syncs everything written to the index, possibly to a slow disk.
const CLOSE_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Time limit for a damaged index to close its files; sled may wait for one of its threads that has ended.
const LET_GO_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

impl Index {
    /// Opens or creates the index in `directory`, with a cache of this many bytes.
    ///
    /// # Errors
    /// [`IndexFault`], also when sled panics.
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<Self, IndexFault> {
        let config = sled::Config::new()
            .path(directory)
            .cache_capacity(cache_bytes)
            // Also bounds its memory, which grows without limit if sled does not flush in the background.
            .flush_every_ms(Some(500));
        let mut tries = 0;
        loop {
            match guarded(|| config.open()) {
                Ok(database) => return Ok(Self { database, directory: directory.to_owned() }),
                // We hold the store's lock, so no other process uses it: a child being started elsewhere in this
                // process still holds the previous file for a moment. No reason to rebuild the index.
                Err(IndexFault(why)) if why.contains("could not acquire lock") && tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// The mark up to which it has been written; `None` if it was never completed.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn mark(&self) -> Result<Option<Mark>, IndexFault> {
        match guarded(|| self.database.get(MARK))? {
            None => Ok(None),
            Some(bytes) => match Mark::from_bytes(&bytes) {
                Some(mark) => Ok(Some(mark)),
                None => Err(IndexFault("its mark is damaged".to_owned())),
            },
        }
    }

    /// One value.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, IndexFault> {
        if key < FIRST {
            return Ok(None);
        }
        guarded(|| self.database.get(key))
    }

    /// The first `limit` entries of a range.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Value)>, IndexFault> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.each(range, &mut |key, value| {
            found.push((Key(key.to_vec()), Value::from(value)));
            found.len() < limit
        })?;
        Ok(found)
    }

    /// Calls `visit` for the entries of a range in order until it returns `false`.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn each(&self, range: &KeyRange, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), IndexFault> {
        let from = range.from.0.as_slice().max(FIRST);
        let to = range.to.as_ref().map(|to| to.0.as_slice());
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        guarded(|| {
            let mut entries = match to {
                Some(to) => self.database.range(from..to),
                None => self.database.range(from..),
            };
            let mut show = |entry: sled::Result<(sled::IVec, sled::IVec)>| match entry {
                Ok((key, value)) if visit(&key, &value) => Ok(()),
                Ok(_) => Err(None),
                Err(e) => Err(Some(e)),
            };
            let shown = match range.backward {
                true => entries.rev().try_for_each(&mut show),
                false => entries.try_for_each(&mut show),
            };
            shown.or_else(|stop| stop.map_or(Ok(()), Err))
        })
    }

    /// Applies writes. Each is an absolute put or delete, so applying it twice is harmless.
    ///
    /// # Errors
    /// [`IndexFault`]: some may have been applied.
    pub(crate) fn apply<'w>(
        &self,
        mut writes: impl Iterator<Item = (&'w [u8], Option<&'w [u8]>)>,
    ) -> Result<(), IndexFault> {
        guarded(|| {
            writes.try_for_each(|(key, value)| match value {
                Some(value) => self.database.insert(key, value).map(drop),
                None => self.database.remove(key).map(drop),
            })
        })
    }

    /// Stores that everything up to `mark` has been applied. sled's log is in order, so after a crash it never has this
    /// mark without the writes before it; after an unclean stop that is verified nevertheless.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn set_mark(&self, mark: Mark) -> Result<(), IndexFault> {
        guarded(|| self.database.insert(MARK, &mark.to_bytes()).map(drop))
    }

    /// The fingerprint of all its records.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, IndexFault> {
        let mut sum = Fingerprint::default();
        self.each(&everything(), &mut |key, value| {
            sum.add(key, value);
            true
        })?;
        Ok(sum)
    }

    /// Writes everything to the operating system.
    ///
    /// # Errors
    /// [`IndexFault`]
    pub(crate) fn flush(&self) -> Result<(), IndexFault> {
        guarded(|| self.database.flush().map(drop))
    }

    /// Closes it and makes it durable on disk.
    ///
    /// # Errors
    /// [`IndexFault`]: it must not be used again. Also if closing times out: sled may wait for one of its threads that
    /// has panicked.
    pub(crate) fn close(self) -> Result<(), IndexFault> {
        let (done, closed) = channel();
        let closing = move || drop(done.send(self.close_now()));
        let started = std::thread::Builder::new().name("index closing".to_owned()).spawn(closing);
        started.map_err(|e| IndexFault(format!("no thread can be started: {e}")))?;
        closed.recv_timeout(CLOSE_LIMIT).unwrap_or_else(|_| Err(IndexFault("it did not close".to_owned())))
    }

    fn close_now(self) -> Result<(), IndexFault> {
        self.flush()?;
        let Self { database, directory } = self;
        guarded(|| {
            drop(database);
            Ok(())
        })?;
        let failed = |e: io::Error| IndexFault(format!("{} could not be synced: {e}", directory.display()));
        sync_tree(&directory).map_err(failed)
    }
}

/// All keys.
pub(crate) fn everything() -> KeyRange {
    KeyRange::new(Key(Vec::new()), None)
}

/// Drops an index, with a time limit.
pub(super) fn let_go(index: Index) {
    let (done, receiver) = channel();
    let dropping = std::thread::Builder::new().name("old index".to_owned()).spawn(move || {
        drop(index);
        let _ = done.send(());
    });
    if dropping.is_ok() {
        let _ = receiver.recv_timeout(LET_GO_LIMIT);
    }
}

fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_tree(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    File::open(directory)?.sync_all()
}

/// Calls into sled; an error or a panic becomes an [`IndexFault`].
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexFault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(e)) => Err(IndexFault(e.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(IndexFault(format!("it panicked: {}", text.unwrap_or_default())))
        }
    }
}
