//! Repairs the index while the store is open.
//!
//! The first failed read, or a failed comparison, marks the index as damaged: on disk, so that no start uses it, and in
//! memory, so that reads and commits wait. A thread then builds another index from checkpoint and journal, and the
//! committer replaces the damaged one between two groups. Callers only see a delay. If none can be built, the store
//! stops, and the next start reports why.

use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::clock::Stopwatch;
use crate::store::engine::EngineError;
use crate::store::maintenance::IndexHealth;

use super::health::being_rebuilt;
use super::index::{Index, IndexFault};
use super::layout::{indexes, newest_generation};
use super::new_index::NewIndex;
use super::open_error::OpenError;
use super::open_report::OpenReport;
use super::rebuild::build_beside;
use super::request::Request;
use super::{EmbeddedEngine, Shared, marker};

/// Number of indexes a read is tried on: if the disk damages each new one, the read fails.
const TRIES: usize = 5;

/// Attempts to build an index when the failure may be temporary: a failed write, a full disk.
const BUILDS: u32 = 3;
/// Pause before the first retry; twice as long before the second.
const PAUSE: Duration = Duration::from_millis(200);

/// Why another index was not built.
struct NotBuilt {
    why: String,
    /// A retry may help.
    may_pass: bool,
}

impl From<OpenError> for NotBuilt {
    fn from(error: OpenError) -> Self {
        Self { why: error.to_string(), may_pass: !error.needs_a_person() }
    }
}

impl EmbeddedEngine {
    /// The health of the index.
    pub fn index_health(&self) -> IndexHealth {
        self.shared.health.snapshot()
    }
}

impl Shared {
    /// Reads the index; if it is damaged, waits until it has been rebuilt.
    pub(super) async fn read_healed<T>(
        self: &Arc<Self>,
        call: impl Fn(&Index) -> Result<T, IndexFault>,
    ) -> Result<T, EngineError> {
        let mut outcome = Err(being_rebuilt());
        for _ in 0..TRIES {
            self.health.usable().await?;
            outcome = self.with_index(&call);
            if !matches!(outcome, Err(EngineError::Damaged(_))) {
                break;
            }
        }
        outcome
    }

    /// Marks the index of this generation as damaged, and starts a rebuild.
    pub(super) fn suspect(self: &Arc<Self>, generation: u64, reason: &str) {
        if !self.health.damage(generation, reason) {
            return;
        }
        tracing::error!(
            reason,
            "the index of the store is damaged: it is rebuilt from the journal, which loses nothing; until then reads \
             and commits wait"
        );
        if let Err(error) = marker::write(&self.directory, reason) {
            tracing::error!(%error, "the damage of the index cannot be recorded on the disk; the next start checks for it anyway");
        }
        let shared = self.clone();
        match std::thread::Builder::new().name("index healer".to_owned()).spawn(move || shared.heal()) {
            Ok(thread) => *self.healer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread),
            Err(error) => self.give_up(&format!("no thread can be started: {error}")),
        }
    }

    fn heal(self: &Arc<Self>) {
        let watch = Stopwatch::start();
        let mut outcome = self.try_heal();
        for build in 1..BUILDS {
            if self.closing.load(Ordering::Relaxed) || !outcome.as_ref().is_err_and(|not| not.may_pass) {
                break;
            }
            std::thread::sleep(PAUSE * build);
            outcome = self.try_heal();
        }
        match outcome {
            Ok(records) => tracing::warn!(
                records,
                seconds = watch.nanoseconds() / 1_000_000_000,
                "the index of the store was rebuilt; nothing is lost. Look at the disk: it may be failing"
            ),
            Err(_) if self.closing.load(Ordering::Relaxed) => self.health.lose("it is closed"),
            Err(not) => self.give_up(&not.why),
        }
    }

    fn try_heal(self: &Arc<Self>) -> Result<u64, NotBuilt> {
        // Until the end no checkpoint drops journal, and no backup begins.
        let _one_at_a_time = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let next = newest_generation(&self.directory)?.map_or(1, |last| last + 1);
        let mut report = OpenReport::default();
        let built = build_beside(&self.directory, &self.settings, next, &mut report, &self.closing)?;
        for checkpoint in &report.unusable_checkpoints {
            tracing::warn!("a checkpoint cannot be used: {checkpoint}");
        }
        let (index, tail, generation) = built;
        let path = indexes(&self.directory).join(generation.to_string());
        let new = NewIndex { index, mark: tail.mark, generation, path: path.clone() };
        let (answer, receiver) = oneshot::channel();
        let closed = || EngineError::Stopped("it is closed".to_owned());
        let asked = self.ask(Request::Index(new, answer));
        let taken = asked.and_then(|()| receiver.blocking_recv().map_err(|_| closed())?);
        if taken.is_err() {
            // The marker on disk prevents its use; a leftover only takes space.
            let _ = fs::remove_dir_all(path);
        }
        taken.map_err(|error| NotBuilt {
            why: error.to_string(),
            may_pass: !matches!(error, EngineError::Stopped(_)),
        })?;
        Ok(tail.mark.fingerprint.records)
    }

    /// Stops the store: the index is damaged and cannot be rebuilt.
    fn give_up(self: &Arc<Self>, error: &str) {
        let reason = format!("its index is damaged and cannot be rebuilt: {error}");
        tracing::error!(reason, "the store stops; the next start tries to build the index again");
        self.health.lose(&reason);
        // Without a committer the store has already stopped.
        let _ = self.ask(Request::Unhealed(reason));
    }
}
