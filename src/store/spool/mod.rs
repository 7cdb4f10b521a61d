//! The spool: received mail in its original form, behind [`MessageSpool`]. The embedded one ([`files`]) keeps it in
//! append-only segments:
//!
//! ```text
//! <directory>/<number, 20 digits>.spool     records one after the other (see `record`)
//! ```
//! Large values stay out of the index, and raw mail is read only as a whole, once or twice, and dropped by age: so it
//! is stored beside the store, and a record of the store names its place. [`Spool::append`] returns when the bytes are
//! durable; only then may a commit name the place. Bytes appended but never named by a commit (a crash in between) are
//! an orphan that is dropped with its segment.
//!
//! A segment is written by one process in one run: a start begins a new one with the first message, and does not touch
//! the possibly torn end of the last, which was never acknowledged. Damage in the middle affects only the messages
//! there, for which [`Spool::read`] returns an error.
//!
//! A segment's number is the time at which it was begun, in seconds since 1970, or one more than the last. So no number
//! is used twice, and no old place ever refers to a new message.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::{Clock, Timestamp};
use crate::model::inbound::SpoolPlace;
use crate::model::present::Cutoff;

use super::journal::disk::{Disk, SystemDisk};

pub(crate) mod check;
mod erase;
mod files;
mod reader;
mod record;
mod writer;

use files::FileSpool;

/// The largest message, in bytes.
pub const MAX_MESSAGE: usize = super::journal::record::MAX_PAYLOAD;

/// The file name suffix of segments.
pub(crate) const SUFFIX: &str = ".spool";

/// The settings of the spool.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    /// Bytes after which a new segment begins.
    pub segment_bytes: u64,
    /// Age after which a new segment begins, so that old mail is dropped on time even if little mail arrives.
    pub segment_age: Duration,
    /// Bytes of disk space left free: with less, appending fails with [`SpoolError::Full`]. More than the store leaves
    /// free, so that incoming mail cannot stop outgoing mail.
    pub reserve_bytes: u64,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        const MEGABYTE: u64 = 1024 * 1024;
        Self { segment_bytes: 64 * MEGABYTE, segment_age: Duration::from_secs(86_400), reserve_bytes: 128 * MEGABYTE }
    }
}

/// Why a spool operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// The disk is full. Nothing was stored; retry once there is disk space.
    #[error("the disk of the spool is full: {0}")]
    Full(String),
    /// The file system failed. The message is not acknowledged; the next may be tried and goes to a new segment.
    #[error("{} could not be {action}: {reason}", path.display())]
    Io {
        /// `read`, `written` and so on.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's message.
        reason: String,
    },
    /// The bytes at the place are not the message stored there.
    #[error("{} is damaged at byte {offset}: {what}; put it back from a backup", path.display())]
    Damaged {
        /// The segment's path.
        path: PathBuf,
        /// The offset of the message's record.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Written by a newer Depesch.
    #[error("{} was written by a newer program than this; run the newer program", path.display())]
    Newer {
        /// The segment's path.
        path: PathBuf,
    },
    /// The segment does not exist: it was dropped by age, or lost.
    #[error("{} is missing; it was dropped by age, or is lost", path.display())]
    Dropped {
        /// The segment's path.
        path: PathBuf,
    },
    /// The message was erased together with the person it concerned. Not a fault.
    #[error("the message at byte {offset} of {} was erased with the person whom it concerned", path.display())]
    Erased {
        /// The segment's path.
        path: PathBuf,
        /// The offset of the message's record.
        offset: u64,
    },
    /// The message has more than [`MAX_MESSAGE`] bytes.
    #[error("a message of {0} bytes, more than {MAX_MESSAGE}")]
    TooLarge(usize),
    /// The spool is closed.
    #[error("the spool is closed")]
    Closed,
}

impl SpoolError {
    pub(in crate::store) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { action, path, reason: error.to_string() }
    }
}

/// A segment on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// Its path.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last written, by the file system's clock.
    pub written: Timestamp,
}

/// What the methods of a [`MessageSpool`] return.
pub type SpoolFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SpoolError>> + Send + 'a>>;

