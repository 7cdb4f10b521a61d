//! The single-machine engine: the journal makes commits durable, sled serves reads.
//!
//! ```text
//! <directory>/lock                   held while the store is open
//! <directory>/clean                  present only after an orderly stop: the store's mark at that stop
//! <directory>/journal/*.journal      the source of truth (see `journal`)
//! <directory>/journal-head           how far the journal is known to reach (see `bounds`)
//! <directory>/checkpoints/*          sorted copies; journal before the older of the last two is dropped
//! <directory>/index/<generation>/    sled; may be deleted at any time
//! <directory>/doubtful-<group>       cut off the journal's end; possibly not an incomplete write
//! <directory>/rebuild                present while the index is known to be damaged, with the reason: it is rebuilt
//! <directory>/backed-up              how far the journal is in a backup: later journal is kept
//! ```
//! `creation` creates an empty store, [`open`] repairs or rebuilds the index, `healing` does so while the store is
//! open, [`checking`] finds damage, [`committer`](EmbeddedEngine) commits in groups, [`checkpointing`] writes
//! checkpoints while commits continue, [`for_backup`] returns what a backup copies, [`recover`] continues without
//! damaged parts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use crate::base::clock::{Clock, Stopwatch, Timestamp};
use crate::metrics::parts::CommitMetrics;

use super::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Key, KeyRange, Value};
use super::fingerprint::Mark;
use super::journal::disk::{Disk, SystemDisk};
use super::journal::writer::{JournalSettings, JournalWriter};
use super::maintenance::Stats;

pub(crate) mod bounds;
pub(crate) mod check;
pub(crate) mod checking;
pub(crate) mod checkpointing;
mod committer;
mod creation;
pub(crate) mod for_backup;
mod healing;
#[cfg(test)]
mod healing_tests;
mod health;
mod index;
mod layout;
mod lock;
mod maintenance;
mod marker;
mod new_index;
mod notes;
pub(crate) mod open;
mod open_error;
mod open_report;
mod rebuild;
pub mod recover;
mod renewal;
mod request;
mod shortfall;
mod stats;
pub mod survey;
mod usage;

pub(crate) use lock::StoreLock;
pub(crate) use open::Opened;
pub use open_error::OpenError;
pub use open_report::OpenReport;

use committer::Committer;
use health::Health;
use index::{Index, IndexFault};
use request::Request;

/// The settings of a store.
#[derive(Clone)]
pub struct Settings {
    /// Create an empty store if the directory has none. Otherwise that is an error, so that a lost disk is never
    /// mistaken for a new installation.
    pub create: bool,
    /// Bytes of memory for the index's cache. The index needs further memory that grows with the records; each byte
    /// more here costs two to four.
    pub cache_bytes: u64,
    /// Bytes after which a new journal segment begins.
    pub segment_bytes: u64,
    /// Bytes of journal after which [`EmbeddedEngine::checkpoint_due`] returns `true`.
    pub checkpoint_bytes: u64,
    /// Bytes of disk space left free: with less, commits fail with [`EngineError::Full`].
    pub reserve_bytes: u64,
    /// Bytes of journal kept for the next backup although no checkpoint needs them; 0 if no backups are made. Beyond
    /// this the oldest segments are dropped, and their time cannot be restored to.
    pub hold_bytes: u64,
    /// The time source for when each group became durable; without it no group can be found by time.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for Settings {
    fn default() -> Self {
        const MEGABYTE: u64 = 1024 * 1024;
        Self {
            create: false,
            cache_bytes: 16 * MEGABYTE,
            segment_bytes: 32 * MEGABYTE,
            checkpoint_bytes: 128 * MEGABYTE,
            reserve_bytes: 64 * MEGABYTE,
            hold_bytes: 0,
            clock: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("create", &self.create)
            .field("cache_bytes", &self.cache_bytes)
            .field("segment_bytes", &self.segment_bytes)
            .field("checkpoint_bytes", &self.checkpoint_bytes)
            .field("reserve_bytes", &self.reserve_bytes)
            .field("hold_bytes", &self.hold_bytes)
            .finish_non_exhaustive()
    }
}

/// State shared by the committer, the readers and the checkpoint.
struct Shared {
    directory: PathBuf,
    settings: Settings,
    /// `None` once closed.
    index: RwLock<Option<Live>>,
    health: Health,
    /// The thread that rebuilds the index, if one was started.
    healer: Mutex<Option<JoinHandle<()>>>,
    /// Set when the store is being closed: long operations stop.
    closing: AtomicBool,
    /// Channel to the committer; `None` once it was told to stop.
    requests: Mutex<Option<Sender<Request>>>,
    marks: Mutex<Marks>,
    counters: stats::Counters,
    /// Why the committer no longer acknowledges anything; `None` while it works.
    stopped: watch::Sender<Option<String>>,
    metrics: CommitMetrics,
    /// Bytes of journal since the last checkpoint, when the store was opened.
    journal_before: u64,
    /// A warning for the operator about how the store was opened.
    doubt: Option<String>,
    /// Bytes of journal covered by checkpoints written since then.
    covered: AtomicU64,
    /// Held while a checkpoint is written.
    checkpoint: Mutex<()>,
    /// Last, so that it is released only after the index is closed.
    _lock: StoreLock,
}

/// The index in use.
struct Live {
    index: Index,
    /// The name of its directory.
    generation: u64,
}

/// The store's positions.
#[derive(Clone, Copy, Debug)]
struct Marks {
    /// Durable in the journal, possibly not yet completely in the index.
    appended: Mark,
    /// Also completely in the index.
    applied: Mark,
}

impl Shared {
    /// Reads the index. A failure means that the index is damaged and will be rebuilt; this call does not wait for
    /// that.
    fn with_index<T>(self: &Arc<Self>, call: impl FnOnce(&Index) -> Result<T, IndexFault>) -> Result<T, EngineError> {
        let (fault, generation) = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            let Some(live) = index.as_ref() else {
                return Err(EngineError::Stopped("it is closed".to_owned()));
            };
            if self.health.is_unusable() {
                return Err(health::being_rebuilt());
            }
            match call(&live.index) {
                Ok(done) => return Ok(done),
                Err(fault) => (fault, live.generation),
            }
        };
        self.suspect(generation, &fault.0);
        Err(health::being_rebuilt())
    }

