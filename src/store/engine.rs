//! What a store engine must be able to do: an ordered key-value map with conditional batches.
//!
//! No code above `store/` may assume a single writing process: preconditions are part of each batch.

use std::fmt;
use std::sync::Arc;

use super::maintenance::Maintenance;

pub use super::engine_error::{EngineError, EngineFuture};

/// A key: a table prefix, then big-endian fields (see `keys`), so that keys scan in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

/// Prints the table's letter, and the fields unless they hold an address, a person's name or a list's name: debug
/// output ends up in logs.
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

/// Keys from `from` (inclusive) to `to` (exclusive), ascending or, if `backward`, descending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub from: Key,
    /// The first key after the range; `None` for no end.
    pub to: Option<Key>,
    /// Whether keys are read in descending order.
    pub backward: bool,
}

impl KeyRange {
    /// Keys from `from` (inclusive) to `to` (exclusive; `None` for no end), ascending.
    pub fn new(from: Key, to: Option<Key>) -> Self {
        Self { from, to, backward: false }
    }

    /// The same keys in descending order.
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

    /// The rest of the range after `key`, in the order of the range.
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

/// A precondition on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key is absent.
    Absent,
    /// The key has exactly this value.
    Equals(Value),
}

/// Writes that apply together or not at all, and their preconditions. The version stamp is the value itself: a record
/// is unchanged if its bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Preconditions; all must hold just before this batch.
    pub checks: Vec<(Key, Expect)>,
    /// Puts (`Some`) and deletes (`None`), in order.
    pub writes: Vec<(Key, Option<Value>)>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires `key` to be absent.
    pub fn expect_absent(&mut self, key: Key) {
        self.checks.push((key, Expect::Absent));
    }

    /// Requires `key` to have exactly this value.
    pub fn expect(&mut self, key: Key, value: Value) {
        self.checks.push((key, Expect::Equals(value)));
    }

    /// Requires `key` to be as read: this value, or absent.
    pub fn expect_read(&mut self, key: Key, read: Option<Value>) {
        self.checks.push((key, read.map_or(Expect::Absent, Expect::Equals)));
    }

    /// Sets `key`.
    pub fn put(&mut self, key: Key, value: impl Into<Value>) {
        self.writes.push((key, Some(value.into())));
    }

    /// Removes `key`; an absent key is not an error.
    pub fn delete(&mut self, key: Key) {
        self.writes.push((key, None));
    }

    /// Appends the checks and writes of `other`.
    pub(crate) fn append(&mut self, mut other: Batch) {
        self.checks.append(&mut other.checks);
        self.writes.append(&mut other.writes);
    }

    /// Whether it has no checks and no writes.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.writes.is_empty()
    }
}

/// The longest key, in bytes.
pub(crate) const MAX_KEY: usize = 1024;

/// The largest value, in bytes. Larger data are stored as files named by their hash (see `blobs`).
pub const MAX_VALUE: usize = 256 * 1024;

/// The most bytes that the writes of one batch may have in total.
pub(crate) const MAX_BATCH: usize = 16 * 1024 * 1024;

impl Batch {
    /// Total bytes of all keys and values that it writes.
    pub(crate) fn written_bytes(&self) -> usize {
        self.writes.iter().map(|(key, value)| key.0.len() + value.as_ref().map_or(0, |value| value.len())).sum()
    }

    /// Whether every engine accepts this batch: keys of 1 to [`MAX_KEY`] bytes that do not begin with NUL (reserved for
    /// the engine), values of at most [`MAX_VALUE`] bytes, at most [`MAX_BATCH`] bytes in total.
    ///
    /// # Errors
    /// [`EngineError::Refused`] says which key and why.
    pub(crate) fn admissible(&self) -> Result<(), EngineError> {
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

/// The result of committing a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Applied and durable: it survives kill -9 and a power cut.
    Applied,
    /// Not applied: the precondition on this key failed.
    Conflict(Key),
}

/// An ordered key-value store, with its [`Maintenance`]. A batch is applied completely or not at all.
pub trait Engine: Maintenance {
    /// The value of `key`, as of the last acknowledged commit or later.
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>>;

    /// The first `limit` entries of `range`, in its order.
    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>>;

    /// Applies a batch. Applied means durable: it survives kill -9 and a power cut.
    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit>;
}
