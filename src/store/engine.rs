//! What a store must be able to do, and no more: an ordered key-value map with conditional batches.
//!
//! No code above `store/` may assume that one process alone writes: preconditions travel with each batch.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A key: a table prefix, then big-endian fields (see `keys`), so that keys scan in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

/// The table's letter, and the fields unless they hold an address, a name or a list's name: what is printed for debugging ends in
/// logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((table @ (b'a' | b'l' | b'D' | b'j' | b'S'), fields)) = self.0.split_first() {
            return write!(f, "{}({} bytes)", char::from(*table), fields.len());
        }
        self.0.iter().try_for_each(|byte| match byte {
            b' '..=b'~' => write!(f, "{}", char::from(*byte)),
            other => write!(f, "\\x{other:02x}"),
        })
    }
}

/// A value's bytes. Cheap to clone.
pub type Value = Arc<[u8]>;

/// Keys from `from` (with it) to `to` (without it), in order or, when `backward`, the last first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub from: Key,
    /// The first key after the range; `None` for no end.
    pub to: Option<Key>,
    /// The last key first.
    pub backward: bool,
}

impl KeyRange {
    /// Keys from `from` (with it) to `to` (without it; `None` for no end), in order.
    pub fn new(from: Key, to: Option<Key>) -> Self {
        Self { from, to, backward: false }
    }

    /// The same keys, the last first.
    pub fn backward(mut self) -> Self {
        self.backward = true;
        self
    }

    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: Vec<u8>) -> Self {
        let mut end = prefix.clone();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        let to = end.pop().map(|last| {
            end.push(last + 1);
            Key(end)
        });
        Self::new(Key(prefix), to)
    }

    /// What is left of the range after `key`, in the order of the range.
    pub fn after(mut self, key: &Key) -> Self {
        if self.backward {
            self.to = Some(key.clone());
            return self;
        }
        let mut next = key.0.clone();
        next.push(0);
        self.from = Key(next);
        self
    }
}

/// What must hold of a key for its batch to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no such key.
    Absent,
    /// It has exactly this value.
    Equals(Value),
}

/// Writes that apply together or not at all, and what must hold for that. The store's version stamp is the value
/// itself: a record is unchanged when its bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// All must hold, as of just before this batch.
    pub checks: Vec<(Key, Expect)>,
    /// Puts, and deletes where there is no value, in order.
    pub writes: Vec<(Key, Option<Value>)>,
}

impl Batch {
    /// A batch that does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands that `key` is absent.
    pub fn expect_absent(&mut self, key: Key) {
        self.checks.push((key, Expect::Absent));
    }

    /// Demands that `key` has just this value.
    pub fn expect(&mut self, key: Key, value: Value) {
        self.checks.push((key, Expect::Equals(value)));
    }

    /// Demands what was read: just this value, or none.
    pub fn expect_read(&mut self, key: Key, read: Option<Value>) {
        self.checks.push((key, read.map_or(Expect::Absent, Expect::Equals)));
    }

    /// Sets `key`.
    pub fn put(&mut self, key: Key, value: impl Into<Value>) {
        self.writes.push((key, Some(value.into())));
    }

    /// Removes `key`; removing what is not there is no error.
    pub fn delete(&mut self, key: Key) {
        self.writes.push((key, None));
    }

    /// Adds the checks and writes of `other` after these.
    pub fn append(&mut self, mut other: Batch) {
        self.checks.append(&mut other.checks);
        self.writes.append(&mut other.writes);
    }

    /// Whether it does nothing at all.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.writes.is_empty()
    }
}

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The largest value, in bytes. Larger things are files of their own, named by their hash (see `blobs`).
pub const MAX_VALUE: usize = 256 * 1024;

/// The most bytes that the writes of one batch may have together.
pub const MAX_BATCH: usize = 16 * 1024 * 1024;

impl Batch {
    /// The bytes of all keys and values that it writes.
    pub fn written_bytes(&self) -> usize {
        self.writes.iter().map(|(key, value)| key.0.len() + value.as_ref().map_or(0, |value| value.len())).sum()
    }

    /// Whether every engine takes this batch: keys of 1 to [`MAX_KEY`] bytes that do not begin with NUL (those are
    /// the engine's own), values of at most [`MAX_VALUE`], all together at most [`MAX_BATCH`].
    ///
    /// # Errors
    /// [`EngineError::Refused`] says which key and why.
    pub fn admissible(&self) -> Result<(), EngineError> {
        for (key, value) in &self.writes {
            let length = value.as_ref().map_or(0, |value| value.len());
            if key.0.is_empty() || key.0.len() > MAX_KEY || key.0.first() == Some(&0) {
                let text = format!("a key must have 1 to {MAX_KEY} bytes and not begin with NUL, unlike {key:?}");
                return Err(EngineError::Refused(text));
            }
            if length > MAX_VALUE {
                let text = format!("the value of {key:?} has {length} bytes, more than {MAX_VALUE}");
                return Err(EngineError::Refused(text));
            }
        }
        let total = self.written_bytes();
        match total > MAX_BATCH {
            true => Err(EngineError::Refused(format!("a batch of {total} bytes, more than {MAX_BATCH}"))),
            false => Ok(()),
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Applied and durable: it survives kill -9 and a power cut.
    Applied,
    /// Not applied: this key was not as expected.
    Conflict(Key),
}

/// Why an engine could not do what was asked, and so whether it may be asked again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing happened. The same may be tried again: wait a little and go on.
    #[error("the store could not be {action}: {reason}")]
    Unavailable {
        /// `read`, `written` and so on.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
    /// A commit may have been applied, or be found applied after a restart: read what is there before anything is decided.
    #[error("the store could not be {action}, and whether it was written is not known: {reason}")]
    Ambiguous {
        /// `written` and so on.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The disk is full. Nothing was written; it works again when there is room.
    #[error("the disk of the store is full: {0}")]
    Full(String),
    /// What was read is damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The engine does not take such a batch: a key or value is too large or a key is reserved. Nothing was written.
    #[error("the store does not take this: {0}")]
    Refused(String),
    /// The engine has stopped, in order or after an error that it cannot go on from.
    #[error("the store has stopped: {0}")]
    Stopped(String),
}

impl EngineError {
    /// Whether a loop waits a little and goes on: what it asks next begins with reading, so that an answer that was lost is
    /// found in the store.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Ambiguous { .. } | Self::Full(_))
    }
}

/// What an engine's methods return.
pub type EngineFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// An ordered key-value store. All of a batch is applied, or none of it.
pub trait Engine: Send + Sync + 'static {
    /// The value of `key`, as of the last acknowledged commit or later.
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>>;

    /// The first `limit` entries of `range`, in its order.
    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>>;

    /// Applied means durable: it survives kill -9 and a power cut.
    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit>;
}