    fn now(&self) -> Option<Timestamp> {
        self.settings.clock.as_ref().map(|clock| clock.now())
    }

    fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The committer's thread, which returns the mark reached; `None` once it was stopped.
type CommitterThread = Mutex<Option<JoinHandle<Option<Mark>>>>;

/// A store in a directory of this machine.
pub struct EmbeddedEngine {
    shared: Arc<Shared>,
    thread: Arc<CommitterThread>,
}

impl EmbeddedEngine {
    /// Opens the store in `directory`, repairing what the last stop left.
    ///
    /// # Errors
    /// [`OpenError`]: no acknowledged group is discarded to open the store.
    pub fn open(directory: &Path, settings: Settings) -> Result<Opened, OpenError> {
        Self::open_on(Arc::new(SystemDisk), directory, settings)
    }

    /// As [`Self::open`], with the journal on the given disk.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open_on(disk: Arc<dyn Disk>, directory: &Path, settings: Settings) -> Result<Opened, OpenError> {
        let lock = open::lock(directory, &settings)?;
        let state = open::settle(&disk, directory, &settings)?;
        let journal_settings = JournalSettings {
            segment_bytes: settings.segment_bytes,
            reserve_bytes: settings.reserve_bytes,
            head_in: Some(directory.to_owned()),
        };
        let journal = JournalWriter::open(disk, &layout::journal(directory), journal_settings, &state.tail)?;
        let mark = journal.mark();
        let (requests, receiver): (_, Receiver<Request>) = channel();
        let generation = layout::newest_generation(directory)?.unwrap_or(0);
        let now = settings.clock.as_ref().map(|clock| clock.now());
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            settings,
            index: RwLock::new(Some(Live { index: state.index, generation })),
            health: Health::new(generation, state.report.rebuilt.clone(), now),
            healer: Mutex::default(),
            closing: AtomicBool::new(false),
            requests: Mutex::new(Some(requests)),
            marks: Mutex::new(Marks { appended: mark, applied: mark }),
            counters: stats::Counters::default(),
            stopped: watch::Sender::new(None),
            metrics: CommitMetrics::default(),
            journal_before: state.journal_bytes,
            doubt: state.report.doubt(),
            covered: AtomicU64::new(0),
            checkpoint: Mutex::new(()),
            _lock: lock,
        });
        let committer = Committer::new(shared.clone(), journal);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || committer.run(&receiver))
            .map_err(OpenError::io(directory, "given a thread"))?;
        let engine = Self { shared, thread: Arc::new(Mutex::new(Some(thread))) };
        Ok(Opened { engine, report: state.report })
    }

    /// Counters since the store was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Completes with the reason when nothing is acknowledged until the store is reopened. Closing does not complete
    /// it.
    pub async fn broken(&self) -> String {
        let mut stopped = self.shared.stopped.subscribe();
        match stopped.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => "the store is gone".to_owned(),
        }
    }

    /// The mark after the last group that is completely in the index.
    pub(crate) fn mark(&self) -> Mark {
        self.shared.marks().applied
    }

    /// Completes pending requests, stops, and stores the mark. Blocks.
    /// Later calls return [`EngineError::Stopped`]; closing twice does nothing.
    ///
    /// # Errors
    /// [`EngineError`]: everything acknowledged is durable nevertheless, and the next start verifies the index.
    pub fn close(&self) -> Result<(), EngineError> {
        self.closing()()
    }

    /// [`Self::close`], to be called on any thread.
    fn closing(&self) -> impl FnOnce() -> Result<(), EngineError> + Send + use<> {
        let (shared, thread) = (self.shared.clone(), self.thread.clone());
        move || close(&shared, &thread)
    }

    fn send(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Commit, EngineError>>, EngineError> {
        let (answer, receiver) = oneshot::channel();
        self.shared.ask(Request::Commit(batch, answer, Stopwatch::start()))?;
        Ok(receiver)
    }
}

