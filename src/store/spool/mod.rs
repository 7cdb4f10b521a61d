//! The spool: mail that came in, as it came, in append-only segments.
//!
//! ```text
//! <directory>/<number, 20 digits>.spool     records one after the other (see `record`)
//! ```
//! Large values stay out of the index, and raw mail is only ever read whole, once or twice, and thrown away by age: so
//! it lies beside the store, and a record of the store names its place. [`Spool::append`] answers when the bytes are
//! durable; only then may a commit name the place. What was appended and never named by a commit (a crash in between) is
//! an orphan that goes with its segment.
//!
//! A segment is written by one process in one run: a start begins a new one with the first message, and leaves alone
//! what a crash may have torn at the end of the last, which nobody was told of. Damage in the middle stops nothing: the
//! messages there are not to be had, which [`Spool::read`] says, and all the others are.
//!
//! A segment's number is the time at which it was begun, in seconds since 1970, or one more than the last. So no number
//! is used twice, and no old place ever leads to a new message.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::clock::{Clock, Timestamp};
use crate::model::inbound::SpoolPlace;
use crate::model::present::Cutoff;

use super::journal::disk::{Disk, SystemDisk, make_directories, numbered_files, numbered_path};

pub mod check;
mod erase;
mod reader;
mod record;
mod writer;

use writer::{Request, Writer};

/// The most bytes that a message may have here.
pub const MAX_MESSAGE: usize = super::journal::record::MAX_PAYLOAD;

/// How the files of segments end.
pub const SUFFIX: &str = ".spool";

/// How the spool is kept.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    /// Bytes after which a new segment is begun.
    pub segment_bytes: u64,
    /// Age after which a new segment is begun, so that a little mail does not hold back the dropping of old mail.
    pub segment_age: Duration,
    /// Bytes of the disk left free: with less, messages are answered with [`SpoolError::Full`]. More than what the
    /// store leaves free, so that mail coming in cannot stop mail going out.
    pub reserve_bytes: u64,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        const MEGABYTE: u64 = 1024 * 1024;
        Self { segment_bytes: 64 * MEGABYTE, segment_age: Duration::from_secs(86_400), reserve_bytes: 128 * MEGABYTE }
    }
}