/// Where received mail is kept. [`Spool`] says what each method must do.
pub trait MessageSpool: Send + Sync + 'static {
    /// See [`Spool::append`]; the size was checked.
    fn append(&self, bytes: Vec<u8>) -> SpoolFuture<'_, SpoolPlace>;

    /// See [`Spool::read`].
    fn read(&self, place: SpoolPlace) -> SpoolFuture<'_, Vec<u8>>;

    /// See [`Spool::segments`].
    fn segments(&self) -> SpoolFuture<'_, Vec<Segment>>;

    /// See [`Spool::drop_segment`].
    fn drop_segment(&self, number: u64, old: Cutoff) -> SpoolFuture<'_, bool>;

    /// See [`Spool::seal_blocking`].
    fn seal_blocking(&self) -> Result<u64, SpoolError>;

    /// See [`Spool::erase`].
    fn erase(&self, place: SpoolPlace) -> SpoolFuture<'_, ()>;

    /// See [`Spool::close`].
    fn close(&self);
}

/// The spool. Cheap to clone; all clones share one spool.
#[derive(Clone)]
pub struct Spool {
    messages: Arc<dyn MessageSpool>,
}

impl Spool {
    /// The spool in `messages`.
    pub fn new(messages: Arc<dyn MessageSpool>) -> Self {
        Self { messages }
    }

    /// Opens the spool in `directory`, creating it if necessary. Blocks for a moment.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open(directory: &Path, settings: SpoolSettings, clock: Arc<dyn Clock>) -> Result<Self, SpoolError> {
        Self::open_on(Arc::new(SystemDisk), directory, settings, clock)
    }

    /// As [`Spool::open`], on the given disk.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: SpoolSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SpoolError> {
        Ok(Self::new(Arc::new(FileSpool::open(disk, directory, settings, clock)?)))
    }

    /// Stores a message; durable on return. Concurrent callers share one sync. A cancelled call leaves at most an
    /// orphan.
    ///
    /// # Errors
    /// [`SpoolError`]: do not rely on the message being stored.
    pub async fn append(&self, bytes: Vec<u8>) -> Result<SpoolPlace, SpoolError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(SpoolError::TooLarge(bytes.len()));
        }
        self.messages.append(bytes).await
    }

    /// The complete, verified message at `place`.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`], [`SpoolError::Newer`], [`SpoolError::Dropped`], [`SpoolError::Io`]; never partial data.
    pub async fn read(&self, place: SpoolPlace) -> Result<Vec<u8>, SpoolError> {
        self.messages.read(place).await
    }

    /// All segments, in order of creation.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub async fn segments(&self) -> Result<Vec<Segment>, SpoolError> {
        self.messages.segments().await
    }

    /// Removes a segment with all its messages, unless it was written to at or after the cutoff. Returns whether it is
    /// gone, also if it did not exist. If it is the current segment, the next message begins a new one.
    ///
    /// # Errors
    /// [`SpoolError::Io`], [`SpoolError::Closed`].
    pub async fn drop_segment(&self, number: u64, old: Cutoff) -> Result<bool, SpoolError> {
        self.messages.drop_segment(number, old).await
    }

    /// Ends the current segment, so that it never changes again; returns the highest segment number so far. The next
    /// message begins a new segment. Blocks.
    ///
    /// # Errors
    /// [`SpoolError::Closed`].
    pub fn seal_blocking(&self) -> Result<u64, SpoolError> {
        self.messages.seal_blocking()
    }

    /// Overwrites the message at `place` with zeros. On return it is unreadable for good, and nothing else in the
    /// segment, including its age, has changed. A message already erased or dropped is not an error.
    ///
    /// # Errors
    /// [`SpoolError`]: it may be partly overwritten; a retry completes this.
    pub async fn erase(&self, place: SpoolPlace) -> Result<(), SpoolError> {
        self.messages.erase(place).await
    }

    /// Completes pending requests and ends the thread; later calls return [`SpoolError::Closed`], but stored mail can
    /// still be read. Blocks.
    pub fn close(&self) {
        self.messages.close();
    }
}
