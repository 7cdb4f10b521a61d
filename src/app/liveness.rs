//! Whether the daemon is alive: the question that systemd's watchdog asks.
//!
//! Each [`Liveness::check`] sends a commit through the committer to the disk, and checks the
//! heartbeats of dispatcher, notices, scheduler and inbound worker; idle tasks were notified at the
//! previous check. A worker that waits for the relay, within its timeouts, is alive; so is a daemon
//! whose disk is full, and one whose index is being rebuilt: commits wait for that. The caller
//! passes the time since the previous check, so tests need not wait.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::runtime::heartbeat::{Heartbeats, Stuck, Watch};
use crate::runtime::notifier::Notifier;
use crate::store::{Store, StoreError};

/// Why the daemon is not alive.
#[derive(Debug, thiserror::Error)]
pub enum Lifeless {
    /// A commit did not end in time. It may still succeed.
    #[error("the committer has not made a commit durable within {} s", .0.as_secs())]
    CommitterSilent(Duration),
    /// Commits fail for good: only a restart, which reads what is on the disk, can help.
    #[error("commits fail: {0}")]
    CommitsFail(StoreError),
    /// Tasks have been silent for longer than allowed.
    #[error("{}", .0.iter().map(words).collect::<Vec<_>>().join("; "))]
    Stuck(Vec<Stuck>),
}

fn words(stuck: &Stuck) -> String {
    format!("{} has sent no heartbeat for {} s", stuck.name, stuck.silent.as_secs())
}

/// Checks whether the daemon is alive.
pub struct Liveness {
    store: Store,
    clock: Arc<dyn Clock>,
    notifier: Notifier,
    watches: Vec<Watch>,
    commit_limit: Duration,
    heals: Box<dyn Fn() -> bool + Send + Sync>,
    /// How long it has been excused without a break.
    excused: Duration,
}

/// Maximum time for which silence is excused; rebuilding the index of the largest store takes less.
const HEALING_LIMIT: Duration = Duration::from_secs(3600);

impl Liveness {
    /// Watches the commits of `store` and the tasks of `parts`, which `notifier` notifies. A commit
    /// must end within `commit_limit`.
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

    /// Excuses silence while `heals` returns true, for an hour at most: the index of the store is
    /// being rebuilt.
    pub fn excused(self, heals: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { heals: Box::new(heals), ..self }
    }

    /// Checks once; `passed` is the time since the previous check.
    ///
    /// # Errors
    /// [`Lifeless`]: do not report the daemon as alive.
    pub async fn check(&mut self, passed: Duration) -> Result<(), Lifeless> {
        self.excused = if (self.heals)() { self.excused + passed } else { Duration::ZERO };
        match self.check_all(passed).await {
            Err(Lifeless::CommitterSilent(_) | Lifeless::Stuck(_))
                if (self.heals)() && self.excused < HEALING_LIMIT =>
            {
                Ok(())
            }
            looked => looked,
        }
    }

    async fn check_all(&mut self, passed: Duration) -> Result<(), Lifeless> {
        let stuck: Vec<Stuck> = self.watches.iter_mut().flat_map(|watch| watch.check(passed)).collect();
        // Idle tasks look for work and send a heartbeat, which the next check sees.
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
            Ok(()) => Ok(()),
            // The committer answers, and goes on by itself, e.g. when there is disk space.
            Err(error) if error.may_pass() => Ok(()),
            Err(error) => Err(Lifeless::CommitsFail(error)),
        }
    }
}