impl Drop for EmbeddedEngine {
    /// Stops the thread. Without [`EmbeddedEngine::close`] the next start reports an unclean stop.
    fn drop(&mut self) {
        stop_committer(&self.shared, &self.thread);
    }
}

impl Engine for EmbeddedEngine {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        let read = |index: &Index| Ok(index.get(&key.0)?.map(|value| Value::from(&*value)));
        match self.shared.with_index(read) {
            Err(EngineError::Damaged(_)) => Box::pin(self.shared.read_healed(read)),
            found => Box::pin(std::future::ready(found)),
        }
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        match self.shared.with_index(|index| index.scan(&range, limit)) {
            Err(EngineError::Damaged(_)) => {
                Box::pin(async move { self.shared.read_healed(|index| index.scan(&range, limit)).await })
            }
            found => Box::pin(std::future::ready(found)),
        }
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        let sent = batch.admissible().and_then(|()| self.send(batch));
        Box::pin(async move {
            let unknown = |_| {
                let reason = "its committer ended; after a restart, check whether this was done".to_owned();
                EngineError::Ambiguous { action: "written", reason }
            };
            sent?.await.map_err(unknown)?
        })
    }
}

fn close(shared: &Shared, thread: &CommitterThread) -> Result<(), EngineError> {
    let Some(mark) = stop_committer(shared, thread) else { return Ok(()) };
    let _no_checkpoint = shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(live) = shared.index.write().unwrap_or_else(PoisonError::into_inner).take() else {
        return Ok(());
    };
    if shared.health.is_unusable() {
        index::let_go(live.index);
        return Err(EngineError::Damaged("its index; the next start rebuilds it, and nothing is lost".to_owned()));
    }
    if let Err(fault) = live.index.close() {
        // If this write fails too, the next start finds the damage itself.
        let _ = marker::write(&shared.directory, &fault.0);
        return Err(EngineError::Damaged(format!(
            "its index, which the next start rebuilds; nothing is lost: {fault}"
        )));
    }
    notes::write_clean(&shared.directory, mark)
        .map_err(|e| EngineError::Unavailable { action: "closed", reason: e.to_string() })
}

/// Stops the committer and what it may wait for; returns the mark reached, if it was running without error.
fn stop_committer(shared: &Shared, thread: &CommitterThread) -> Option<Mark> {
    shared.closing.store(true, Ordering::Relaxed);
    let requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    // Fails only if the thread has already ended.
    let _ = requests.send(Request::Close);
    let mark = thread.join().ok().flatten();
    if let Some(healer) = shared.healer.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = healer.join();
    }
    mark
}

/// Bytes of journal since the last checkpoint began.
fn journal_since(shared: &Shared) -> u64 {
    let all = shared.journal_before.saturating_add(shared.counters.snapshot().journal_bytes);
    all.saturating_sub(shared.covered.load(Ordering::Relaxed))
}
