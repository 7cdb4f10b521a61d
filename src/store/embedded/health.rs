//! The state of the index while the store is open: whether it is intact, when it was last compared with its mark, and
//! when it was rebuilt.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::base::clock::Timestamp;
use crate::store::engine::EngineError;
use crate::store::maintenance::IndexHealth;

/// Whether the index can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Whole,
    Damaged,
    /// It was damaged and could not be rebuilt, for this reason.
    Lost(String),
}

/// The health of the index in use, identified by its generation.
pub(super) struct Health {
    condition: watch::Sender<Condition>,
    /// A fast copy of the condition for every read.
    unusable: AtomicBool,
    generation: AtomicU64,
    seen: Mutex<IndexHealth>,
}

impl Health {
    /// The health of an index just compared with its mark, and rebuilt for the reason in `rebuilt`.
    pub(super) fn new(generation: u64, rebuilt: Option<String>, now: Option<Timestamp>) -> Self {
        let rebuilds = u64::from(rebuilt.is_some());
        let seen = IndexHealth { damaged: None, rebuilt: now.zip(rebuilt), rebuilds, checked: now };
        Self {
            condition: watch::Sender::new(Condition::Whole),
            unusable: AtomicBool::new(false),
            generation: AtomicU64::new(generation),
            seen: Mutex::new(seen),
        }
    }

    /// Whether it must not be read.
    pub(super) fn is_unusable(&self) -> bool {
        self.unusable.load(Ordering::Acquire)
    }

    /// The generation of the index in use.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Records damage. Returns whether it is new: not known before, and of the index in use.
    pub(super) fn damage(&self, generation: u64, reason: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_unusable() || generation != self.generation() {
            return false;
        }
        self.unusable.store(true, Ordering::Release);
        seen.damaged = Some(reason.to_owned());
        self.condition.send_replace(Condition::Damaged);
        true
    }

    /// Records that another index, compared with its mark, is now in use.
    pub(super) fn replaced(&self, generation: u64, now: Option<Timestamp>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = seen.damaged.take() {
            seen.rebuilds += 1;
            seen.rebuilt = now.map(|now| (now, reason));
        }
        seen.checked = now.or(seen.checked);
        self.generation.store(generation, Ordering::Release);
        self.unusable.store(false, Ordering::Release);
        self.condition.send_replace(Condition::Whole);
    }

    /// Records that it stays damaged until the next start.
    pub(super) fn lose(&self, reason: &str) {
        let _seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.unusable.store(true, Ordering::Release);
        self.condition.send_replace(Condition::Lost(reason.to_owned()));
    }

    /// Records that all its records were compared with its mark.
    pub(super) fn checked(&self, now: Option<Timestamp>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).checked = now;
    }

    /// Completes when the index can be used.
    ///
    /// # Errors
    /// [`EngineError::Stopped`]: it cannot be used until the next start.
    pub(super) async fn usable(&self) -> Result<(), EngineError> {
        let mut condition = self.condition.subscribe();
        let reached = condition.wait_for(|now| *now != Condition::Damaged).await.map(|now| now.clone());
        match reached {
            Ok(Condition::Lost(reason)) => Err(EngineError::Stopped(reason)),
            Ok(_) => Ok(()),
            Err(_) => Err(EngineError::Stopped("it is closed".to_owned())),
        }
    }

    pub(super) fn snapshot(&self) -> IndexHealth {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The error for callers that do not wait.
pub(super) fn being_rebuilt() -> EngineError {
    EngineError::Damaged("its index is damaged and being rebuilt; try again in a moment".to_owned())
}
