//! The engine of a single machine: the journal makes commits durable, sled answers reads.
//!
//! ```text
//! <directory>/lock                   held while the store is open
//! <directory>/clean                  there after an orderly stop only: where the store then stood
//! <directory>/journal/*.journal      the truth (see `journal`)
//! <directory>/journal-head           how far the journal is known to reach (see `bounds`)
//! <directory>/checkpoints/*          sorted copies; journal before the older of the last two is dropped
//! <directory>/index/<generation>/    sled; may be thrown away at any time
//! <directory>/doubtful-<group>       cut off the journal's end, and perhaps not a write that was cut short
//! <directory>/rebuild                there while the index is known to be damaged, with the reason: it is built again
//! <directory>/backed-up              up to where the journal is in a backup: what comes later is not dropped
//! ```
//! `creation` begins an empty store, [`open`] puts an index right or builds it again, `healing` does so while the store is open, [`checking`] looks for damage,
//! [`committer`](EmbeddedEngine) commits in groups, [`checkpointing`]
//! writes checkpoints while commits go on, [`for_backup`] hands out what a backup copies, [`recover`] goes on without what is damaged.

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

pub mod bounds;
pub mod check;
pub mod checking;
pub mod checkpointing;
mod committer;
mod creation;
pub mod for_backup;
mod healing;
#[cfg(test)]
mod healing_tests;
mod health;
mod index;
mod layout;
mod lock;
mod marker;
mod new_index;
mod notes;
pub mod open;
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

pub use checkpointing::CheckpointReport;
pub use health::IndexHealth;
pub use lock::StoreLock;
pub use open::Opened;
pub use open_error::OpenError;
pub use open_report::OpenReport;
pub use request::CheckStep;
pub use shortfall::Shortfall;
pub use stats::Stats;
pub use usage::DiskUse;

use committer::Committer;
use health::Health;
use index::{Index, IndexFault};
use request::Request;

/// How a store is kept.
#[derive(Clone)]
pub struct Settings {
    /// Begin an empty store where there is none. Without it that is an error, so that a lost disk is never taken for a
    /// new start.
    pub create: bool,
    /// Bytes of memory for the index's cache. What the index needs in memory beside it grows
    /// with the records; each byte more here costs two to four.
    pub cache_bytes: u64,
    /// Bytes after which a new journal segment is begun.
    pub segment_bytes: u64,
    /// Bytes of journal after which [`EmbeddedEngine::checkpoint_due`] says so.
    pub checkpoint_bytes: u64,
    /// Bytes of the disk left free: with less, commits are answered with [`EngineError::Full`].
    pub reserve_bytes: u64,
    /// Bytes of journal that are kept for the next backup though no checkpoint needs them any more; 0 when nobody makes
    /// backups. With more than this the oldest are dropped, and cannot be restored to.
    pub hold_bytes: u64,
    /// Says when each group was made durable; without it no group can be found by its time.
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

/// What the committer, the readers and the checkpoint share.
struct Shared {
    directory: PathBuf,
    settings: Settings,
    /// None once it is closed.
    index: RwLock<Option<Live>>,
    health: Health,
    /// Builds the index again, if it had to be.
    healer: Mutex<Option<JoinHandle<()>>>,
    /// Turns true when the store is being closed: what takes long breaks off.
    closing: AtomicBool,
    /// To the committer; none once it is told to end.
    requests: Mutex<Option<Sender<Request>>>,
    marks: Mutex<Marks>,
    counters: stats::Counters,
    /// Why the committer acknowledges nothing more, once it does not.
    stopped: watch::Sender<Option<String>>,
    metrics: CommitMetrics,
    /// Bytes that the journal had since the last checkpoint when this was opened.
    journal_before: u64,
    /// What a person should know of how it was opened.
    doubt: Option<String>,
    /// Bytes of journal that checkpoints written since then have covered.
    covered: AtomicU64,
    /// Held while a checkpoint is written.
    checkpoint: Mutex<()>,
    /// Last, so that it is let go only when the index is closed, whoever held on to this.
    _lock: StoreLock,
}

/// The index in use.
struct Live {
    index: Index,
    /// The name of its directory.
    generation: u64,
}

/// How far the store has come.
#[derive(Clone, Copy, Debug)]
struct Marks {
    /// Durable in the journal, perhaps not yet all in the index.
    appended: Mark,
    /// Also wholly in the index.
    applied: Mark,
}

impl Shared {
    /// Reads the index. Where that fails, the index is damaged and will be built again; this does not wait for it.
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

/// A store in a directory of this machine.
pub struct EmbeddedEngine {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Option<Mark>>>>,
}

impl EmbeddedEngine {
    /// Opens the store in `directory`, putting right what the last stop left.
    ///
    /// # Errors
    /// [`OpenError`]: nothing that was acknowledged is given up to get it open.
    pub fn open(directory: &Path, settings: Settings) -> Result<Opened, OpenError> {
        Self::open_on(Arc::new(SystemDisk), directory, settings)
    }

