//! Whether the daemon is alive: the question that systemd's watchdog asks.
//!
//! Each [`Liveness::look`] sends a commit through the committer onto the disk, and looks whether dispatcher, notices, scheduler
//! and the handling of mail that came in gave a sign of life: who waits for work was woken at the look before. A worker that waits for the relay, within its
//! time limits, is alive; so is a daemon whose disk is full, and one whose index is being built anew: commits wait for that.
//! Who asks says how much time passed, so tests wait for nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::runtime::heartbeat::{Heartbeats, Stuck, Watch};
use crate::runtime::notifier::Notifier;
use crate::store::engine::EngineError;
use crate::store::{Store, StoreError};

/// Why the daemon is not alive.
#[derive(Debug, thiserror::Error)]
pub enum Lifeless {
    /// A commit did not end in time. It may yet.
    #[error("the committer has not made a commit durable within {} s", .0.as_secs())]
    CommitterSilent(Duration),
    /// Commits fail for good: only a start anew, which reads what is on the disk, can help.
    #[error("commits fail: {0}")]
    CommitsFail(StoreError),
    /// Tasks are silent for longer than they may be.
    #[error("{}", .0.iter().map(words).collect::<Vec<_>>().join("; "))]
    Stuck(Vec<Stuck>),
}

fn words(stuck: &Stuck) -> String {
    format!("{} has given no sign of life for {} s", stuck.name, stuck.silent.as_secs())
}

/// Looks whether the daemon is alive.
pub struct Liveness {
    store: Store,
    clock: Arc<dyn Clock>,
    notifier: Notifier,
    watches: Vec<Watch>,
    commit_limit: Duration,
    heals: Box<dyn Fn() -> bool + Send + Sync>,
    /// For how long it has been excused without a break.
    excused: Duration,
}

/// Building the index of the largest store anew takes less.
const HEALING_LIMIT: Duration = Duration::from_secs(3600);

impl Liveness {
    /// Looks after the commits of `store` and the tasks of `parts`, which `notifier` wakes. A commit must end within
    /// `commit_limit`.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        notifier: Notifier,
        parts: &[Heartbeats],
        commit_limit: Duration,
    ) -> Self {
        let watches = parts.iter().map(|heartbeats| Watch::new(heartbeats.clone())).collect();
        Self { store, clock, notifier, watches, commit_limit, heals: Box::new(|| false), excused: Duration::ZERO }
    }

    /// While `heals` says so, everything may be silent, for an hour at most: the index of the store is being built anew.
    pub fn excused(self, heals: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { heals: Box::new(heals), ..self }
    }

    /// Looks once; `passed` is the time since the look before.
    ///
    /// # Errors
    /// [`Lifeless`]: nobody may be told that all is well.
    pub async fn look(&mut self, passed: Duration) -> Result<(), Lifeless> {
        self.excused = if (self.heals)() { self.excused + passed } else { Duration::ZERO };
        match self.look_at_all(passed).await {
            Err(Lifeless::CommitterSilent(_) | Lifeless::Stuck(_))
                if (self.heals)() && self.excused < HEALING_LIMIT =>
            {
                Ok(())
            }
            looked => looked,
        }
    }

    async fn look_at_all(&mut self, passed: Duration) -> Result<(), Lifeless> {
        let stuck: Vec<Stuck> = self.watches.iter_mut().flat_map(|watch| watch.look(passed)).collect();
        // Whoever waits for work looks for some, and beats: that is for the next look to see.
        self.notifier.notify();
        self.commit().await?;
        match stuck.is_empty() {
            true => Ok(()),
            false => Err(Lifeless::Stuck(stuck)),
        }
    }

    async fn commit(&self) -> Result<(), Lifeless> {
        let late = self.clock.wait_for(self.commit_limit);
        let committed = tokio::select! {
            biased;
            committed = self.store.note_alive(self.clock.now()) => committed,
            () = late => return Err(Lifeless::CommitterSilent(self.commit_limit)),
        };
        match committed {
            // The committer answers, and goes on by itself when there is room.
            Ok(()) | Err(StoreError::Engine(EngineError::Full(_))) => Ok(()),
            Err(error) => Err(Lifeless::CommitsFail(error)),
        }
    }
}