/// Why the spool could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// There is no room. Nothing was kept; it works again when there is.
    #[error("the disk of the spool is full: {0}")]
    Full(String),
    /// The file system failed. A message is not acknowledged; the next may be tried, it goes to a new segment.
    #[error("{} could not be {action}: {reason}", path.display())]
    Io {
        /// `read`, `written` and so on.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's message.
        reason: String,
    },
    /// What lies there is not the message that was put there.
    #[error("{} is damaged at byte {offset}: {what}; put it back from a backup", path.display())]
    Damaged {
        /// Which segment.
        path: PathBuf,
        /// Where in it the message's record begins.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Written by a newer Depesch.
    #[error("{} was written by a newer program than this; run the newer program again", path.display())]
    Newer {
        /// Which segment.
        path: PathBuf,
    },
    /// The segment is not there: it was dropped by age, or lost.
    #[error("{} is not there; it was dropped by age, or is lost", path.display())]
    Dropped {
        /// Which segment.
        path: PathBuf,
    },
    /// The message was erased with the person whom it concerned. Nothing is wrong.
    #[error("the message at byte {offset} of {} was erased with the person whom it concerned", path.display())]
    Erased {
        /// Which segment.
        path: PathBuf,
        /// Where in it the message's record begins.
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

/// A segment as it lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// When something was last written to it, by the file system's clock.
    pub written: Timestamp,
}

/// The spool. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    /// None once it is closed.
    requests: Mutex<Option<Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Spool {
    /// Opens the spool in `directory`, which is made if it is not there. Blocks for a moment.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open(directory: &Path, settings: SpoolSettings, clock: Arc<dyn Clock>) -> Result<Self, SpoolError> {
        Self::open_on(Arc::new(SystemDisk), directory, settings, clock)
    }

    /// As [`Spool::open`], on a disk of one's own.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: SpoolSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SpoolError> {
        make_directories(directory, 0o777).map_err(SpoolError::io(directory, "made"))?;
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_directory(parent).map_err(SpoolError::io(parent, "synced"))?;
        }
        let found = numbered_files(directory, SUFFIX).map_err(SpoolError::io(directory, "read"))?;
        let last = found.last().map_or(0, |(number, _)| *number);
        let writer = Writer::new(disk, directory.to_owned(), settings, clock, last);
        let (requests, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(SpoolError::io(directory, "given a thread"))?;
        let (requests, thread) = (Mutex::new(Some(requests)), Mutex::new(Some(thread)));
        Ok(Self { inner: Arc::new(Inner { directory: directory.to_owned(), requests, thread }) })
    }

    /// Keeps a message. When this returns, it is durable; all who wait at the same time share one sync. A caller that goes
    /// away meanwhile leaves an orphan at worst.
    ///
    /// # Errors
    /// [`SpoolError`]: the message is not kept, as far as anybody may rely on it.
    pub async fn append(&self, bytes: Vec<u8>) -> Result<SpoolPlace, SpoolError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(SpoolError::TooLarge(bytes.len()));
        }
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Append(bytes, answer))?;
        receiver.await.map_err(|_| SpoolError::Closed)?
    }

    /// The message at `place`, whole and checked.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`], [`SpoolError::Newer`], [`SpoolError::Dropped`], [`SpoolError::Io`]; never short data.
    pub async fn read(&self, place: SpoolPlace) -> Result<Vec<u8>, SpoolError> {
        let path = numbered_path(&self.inner.directory, place.segment, SUFFIX);
        blocking(move || reader::read(path, place)).await
    }

    /// All segments, in the order in which they were begun.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub async fn segments(&self) -> Result<Vec<Segment>, SpoolError> {
        let directory = self.inner.directory.clone();
        blocking(move || reader::segments(&directory)).await
    }

    /// Removes a segment with all its messages, unless it was written to at the cutoff or later. Says whether it is gone;
    /// one that was not there is. If it is the one that is being written to, the next message begins a new one.
    ///
    /// # Errors
    /// [`SpoolError::Io`], [`SpoolError::Closed`].
    pub async fn drop_segment(&self, number: u64, old: Cutoff) -> Result<bool, SpoolError> {
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Drop { number, old, answer })?;
        receiver.await.map_err(|_| SpoolError::Closed)?
    }

    /// Ends the segment that is being written to, so that it never changes again; gives the highest number of a segment so
    /// far. The next message begins a new one. Blocks.
    ///
    /// # Errors
    /// [`SpoolError::Closed`].
    pub fn seal_blocking(&self) -> Result<u64, SpoolError> {
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Seal(answer))?;
        receiver.blocking_recv().map_err(|_| SpoolError::Closed)?
    }

    /// Overwrites the message at `place` with zeros, for good. When this returns, nobody can read it any more, and nothing
    /// else in the segment has changed, its age neither. One that is erased or dropped already is no error.
    ///
    /// # Errors
    /// [`SpoolError`]: it may be overwritten in part; doing it again ends it.
    pub async fn erase(&self, place: SpoolPlace) -> Result<(), SpoolError> {
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Erase { place, answer })?;
        receiver.await.map_err(|_| SpoolError::Closed)?
    }

    /// Finishes what was asked and ends the thread; later calls answer [`SpoolError::Closed`], but what is there can still
    /// be read. Blocks.
    pub fn close(&self) {
        self.inner.close();
    }

    fn send(&self, request: Request) -> Result<(), SpoolError> {
        let requests = self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.as_ref().ok_or(SpoolError::Closed)?.send(request).map_err(|_| SpoolError::Closed)
    }
}

impl Inner {
    fn close(&self) {
        // Without a sender the thread does what still waits and ends.
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It panicked if this fails; whoever waited for it was told that it is closed.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(SpoolError::Closed),
    }
}