    /// As [`Self::open`], with the journal on a disk of the caller's.
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
        let engine = Self { shared, thread: Mutex::new(Some(thread)) };
        Ok(Opened { engine, report: state.report })
    }

    /// What it has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Completes when nothing is acknowledged any more until it is opened again, with the reason. Being closed is none.
    pub async fn broken(&self) -> String {
        let mut stopped = self.shared.stopped.subscribe();
        match stopped.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => "the store is gone".to_owned(),
        }
    }

    /// What it measures of its commits.
    pub fn metrics(&self) -> CommitMetrics {
        self.shared.metrics.clone()
    }

    /// What a person should know of how it was opened: acknowledged groups may be missing, and why.
    pub fn doubt(&self) -> Option<String> {
        self.shared.doubt.clone()
    }

    /// How many records it holds.
    pub fn records(&self) -> u64 {
        self.shared.marks().applied.fingerprint.records
    }

    /// Where it stands: after the last group that is wholly in the index.
    pub fn mark(&self) -> Mark {
        self.shared.marks().applied
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// Finishes what was asked, stops, and notes where the store stands. Blocks.
    /// Later calls answer [`EngineError::Stopped`]; closing twice does nothing.
    ///
    /// # Errors
    /// [`EngineError`]: everything acknowledged is durable all the same, and the next start verifies the index.
    pub fn close(&self) -> Result<(), EngineError> {
        let Some(mark) = self.stop_committer() else { return Ok(()) };
        let _no_checkpoint = self.shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(live) = self.shared.index.write().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        if self.shared.health.is_unusable() {
            index::let_go(live.index);
            return Err(EngineError::Damaged(
                "its index; the next start builds it anew, which loses nothing".to_owned(),
            ));
        }
        if let Err(fault) = live.index.close() {
            // If this cannot be written either, the next start finds the damage itself.
            let _ = marker::write(&self.shared.directory, &fault.0);
            return Err(EngineError::Damaged(format!(
                "its index, which the next start builds anew; nothing is lost: {fault}"
            )));
        }
        notes::write_clean(&self.shared.directory, mark)
            .map_err(|e| EngineError::Unavailable { action: "closed", reason: e.to_string() })
    }

    /// Ends the committer and what it may wait for; the mark it reached, if all is well and it had not ended before.
    fn stop_committer(&self) -> Option<Mark> {
        let shared = &self.shared;
        shared.closing.store(true, Ordering::Relaxed);
        let requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // It fails only when the thread is gone already.
        let _ = requests.send(Request::Close);
        let mark = thread.join().ok().flatten();
        if let Some(healer) = shared.healer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = healer.join();
        }
        mark
    }

    fn send(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Commit, EngineError>>, EngineError> {
        let (answer, receiver) = oneshot::channel();
        self.shared.ask(Request::Commit(batch, answer, Stopwatch::start()))?;
        Ok(receiver)
    }
}

impl Drop for EmbeddedEngine {
    /// Ends the thread. Without [`EmbeddedEngine::close`] the next start says that the stop was not in order.
    fn drop(&mut self) {
        self.stop_committer();
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
                let reason = "its committer ended; restart to see what became of this".to_owned();
                EngineError::Ambiguous { action: "written", reason }
            };
            sent?.await.map_err(unknown)?
        })
    }
}

/// The journal's bytes since the last checkpoint began.
fn journal_since(shared: &Shared) -> u64 {
    let all = shared.journal_before.saturating_add(shared.counters.snapshot().journal_bytes);
    all.saturating_sub(shared.covered.load(Ordering::Relaxed))
}
